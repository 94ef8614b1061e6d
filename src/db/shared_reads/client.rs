//! One shared connection: its prepared statements, and how many of its statements are unanswered.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use tokio::{task::AbortHandle, time::sleep};
use tokio_postgres::{Client, Error, Row, RowStream, Statement, types::Type};

use super::{MAX_STATEMENT, SharedText};
use crate::db::{connect::Target, connection_manager::MAX_PREPARED_TEXT, sql::Value};

/// Maximum number of prepared statements.
pub(in crate::db) const MAX_PREPARED: usize = 256;

/// How long a statement may take before the connection gets no others, in addition to twice the fastest one.
const MAX_SILENCE: Duration = Duration::from_millis(20);
/// On a busy server, all statements take long. A statement may take this many times as long as a usual one, up to a maximum, before
/// the connection gets no others: with a fixed time, all connections would be avoided exactly when sharing them saves most.
const USUAL_TIMES: u32 = 8;
const MAX_BUSY_SILENCE: Duration = Duration::from_millis(500);
/// One in this many of the last statement's time counts for the usual time.
const USUAL_WEIGHT: u64 = 8;
/// How long a caller waits for a prepared statement, in addition to what it may take.
const MAX_WAIT: Duration = Duration::from_millis(200);
/// How long a caller waits for a statement that is not prepared yet. It takes two round trips, which may be long ones.
const MAX_FIRST_WAIT: Duration = Duration::from_secs(1);

/// An open connection that callers share. Dropping the last reference closes it.
pub(super) struct SharedClient {
    client: Client,
    /// By the id of the text. Those least used are closed first.
    prepared: Cache<u64, Prepared, TextLength>,
    unanswered: AtomicUsize,
    /// When it responded last, or got a statement after it had responded to all: in milliseconds since it was opened.
    progressed: AtomicU64,
    /// The shortest time of a statement, in milliseconds: about a round trip.
    fastest: AtomicU64,
    /// The moving average of the statements' times, in microseconds.
    usual: AtomicU64,
    /// Whether it was picked since the last check.
    used: AtomicBool,
    is_stalled: AtomicBool,
    opened: Instant,
    io: AbortHandle,
}

/// Why a read returned no rows.
pub(super) enum ReadError {
    Failed(Error),
    /// The process stops.
    Stopping,
    /// The connection takes no reads now. Nothing was sent.
    Stalled,
    /// The caller takes no more rows. The server may still send some.
    TooLarge,
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        ReadError::Failed(error)
    }
}

/// A prepared statement. The server forgets it when the last copy is dropped.
#[derive(Clone)]
struct Prepared {
    statement: Statement,
    text_length: usize,
}

/// Limits the prepared statements by the length of their texts, like a connection of the pool, and by their number.
#[derive(Clone)]
struct TextLength;

impl Weighter<u64, Prepared> for TextLength {
    fn weight(&self, _: &u64, prepared: &Prepared) -> u64 {
        let length = prepared.text_length.max(MAX_PREPARED_TEXT / MAX_PREPARED);
        u64::try_from(length).unwrap_or(u64::MAX)
    }
}

