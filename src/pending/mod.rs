//! Pending operations: work of any size that a command has committed to and a background job finishes.
//!
//! Moving a course of 100,000 tasks to the trash takes longer than a request may. So a command commits a few rows,
//! among them one in `pending_operations`, and all readers see the result at once. The other rows are moved or deleted
//! in steps. Each step is a short transaction that also writes the change log. After a crash another process continues.
//!
//! A command works on its own operations for `BUDGET`, so that a course of usual size is moved when its response is
//! sent. The background job does the rest, one step per owner in turn, so that a large operation does not delay other
//! owners.
//!
//! # Design decisions
//! - **Readers see the result at once.** An item is active if it was not trashed itself and its course is active. The
//!   views `current_courses`, `current_documents`, `current_tasks` and `current_tags` say so in SQL. Lists need the tables' indexes, so
//!   they read the tables together with a check for pending operations, and read the views only if that is
//!   true (`db::current`).
//! - **Settling** gives the items of a course the status of the course.
//! - **One order of locks** everywhere: user, tags, courses, documents, tasks, each by id. Statements that move items into,
//!   out of or through the trash lock the owner's row in `users` first, FOR NO KEY UPDATE; each step does so, too.
//!   Creations only refer to that row and do not wait. Sign-ins and other changes of that row wait for at most one
//!   step.
//! - **Steps never wait for items.** They skip locked rows and return to them later.

mod account_deletion;
mod job;
mod store;

use std::time::{Duration, Instant};

use uuid::Uuid;

pub(crate) use job::run;
pub use job::{Finished, finish};
pub(crate) use store::{
    Operation, add_items, add_user, lock_owner, lock_owner_if_free, settle_items,
};

use crate::{
    auth::UserId,
    db::{Connection, Writers},
    error::Error,
    items::ItemKind,
};
use store::{Pending, Unsettled};

/// How long a command works on its own operations before it leaves the rest to the job.
const BUDGET: Duration = Duration::from_millis(500);
/// Minimum and maximum rows per step, unless steps fail.
const SIZE_RANGE: (i64, i64) = (20, 2_000);
/// A step shorter than the first is followed by a larger one, a step longer than the second by a smaller one.
const STEP_TIME: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(300));

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing is pending for the owner.
    Nothing,
    /// Another process works for this owner, or other transactions hold what is left.
    Blocked,
    /// Number of rows that were moved or deleted.
    Rows(i64),
    /// Everything that a deleted user owned is deleted.
    Emptied,
}

/// A failed step.
struct FailedStep {
    /// `None` if the step failed before it had an operation.
    pending: Option<Pending>,
    error: Error,
}

impl From<Error> for FailedStep {
    fn from(error: Error) -> Self {
        FailedStep {
            pending: None,
            error,
        }
    }
}

/// Number of rows in the next step. It keeps the time of a step within bounds, so that locks are short, and narrows a
/// failure down to the row that causes it.
#[derive(Debug, Clone, Copy)]
struct StepSize(i64);

impl StepSize {
    /// The size of the first step.
    const FIRST: StepSize = StepSize(200);

    fn after(self, elapsed: Duration) -> StepSize {
        let (short, long) = STEP_TIME;
        if elapsed < short {
            StepSize((self.0 * 2).min(SIZE_RANGE.1))
        } else if elapsed > long {
            StepSize((self.0 / 2).max(SIZE_RANGE.0.min(self.0)))
        } else {
            self
        }
    }

    fn is_smallest(self) -> bool {
        self.0 == 1
    }

    fn after_failure(self) -> StepSize {
        StepSize((self.0 / 8).max(1))
    }
}

/// Works on an owner's pending operations until none is left, or for `BUDGET`. Wakes the job if something is left.
/// Failures are left to the job as well: the command is already committed.
pub(crate) async fn work_on(conn: &mut Connection, owner: UserId) {
    work_within(conn, owner, BUDGET).await;
}

/// As [`work_on`], but without a limit. For commands of operators, who wait.
pub(crate) async fn work_to_the_end(conn: &mut Connection, owner: UserId) {
    work_within(conn, owner, Duration::MAX).await;
}

async fn work_within(conn: &mut Connection, owner: UserId, budget: Duration) {
    let (began, mut size) = (Instant::now(), StepSize::FIRST);
    while began.elapsed() < budget {
        let step_began = Instant::now();
        match step(conn, owner, size, OnLocked::Wait).await {
            Ok(Step::Nothing) => return,
            Ok(Step::Rows(_)) => size = size.after(step_began.elapsed()),
            Ok(Step::Blocked | Step::Emptied) => break,
            Err(failed) => {
                tracing::debug!(
                    error = failed.error.log_text(),
                    "step failed; the background job retries it"
                );
                break;
            }
        }
    }
    conn.wake_pending();
}

