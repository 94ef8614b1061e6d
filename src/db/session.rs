//! A session with the server, from the opening of its connection to its recovery after its user went away.
//!
//! A caller that hangs up, or passes its deadline, drops a future in the middle of a statement. The connection stays usable: the
//! driver answers requests in their order, drops what it receives for a future that is gone, and remembers a prepared
//! statement only when it knows that it exists. So the session is recovered by one more request, which is answered when the
//! dropped statement has ended: `ROLLBACK` if there was a transaction, nothing otherwise. Only a statement that does not end
//! soon is cancelled, since a cancel request is a connection to the server of its own.
//!
//! Opening a connection, too, goes on if its caller goes away; the next caller takes it over.

use std::{
    pin::pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection, pooled_connection::PoolableConnection,
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::CancelToken;

use super::connect::Target;

/// How long a statement whose future was dropped may run before it is cancelled, counted from when it was sent.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long the recovery may take after that before the connection is closed.
const RECOVERY_LIMIT: Duration = Duration::from_secs(1);
/// How often a session is recovered before it is replaced: a statement that was dropped while it was being prepared stays
/// prepared at the server, but the driver does not know it.
const MAX_RECOVERIES: u32 = 500;
/// How long after a cancel request it may still reach the session, through poolers and proxies.
const LATE_CANCEL: Duration = Duration::from_secs(10);
/// How long a connection may idle before it is checked at its next use.
const TRUSTED_IDLE: Duration = Duration::from_secs(10);

/// A connection, and what happened to it.
pub(super) struct Session {
    pub(super) connection: AsyncPgConnection,
    recoveries: u32,
    /// When the last cancel request for it was sent.
    cancelled: Option<Instant>,
}

impl Session {
    fn new(connection: AsyncPgConnection) -> Session {
        Session {
            connection,
            recoveries: 0,
            cancelled: None,
        }
    }

    /// Whether a cancel request that was meant for an earlier statement may still strike the present one.
    pub(super) fn may_be_cancelled_late(&self) -> bool {
        self.cancelled
            .is_some_and(|cancelled| cancelled.elapsed() < LATE_CANCEL)
    }

    /// Makes it usable again after a future was dropped that had sent a statement (at `sent`), or in a transaction. Returns
    /// false if it cannot be used any more.
    pub(super) async fn recover(
        &mut self,
        sessions: &Sessions,
        sent: Option<Instant>,
        in_transaction: bool,
    ) -> bool {
        self.recoveries += 1;
        let (connection, end) = (
            &self.connection,
            if in_transaction { "ROLLBACK" } else { "" },
        );
        let mut ending = pin!(succeeds(connection, end));
        let patience = sent.map_or(RECOVERY_LIMIT, |sent| {
            PATIENCE.saturating_sub(sent.elapsed())
        });
        match timeout(patience, &mut ending).await {
            Ok(ended) => return ended,
            Err(_) if sent.is_none() => return false,
            Err(_) => self.cancelled = Some(Instant::now()),
        }
        let cancelling = async {
            let cancel = sessions.cancel(connection.cancel_token());
            let ((), ended) = tokio::join!(cancel, ending);
            // The cancel request may have struck `end` itself; or it comes late, and strikes one of these.
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

/// Opens sessions for the pool, and decides which are used again.
pub(super) struct Sessions {
    target: Target,
    lifetime: Duration,
    /// Connections that are being opened for callers that have gone away.
    unclaimed: Mutex<Vec<Opening>>,
    cancels: AtomicU64,
}

impl Sessions {
    pub(super) fn new(target: Target, lifetime: Duration) -> Sessions {
        Sessions {
            target,
            lifetime,
            unclaimed: Mutex::default(),
            cancels: AtomicU64::new(0),
        }
    }

    /// How many cancel requests were sent.
    pub(super) fn cancels(&self) -> u64 {
        self.cancels.load(Ordering::Relaxed)
    }

    async fn cancel(&self, token: CancelToken) {
        self.cancels.fetch_add(1, Ordering::Relaxed);
        self.target.cancel(token).await;
    }

    /// Closes connections that nobody has claimed since they were opened.
    pub(super) fn close_unclaimed(&self) {
        self.unclaimed().retain(|opening| !opening.is_finished());
    }

    fn unclaimed(&self) -> MutexGuard<'_, Vec<Opening>> {
        self.unclaimed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops opening connections for callers that have gone away.
    pub(super) fn close(&self) {
        for opening in self.unclaimed().drain(..) {
            opening.abort();
        }
    }

    /// Takes over a connection that was left unclaimed, or begins to open one.
    fn claim(&self) -> Claim<'_> {
        let unclaimed = self.unclaimed().pop();
        let was_finished = unclaimed.as_ref().is_some_and(JoinHandle::is_finished);
        let opening = unclaimed.unwrap_or_else(|| {
            let target = self.target.clone();
            tokio::spawn(async move { target.connect().await })
        });
        Claim {
            sessions: self,
            opening: Some(opening),
            was_finished,
        }
    }
}

impl Manager for Sessions {
    type Type = Session;
    type Error = ConnectionError;

    async fn create(&self) -> ConnectionResult<Session> {
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
            // One that failed or was closed before this caller came says nothing about now.
            if good || !claim.was_finished {
                return opened.map(Session::new);
            }
        }
    }

    async fn recycle(
        &self,
        session: &mut Session,
        metrics: &Metrics,
    ) -> RecycleResult<ConnectionError> {
        let connection = &mut session.connection;
        if connection.is_broken() {
            return Err(RecycleError::message("broken"));
        }
        if metrics.age() >= self.lifetime || session.recoveries >= MAX_RECOVERIES {
            return Err(RecycleError::message("due to be replaced"));
        }
        if metrics.last_used() < TRUSTED_IDLE {
            return Ok(());
        }
        let checked = connection.batch_execute("SELECT 1").await;
        checked.map_err(|error| RecycleError::message(error.to_string()))
    }
}

/// A connection that is being opened for a caller. If that goes away, it is left to the next one.
struct Claim<'a> {
    sessions: &'a Sessions,
    opening: Option<Opening>,
    /// Whether it was opened, or failed, before this caller came.
    was_finished: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(opening) = self.opening.take() {
            self.sessions.unclaimed().push(opening);
        }
    }
}