impl SharedClient {
    pub(super) fn new(client: Client, io: AbortHandle) -> SharedClient {
        let limits = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(MAX_PREPARED)
            .weight_capacity(MAX_PREPARED_TEXT as u64)
            .build()
            .expect("both capacities are set");
        SharedClient {
            client,
            prepared: Cache::with_options(
                limits,
                TextLength,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            unanswered: AtomicUsize::new(0),
            progressed: AtomicU64::new(0),
            fastest: AtomicU64::new(u64::from(u16::MAX)),
            usual: AtomicU64::new(0),
            used: AtomicBool::new(true),
            is_stalled: AtomicBool::new(false),
            opened: Instant::now(),
            io,
        }
    }

    /// Sends a statement, after preparing it if needed, and reads all rows, as long as each of them `fits`.
    pub(super) async fn rows(
        self: &Arc<Self>,
        text: &SharedText,
        values: &[Value],
        fits: impl Fn(&Row) -> bool,
    ) -> Result<Vec<Row>, ReadError> {
        if self.unanswered() == 0 {
            self.note_progress();
        }
        let _unanswered = Unanswered::new(&self.unanswered);
        self.used.store(true, Ordering::Relaxed);
        let prepared = match self.prepared.get(&text.id()) {
            Some(prepared) => prepared,
            None => self.prepare(text, values).await?,
        };
        let sent = Instant::now();
        let received = self.client.query_raw(&prepared.statement, values).await?;
        let rows = collect(received, fits).await;
        self.note_time(sent.elapsed());
        self.note_progress();
        rows
    }

    fn note_time(&self, elapsed: Duration) {
        self.fastest
            .fetch_min(milliseconds(elapsed), Ordering::Relaxed);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        // A concurrent update may get lost, which does not matter for an average.
        let usual = self.usual.load(Ordering::Relaxed);
        let usual = usual - usual / USUAL_WEIGHT + micros / USUAL_WEIGHT;
        self.usual.store(usual, Ordering::Relaxed);
    }

    fn note_progress(&self) {
        let age = milliseconds(self.age());
        self.progressed.store(age, Ordering::Relaxed);
    }

    /// How long a statement may take before the connection counts as slow.
    fn max_silence(&self) -> Duration {
        let fastest = Duration::from_millis(self.fastest.load(Ordering::Relaxed));
        let usual = Duration::from_micros(self.usual.load(Ordering::Relaxed));
        let busy = usual.saturating_mul(USUAL_TIMES).min(MAX_BUSY_SILENCE);
        busy.max(MAX_SILENCE + 2 * fastest)
    }

    /// How long a caller waits for the rows of a text.
    pub(super) fn max_wait(&self, text: &SharedText) -> Duration {
        match self.prepared.peek(&text.id()) {
            Some(_) => MAX_FIRST_WAIT.min(MAX_WAIT + 2 * self.max_silence()),
            None => MAX_FIRST_WAIT,
        }
    }

    /// Whether it is busy with a statement that takes long, which would delay further ones.
    pub(super) fn is_slow(&self) -> bool {
        let progressed = Duration::from_millis(self.progressed.load(Ordering::Relaxed));
        let silence = self.age().saturating_sub(progressed);
        self.unanswered() > 0 && silence > self.max_silence()
    }

    /// Prepares a statement on a task of its own: if its future were dropped, the server would keep an unused statement
    /// open.
    async fn prepare(
        self: &Arc<Self>,
        text: &SharedText,
        values: &[Value],
    ) -> Result<Prepared, ReadError> {
        let (this, text) = (self.clone(), text.clone());
        let types: Vec<Type> = values.iter().map(Value::sql_type).collect();
        let preparing = tokio::spawn(async move { this.prepare_once(&text, &types).await });
        match preparing.await {
            Ok(prepared) => prepared,
            Err(_) => Err(ReadError::Stopping),
        }
    }

    /// Concurrent callers wait for the first one. If it fails on a stalled connection, the others have given up, too. So nothing is
    /// sent: a statement that nobody waits for is not canceled, and could wait for the same lock as the first one.
    async fn prepare_once(&self, text: &SharedText, types: &[Type]) -> Result<Prepared, ReadError> {
        let prepare = async {
            if self.is_stalled.load(Ordering::Relaxed) {
                return Err(ReadError::Stalled);
            }
            let statement = self.client.prepare_typed(text.sql(), types).await?;
            let text_length = text.sql().len();
            Ok(Prepared {
                statement,
                text_length,
            })
        };
        self.prepared.get_or_insert_async(&text.id(), prepare).await
    }

    /// Whether the server has not closed it.
    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    /// Whether it takes reads.
    pub(super) fn is_usable(&self) -> bool {
        !self.is_stalled.load(Ordering::Relaxed) && self.is_open()
    }

    /// How many callers wait for a response.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// Whether it had reads since the last call.
    pub(super) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Gives it no reads until [`SharedClient::recover`] returns. `false` if that was the case already.
    pub(super) fn stall(&self) -> bool {
        !self.is_stalled.swap(true, Ordering::Relaxed)
    }

    /// Waits until it has responded to all statements. `false` if it failed.
    pub(super) async fn recover(&self, target: &Target) -> bool {
        // The server responds in the order of the requests.
        let mut responding = pin!(self.client.batch_execute(""));
        let mut is_canceled = false;
        let mut responded = loop {
            tokio::select! {
                responded = &mut responding => break responded.is_ok(),
                // Behind a pooler in transaction mode, the connection has no `statement_timeout` of its own. After that time, the callers
                // of a stalled connection are gone, so a cancel request hits no statement that is needed.
                () = sleep(MAX_STATEMENT), if target.is_pooled() => {
                    target.cancel(self.client.cancel_token()).await;
                    is_canceled = true;
                }
            }
        };
        if is_canceled {
            // A late cancel request must not hit the next read.
            responded &= self.client.batch_execute("").await.is_ok();
        }
        self.is_stalled.store(!responded, Ordering::Relaxed);
        responded
    }

    /// Closes it at once, also if the server does not respond.
    pub(super) fn abort(&self) {
        self.io.abort();
    }
}

async fn collect(received: RowStream, fits: impl Fn(&Row) -> bool) -> Result<Vec<Row>, ReadError> {
    let (mut received, mut rows) = (pin!(received), Vec::new());
    while let Some(row) = received.try_next().await? {
        if !fits(&row) {
            return Err(ReadError::TooLarge);
        }
        rows.push(row);
    }
    Ok(rows)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Counts a caller that waits for a response.
struct Unanswered<'a>(&'a AtomicUsize);

impl<'a> Unanswered<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Unanswered(count)
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
