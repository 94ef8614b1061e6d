//! The bounded pool of connections.
//!
//! Checking a connection at every use costs more than the statement that follows. Therefore only connections that have idled are checked; a
//! closed connection is noticed without a statement. A connection whose future was dropped in the middle of a statement keeps its slot until it
//! is recovered (`connection_manager.rs`) or closed.
//!
//! Requests of one user or address together lease at most a third of the pool (`share`), so that one user's requests rarely delay
//! another's.
//!
//! Idle connections are closed (`spare`), so that an unused database can sleep.
//!
//! A pooler between the service and the server must keep the prepared statements of its clients apart (`pooler.rs`).

mod abandoned;
mod reservation;
mod spare;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{PoolConfig, QueueMode, Timeouts},
};
use diesel::ConnectionError;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(super) use self::{abandoned::Abandoned, reservation::Permits};
pub(crate) use super::failure::{from_database, violated_unique};
use super::{
    Connection, Writers, Writes,
    activity::{Activity, IdleSettings},
    connect::{OnlyServer, Target},
    connection_manager::ConnectionManager,
    metrics::PoolMetrics,
    pooler,
    replica::{Replica, ReplicaSettings, RunningWrite},
    share::{self, Holder, Shares},
    shared_reads::{self, SharedReads},
};
use crate::error::Error;

pub(super) type Object = deadpool::managed::Object<ConnectionManager>;
type PoolError = deadpool::managed::PoolError<ConnectionError>;

/// The number of connections, and how long they live.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// The pool's name in metrics.
    pub name: &'static str,
    /// The duration from which a statement is logged as slow.
    pub slow: Duration,
    /// Number of connections that stay open between two uses, for at most `IdleSettings::close`.
    pub kept: usize,
    /// Maximum number of connections.
    pub max_connections: usize,
    /// Whether some of them are shared by short reads, if there are enough (`shared_reads`).
    pub shared_reads: bool,
    /// How long a caller waits for a free connection before it gets UNAVAILABLE.
    pub wait: Duration,
    /// The age at which a connection is replaced.
    pub lifetime: Duration,
    /// What an idle process does.
    pub idle: IdleSettings,
}

/// The database, through a bounded pool of connections. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
    /// Permits for half of the pool, shared by all copies of this handle. `None`: the whole pool.
    half: Option<Arc<Semaphore>>,
}

struct Inner {
    pool: deadpool::managed::Pool<ConnectionManager>,
    kept: usize,
    shared: Option<SharedReads>,
    /// How long a caller waits for a connection.
    wait: Duration,
    /// The connections that each holder may lease at the same time.
    shares: Shares,
    metrics: Arc<PoolMetrics>,
    activity: Arc<Activity>,
    abandoned: AtomicU64,
    writes: Writes,
    /// Wakes the job that finishes pending operations.
    pending: Arc<Notify>,
    recoveries: TaskTracker,
    replica: Option<Arc<Replica>>,
}

/// The present state of the pool, for health checks and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// Number of open connections.
    pub open: usize,
    /// Number of open connections that are not in use.
    pub idle: usize,
    /// Number of callers that wait for a connection.
    pub waiting: usize,
    /// Maximum number of connections.
    pub max: usize,
    /// How many of the open connections are shared by short reads.
    pub shared: usize,
}

impl Database {
    /// Creates a pool for this database. Opens no connection yet.
    pub fn new(target: Target, settings: &PoolSettings) -> Database {
        Database::with_replica(target, settings, None)
    }

    /// As [`Database::new`], with a replica. The replica's pool has the same settings.
    pub fn with_replica(
        target: Target,
        settings: &PoolSettings,
        replica: Option<ReplicaSettings>,
    ) -> Database {
        let pending = Arc::new(Notify::new());
        let replica = replica.map(|replica| {
            let target = replica.target.clone().only_on(Arc::<OnlyServer>::default());
            let settings = PoolSettings {
                name: "replica",
                ..settings.clone()
            };
            let database = Database::build(target, &settings, pending.clone(), None);
            Arc::new(Replica::new(database, replica))
        });
        Database::build(target, settings, pending, replica)
    }

    fn build(
        target: Target,
        settings: &PoolSettings,
        pending: Arc<Notify>,
        replica: Option<Arc<Replica>>,
    ) -> Database {
        let metrics = PoolMetrics::new(settings.name, settings.slow);
        let activity = Arc::new(Activity::new(settings.idle));
        let shared = if settings.shared_reads {
            shared_reads::count(settings.max_connections)
        } else {
            0
        };
        let shared_reads = (shared > 0).then(|| {
            let counts = (metrics.clone(), activity.clone());
            SharedReads::new(target.clone(), shared, settings.lifetime, counts)
        });
        let inner = Inner {
            pool: leased(target, settings, settings.max_connections - shared),
            kept: settings.kept,
            shared: shared_reads,
            wait: settings.wait,
            shares: Shares::new((settings.max_connections / 3).max(1)),
            metrics,
            activity,
            abandoned: AtomicU64::new(0),
            writes: Writes::default(),
            pending,
            recoveries: TaskTracker::new(),
            replica,
        };
        Database {
            inner: Arc::new(inner),
            half: None,
        }
    }

    /// A handle to the same pool that, together with its copies, uses at most half of the connections. For work of any amount, so that it
    /// leaves connections to other callers.
    pub(crate) fn with_half_the_pool(&self) -> Database {
        let half = (self.inner.pool.status().max_size / 2).max(1);
        Database {
            inner: self.inner.clone(),
            half: Some(Arc::new(Semaphore::new(half))),
        }
    }

