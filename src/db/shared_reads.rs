//! Connections that many requests share: short reads without a lease.
//!
//! A lease costs a read two wake-ups and keeps a server process waiting for the network between two statements. PostgreSQL's protocol
//! allows a client to send further statements before the first one's response (pipelining). [`SharedReads`] therefore uses a few of the
//! pool's connections for this. Each statement is sent at once on the connection with the fewest unanswered ones.
//!
//! # What may be read
//! - **Autocommit reads that an index bounds**, because a slow statement delays those after it. Other reads, writes and
//!   transactions lease a connection.
//! - A read in a transaction must stay on the transaction's connection.
//!
//! # When a read fails
//! Every error is a [`SharedReadError`], after which the caller uses the pool (`reader`) or another way. A read has no
//! effects, so the caller can send it again, and errors are reported in one place.
//! - A connection that is busy with a slow statement gets no others. If all are, callers use the pool.
//! - A read waits for at most a second, and much less once its text is prepared (`client`). After that, its connection takes no reads until it has responded to all statements
//!   before. It is closed if that takes longer than [`MAX_STALL`].
//! - Statements are not canceled at once, because a cancel request could hit another caller's statement. The `statement_timeout` of
//!   these connections ends the statements whose callers are gone. Behind a pooler in transaction mode, they have none, so the
//!   statements are canceled after the same time.
//! - A read that takes no more rows frees its memory at once. Its connection takes no reads until it has received the other rows.
//! - A connection that the server closes is replaced. While no connection is open, and while one is being opened, callers use the
//!   pool. They never wait for it.
//!
//! # Limits
//! The connections are a part of `SNAPNOTE_POOL_MAX` ([`count`]), so a process opens no more than that. They are opened at the first read,
//! and another is opened only while all have several unanswered statements. As in the pool, they are closed if they idle, and
//! replaced at the age of `SNAPNOTE_POOL_LIFETIME`. Each keeps a limited number of statements prepared (`client`).
//!
//! Behind a pooler in transaction mode, the statements are spread over server connections. PgBouncer 1.21 keeps the prepared
//! statements of its clients apart. The service uses no shared connections while a pooler is suspected of mixing them up, or if
//! `SNAPNOTE_PREPARED_STATEMENTS` is false.

mod client;
mod row;

#[cfg(test)]
pub(super) use self::client::MAX_PREPARED;
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tracing::Instrument;

use self::client::{ReadError, SharedClient};
pub(crate) use self::row::SharedRow;
use super::{
    activity::Activity,
    background::Backoff,
    connect::Target,
    failure::{Kind, kind_of_message},
    metrics::{PoolMetrics, Sent},
    share,
    sql::Value,
};

/// Maximum number of shared connections. More would bring no more throughput: one serves thousands of reads per second.
const MAX_CONNECTIONS: usize = 4;
/// One in this many of the pool's connections is shared.
const POOL_SHARE: usize = 4;
/// The `statement_timeout` of shared connections, unless the setting is shorter.
pub(super) const MAX_STATEMENT: Duration = Duration::from_secs(2);
/// How long a connection may take to respond to the statements preceding a read that timed out.
const MAX_STALL: Duration = Duration::from_secs(10);
/// Another connection is opened if each open one has at least this many unanswered statements.
const OPEN_ANOTHER: usize = 4;
/// Maximum number of unanswered statements per connection.
const MAX_UNANSWERED: usize = 256;

/// The number of shared connections of a pool with this maximum: 3 of 15.
pub(super) fn count(pool_max: usize) -> usize {
    (pool_max / POOL_SHARE).min(MAX_CONNECTIONS)
}

/// SQL text for shared connections. Each connection prepares it once. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SharedText(Arc<Text>);

#[derive(Debug)]
struct Text {
    id: u64,
    sql: Cow<'static, str>,
}

impl SharedText {
    /// Text for `$1`, `$2`, … It must be a constant or composed of constants, and must only read. Keep it: each call makes
    /// another text to prepare.
    pub(crate) fn new(sql: impl Into<Cow<'static, str>>) -> SharedText {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        SharedText(Arc::new(Text {
            id,
            sql: sql.into(),
        }))
    }

    /// The SQL.
    pub(crate) fn sql(&self) -> &str {
        &self.0.sql
    }

    /// Unique in the process: the key of the prepared statement.
    fn id(&self) -> u64 {
        self.0.id
    }
}

