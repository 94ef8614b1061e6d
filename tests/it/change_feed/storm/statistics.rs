//! Counts of what happened in a run.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts of operations and faults.
#[derive(Default)]
pub(super) struct Statistics {
    pub(super) committed: Count,
    pub(super) rolled_back: Count,
    /// Writers' connections that were killed in the middle of a transaction.
    pub(super) killed: Count,
    /// Transactions that failed because of a crash or a lock timeout.
    pub(super) failed: Count,
    /// Mutations that clients sent, and those that had a response.
    pub(super) calls: Count,
    pub(super) answers: Count,
    /// Subscriptions and pages.
    pub(super) subscriptions: Count,
    pub(super) pages: Count,
    /// Changes that were sent without their item although it exists, or with errors.
    pub(super) incomplete: Count,
    /// Times that the server closed all of the service's connections.
    pub(super) terminations: Count,
    /// Processes of the service that were killed and restarted.
    pub(super) kills: Count,
    /// Crashes of PostgreSQL.
    pub(super) crashes: Count,
}

#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(out)
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "transactions: {} committed, {} rolled back, {} killed, {} failed",
            self.committed, self.rolled_back, self.killed, self.failed
        )?;
        writeln!(
            out,
            "mutations: {} sent, {} answered",
            self.calls, self.answers
        )?;
        writeln!(
            out,
            "read: {} subscriptions, {} pages, {} incomplete changes",
            self.subscriptions, self.pages, self.incomplete
        )?;
        write!(
            out,
            "processes killed: {}; all connections ended by the server: {}; restarts of PostgreSQL: {}",
            self.kills, self.terminations, self.crashes
        )
    }
}