    /// Runs work for a holder. Together with all other work for the same holder, it leases at most a third of the connections at the same
    /// time. `None`: without this limit.
    pub(crate) fn for_holder<F: Future>(
        &self,
        holder: Option<Holder>,
        work: F,
    ) -> impl Future<Output = F::Output> {
        share::with(holder.map(|holder| self.inner.shares.of(holder)), work)
    }

    /// Leases a connection. If all are in use, or all that the current holder may lease, waits for one. Each wait is limited by
    /// the settings.
    ///
    /// # Errors
    /// UNAVAILABLE if no connection is free in time, or the database cannot be reached.
    pub async fn connection(&self) -> Result<Connection, Error> {
        let began = Instant::now();
        let leased = self.lease().await;
        self.metrics().waited(began.elapsed(), leased.is_ok());
        leased
    }

    async fn lease(&self) -> Result<Connection, Error> {
        self.reserve().await?.connection().await
    }

    /// The present state of the pool.
    pub fn status(&self) -> PoolStatus {
        let leased = self.inner.pool.status();
        let shared = self.inner.shared.as_ref();
        let shared = shared.map(SharedReads::status).unwrap_or_default();
        PoolStatus {
            open: leased.size + shared.open,
            idle: leased.available + shared.idle,
            waiting: leased.waiting,
            max: leased.max_size + shared.max,
            shared: shared.open,
        }
    }

    /// The shared connections. `None` if there are none, or while a pooler is suspected of mixing up prepared statements: use
    /// leased connections.
    pub(crate) fn shared_reads(&self) -> Option<&SharedReads> {
        let shared = self.inner.shared.as_ref();
        shared.filter(|_| !self.is_pooler_suspected())
    }

    /// The number of statements sent since the process started, without those that begin or end a transaction.
    pub fn statements(&self) -> u64 {
        self.inner.metrics.statements()
    }

    pub(super) fn metrics(&self) -> &Arc<PoolMetrics> {
        &self.inner.metrics
    }

    /// When callers last used the database.
    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.inner.activity
    }

    /// How often a connection was dropped in the middle of a statement or transaction since the process started.
    pub fn abandoned(&self) -> u64 {
        self.inner.abandoned.load(Ordering::Relaxed)
    }

    /// The number of cancel requests sent since the process started.
    pub fn cancels(&self) -> u64 {
        self.inner.pool.manager().cancels()
    }

    /// Notes that a statement failed as it does if a pooler mixes up prepared statements.
    pub(super) fn suspect_pooler(&self) {
        self.target().pooler().suspect();
    }

    /// Whether a statement failed as it does if a pooler mixes up prepared statements, and no check has succeeded since.
    pub(crate) fn is_pooler_suspected(&self) -> bool {
        self.target().pooler().is_suspected()
    }

    /// Checks again whether a pooler mixes up prepared statements.
    ///
    /// # Errors
    /// UNAVAILABLE if it does, or if the database cannot be reached.
    pub(crate) async fn check_pooler(&self) -> Result<(), Error> {
        pooler::check(self.target()).await
    }

    /// The database and how to connect to it.
    pub(crate) fn target(&self) -> &Target {
        self.inner.pool.manager().target()
    }

    /// Recovers an abandoned connection in the background, and returns it to the pool.
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

    /// The replica, if there is one.
    pub(crate) fn replica(&self) -> Option<&Arc<Replica>> {
        self.inner.replica.as_ref()
    }

    /// A write of these users begins. Until it ends, they do not use the replica, if there is one.
    pub(super) fn begin_write(&self, writers: &Writers) -> Option<RunningWrite> {
        let replica = self.replica()?;
        Some(replica.pins().begin_write(writers.clone()))
    }

    /// The user has read changes from the primary, or a cursor after them. Until the replica shows them, the user does not use it.
    pub(crate) fn note_known(&self, user: impl Into<Uuid>) {
        if let Some(replica) = self.replica() {
            replica.pins().pin(&Writers::These([user.into()].into()));
        }
    }

    /// Has all connections replaced by ones that lead to this server since its last start. Others fail.
    pub(super) fn only_use_server(&self, started: &str) {
        if let Some(server) = self.target().only_server() {
            server.set(started);
        }
        self.inner.pool.manager().replace_all();
        self.inner.pool.retain(|_, _| false);
        if let Some(shared) = &self.inner.shared {
            shared.replace_all();
        }
    }

    /// The users whose items were changed through this pool.
    pub(crate) fn writes(&self) -> &Writes {
        &self.inner.writes
    }

    /// Closes the pool: waiting callers get UNAVAILABLE, and returned connections are closed. Waits until dropped statements have ended or are
    /// canceled.
    pub async fn close(&self) {
        self.inner.pool.close();
        self.inner.pool.manager().close();
        if let Some(shared) = &self.inner.shared {
            shared.close();
        }
        self.inner.recoveries.close();
        self.inner.recoveries.wait().await;
    }
}

/// The connections that are leased. The newest one is leased first, so that the others idle and are closed.
fn leased(
    target: Target,
    settings: &PoolSettings,
    max: usize,
) -> deadpool::managed::Pool<ConnectionManager> {
    let mut limits = PoolConfig::new(max);
    limits.queue_mode = QueueMode::Lifo;
    limits.timeouts = Timeouts {
        wait: Some(settings.wait),
        create: None,
        recycle: Some(Duration::from_secs(5)),
    };
    let manager = ConnectionManager::new(target, settings.lifetime);
    deadpool::managed::Pool::builder(manager)
        .config(limits)
        .runtime(Runtime::Tokio1)
        .build()
        .expect("a runtime is set, which timeouts need")
}
