//! Operations of any size: what a request has committed to, and a background job finishes.
//!
//! Moving a course of 100,000 tasks to the trash takes longer than a request may. So a command commits what was asked for
//! in a few rows, among them one in `pending_operations`, and every reader sees it from then on, through the views
//! `current_…` (`db::current`). The rows that follow are moved or deleted in steps. Each step is a short transaction: it
//! writes the change log as it goes. After a crash the next process continues.
//!
//! A command finishes what it can within [`BUDGET`] itself, so that a usual course is moved when its response is sent.
//! The job of the process does the rest, one step per owner in turn, so that one owner's operation delays no other's.
//!
//! The row of the owner in `users`, locked FOR NO KEY UPDATE, is the lock of all this: whatever moves the owner's items to
//! the trash, back, or out of it holds it, each step included. It delays only sign-ins and changes of that row. Locks are taken in
//! one order everywhere: user, courses, documents, tasks, each by id. Steps wait for no item: they skip the locked ones and
//! come back.

mod job;
mod leave;
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
/// Rows of the first step.
const FIRST_SIZE: i64 = 200;
/// Rows of the smallest and of the largest step, failures apart.
const SIZES: (i64, i64) = (20, 2_000);
/// A step that takes less than the first is followed by a larger one, one that takes longer than the second by a smaller.
const STEP_TIME: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(300));

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing is pending for the owner.
    Nothing,
    /// Another process works for this owner, or other transactions hold what is left.
    Blocked,
    /// Moved or deleted so many rows.
    Rows(i64),
    /// Everything that a leaving user owned is deleted.
    Emptied,
}

/// Why a step failed, and what it worked on.
struct Failed {
    /// `None` if it failed before it had an operation.
    pending: Option<Pending>,
    error: Error,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed {
            pending: None,
            error,
        }
    }
}

/// How many rows the next step takes: as many as keep its time within bounds, so that locks are short and one that fails
/// can be narrowed down to the row that is at fault.
#[derive(Debug, Clone, Copy)]
struct Size(i64);

impl Size {
    const FIRST: Size = Size(FIRST_SIZE);

    fn after(self, elapsed: Duration) -> Size {
        let (short, long) = STEP_TIME;
        if elapsed < short {
            Size((self.0 * 2).min(SIZES.1))
        } else if elapsed > long {
            Size((self.0 / 2).max(SIZES.0.min(self.0)))
        } else {
            self
        }
    }

    fn is_smallest(self) -> bool {
        self.0 == 1
    }

    fn after_failure(self) -> Size {
        Size((self.0 / 8).max(1))
    }
}

/// Works on what is pending for an owner until nothing is, or for [`BUDGET`]; wakes the job if something is left. A failure
/// is left to the job, too: what was asked for is committed already.
pub(crate) async fn work_on(conn: &mut Connection, owner: UserId) {
    let (began, mut size) = (Instant::now(), Size::FIRST);
    while began.elapsed() < BUDGET {
        let step_began = Instant::now();
        match step(conn, owner, size, Locked::Wait).await {
            Ok(Step::Nothing) => return,
            Ok(Step::Rows(_)) => size = size.after(step_began.elapsed()),
            Ok(Step::Blocked | Step::Emptied) => break,
            Err(failed) => {
                tracing::debug!(
                    error = failed.error.log_text(),
                    "a step failed; the job retries it"
                );
                break;
            }
        }
    }
    conn.wake_pending();
}

/// What to do if the owner's row is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Locked {
    Wait,
    Skip,
}

/// One step of the first operation that is pending for an owner, in a transaction of its own.
async fn step(
    conn: &mut Connection,
    owner: UserId,
    size: Size,
    locked: Locked,
) -> Result<Step, Failed> {
    let done = conn.transaction(async |conn| {
        let is_ours = match locked {
            Locked::Wait => store::lock_owner(conn, owner).await?,
            Locked::Skip => store::lock_owner_if_free(conn, owner).await?,
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
            Err(error) => Err(Failed { pending, error }),
        }
    });
    match done.await? {
        (Step::Rows(0), _) => Ok(Step::Blocked),
        (Step::Emptied, pending) => {
            let finished = leave::finish(conn, owner).await;
            finished.map_err(|error| Failed { pending, error })
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
    let logged = pending.operation != Operation::Leave;
    store::set_origin(conn, pending, logged).await?;
    conn.writes_for(Writers::These([owner.0].into()));
    let rows = match (pending.operation, pending.kind()) {
        (Operation::Settle, _) => settle(conn, owner, pending.id, size).await?,
        (Operation::Remove, Some(ItemKind::Course)) => {
            remove_course(conn, owner, pending.id, size).await?
        }
        (Operation::Remove, Some(kind)) => {
            store::remove_items(conn, owner, kind, pending, size).await?
        }
        (Operation::Leave | Operation::Remove, _) => return leave::step(conn, owner, size).await,
    };
    Ok(Step::Rows(rows))
}

/// Gives the course's state to what is in it; answers how many rows changed, the operation's own included.
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

/// Deletes what is in a course, then the course; answers how many rows went, the operation's own included.
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
