//! The bounded pool of connections.
//!
//! Checking a connection at every use costs more than the statement behind it, so only one that has idled is checked;
//! a closed one is noticed without asking.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{Hook, HookError, PoolConfig, QueueMode, TimeoutType, Timeouts},
};
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::{self, AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod},
};
use futures_util::FutureExt;
use tokio::sync::{Notify, Semaphore};

pub(crate) use super::failure::{from_database, violated_unique};
use super::{Connection, Writes, connect::Target};
use crate::error::Error;

type Manager = AsyncDieselConnectionManager<AsyncPgConnection>;
pub(super) type Object = deadpool::managed::Object<Manager>;
type PoolError = deadpool::managed::PoolError<pooled_connection::PoolError>;

/// How long a connection may idle before it is checked at its next use.
const TRUSTED_IDLE: Duration = Duration::from_secs(10);
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
    pool: deadpool::managed::Pool<Manager>,
    target: Target,
    kept: usize,
    statements: AtomicU64,
    writes: Writes,
    /// Wakes the job that finishes pending operations.
    pending: Notify,
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
        let connect_to = target.clone();
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let target = connect_to.clone();
            async move { target.connect().await }.boxed()
        });
        let mut limits = PoolConfig::new(settings.most);
        limits.queue_mode = QueueMode::Lifo;
        limits.timeouts = Timeouts {
            wait: Some(settings.wait),
            create: None,
            recycle: Some(Duration::from_secs(5)),
        };
        let pool = deadpool::managed::Pool::builder(Manager::new_with_config("", config))
            .config(limits)
            .runtime(Runtime::Tokio1)
            .pre_recycle(replaced_after(settings.lifetime))
            .post_recycle(checked_after_idling())
            .build()
            .expect("timeouts are given together with a runtime");
        let inner = Inner {
            pool,
            target,
            kept: settings.kept,
            statements: AtomicU64::new(0),
            writes: Writes::default(),
            pending: Notify::default(),
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

    pub(super) fn target(&self) -> &Target {
        &self.inner.target
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

    /// Closes the pool: who waits for a connection is refused, and those that come back are closed.
    pub fn close(&self) {
        self.inner.pool.close();
    }
}

fn replaced_after(lifetime: Duration) -> Hook<Manager> {
    Hook::sync_fn(move |_, metrics| {
        if metrics.age() < lifetime {
            Ok(())
        } else {
            Err(HookError::message("old enough to be replaced"))
        }
    })
}

fn checked_after_idling() -> Hook<Manager> {
    Hook::async_fn(|connection: &mut AsyncPgConnection, metrics| {
        async move {
            if metrics.last_used() < TRUSTED_IDLE {
                return Ok(());
            }
            let answer = connection.batch_execute("SELECT 1").await;
            answer.map_err(|error| {
                HookError::Backend(pooled_connection::PoolError::QueryError(error))
            })
        }
        .boxed()
    })
}

fn unavailable(error: &PoolError) -> Error {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => {
            Error::unavailable("all connections to the database are in use")
        }
        other => Error::unavailable(format!("no connection to the database: {other}")),
    }
}
