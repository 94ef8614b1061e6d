//! What is measured of the database: each statement, whichever connection it is sent on, and the waits for connections.
//!
//! [`Sent`] is the one place that counts a statement: for the metrics of its pool, for the operation that sent it
//! (`telemetry::work`), and for the log if it is slow. Only its text is shown, which never contains a value.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::QueryResult;
use tracing::Span;

use super::{Database, failure::kind_of, pool::PoolStatus};
use crate::telemetry::{Exposition, Histogram, Series, Source, work};

/// Maximum number of pairs of an operation and an error.
const MAX_SERIES: usize = 64;
/// Maximum bytes of a slow statement's text in the log.
const MAX_TEXT: usize = 2_000;

/// The measurements of one pool.
#[derive(Debug)]
pub(crate) struct PoolMetrics {
    name: &'static str,
    /// The duration from which a statement is logged as slow.
    slow: Duration,
    /// Sent so far, without those that begin or end a transaction.
    statements: AtomicU64,
    /// By operation and error. The error is empty if there was none.
    durations: Series<(&'static str, &'static str)>,
    /// How long callers waited for connections that they got.
    waits: Histogram,
    /// How many callers got none.
    timeouts: AtomicU64,
}

/// A statement that was sent. It counts when it has ended, or when it is dropped before.
pub(super) struct Sent<'a> {
    metrics: Arc<PoolMetrics>,
    text: &'a str,
    at: Instant,
    is_counted: bool,
    error: &'static str,
}

impl PoolMetrics {
    pub(super) fn new(name: &'static str, slow: Duration) -> Arc<PoolMetrics> {
        Arc::new(PoolMetrics {
            name,
            slow,
            statements: AtomicU64::new(0),
            durations: Series::new(MAX_SERIES),
            waits: Histogram::default(),
            timeouts: AtomicU64::new(0),
        })
    }

    pub(super) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// A statement is being sent.
    pub(super) fn sent(self: Arc<Self>, text: &str) -> Sent<'_> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let mut sent = self.batch(text);
        sent.is_counted = true;
        sent
    }

    /// Text that begins or ends a transaction is being sent.
    pub(super) fn batch(self: Arc<Self>, text: &str) -> Sent<'_> {
        Sent {
            metrics: self,
            text,
            at: Instant::now(),
            is_counted: false,
            error: "dropped",
        }
    }

    /// A caller got a connection, or not, after this wait.
    pub(super) fn waited(&self, wait: Duration, has_connection: bool) {
        match has_connection {
            true => self.waits.observe(wait),
            false => _ = self.timeouts.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Sent<'_> {
    /// The span of the statement, for traces.
    pub(super) fn span(&self) -> Span {
        tracing::trace_span!(
            "db.statement",
            otel.kind = "client",
            otel.name = operation(self.text),
            db.system.name = "postgresql",
            db.operation.name = operation(self.text),
            db.query.text = self.text,
        )
    }

    /// The statement has ended.
    pub(super) fn ended<T>(self, outcome: &QueryResult<T>) {
        match outcome {
            Ok(_) => self.succeeded(),
            Err(error) => self.failed_with(kind_of(error).as_str()),
        }
    }

    /// The statement has ended without an error.
    pub(super) fn succeeded(mut self) {
        self.error = "";
    }

    /// The statement has ended with this error.
    pub(super) fn failed_with(mut self, error: &'static str) {
        self.error = error;
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let duration = self.at.elapsed();
        let key = (operation(self.text), self.error);
        self.metrics.durations.of(key).observe(duration);
        work::note_statement(duration, self.is_counted);
        if duration >= self.metrics.slow {
            let statement = &self.text[..self.text.floor_char_boundary(MAX_TEXT)];
            let error = (!self.error.is_empty()).then_some(self.error);
            let duration_ms = milliseconds(duration);
            tracing::warn!(duration_ms, error, statement, "slow statement");
        }
    }
}

/// Milliseconds for the log, with three decimals.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// The first word of a statement. Most of the service's own begin with WITH or SELECT, whatever they change.
fn operation(text: &str) -> &'static str {
    const KNOWN: [&str; 8] = [
        "SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "ROLLBACK",
    ];
    let text = text.trim_ascii_start();
    let known = KNOWN.into_iter().find(|word| text.starts_with(word));
    known.unwrap_or("OTHER")
}

