//! The epoch of the log: begun by a job of its own, since after a restore every entry may be to be rewritten, and no request
//! lives so long.

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
