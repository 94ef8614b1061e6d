//! The job that finishes pending operations: one step per owner in turn, until nothing is left that it can do.

use std::{collections::HashMap, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{FailedStep, OnLocked, Step, StepSize, step, store};
use crate::{
    auth::UserId,
    db::{
        Connection, Database,
        background::{Job, Turns},
    },
    error::{Code, Error},
};

/// How often the job looks for operations that another process left, while callers use the database.
const PERIOD: Duration = Duration::from_secs(15 * 60);
/// The pause between two steps.
const STEP_PAUSE: Duration = Duration::from_millis(20);
/// The pause while other transactions or processes hold everything that is left.
const BLOCKED_PAUSE: Duration = Duration::from_secs(1);
/// The first and the maximum pause after a failure of the database, while callers use it.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Finishes pending operations as long as the process runs: at the start, when a command of this process leaves an
/// operation, and in the turns of a periodic job.
pub(crate) async fn run(database: Database, job: Job) {
    let mut turns = Turns::new(database.activity().clone(), PERIOD, RETRY_PAUSE);
    loop {
        let began = Instant::now();
        match job.timed(finish(&database)).await {
            Ok(finished) => {
                job.succeeded();
                turns.succeeded(began);
                // A command that leaves an operation ends the pause.
                if finished.blocked {
                    let _ = timeout(BLOCKED_PAUSE, database.pending_added()).await;
                } else {
                    tokio::select! {
                        () = turns.due() => {}
                        () = database.pending_added() => {}
                    }
                }
            }
            Err(error) => {
                job.failed(&error, turns.failed(began));
                turns.due().await;
            }
        }
    }
}

/// The result of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Finished {
    /// Number of rows that were moved or deleted.
    pub rows: i64,
    /// Whether operations are left that other transactions or processes hold.
    pub blocked: bool,
}

/// Works on all operations that are not set aside, one step per owner in turn, until none is left or others hold the
/// rest.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub async fn finish(database: &Database) -> Result<Finished, Error> {
    let mut sizes = StepSizes::default();
    let first = UserId(Uuid::nil());
    let (mut finished, mut round, mut last) = (Finished::default(), Finished::default(), first);
    loop {
        let mut conn = database.connection().await?;
        let Some(owner) = store::next_owner(&mut conn, last).await? else {
            finished.blocked = round.blocked;
            if round.rows == 0 {
                return Ok(finished);
            }
            (round, last) = (Finished::default(), first);
            continue;
        };
        last = owner;
        match sizes.step(&mut conn, owner).await? {
            Step::Nothing => {}
            Step::Blocked | Step::Emptied => round.blocked = true,
            Step::Rows(rows) => {
                round.rows += rows;
                finished.rows += rows;
            }
        }
        drop(conn);
        sleep(STEP_PAUSE).await;
    }
}

/// The size of each owner's next step.
#[derive(Default)]
struct StepSizes {
    by_owner: HashMap<UserId, StepSize>,
}

impl StepSizes {
    async fn step(&mut self, conn: &mut Connection, owner: UserId) -> Result<Step, Error> {
        let began = Instant::now();
        let size = self.by_owner.remove(&owner).unwrap_or(StepSize::FIRST);
        match step(conn, owner, size, OnLocked::Skip).await {
            Ok(done) => {
                if let Step::Rows(_) = done {
                    self.by_owner.insert(owner, size.after(began.elapsed()));
                }
                Ok(done)
            }
            Err(failed) => self.failed(conn, owner, size, failed).await,
        }
    }

    /// Makes the next step smaller. Sets the operation aside if the smallest step failed.
    async fn failed(
        &mut self,
        conn: &mut Connection,
        owner: UserId,
        size: StepSize,
        failed: FailedStep,
    ) -> Result<Step, Error> {
        let Some(pending) = failed.pending else {
            return Err(failed.error);
        };
        // Another transaction blocks the step, or the connection is broken. In the latter case the next owner's step
        // fails, too.
        if failed.error.code == Code::Unavailable {
            return Ok(Step::Blocked);
        }
        self.by_owner.insert(owner, size.after_failure());
        if !size.is_smallest() {
            return Ok(Step::Rows(1));
        }
        store::set_aside(conn, owner, &pending).await?;
        tracing::error!(
            user = %owner.0,
            item = %pending.id,
            operation = pending.operation.as_str(),
            error = failed.error.log_text(),
            "pending operation failed; retrying in a day"
        );
        Ok(Step::Rows(1))
    }
}