/// Why a shared connection returned no rows. Callers then use the pool.
#[derive(Debug)]
pub(crate) enum SharedReadError {
    /// No connection is open, or all have too many unanswered statements. Nothing was sent.
    NotSent,
    /// No response in time.
    Slow,
    /// The statement could not be prepared or failed, or the connection was closed.
    Failed,
    /// The caller takes no more rows.
    TooLarge,
}

fn kind(error: &tokio_postgres::Error) -> Kind {
    let error = error.as_db_error();
    error.map_or(Kind::Other, |error| kind_of_message(error.message()))
}

/// What a failed read is for its caller. Ends the statement's measurement.
fn failure(error: ReadError, sent: Sent<'_>) -> SharedReadError {
    match error {
        ReadError::Failed(error) => {
            sent.failed_with(kind(&error).as_str());
            tracing::debug!(%error, "a read on a shared connection failed");
            SharedReadError::Failed
        }
        ReadError::Stopping | ReadError::Stalled => {
            sent.failed_with(Kind::Other.as_str());
            SharedReadError::Failed
        }
        ReadError::TooLarge => {
            sent.succeeded();
            SharedReadError::TooLarge
        }
    }
}

/// The shared connections of a database.
pub(crate) struct SharedReads {
    inner: Arc<Inner>,
}

/// The present state of the shared connections.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SharedStatus {
    pub(super) open: usize,
    /// Open and without unanswered statements.
    pub(super) idle: usize,
    pub(super) max: usize,
}

struct Inner {
    target: Target,
    max: usize,
    lifetime: Duration,
    /// A permit for each connection, which its I/O holds as long as it exists.
    slots: Arc<Semaphore>,
    clients: RwLock<Vec<Arc<SharedClient>>>,
    is_opening: AtomicBool,
    attempts: Mutex<Attempts>,
    metrics: Arc<PoolMetrics>,
    activity: Arc<Activity>,
}

/// When connections may be opened after an attempt failed.
struct Attempts {
    backoff: Backoff,
    next: Option<Instant>,
}

impl SharedReads {
    /// Up to `max` connections to this database. Opens none yet. The metrics count what is sent, and the activity notes what
    /// callers read.
    pub(super) fn new(
        target: Target,
        max: usize,
        lifetime: Duration,
        (metrics, activity): (Arc<PoolMetrics>, Arc<Activity>),
    ) -> SharedReads {
        let attempts = Attempts {
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(10)),
            next: None,
        };
        let inner = Inner {
            target,
            max,
            lifetime,
            slots: Arc::new(Semaphore::new(max)),
            clients: RwLock::default(),
            is_opening: AtomicBool::new(false),
            attempts: Mutex::new(attempts),
            metrics,
            activity,
        };
        SharedReads {
            inner: Arc::new(inner),
        }
    }

    /// Sends a statement that only reads and that an index bounds, and reads all its rows. It sees what is committed.
    ///
    /// # Errors
    /// Any failure. Callers then use the pool, or another way to read.
    pub(crate) async fn rows(
        &self,
        text: &SharedText,
        values: &[Value],
    ) -> Result<Vec<tokio_postgres::Row>, SharedReadError> {
        self.fitting_rows(text, values, |_| true).await
    }

    /// As [`SharedReads::rows`], as long as each row `fits`. The rows after one that does not are discarded as they arrive.
    ///
    /// # Errors
    /// As [`SharedReads::rows`]; [`SharedReadError::TooLarge`] if a row does not fit.
    pub(crate) async fn fitting_rows(
        &self,
        text: &SharedText,
        values: &[Value],
        fits: impl Fn(&tokio_postgres::Row) -> bool,
    ) -> Result<Vec<tokio_postgres::Row>, SharedReadError> {
        let client = self.inner.pick().ok_or(SharedReadError::NotSent)?;
        let sent = self.inner.metrics.clone().sent(text.sql());
        if share::current().is_some() {
            self.inner.activity.note_use();
        }
        let mut unfinished = Unfinished {
            inner: &self.inner,
            client: Some(client.clone()),
        };
        let rows = client.rows(text, values, fits).instrument(sent.span());
        let read = timeout(client.max_wait(text), rows).await;
        if !matches!(read, Err(_) | Ok(Err(ReadError::TooLarge))) {
            unfinished.client = None;
        }
        match read {
            Ok(Ok(rows)) => {
                sent.succeeded();
                Ok(rows)
            }
            Ok(Err(error)) => {
                if let ReadError::Failed(error) = &error {
                    self.inner.note_failure(&client, error);
                }
                Err(failure(error, sent))
            }
            Err(_) => {
                sent.failed_with(Kind::Timeout.as_str());
                tracing::debug!("a read on a shared connection took too long");
                Err(SharedReadError::Slow)
            }
        }
    }

    pub(super) fn status(&self) -> SharedStatus {
        let clients = self.inner.clients.read();
        let open = clients.iter().filter(|client| client.is_open());
        SharedStatus {
            open: open.clone().count(),
            idle: open.filter(|client| client.unanswered() == 0).count(),
            max: self.inner.max,
        }
    }

    /// Closes the connections that have had no reads since the last call, and those that are due to be replaced.
    pub(super) fn close_spare(&self) {
        let lifetime = self.inner.lifetime;
        let mut clients = self.inner.clients.write();
        clients.retain(|client| client.is_open() && client.was_used() && client.age() < lifetime);
    }

    /// Closes all connections once they have responded, and opens others for further reads.
    pub(super) fn replace_all(&self) {
        self.inner.clients.write().clear();
    }

    /// Closes all connections once they have responded, and opens no more.
    pub(super) fn close(&self) {
        self.inner.slots.close();
        self.inner.clients.write().clear();
    }
}

