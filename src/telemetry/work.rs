//! How much the current operation has used the database, and the trace that it belongs to.
//!
//! An operation sends statements from many modules, and some from tasks that it spawns. So its [`Work`] belongs to its task, and
//! is passed on to spawned tasks ([`inherited`]).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{TraceContext, traces};

/// What an operation has used so far.
#[derive(Debug, Default)]
pub(crate) struct Work {
    statements: AtomicU32,
    nanoseconds: AtomicU64,
    trace: Option<TraceContext>,
}

tokio::task_local! {
    static CURRENT: Arc<Work>;
}

impl Work {
    /// Of an operation that belongs to this trace.
    pub(crate) fn new(trace: Option<TraceContext>) -> Arc<Work> {
        Arc::new(Work {
            trace,
            ..Work::default()
        })
    }

    /// The number of statements, without those that begin and end transactions.
    pub(crate) fn statements(&self) -> u32 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How long the operation has waited for responses to its statements. Statements that run at the same time add up.
    pub(crate) fn database_time(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
}

/// Runs an operation.
pub(crate) fn run<F: Future>(work: Arc<Work>, operation: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(work, operation)
}

/// A future that counts as part of the current operation when it is spawned.
pub(crate) fn inherited<F: Future>(future: F) -> impl Future<Output = F::Output> {
    // Background jobs have no operation.
    let work = CURRENT.try_with(Arc::clone).unwrap_or_default();
    run(work, future)
}

/// Counts a statement that has ended. `is_counted`: false if it only begins or ends a transaction.
pub(crate) fn note_statement(duration: Duration, is_counted: bool) {
    let _ = CURRENT.try_with(|work| {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        work.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        work.statements
            .fetch_add(u32::from(is_counted), Ordering::Relaxed);
    });
}

/// The value of the header `traceparent` for a request to another service. `None` if the operation belongs to no trace.
pub(crate) fn traceparent() -> Option<String> {
    let own = traces::current();
    let given = || CURRENT.try_with(|work| work.trace).ok().flatten();
    Some(own.or_else(given)?.to_string())
}
