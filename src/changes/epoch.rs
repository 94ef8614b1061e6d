//! The epoch of the log. It begins where the transaction ids of older entries mean nothing: in a database that was restored, promoted or
//! branched off.
//!
//! The epoch stores where it begins: `first_id`, the id of its first entry, and `first_xid`, a transaction id below which it has no entry.
//! For readers, entries below `first_id` are older than everything else. Nothing is rewritten, so beginning an epoch costs the same for any
//! log. A transaction that took an id below `first_id` must have ended before, or its entries would be missed by cursors of the epoch.
//! `begin_change_epoch()` waits for these transactions, so a background job calls it: the wait may be longer than a request lives.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::store;
use crate::{db::Database, error::Error};

/// How long whoever finds no epoch waits for one. A log of a usual size has it sooner.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where an epoch is asked for, and waited for.
#[derive(Default)]
pub(super) struct Beginning {
    asked: Notify,
    done: Notify,
    /// It takes longer than anybody waits: nobody does, for each of them holds a connection.
    slow: AtomicBool,
}

impl Beginning {
    /// Asks for an epoch, and waits a little for it.
    ///
    /// # Errors
    /// UNAVAILABLE if it takes longer.
    pub(super) async fn wait(&self) -> Result<(), Error> {
        let done = self.done.notified();
        if !self.slow.load(Ordering::Relaxed) {
            self.asked.notify_one();
            if timeout(PATIENCE, done).await.is_ok() {
                return Ok(());
            }
            self.slow.store(true, Ordering::Relaxed);
        }
        Err(Error::unavailable("the change log begins a new epoch"))
    }

    /// Begins an epoch whenever one is asked for, for as long as the process runs.
    pub(super) async fn run(&self, database: &Database) {
        loop {
            self.asked.notified().await;
            let begun = begin(database).await;
            self.slow.store(false, Ordering::Relaxed);
            match begun {
                Ok(()) => {
                    tracing::info!("the change log has an epoch; older cursors have expired");
                    self.done.notify_waiters();
                }
                Err(error) => tracing::warn!(
                    error = error.log_text(),
                    "the change log has no epoch; the next reader asks again"
                ),
            }
        }
    }
}

async fn begin(database: &Database) -> Result<(), Error> {
    let mut conn = database.connection().await?;
    store::begin_epoch(&mut conn).await
}
