//! The epoch of the change log. A new epoch begins where the transaction ids of older entries become meaningless: in a
//! database that was restored, promoted or branched.
//!
//! An epoch belongs to a database (`change_database()`: cluster, database, timeline, Neon's timeline). The first reader
//! in another database requests a new epoch, so a restore needs no extra step.
//!
//! The epoch stores where it begins: `first_id`, the id of its first entry, and `first_xid`, a lower bound of its
//! transaction ids. Readers treat entries below `first_id` as older than everything else. Nothing is rewritten, so
//! beginning an epoch costs the same for a log of any size.
//!
//! Transactions that took an id below `first_id` must end before the epoch begins. Otherwise cursors of the epoch would
//! miss their entries. `begin_change_epoch()` waits for them. A background job calls it, because the wait may take
//! longer than a request lives.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::store;
use crate::{db::Database, error::Error};

/// How long a reader without an epoch waits for one. This usually suffices.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// The same on a sharded database, where an epoch begins on each server, over another connection.
const MAX_WAIT_ON_SHARDS: Duration = Duration::from_secs(5);

/// Requests for a new epoch, from readers to the background job.
#[derive(Default)]
pub(super) struct EpochRequests {
    requested: Notify,
    begun: Notify,
    /// Beginning the epoch takes longer than [`MAX_WAIT`]. Readers do not wait then, because each would hold a
    /// connection.
    is_slow: AtomicBool,
}

impl EpochRequests {
    /// Requests an epoch and waits a short time for it.
    ///
    /// # Errors
    /// UNAVAILABLE if it takes longer.
    pub(super) async fn wait(&self, is_sharded: bool) -> Result<(), Error> {
        let begun = self.begun.notified();
        if !self.is_slow.load(Ordering::Relaxed) {
            self.requested.notify_one();
            let max_wait = if is_sharded {
                MAX_WAIT_ON_SHARDS
            } else {
                MAX_WAIT
            };
            if timeout(max_wait, begun).await.is_ok() {
                return Ok(());
            }
            self.is_slow.store(true, Ordering::Relaxed);
        }
        Err(Error::unavailable(
            "the change log is beginning a new epoch",
        ))
    }

    /// Begins an epoch at each request, as long as the process runs.
    pub(super) async fn run(&self, database: &Database) {
        loop {
            self.requested.notified().await;
            let begun = begin(database).await;
            self.is_slow.store(false, Ordering::Relaxed);
            match begun {
                Ok(()) => {
                    tracing::info!(
                        "a new epoch of the change log began; older cursors have expired"
                    );
                    self.begun.notify_waiters();
                }
                Err(error) => tracing::warn!(
                    error = error.log_text(),
                    "beginning an epoch of the change log failed; the next reader retries"
                ),
            }
        }
    }
}

async fn begin(database: &Database) -> Result<(), Error> {
    let mut conn = database.connection().await?;
    store::begin_epoch(&mut conn).await
}
