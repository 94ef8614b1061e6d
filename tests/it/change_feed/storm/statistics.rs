//! What happened in a storm, counted.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts of what was done and what went wrong.
#[derive(Default)]
pub(super) struct Statistics {
    pub(super) committed: Count,
    pub(super) rolled_back: Count,
    /// Writers' connections that were killed in the middle of a transaction.
    pub(super) killed: Count,
    /// Transactions that ended in a crash, or whose lock came too late.
    pub(super) failed: Count,
    /// Mutations that callers sent, and those that were answered.
    pub(super) calls: Count,
    pub(super) answers: Count,
    /// Subscriptions and pages.
    pub(super) subscriptions: Count,
    pub(super) pages: Count,
    /// All of the service's connections ended by the server.
    pub(super) terminations: Count,
    /// Processes of the service killed and run again.
    pub(super) kills: Count,
    /// Immediate ends of PostgreSQL.
    pub(super) crashes: Count,
}

#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.load(Ordering::Relaxed).fmt(out)
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
            "read: {} subscriptions, {} pages",
            self.subscriptions, self.pages
        )?;
        write!(
            out,
            "processes killed: {}; all connections ended by the server: {}; restarts of PostgreSQL: {}",
            self.kills, self.terminations, self.crashes
        )
    }
}
