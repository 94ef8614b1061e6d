//! A read replica: a streaming standby from which queries read items (`SNAPNOTE_READ_MAX_LAG`, docs/scale.md).
//!
//! `Replica::attempt` is the only place that decides which database the reads of a query use. All reads of items of one query use the same
//! database. A query reads from the replica if
//! - it runs on behalf of a user who is not pinned (`pins`): the replica shows everything that this user has changed,
//! - the last sample (`monitor`) proves that the replica was at most `max_lag` behind,
//! - messages of other processes arrive (`changes::live`), which name the users whose items these have changed.
//!
//! If the replica fails or takes too long, the query runs again on the primary. Queries with effects never
//! use the replica (`graphql::admission`), so clients notice nothing.
//!
//! # Decisions
//! - **No statement per write.** A position of the log for each write would cost each mutation a round trip. Instead, one sample at a
//!   time compares both servers, and only while queries arrive that need it. Without requests, neither server gets statements.
//! - **A sample proves one server.** Standbys behind a common address replay at different times, and after a crash a standby can show an
//!   older state for a moment. So the pool of the replica only uses connections to the sampled server since its last start
//!   (`connect::OnlyServer`).
//! - **The change feed never uses the replica.** Its cursors are snapshots of the primary, and a standby's differ.

pub(crate) mod checkup;
mod monitor;
mod pins;
mod server;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};
use uuid::Uuid;

pub(super) use self::pins::{Pins, RunningWrite};
use super::{Database, Writers, background::Job, connect::Target};
use crate::telemetry::{Exposition, Source};

/// How long a query may take on the replica before it runs on the primary.
const MAX_TIME: Duration = Duration::from_secs(2);
/// The age from which a sample is replaced while queries arrive.
const SAMPLE_AGE: Duration = Duration::from_secs(1);

/// The replica of a database.
#[derive(Debug, Clone)]
pub struct ReplicaSettings {
    /// Its address.
    pub target: Target,
    /// How far it may be behind the primary before queries use the primary.
    pub max_lag: Duration,
}

/// A replica, its pool, and what is known about it.
pub(crate) struct Replica {
    database: Database,
    target: Target,
    max_lag: Duration,
    pins: Arc<Pins>,
    /// Counts failed queries. After one, the replica is not used before it is sampled again.
    failures: AtomicU64,
    known: Mutex<Known>,
    /// Notified by queries that need a newer sample.
    wanted: Notify,
    queries: Queries,
}

/// Whether messages of other processes arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Notifications {
    Arrive,
    /// Not known, because the process starts, or because the database sleeps.
    #[default]
    Unknown,
    Missing,
}

/// What the last sample found.
#[derive(Debug, Clone, Default)]
struct Known {
    notifications: Notifications,
    phase: Phase,
    /// The replica shows everything that was committed on the primary at this time.
    proven_at: Option<Instant>,
    sampled_at: Option<Instant>,
    lag: Option<Duration>,
    /// The failures that the sample has checked.
    failures: u64,
    /// The phase that was logged last.
    logged: Phase,
}

impl Known {
    fn phase(&self) -> Phase {
        match self.notifications {
            Notifications::Arrive => self.phase.clone(),
            Notifications::Unknown => Phase::Unknown,
            Notifications::Missing => Phase::NoNotifications,
        }
    }
}

/// Whether a replica can be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Phase {
    /// It was not sampled yet, or the database sleeps.
    #[default]
    Unknown,
    Ready,
    Lagging,
    /// It, or the primary, does not respond.
    Unreachable(String),
    /// It is not a replica of the database.
    Unusable(String),
    /// Messages of other processes do not arrive.
    NoNotifications,
}

impl Phase {
    fn as_str(&self) -> &'static str {
        match self {
            Phase::Unknown => "unknown",
            Phase::Ready => "ready",
            Phase::Lagging => "lagging",
            Phase::Unreachable(_) => "unreachable",
            Phase::Unusable(_) => "unusable",
            Phase::NoNotifications => "waiting for notifications",
        }
    }

    fn log(&self, lag: Option<Duration>) {
        match self {
            Phase::Unknown => {}
            Phase::Ready => tracing::info!(?lag, "queries use the read replica"),
            Phase::Lagging => {
                tracing::warn!(
                    ?lag,
                    "the read replica is too far behind; queries use the primary"
                );
            }
            Phase::Unreachable(error) => {
                tracing::warn!(
                    error,
                    "the read replica cannot be reached; queries use the primary"
                );
            }
            Phase::Unusable(error) => {
                tracing::error!(
                    error,
                    "DATABASE_READ_URL is not a usable replica; queries use the primary"
                );
            }
            Phase::NoNotifications => tracing::warn!(
                "notifications of other processes do not arrive, so queries use the primary instead of the read replica; set \
                 DATABASE_DIRECT_URL to an address of the primary without a pooler"
            ),
        }
    }
}

/// Where queries of items ran, and why.
#[derive(Debug, Default)]
struct Queries {
    replica: AtomicU64,
    own_writes: AtomicU64,
    not_ready: AtomicU64,
    failed: AtomicU64,
}

