//! How background jobs work: now and then, in small transactions with a rest between them, so that no request waits for
//! them.

use std::time::Duration;

use super::{Connection, Database, connection::Work};
use crate::error::Error;

/// The rest between two steps.
pub(crate) const REST: Duration = Duration::from_millis(50);

/// Runs `step` in a transaction of its own, again and again until one does less than `full`. Returns how much all did.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached; the error of a step.
pub(crate) async fn in_steps<F>(database: &Database, full: u64, step: F) -> Result<u64, Error>
where
    for<'r> F: AsyncFnOnce(&'r mut Connection) -> Result<u64, Error>
        + Work<&'r mut Connection, Result<u64, Error>, Future: Send>
        + Clone
        + Send,
{
    let mut all = 0;
    loop {
        let mut conn = database.connection().await?;
        let done = conn.transaction(step.clone()).await?;
        all += done;
        if done < full {
            return Ok(all);
        }
        drop(conn);
        tokio::time::sleep(REST).await;
    }
}
