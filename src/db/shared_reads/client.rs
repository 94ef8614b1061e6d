//! One shared connection: its prepared statements, and how many of its statements are unanswered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Error, Row, Statement, types::Type};

use super::SharedText;
use crate::db::{connection_manager::MAX_PREPARED_TEXT, sql::Value};

/// Maximum number of prepared statements.
pub(in crate::db) const MAX_PREPARED: usize = 256;

/// An open connection that callers share. Dropping the last reference closes it.
pub(super) struct SharedClient {
    client: Client,
    /// By the id of the text. Those least used are closed first.
    prepared: Cache<u64, Prepared, TextLength>,
    unanswered: AtomicUsize,
    /// Whether it was picked since the last check.
    used: AtomicBool,
    is_stalled: AtomicBool,
    opened: Instant,
    io: AbortHandle,
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
            used: AtomicBool::new(true),
            is_stalled: AtomicBool::new(false),
            opened: Instant::now(),
            io,
        }
    }

    /// Sends a statement, after preparing it if needed, and reads all rows. The error is `None` if the process stops.
    pub(super) async fn rows(
        self: &Arc<Self>,
        text: &SharedText,
        values: &[Value],
    ) -> Result<Vec<Row>, Option<Error>> {
        let _unanswered = Unanswered::new(&self.unanswered);
        self.used.store(true, Ordering::Relaxed);
        let prepared = match self.prepared.get(&text.id()) {
            Some(prepared) => prepared,
            None => self.prepare(text, values).await?,
        };
        let rows = self.client.query_raw(&prepared.statement, values).await?;
        Ok(rows.try_collect().await?)
    }

    /// Prepares a statement on a task of its own: if its future were dropped, the server would keep a statement that nobody
    /// closes.
    async fn prepare(
        self: &Arc<Self>,
        text: &SharedText,
        values: &[Value],
    ) -> Result<Prepared, Option<Error>> {
        let (this, text) = (self.clone(), text.clone());
        let types: Vec<Type> = values.iter().map(Value::sql_type).collect();
        let preparing = tokio::spawn(async move { this.prepare_once(&text, &types).await });
        match preparing.await {
            Ok(prepared) => Ok(prepared?),
            Err(_) => Err(None),
        }
    }

    /// Concurrent callers wait for the first one.
    async fn prepare_once(&self, text: &SharedText, types: &[Type]) -> Result<Prepared, Error> {
        let prepare = async {
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
    pub(super) async fn recover(&self) -> bool {
        // The server responds in the order of the requests.
        let responded = self.client.batch_execute("").await.is_ok();
        self.is_stalled.store(!responded, Ordering::Relaxed);
        responded
    }

    /// Closes it at once, also if the server does not respond.
    pub(super) fn abort(&self) {
        self.io.abort();
    }
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
