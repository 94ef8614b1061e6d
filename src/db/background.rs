//! How work in the background is done: now and then, and in small steps with a rest between them, so that it is never what
//! a request waits for.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Connection, Database};
use crate::error::Error;

/// How long it rests between two steps.
pub(crate) const REST: Duration = Duration::from_millis(50);

/// Takes steps, each in a transaction of its own, until one does less than `full`; answers how much all did.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached; whatever a step says.
pub(crate) async fn in_steps(
    database: &Database,
    full: u64,
    step: impl for<'conn> Fn(&'conn mut Connection) -> BoxFuture<'conn, Result<u64, Error>>,
) -> Result<u64, Error> {
    let mut all = 0;
    loop {
        let mut conn = database.connection().await?;
        conn.begin().await?;
        let outcome = step(&mut conn).await;
        let done = conn.end(outcome).await?;
        all += done;
        if done < full {
            return Ok(all);
        }
        drop(conn);
        tokio::time::sleep(REST).await;
    }
}
