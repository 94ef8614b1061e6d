//! Opens the connections of the pool, and recovers those whose future was dropped in the middle of a statement.
//!
//! **A client that disconnects costs no connection.** When a client disconnects or a request passes its deadline, a
//! future is dropped in the middle of a statement. Closing its connection would let 20 clients open 200 connections per
//! second, each with a cancel request. Instead the connection is recovered:
//! - The driver handles responses in order, drops those whose future is gone, and remembers a prepared statement only
//!   once it knows that it exists. Therefore one more request (`ROLLBACK` in a transaction, an empty one otherwise)
//!   shows when the dropped statement has ended. Prepared statements are kept.
//! - The dropped statement gets 50 ms to end. Most statements do, and a cancel request needs a connection to the server
//!   of its own. After that it is canceled. If the connection is not usable one second later, it is closed.
//! - During the recovery, the connection keeps its slot of the pool.
//! - A cancel request may arrive late and hit a statement of the next caller. For 10 s, a canceled statement is
//!   therefore repeated like one that lost a conflict.
//!
//! A connection that is being opened when its caller is dropped goes to the next caller.
//!
//! **Callers cannot fill the server's memory with prepared statements.** A list's filter and order decide the text of its
//! statement, so callers can send as many different texts as they like. diesel-async keeps each prepared until the connection is
//! closed. A connection is therefore replaced after it has prepared 128 KiB of texts. With its plan, a statement takes 100–600 bytes
//! of the server's memory per byte of its text (PostgreSQL 15: 0.15–0.3 MB for a list without a filter, 0.9–1.3 MB for one with 20
//! `titleContains` and a total). So the prepared statements of a connection take less than 80 MB. Statements that are sent often stay
//! prepared, whatever their filter; never preparing combined filters would cost each of them another round trip.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use diesel::{ConnectionError, ConnectionResult, connection::InstrumentationEvent};
use diesel_async::{
    AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::PoolableConnection,
};
use parking_lot::Mutex;
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::CancelToken;

use super::connect::Target;

/// How long a dropped statement may run before it is canceled, counted from when it was sent.
const CANCEL_AFTER: Duration = Duration::from_millis(50);
/// How long the recovery may take after that before the connection is closed.
const RECOVERY_LIMIT: Duration = Duration::from_secs(1);
/// Maximum number of recoveries before a connection is replaced. A statement that is dropped while it is being prepared
/// stays prepared on the server without the driver's knowledge.
const MAX_RECOVERIES: u32 = 500;
/// Maximum length of the texts that a connection has prepared before it is replaced, in bytes. It is checked when the connection
/// returns to the pool. The service's own statements have about half of it, and a usual list has less than 1 KiB.
pub(super) const MAX_PREPARED_TEXT: usize = 128 * 1024;
/// How long after a cancel request it may still arrive, through poolers and proxies.
const LATE_CANCEL: Duration = Duration::from_secs(10);
/// How long a connection may idle before it is checked at its next use.
const TRUSTED_IDLE: Duration = Duration::from_secs(10);

/// A connection of the pool, and its recoveries.
pub(super) struct PooledConnection {
    pub(super) connection: AsyncPgConnection,
    recoveries: u32,
    /// The length of the texts that it has prepared, in bytes.
    prepared_text: Arc<AtomicUsize>,
    /// When the last cancel request for it was sent.
    canceled: Option<Instant>,
    /// Whether it must be replaced instead of used again.
    outdated: bool,
}

impl PooledConnection {
    fn new(mut connection: AsyncPgConnection) -> PooledConnection {
        let prepared_text = Arc::new(AtomicUsize::new(0));
        let counter = prepared_text.clone();
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::CacheQuery { sql, .. } = event {
                counter.fetch_add(sql.len(), Ordering::Relaxed);
            }
        });
        PooledConnection {
            connection,
            recoveries: 0,
            prepared_text,
            canceled: None,
            outdated: false,
        }
    }

    /// Has this connection closed instead of used again: the server does not know its prepared statements, or is no longer
    /// the primary.
    pub(super) fn replace(&mut self) {
        self.outdated = true;
    }

    /// Whether a cancel request for an earlier statement may still hit the present one.
    pub(super) fn may_be_canceled_late(&self) -> bool {
        self.canceled
            .is_some_and(|canceled| canceled.elapsed() < LATE_CANCEL)
    }

    /// Makes the connection usable again after a future was dropped that had sent a statement (at `sent`) or was in a
    /// transaction. Returns false if the connection must be closed.
    pub(super) async fn recover(
        &mut self,
        manager: &ConnectionManager,
        sent: Option<Instant>,
        in_transaction: bool,
    ) -> bool {
        self.recoveries += 1;
        let (connection, end) = (
            &self.connection,
            if in_transaction { "ROLLBACK" } else { "" },
        );
        let mut ending = pin!(succeeds(connection, end));
        let wait = sent.map_or(RECOVERY_LIMIT, |sent| {
            CANCEL_AFTER.saturating_sub(sent.elapsed())
        });
        match timeout(wait, &mut ending).await {
            Ok(ended) => return ended,
            Err(_) if sent.is_none() => return false,
            Err(_) => self.canceled = Some(Instant::now()),
        }
        let cancelling = async {
            let cancel = manager.cancel(connection.cancel_token());
            let ((), ended) = tokio::join!(cancel, ending);
            // The cancel request may have hit `end` itself. If it arrives late, it hits one of these.
            let end = if ended { "" } else { end };
            succeeds(connection, end).await || succeeds(connection, end).await
        };
        timeout(RECOVERY_LIMIT, cancelling).await.unwrap_or(false)
    }
}

