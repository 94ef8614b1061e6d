//! The sweep of the dictionary: words that the item which brought them has lost, and that no other item has, are forgotten.
//!
//! Deleted items wait in a queue. The sweep first marks the words that these items brought as lost, in steps, so that a deletion costs
//! little whatever the item contains.
//!
//! It waits ten minutes, longer than any transaction takes: what had the word when it was lost has committed by then, and
//! whoever brings it after that takes it over.

use std::time::Duration;

use super::store;
use crate::{
    db::{Database, background::in_steps},
    error::Error,
};

/// Words that one step looks at.
const STEP: i64 = 500;
/// How often a process looks.
const EVERY: Duration = Duration::from_secs(15 * 60);

/// Sweeps now and then, for as long as the process runs.
pub async fn run(database: Database) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = sweep(&database).await {
            tracing::warn!(
                error = error.log_text(),
                "the search's dictionary could not be swept; it tries again"
            );
        }
    }
}

/// Marks the words of deleted items as lost. Then forgets all the words that were lost ten minutes ago and that nothing has; answers
/// how many of these were looked at.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub async fn sweep(database: &Database) -> Result<u64, Error> {
    in_steps(database, 1, |conn| Box::pin(store::leave(conn, STEP))).await?;
    let full = STEP.unsigned_abs();
    in_steps(database, full, async |conn| store::sweep(conn, STEP).await).await
}
