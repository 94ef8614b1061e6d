//! The sweep: removes what nobody needs (uploads that were used or never finished, pictures whose document has another one or
//! is gone, what a process left that died), in small steps, claimed by one process at a time.
//!
//! It asks the tables alone. An object is removed before its row, so a process that dies in between leaves a row for the
//! next one; and a row is claimed only when nobody can be writing its object any more, and no document has it.

use std::time::Duration;

use super::{Images, store};
use crate::{db::background::REST, error::Error};

/// Objects that one step claims at most.
const STEP: i64 = 100;
/// How often a process looks.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// Sweeps now and then, for as long as the process runs.
pub(crate) async fn run(images: Images) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        match sweep(&images).await {
            Ok(0) => {}
            Ok(objects) => tracing::info!(objects, "removed pictures that nobody needs"),
            Err(error) => tracing::warn!(
                error = error.log_text(),
                "the sweep of pictures failed; it tries again"
            ),
        }
    }
}

/// Removes all that is due; answers how many objects. What cannot be removed now is tried again in a while.
///
/// # Errors
/// UNAVAILABLE if the database or the store cannot be reached.
pub async fn sweep(images: &Images) -> Result<u64, Error> {
    let mut all = 0;
    loop {
        let mut conn = images.inner.database.connection().await?;
        let claimed = conn
            .transaction(async |conn| store::claim(conn, STEP).await)
            .await?;
        drop(conn);
        if claimed.is_empty() {
            return Ok(all);
        }
        let (mut removed, mut failure) = (Vec::with_capacity(claimed.len()), None);
        for object in claimed {
            match images.inner.storage.remove(object).await {
                Ok(()) => removed.push(object.id),
                Err(error) => failure = Some(error),
            }
        }
        all += removed.len() as u64;
        let mut conn = images.inner.database.connection().await?;
        store::forget(&mut conn, removed).await?;
        if let Some(error) = failure {
            return Err(error);
        }
        drop(conn);
        tokio::time::sleep(REST).await;
    }
}