async fn succeeds(mut connection: &AsyncPgConnection, text: &str) -> bool {
    connection.batch_execute(text).await.is_ok()
}

type Opening = JoinHandle<ConnectionResult<AsyncPgConnection>>;

/// Opens connections for the pool, and decides which are used again.
pub(super) struct ConnectionManager {
    target: Target,
    lifetime: Duration,
    /// Connections that are being opened for callers that were dropped.
    unclaimed: Mutex<Vec<Opening>>,
    cancels: AtomicU64,
    /// Connections that were opened before are replaced.
    replaced_before: Mutex<Option<Instant>>,
}

impl ConnectionManager {
    pub(super) fn new(target: Target, lifetime: Duration) -> ConnectionManager {
        ConnectionManager {
            target,
            lifetime,
            unclaimed: Mutex::default(),
            cancels: AtomicU64::new(0),
            replaced_before: Mutex::default(),
        }
    }

    /// The database.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// How many cancel requests were sent.
    pub(super) fn cancels(&self) -> u64 {
        self.cancels.load(Ordering::Relaxed)
    }

    async fn cancel(&self, token: CancelToken) {
        self.cancels.fetch_add(1, Ordering::Relaxed);
        self.target.cancel(token).await;
    }

    /// Closes open connections that no caller has claimed.
    pub(super) fn close_unclaimed(&self) {
        self.unclaimed
            .lock()
            .retain(|opening| !opening.is_finished());
    }

    /// Has all present connections replaced instead of used again.
    pub(super) fn replace_all(&self) {
        *self.replaced_before.lock() = Some(Instant::now());
        self.close();
    }

    /// Stops opening connections for callers that were dropped.
    pub(super) fn close(&self) {
        for opening in self.unclaimed.lock().drain(..) {
            opening.abort();
        }
    }

    /// Takes over an unclaimed connection, or starts to open one.
    fn claim(&self) -> Claim<'_> {
        let unclaimed = self.unclaimed.lock().pop();
        let was_finished = unclaimed.as_ref().is_some_and(JoinHandle::is_finished);
        let opening = unclaimed.unwrap_or_else(|| {
            let target = self.target.clone();
            tokio::spawn(async move { target.connect().await })
        });
        Claim {
            manager: self,
            opening: Some(opening),
            was_finished,
        }
    }
}

impl Manager for ConnectionManager {
    type Type = PooledConnection;
    type Error = ConnectionError;

    async fn create(&self) -> ConnectionResult<PooledConnection> {
        loop {
            let mut claim = self.claim();
            let Some(opening) = &mut claim.opening else {
                continue;
            };
            let opened = opening.await;
            claim.opening = None;
            let mut opened = opened
                .unwrap_or_else(|panic| Err(ConnectionError::BadConnection(panic.to_string())));
            let good = opened.as_mut().is_ok_and(|it| !it.is_broken());
            // A connection that failed or was closed before this call does not tell whether the server is reachable
            // now.
            if good || !claim.was_finished {
                return opened.map(PooledConnection::new);
            }
        }
    }

    async fn recycle(
        &self,
        pooled: &mut PooledConnection,
        metrics: &Metrics,
    ) -> RecycleResult<ConnectionError> {
        let connection = &mut pooled.connection;
        if connection.is_broken() {
            return Err(RecycleError::message("broken"));
        }
        let is_old = metrics.age() >= self.lifetime
            || pooled.recoveries >= MAX_RECOVERIES
            || pooled.prepared_text.load(Ordering::Relaxed) >= MAX_PREPARED_TEXT;
        let replaced_before = *self.replaced_before.lock();
        let is_replaced = replaced_before.is_some_and(|before| metrics.created <= before);
        if is_old || is_replaced || pooled.outdated {
            return Err(RecycleError::message("due to be replaced"));
        }
        if metrics.last_used() < TRUSTED_IDLE {
            return Ok(());
        }
        let checked = connection.batch_execute("SELECT 1").await;
        checked.map_err(|error| RecycleError::message(error.to_string()))
    }
}

/// A connection that is being opened for a caller. If the caller is dropped, the connection goes to the next one.
struct Claim<'a> {
    manager: &'a ConnectionManager,
    opening: Option<Opening>,
    /// Whether opening had succeeded or failed before this caller claimed it.
    was_finished: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(opening) = self.opening.take() {
            self.manager.unclaimed.lock().push(opening);
        }
    }
}
