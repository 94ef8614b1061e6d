//! The job that finishes pending operations: one step for each owner in turn, until nothing is left that it can do.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{Failed, Locked, Size, Step, step, store};
use crate::{
    auth::UserId,
    db::{Connection, Database},
    error::{Code, Error},
};

/// How often the job looks for operations that a process has left behind.
const EVERY: Duration = Duration::from_secs(15 * 60);
/// The pause between two steps.
const PAUSE: Duration = Duration::from_millis(20);
/// The pause while all that is left is held by other transactions or processes, and after a failure of the database.
const BLOCKED: Duration = Duration::from_secs(1);

/// Finishes what is pending for as long as the process runs: at its start, when a command of this process leaves something,
/// and every 15 minutes.
pub async fn run(database: Database) {
    loop {
        match finish(&database).await {
            Ok(Finished { blocked: false, .. }) => {
                let _ = timeout(EVERY, database.pending_added()).await;
            }
            Ok(Finished { blocked: true, .. }) => sleep(BLOCKED).await,
            Err(error) => {
                tracing::warn!(
                    error = error.log_text(),
                    "finishing pending operations failed; retrying"
                );
                sleep(BLOCKED).await;
            }
        }
    }
}

/// What the job came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Finished {
    /// Rows that were moved or deleted.
    pub rows: i64,
    /// Whether something is left that others hold.
    pub blocked: bool,
}

/// Works on all operations that are not set aside, one step per owner in turn, until none is left, or others hold the rest.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub async fn finish(database: &Database) -> Result<Finished, Error> {
    let mut job = Job::default();
    let (mut finished, mut last) = (Finished::default(), UserId(Uuid::nil()));
    let mut round = Finished::default();
    loop {
        let mut conn = database.connection().await?;
        let Some(owner) = store::next_owner(&mut conn, last).await? else {
            let is_over = round.rows == 0;
            finished.blocked = round.blocked;
            if is_over {
                return Ok(finished);
            }
            (round, last) = (Finished::default(), UserId(Uuid::nil()));
            continue;
        };
        last = owner;
        match job.step(&mut conn, owner).await? {
            Step::Nothing => {}
            Step::Blocked | Step::Emptied => round.blocked = true,
            Step::Rows(rows) => {
                round.rows += rows;
                finished.rows += rows;
            }
        }
        drop(conn);
        sleep(PAUSE).await;
    }
}

/// How large the next step of each owner is.
#[derive(Default)]
struct Job {
    sizes: HashMap<UserId, Size>,
}

impl Job {
    async fn step(&mut self, conn: &mut Connection, owner: UserId) -> Result<Step, Error> {
        let (began, size) = (
            Instant::now(),
            self.sizes.remove(&owner).unwrap_or(Size::FIRST),
        );
        match step(conn, owner, size, Locked::Skip).await {
            Ok(done) => {
                if let Step::Rows(_) = done {
                    self.sizes.insert(owner, size.after(began.elapsed()));
                }
                Ok(done)
            }
            Err(failed) => self.failed(conn, owner, size, failed).await,
        }
    }

    /// Takes a smaller step the next time; sets the operation aside if the smallest one fails. Waits out a database that
    /// is away.
    async fn failed(
        &mut self,
        conn: &mut Connection,
        owner: UserId,
        size: Size,
        failed: Failed,
    ) -> Result<Step, Error> {
        let Some(pending) = failed.pending else {
            return Err(failed.error);
        };
        if failed.error.code == Code::Unavailable {
            return Err(failed.error);
        }
        self.sizes.insert(owner, size.after_failure());
        if !size.is_smallest() {
            return Ok(Step::Rows(1));
        }
        store::set_aside(conn, owner, pending.id).await?;
        tracing::error!(
            user = %owner.0,
            item = %pending.id,
            operation = pending.operation.name(),
            error = failed.error.log_text(),
            "a pending operation failed; it is retried in a day"
        );
        Ok(Step::Rows(1))
    }
}