/// What to do if the owner's row is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnLocked {
    Wait,
    Skip,
}

/// One step of an owner's first pending operation, in its own transaction.
async fn step(
    conn: &mut Connection,
    owner: UserId,
    size: StepSize,
    locked: OnLocked,
) -> Result<Step, FailedStep> {
    let done = conn.transaction(async |conn| {
        let is_ours = match locked {
            OnLocked::Wait => store::lock_owner(conn, owner).await?,
            OnLocked::Skip => store::lock_owner_if_free(conn, owner).await?,
        };
        if !is_ours {
            return Ok((Step::Blocked, None));
        }
        let Some(pending) = store::next(conn, owner).await? else {
            return Ok((Step::Nothing, None));
        };
        let advanced = advance(conn, owner, &pending, size.0).await;
        let pending = Some(pending);
        match advanced {
            Ok(done) => Ok((done, pending)),
            Err(error) => Err(FailedStep { pending, error }),
        }
    });
    match done.await? {
        (Step::Rows(0), _) => Ok(Step::Blocked),
        (Step::Emptied, pending) => {
            let finished = account_deletion::finish(conn, owner).await;
            finished.map_err(|error| FailedStep { pending, error })
        }
        (done, _) => Ok(done),
    }
}

async fn advance(
    conn: &mut Connection,
    owner: UserId,
    pending: &Pending,
    size: i64,
) -> Result<Step, Error> {
    let logged = pending.operation != Operation::DeleteUser;
    store::set_origin(conn, pending, logged).await?;
    conn.writes_for(Writers::These([owner.0].into()));
    let rows = match pending.operation {
        Operation::Settle => settle(conn, owner, pending.id, size).await?,
        Operation::Remove => remove(conn, owner, pending, size).await?,
        Operation::DeleteUser => return account_deletion::step(conn, owner, size).await,
    };
    Ok(Step::Rows(rows))
}

/// Settles the items of a course. Returns the number of changed rows, including the operation's own.
async fn settle(
    conn: &mut Connection,
    owner: UserId,
    course: Uuid,
    size: i64,
) -> Result<i64, Error> {
    let unsettled: &[Unsettled] = match store::is_in_trash(conn, owner, course).await? {
        Some(true) => &[Unsettled::Active, Unsettled::Stale],
        Some(false) => &[Unsettled::Trashed],
        None => &[],
    };
    let mut rows = 0;
    for unsettled in unsettled {
        for kind in ItemKind::IN_COURSES {
            if rows < size {
                rows += store::settle(conn, owner, kind, course, *unsettled, size - rows).await?;
            }
        }
    }
    if rows < size {
        rows += store::end_settled(conn, owner, course).await?;
    }
    Ok(rows)
}

/// Deletes an item, and what it contains. Returns the number of deleted rows.
async fn remove(
    conn: &mut Connection,
    owner: UserId,
    pending: &Pending,
    size: i64,
) -> Result<i64, Error> {
    match ItemKind::of_number(pending.kind) {
        Some(ItemKind::Course) => remove_course(conn, owner, pending.id, size).await,
        Some(ItemKind::Tag) => remove_tags(conn, owner, pending, size).await,
        Some(kind) => store::remove_items(conn, owner, kind, pending, size).await,
        // The job sets it aside, so that it does not delay other owners.
        None => Err(Error::internal(format!(
            "pending operation on an item of unknown kind {}",
            pending.kind
        ))),
    }
}

/// Takes the marked tags from their items, then deletes them. The former is not a change of the items, and is not logged. Returns
/// the number of deleted rows.
async fn remove_tags(
    conn: &mut Connection,
    owner: UserId,
    pending: &Pending,
    size: i64,
) -> Result<i64, Error> {
    let mut rows = 0;
    store::set_origin(conn, pending, false).await?;
    for kind in ItemKind::IN_COURSES {
        if rows < size {
            rows += store::untag_items(conn, owner, kind, size - rows).await?;
        }
    }
    store::set_origin(conn, pending, true).await?;
    if rows < size {
        rows += store::remove_items(conn, owner, ItemKind::Tag, pending, size - rows).await?;
    }
    Ok(rows)
}

/// Deletes the items of a course, then the course. Returns the number of deleted rows, including the operation's own.
async fn remove_course(
    conn: &mut Connection,
    owner: UserId,
    course: Uuid,
    size: i64,
) -> Result<i64, Error> {
    let mut rows = 0;
    for kind in ItemKind::IN_COURSES {
        if rows < size {
            rows += store::remove_contents(conn, owner, kind, course, size - rows).await?;
        }
    }
    if rows < size {
        rows += store::remove_course(conn, owner, course).await?;
    }
    Ok(rows)
}