/// The metrics of several pools.
pub(crate) struct Pools(pub(crate) Vec<Database>);

impl Pools {
    fn metrics(&self) -> impl Iterator<Item = &Arc<PoolMetrics>> {
        self.0.iter().map(Database::metrics)
    }

    fn connections(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let states: Vec<(&str, PoolStatus)> = self
            .0
            .iter()
            .map(|database| (database.metrics().name, database.status()))
            .collect();
        let each = |value: fn(&PoolStatus) -> usize| {
            let labels = |pool| [("db_client_connection_pool_name", pool)];
            states
                .iter()
                .map(move |(pool, status)| (labels(*pool), value(status)))
        };
        let of_state = |state, value| {
            each(value).map(move |([pool], number)| {
                ([pool, ("db_client_connection_state", state)], number)
            })
        };
        let used: fn(&PoolStatus) -> usize = |status| status.open - status.idle;
        let count = of_state("used", used).chain(of_state("idle", |status| status.idle));
        let help = "Open connections to the database, by state.";
        to.gauges("db_client_connection_count", help, count)?;
        let help = "Maximum number of connections to the database.";
        to.gauges("db_client_connection_max", help, each(|status| status.max))?;
        let help = "Callers that wait for a connection.";
        let waiting = each(|status| status.waiting);
        to.gauges("db_client_connection_pending_requests", help, waiting)
    }
}

impl Source for Pools {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        self.connections(to)?;
        let of_pool = |metrics: &PoolMetrics| [("db_client_connection_pool_name", metrics.name)];
        let waits = self
            .metrics()
            .map(|metrics| (of_pool(metrics), &metrics.waits));
        let help = "How long callers waited until they got a connection.";
        to.histograms("db_client_connection_wait_time_seconds", help, waits)?;
        let timeouts = self.metrics().map(|metrics| {
            let timeouts = metrics.timeouts.load(Ordering::Relaxed);
            (of_pool(metrics), timeouts)
        });
        let help = "Callers that got no connection in time.";
        to.counters("db_client_connection_timeouts", help, timeouts)?;
        let durations = self.metrics().flat_map(|metrics| {
            metrics.durations.all().map(|(key, histogram)| {
                let (operation, error) = key.unwrap_or(("OTHER", "other"));
                let labels = [
                    ("db_system_name", "postgresql"),
                    ("db_client_connection_pool_name", metrics.name),
                    ("db_operation_name", operation),
                    ("error_type", error),
                ];
                (labels, histogram)
            })
        });
        let help = "Duration of statements, by their first word and error. Includes BEGIN, COMMIT and ROLLBACK.";
        to.histograms("db_client_operation_duration_seconds", help, durations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_known_by_its_first_word() {
        for (text, name) in [
            ("SELECT 1", "SELECT"),
            ("\n  WITH a AS (SELECT 1)", "WITH"),
            ("COMMIT", "COMMIT"),
            ("LISTEN a", "OTHER"),
            ("", "OTHER"),
        ] {
            assert_eq!(operation(text), name, "{text}");
        }
    }

    #[tokio::test]
    async fn a_statement_counts_for_its_pool_and_its_operation_even_if_it_is_dropped() {
        let metrics = PoolMetrics::new("main", Duration::MAX);
        let of_operation = work::Work::new(None);
        work::run(of_operation.clone(), async {
            drop(metrics.clone().sent("SELECT 1"));
            metrics.clone().sent("SELECT 1").ended(&Ok(()));
            metrics.clone().batch("BEGIN").ended(&Ok(()));
        })
        .await;
        assert_eq!((metrics.statements(), of_operation.statements()), (2, 2));
        let keys: Vec<_> = metrics.durations.all().map(|(key, _)| key).collect();
        let expected = [("SELECT", "dropped"), ("SELECT", ""), ("BEGIN", "")];
        assert_eq!(keys, expected.map(Some));
    }
}
