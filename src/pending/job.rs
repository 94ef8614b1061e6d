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
    db::{
        Connection, Database,
        background::{Backoff, Job},
    },
    error::{Code, Error},
};

/// How often the job looks for operations that a process has left behind.
const EVERY: Duration = Duration::from_secs(15 * 60);
/// The pause between two steps.
const PAUSE: Duration = Duration::from_millis(20);
/// The pause while all that is left is held by other transactions or processes.
const BLOCKED: Duration = Duration::from_secs(1);
/// The first and the longest pause after a failure of the database.
const FAILED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Finishes what is pending for as long as the process runs: at its start, when a command of this process leaves something,
/// and every 15 minutes.
pub(crate) async fn run(database: Database, job: Job) {
    let mut backoff = Backoff::new(FAILED.0, FAILED.1);
    loop {
        match finish(&database).await {
            Ok(finished) => {
                job.succeeded();
                backoff.reset();
                let pause = if finished.blocked { BLOCKED } else { EVERY };
                // A command that leaves something ends the pause.
                let _ = timeout(pause, database.pending_added()).await;
            }
            Err(error) => {
                let pause = backoff.pause();
                job.failed(&error, pause);
                sleep(pause).await;
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
    let mut sizes = Sizes::default();
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
        match sizes.step(&mut conn, owner).await? {
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
struct Sizes {
    of: HashMap<UserId, Size>,
}

impl Sizes {
    async fn step(&mut self, conn: &mut Connection, owner: UserId) -> Result<Step, Error> {
        let (began, size) = (
            Instant::now(),
            self.of.remove(&owner).unwrap_or(Size::FIRST),
        );
        match step(conn, owner, size, Locked::Skip).await {
            Ok(done) => {
                if let Step::Rows(_) = done {
                    self.of.insert(owner, size.after(began.elapsed()));
                }
                Ok(done)
            }
            Err(failed) => self.failed(conn, owner, size, failed).await,
        }
    }

    /// Takes a smaller step the next time; sets the operation aside if the smallest one fails.
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
        // Other transactions are in the way, or the connection is broken: then the next owner's step fails, too.
        if failed.error.code == Code::Unavailable {
            return Ok(Step::Blocked);
        }
        self.of.insert(owner, size.after_failure());
        if !size.is_smallest() {
            return Ok(Step::Rows(1));
        }
        store::set_aside(conn, owner, &pending).await?;
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
