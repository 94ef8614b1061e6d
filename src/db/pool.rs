//! The bounded pool of connections.
//!
//! Checking a connection at every use costs more than the statement behind it, so only one that has idled is checked;
//! a closed one is noticed without asking. A connection whose user went away in the middle of a statement keeps its slot
//! until it is recovered (`session.rs`) or closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{PoolConfig, QueueMode, TimeoutType, Timeouts},
};
use diesel::ConnectionError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

pub(crate) use super::failure::{from_database, violated_unique};
use super::{Connection, Writers, Writes, connect::Target, session::Sessions};
use crate::error::Error;

pub(super) type Object = deadpool::managed::Object<Sessions>;
type PoolError = deadpool::managed::PoolError<ConnectionError>;

/// How long a connection beyond those that are kept may idle before it is closed.
const SPARE_IDLE: Duration = Duration::from_secs(60);

/// How many connections there are and how long they live.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Connections that stay open when nobody needs them.
    pub kept: usize,
    /// Connections at most.
    pub most: usize,
    /// How long a request waits for a free one before it is UNAVAILABLE.
    pub wait: Duration,
    /// The age at which a connection is replaced.
    pub lifetime: Duration,
}

/// The database, by way of a bounded pool of connections. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
    /// How many connections those may lease at a time who share it; `None`: all of the pool.
    share: Option<Arc<Semaphore>>,
}

struct Inner {
    pool: deadpool::managed::Pool<Sessions>,
    kept: usize,
    statements: AtomicU64,
    abandoned: AtomicU64,
    writes: Writes,
    /// Wakes the job that finishes pending operations.
    pending: Notify,
    recoveries: TaskTracker,
}

/// The pool at one moment, for health checks and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections that are open.
    pub open: usize,
    /// Of these, how many nobody uses.
    pub idle: usize,
    /// Requests that wait for one.
    pub waiting: usize,
    /// Connections at most.
    pub most: usize,
}

impl Database {
    /// A pool for that database. Opens nothing yet.
    pub fn new(target: Target, settings: &PoolSettings) -> Database {
        let mut limits = PoolConfig::new(settings.most);
        limits.queue_mode = QueueMode::Lifo;
        limits.timeouts = Timeouts {
            wait: Some(settings.wait),
            create: None,
            recycle: Some(Duration::from_secs(5)),
        };
        let pool = deadpool::managed::Pool::builder(Sessions::new(target, settings.lifetime))
            .config(limits)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("timeouts are given together with a runtime");
        let inner = Inner {
            pool,
            kept: settings.kept,
            statements: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            writes: Writes::default(),
            pending: Notify::default(),
            recoveries: TaskTracker::new(),
        };
        Database {
            inner: Arc::new(inner),
            share: None,
        }
    }

    /// The same pool, of which whoever asks by this handle and its copies leases half of the connections at most, and waits
    /// for them: for work of which there may be any amount, so that it leaves connections to others.
    pub(crate) fn half(&self) -> Database {
        let half = (self.status().most / 2).max(1);
        Database {
            inner: self.inner.clone(),
            share: Some(Arc::new(Semaphore::new(half))),
        }
    }

    /// Leases a connection; waits for one if all are in use, but not for ever.
    ///
    /// # Errors
    /// UNAVAILABLE if none is free in time, or the database cannot be reached.
    pub async fn connection(&self) -> Result<Connection, Error> {
        let of_share = match self.share.clone() {
            Some(share) => Some(share.acquire_owned().await.map_err(Error::internal)?),
            None => None,
        };
        let object = self
            .inner
            .pool
            .get()
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(Connection::new(object, self.clone(), of_share))
    }

    /// The pool at this moment.
    pub fn status(&self) -> PoolStatus {
        let status = self.inner.pool.status();
        PoolStatus {
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
            most: status.max_size,
        }
    }

    /// How many statements were sent since the process started; those that begin or end a transaction do not count.
    pub fn statements(&self) -> u64 {
        self.inner.statements.load(Ordering::Relaxed)
    }

    pub(super) fn count_statement(&self) {
        self.inner.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// How often a connection was given up in the middle of a statement or a transaction since the process started.
    pub fn abandoned(&self) -> u64 {
        self.inner.abandoned.load(Ordering::Relaxed)
    }

    /// How many cancel requests were sent since the process started.
    pub fn cancels(&self) -> u64 {
        self.inner.pool.manager().cancels()
    }

    /// Recovers a connection that was given up in the middle of a statement or a transaction, and returns it to the pool.
    pub(super) fn recover(&self, abandoned: Abandoned) {
        self.inner.abandoned.fetch_add(1, Ordering::Relaxed);
        // Without a runtime, dropping it closes the connection.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let recovery = abandoned.recover(self.clone());
            self.inner.recoveries.spawn_on(recovery, &runtime);
        }
    }

    /// Returns when a command has left a pending operation to the background job.
    pub(crate) async fn pending_added(&self) {
        self.inner.pending.notified().await;
    }

    /// Wakes the job that finishes pending operations.
    pub(super) fn wake_pending(&self) {
        self.inner.pending.notify_one();
    }

    /// Who has written by way of this pool.
    pub(crate) fn writes(&self) -> &Writes {
        &self.inner.writes
    }

    /// Closes connections that have idled for long, but keeps the settings' number. Runs for as long as the process.
    pub async fn close_spare_connections(self) {
        let mut ticks = tokio::time::interval(SPARE_IDLE / 2);
        loop {
            ticks.tick().await;
            self.inner.pool.manager().close_unclaimed();
            let mut spare = self
                .inner
                .pool
                .status()
                .size
                .saturating_sub(self.inner.kept);
            self.inner.pool.retain(|_, metrics| {
                let close = spare > 0 && metrics.last_used() > SPARE_IDLE;
                spare -= usize::from(close);
                !close
            });
        }
    }

    /// Closes the pool: callers that wait for a connection get UNAVAILABLE, and connections that come back are closed. Waits
    /// until statements that were given up have ended or are cancelled.
    pub async fn close(&self) {
        self.inner.pool.close();
        self.inner.pool.manager().close();
        self.inner.recoveries.close();
        self.inner.recoveries.wait().await;
    }
}

/// A connection that was given up in the middle of a statement or a transaction. It is closed when this is dropped.
pub(super) struct Abandoned {
    pub(super) object: Option<Object>,
    /// When the statement was sent whose end is not known; `None` if no statement was running.
    pub(super) sent: Option<Instant>,
    pub(super) in_transaction: bool,
    /// Owners of items that may have been changed.
    pub(super) wrote: Writers,
    /// Its slot among the users of half of the pool.
    pub(super) of_share: Option<OwnedSemaphorePermit>,
}

impl Abandoned {
    async fn recover(mut self, database: Database) {
        let Some(object) = &mut self.object else {
            return;
        };
        let sessions = database.inner.pool.manager();
        let recovered = object
            .recover(sessions, self.sent, self.in_transaction)
            .await;
        // What it wrote may have been committed before it was cancelled.
        database.writes().note(std::mem::take(&mut self.wrote));
        if recovered {
            drop(self.object.take());
        }
        drop(self.of_share.take());
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

fn unavailable(error: &PoolError) -> Error {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => {
            Error::unavailable("all connections to the database are in use")
        }
        other => Error::unavailable(format!("no connection to the database: {other}")),
    }
}
