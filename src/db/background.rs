//! Background jobs. They run periodically or continuously, in small steps with pauses between them, so that no request waits for them.
//!
//! - `Jobs`: the supervisor, which restarts jobs that end or panic. [`JobStates`]: the state of each job.
//! - `every`: a schedule of `Periodic` jobs. `Turns`: when a job runs. `Backoff`: the pauses after failures.
//! - `in_steps`: a job's work in transactions of bounded size. `Cleanup`: rows that are due, except those that fail.

mod backoff;
mod cleanup;
mod job;
mod schedule;
mod supervisor;
mod turns;

use std::time::Duration;

pub use self::job::{Job, JobState, JobStates, Phase};
pub(crate) use self::{
    backoff::Backoff,
    cleanup::{Cleanup, OnShards, Sweeper, isolate},
    schedule::{Periodic, caught},
    supervisor::Jobs,
    turns::Turns,
};
use super::{Connection, Database, connection::Work};
use crate::error::Error;

/// The pause between two steps.
pub(crate) const REST: Duration = Duration::from_millis(50);

/// Runs steps, each in its own transaction, until one processes fewer rows than `full`. Returns the number of rows that all steps processed.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached; the error of the step that failed.
pub(crate) async fn in_steps<F>(database: &Database, full: u64, step: F) -> Result<u64, Error>
where
    for<'r> F: AsyncFnOnce(&'r mut Connection) -> Result<u64, Error>
        + Work<&'r mut Connection, Result<u64, Error>, Future: Send>
        + Clone
        + Send,
{
    let mut total = 0;
    loop {
        let mut conn = database.connection().await?;
        let done = conn.transaction(step.clone()).await?;
        total += done;
        if done < full {
            return Ok(total);
        }
        drop(conn);
        tokio::time::sleep(REST).await;
    }
}