/// The state of a replica, for health checks.
#[derive(Debug, Clone)]
pub(crate) struct ReplicaStatus {
    pub(crate) state: &'static str,
    /// How far it was behind the primary at the last sample.
    pub(crate) lag: Option<Duration>,
    pub(crate) since_sample: Option<Duration>,
}

/// What an attempt to use the replica returned.
pub(crate) enum Attempt<T> {
    Done(T),
    /// The database failed.
    Failed,
}

impl Replica {
    pub(super) fn new(database: Database, settings: ReplicaSettings) -> Replica {
        Replica {
            database,
            target: settings.target,
            max_lag: settings.max_lag,
            pins: Arc::default(),
            failures: AtomicU64::new(0),
            known: Mutex::default(),
            wanted: Notify::new(),
            queries: Queries::default(),
        }
    }

    /// The pool of the replica. Only [`Replica::attempt`] may use it for queries.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }

    /// Runs work on the replica that reads items for this user. `None`: run it on the primary, because the replica cannot show the
    /// user's items as they are, or because it failed.
    pub(crate) async fn attempt<T>(
        &self,
        user: Uuid,
        work: impl Future<Output = Attempt<T>>,
    ) -> Option<T> {
        if let Err(why) = self.is_usable_by(user) {
            why.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        match timeout(MAX_TIME, work).await {
            Ok(Attempt::Done(done)) => {
                self.queries.replica.fetch_add(1, Ordering::Relaxed);
                return Some(done);
            }
            Ok(Attempt::Failed) => _ = self.failures.fetch_add(1, Ordering::Relaxed),
            // It may be a slow query of one user. The next sample finds out whether the server responds.
            Err(_) => {}
        }
        self.queries.failed.fetch_add(1, Ordering::Relaxed);
        self.wanted.notify_one();
        tracing::debug!("a query failed on the read replica; it runs on the primary");
        None
    }

    /// Whether the user's queries may use it now. The error counts why not.
    fn is_usable_by(&self, user: Uuid) -> Result<(), &AtomicU64> {
        // Held while the pins are read: all users are pinned before messages count as arriving.
        let known = self.known.lock();
        let is_recent = |age: Duration| known.proven_at.is_some_and(|at| at.elapsed() <= age);
        let has_failed = known.failures != self.failures.load(Ordering::Relaxed);
        let is_pinned = self.pins.has(user);
        if is_pinned || has_failed || !is_recent(SAMPLE_AGE.min(self.max_lag / 2)) {
            self.wanted.notify_one();
        }
        let is_ready = known.phase == Phase::Ready && !has_failed && is_recent(self.max_lag);
        if !is_ready || known.notifications != Notifications::Arrive {
            Err(&self.queries.not_ready)
        } else if is_pinned {
            Err(&self.queries.own_writes)
        } else {
            Ok(())
        }
    }

    /// Samples it while queries need that, as long as the process runs.
    pub(crate) async fn monitor(self: Arc<Self>, primary: Database, job: Job) {
        monitor::run(primary, self, job).await;
    }

    /// Another process has changed items of these users.
    pub(crate) fn note_changes_elsewhere(&self, writers: &Writers) {
        self.pins.pin(writers);
    }

    /// Whether messages of other processes arrive from now on. Those before may have been missed.
    pub(crate) fn set_notifications(&self, notifications: Notifications) {
        if notifications == Notifications::Arrive {
            self.pins.pin(&Writers::Any);
        }
        self.known.lock().notifications = notifications;
        self.log_phase();
    }

    /// Logs the phase, if it has changed.
    fn log_phase(&self) {
        let mut known = self.known.lock();
        let phase = known.phase();
        if phase != Phase::Unknown && phase.as_str() != known.logged.as_str() {
            phase.log(known.lag);
            known.logged = phase;
        }
    }

    /// The current state.
    pub(crate) fn status(&self) -> ReplicaStatus {
        let known = self.known.lock();
        ReplicaStatus {
            state: known.phase().as_str(),
            lag: known.lag,
            since_sample: known.sampled_at.map(|at| at.elapsed()),
        }
    }
}

impl Source for Replica {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let status = self.status();
        let help = "Whether the read replica could be used at its last sample.";
        let is_ready = u64::from(status.state == Phase::Ready.as_str());
        to.gauge("snapnote_replica_ready", help, is_ready)?;
        let help = "How far the read replica was behind the primary at its last sample.";
        let lag = status.lag.map(|lag| lag.as_secs_f64());
        to.gauge(
            "snapnote_replica_lag_seconds",
            help,
            lag.unwrap_or(f64::NAN),
        )?;
        let help = "Queries of signed-in users, by where they read items and why: from the replica, or from the primary because the \
            replica may not show the user's own changes, is not ready, or has failed.";
        let Queries {
            replica,
            own_writes,
            not_ready,
            failed,
        } = &self.queries;
        let counts = [
            ("replica", replica),
            ("own_writes", own_writes),
            ("not_ready", not_ready),
            ("failed", failed),
        ];
        let count = |(outcome, count): (&'static str, &AtomicU64)| {
            ([("outcome", outcome)], count.load(Ordering::Relaxed))
        };
        to.counters("snapnote_replica_queries", help, counts.map(count))
    }
}