/// A read. If it is dropped before its end, waits too long or takes no more rows, the server may still be busy with it.
struct Unfinished<'a> {
    inner: &'a Arc<Inner>,
    client: Option<Arc<SharedClient>>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            self.inner.note_stall(client);
        }
    }
}

impl Inner {
    /// The connection for the next read. Starts to open another one if needed.
    fn pick(self: &Arc<Self>) -> Option<Arc<SharedClient>> {
        let clients = self.clients.read();
        let usable = clients
            .iter()
            .filter(|client| client.is_usable() && !client.is_slow());
        let best = usable.min_by_key(|client| client.unanswered()).cloned();
        drop(clients);
        let unanswered = best.as_ref().map_or(usize::MAX, |it| it.unanswered());
        if unanswered >= OPEN_ANOTHER {
            self.start_opening();
        }
        best.filter(|_| unanswered < MAX_UNANSWERED)
    }

    /// Starts to open a connection in the background, if the number of connections and the last failure permit.
    fn start_opening(self: &Arc<Self>) {
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            return;
        };
        let may_open = self
            .attempts
            .lock()
            .next
            .is_none_or(|next| next <= Instant::now());
        if may_open && !self.is_opening.swap(true, Ordering::AcqRel) {
            tokio::spawn(self.clone().open(slot));
        }
    }

    async fn open(self: Arc<Self>, slot: OwnedSemaphorePermit) {
        match self.target.connect_shared(slot).await {
            Ok((client, io)) => {
                let mut attempts = self.attempts.lock();
                attempts.backoff.reset();
                attempts.next = None;
                drop(attempts);
                let mut clients = self.clients.write();
                clients.retain(|client| client.is_open());
                if !self.slots.is_closed() {
                    clients.push(Arc::new(SharedClient::new(client, io)));
                }
            }
            Err(error) => {
                let mut attempts = self.attempts.lock();
                let pause = attempts.backoff.pause();
                attempts.next = Some(Instant::now() + pause);
                drop(attempts);
                tracing::warn!(%error, retry_in = ?pause, "opening a shared connection failed; reads use the pool");
            }
        }
        self.is_opening.store(false, Ordering::Release);
    }

    /// Closes a connection whose prepared statements are out of date or mixed up.
    fn note_failure(&self, client: &Arc<SharedClient>, error: &tokio_postgres::Error) {
        let kind = kind(error);
        if kind == Kind::MixedUp {
            self.target.pooler().suspect();
        }
        if matches!(kind, Kind::MixedUp | Kind::Outdated) {
            self.remove(client);
        }
    }

    /// Gives the connection no reads until it has responded to all statements, and closes it if that takes too long.
    fn note_stall(self: &Arc<Self>, client: Arc<SharedClient>) {
        if client.stall() {
            let inner = self.clone();
            tokio::spawn(async move {
                let recovered = timeout(MAX_STALL, client.recover(&inner.target)).await;
                if !recovered.unwrap_or(false) {
                    inner.remove(&client);
                    client.abort();
                }
            });
        }
    }

    /// Removes a connection. It is closed once it has responded to all statements.
    fn remove(&self, client: &Arc<SharedClient>) {
        let mut clients = self.clients.write();
        clients.retain(|other| !Arc::ptr_eq(other, client));
    }
}
