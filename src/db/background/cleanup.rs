//! Clean-ups: they delete or finish rows that are due, in steps of bounded size, in one process at a time.
//!
//! A row whose clean-up fails does not block the others. The step that contains it is retried in halves until the row is found. Then the row
//! is skipped for a day, and an ERROR names it. The list of skipped rows is in memory; after a restart they are retried.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::{Periodic, in_steps};
use crate::{
    db::{Connection, Database, Statement},
    error::{Code, Error},
};

/// Maximum rows of one step.
const STEP: u32 = 1000;
/// How long a row that failed is skipped.
const SKIP_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Maximum rows that fail in one run. With more, the rows are not the cause.
const MAX_FAILED: usize = 20;

/// The clean-up of one table. Its statements are constants of a `store` module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cleanup {
    /// The job's name.
    pub(crate) name: &'static str,
    /// Selects and locks rows that are due and returns their ids as text: at most `$1` rows, none of those in `$2`. If there is an age in days,
    /// it is `$3`.
    pub(crate) due: &'static str,
    /// Cleans up the rows with the ids `$1`, an array of text, and returns their number.
    pub(crate) finish: &'static str,
    /// The statements for a sharded database, if the table is distributed: Citus locks rows of one owner only.
    pub(crate) on_shards: Option<OnShards>,
    /// The age in days at which a row is due, if it is a setting.
    pub(crate) days: Option<i32>,
}

/// [`Cleanup::due`] without locks, and [`Cleanup::finish`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnShards {
    pub(crate) due: &'static str,
    pub(crate) finish: &'static str,
}

impl Cleanup {
    /// The statements for the database.
    fn statements(&self, is_sharded: bool) -> (&'static str, &'static str) {
        match self.on_shards {
            Some(OnShards { due, finish }) if is_sharded => (due, finish),
            _ => (self.due, self.finish),
        }
    }
}

/// A clean-up with its skipped rows. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sweeper {
    inner: Arc<Inner>,
}

struct Inner {
    cleanup: Cleanup,
    /// Rows that failed, and until when they are skipped.
    skipped: Mutex<HashMap<String, Instant>>,
    /// The rows of the last step that was started.
    started: Mutex<Vec<String>>,
}

impl Sweeper {
    pub(crate) fn new(cleanup: Cleanup) -> Sweeper {
        let inner = Inner {
            cleanup,
            skipped: Mutex::default(),
            started: Mutex::default(),
        };
        Sweeper {
            inner: Arc::new(inner),
        }
    }

    /// The periodic job that runs this clean-up on the database.
    pub(crate) fn periodic(self, database: &Database) -> Periodic {
        let (name, state) = (self.inner.cleanup.name, (self, database.clone()));
        Periodic::with(name, state, async |(sweeper, database)| {
            sweeper.run(&database).await
        })
    }

    /// Cleans up all rows that are due and returns their number: 0 if another process does it at the same time.
    ///
    /// # Errors
    /// The error of the statement, if it failed for every row or for too many rows.
    pub(crate) async fn run(&self, database: &Database) -> Result<u64, Error> {
        let mut done = 0;
        loop {
            self.inner.started.lock().clear();
            let steps = in_steps(database, u64::from(STEP), async |conn| {
                self.step(conn).await
            });
            match steps.await {
                Ok(rows) => return Ok(done + rows),
                Err(error) => done += self.one_by_one(database, error).await?,
            }
        }
    }

    async fn step(&self, conn: &mut Connection) -> Result<u64, Error> {
        let cleanup = &self.inner.cleanup;
        let locked: Option<(bool,)> = conn.row(Statement::new(LOCK).bind(cleanup.name)).await?;
        if !locked.is_some_and(|(locked,)| locked) {
            return Ok(0);
        }
        let (due, finish_text) = cleanup.statements(conn.is_sharded());
        let mut due = Statement::<(String,)>::new(due)
            .bind(i64::from(STEP))
            .bind(self.skipped());
        if let Some(days) = cleanup.days {
            due = due.bind(days);
        }
        let ids: Vec<String> = conn.rows(due).await?.into_iter().map(|(id,)| id).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        self.inner.started.lock().clone_from(&ids);
        finish(conn, finish_text, ids).await
    }

    /// Finds the rows for which the last step failed, and skips them from now on. Returns how many rows succeeded.
    async fn one_by_one(&self, database: &Database, error: Error) -> Result<u64, Error> {
        let ids = std::mem::take(&mut *self.inner.started.lock());
        if ids.is_empty() || error.code == Code::Unavailable {
            return Err(error);
        }
        let (_, statement) = self
            .inner
            .cleanup
            .statements(database.target().is_sharded());
        let isolated = isolate(ids, |ids| {
            Box::pin(async move {
                let mut conn = database.connection().await?;
                finish(&mut conn, statement, ids).await
            })
        })
        .await?;
        if isolated.done == 0 {
            return match isolated.failed.into_iter().next() {
                Some((row, error)) => Err(error.context(&format!("row {row}"))),
                None => Ok(0),
            };
        }
        let too_many = isolated.too_many;
        self.skip(isolated.failed);
        match too_many {
            Some(error) => Err(error),
            None => Ok(isolated.done),
        }
    }

    fn skip(&self, failed: Vec<(String, Error)>) {
        let (job, until) = (self.inner.cleanup.name, Instant::now() + SKIP_TIME);
        for (row, error) in failed {
            let error = error.log_text();
            tracing::error!(
                job,
                row,
                error,
                "cleaning up a row failed; skipping it for a day"
            );
            self.inner.skipped.lock().insert(row, until);
        }
    }

    fn skipped(&self) -> Vec<String> {
        let mut skipped = self.inner.skipped.lock();
        let now = Instant::now();
        skipped.retain(|_, until| *until > now);
        skipped.keys().cloned().collect()
    }
}

/// Only one process cleans up a table at a time. The lock ends with its transaction, so it works behind a pooler in transaction mode.
const LOCK: &str =
    "SELECT pg_try_advisory_xact_lock(hashtextextended('snapnote clean-up: ' || $1, 0))";

async fn finish(
    conn: &mut Connection,
    statement: &'static str,
    ids: Vec<String>,
) -> Result<u64, Error> {
    let finished = conn.row(Statement::<(i64,)>::new(statement).bind(ids));
    Ok(finished.await?.map_or(0, |(rows,)| rows.unsigned_abs()))
}

/// The result of [`isolate`].
pub(crate) struct Isolated<T> {
    /// How many rows succeeded.
    pub(crate) done: u64,
    /// The rows that failed on their own, with their errors.
    pub(crate) failed: Vec<(T, Error)>,
    /// The last error, if too many rows failed. The remaining rows were not tried.
    pub(crate) too_many: Option<Error>,
}

/// Applies `act` to all rows, then to halves of those for which it fails, down to single rows that fail.
///
/// # Errors
/// UNAVAILABLE. No row is the cause, and the remaining rows were not tried.
pub(crate) async fn isolate<'a, T: Clone>(
    rows: Vec<T>,
    act: impl Fn(Vec<T>) -> BoxFuture<'a, Result<u64, Error>>,
) -> Result<Isolated<T>, Error> {
    let mut isolated = Isolated {
        done: 0,
        failed: Vec::new(),
        too_many: None,
    };
    let mut to_try = vec![rows];
    while let Some(mut rows) = to_try.pop() {
        if rows.is_empty() {
            continue;
        }
        let error = match act(rows.clone()).await {
            Ok(done) => {
                isolated.done += done;
                continue;
            }
            Err(error) => error,
        };
        if error.code == Code::Unavailable {
            return Err(error);
        }
        if rows.len() > 1 {
            let half = rows.split_off(rows.len() / 2);
            to_try.extend([half, rows]);
            continue;
        }
        let failed = rows.into_iter().map(|row| (row, error.clone()));
        isolated.failed.extend(failed);
        if isolated.failed.len() > MAX_FAILED {
            isolated.too_many = Some(error);
            break;
        }
    }
    Ok(isolated)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Isolates rows of which the `bad` ones fail. Also returns the number of statements.
    async fn isolated(
        rows: u32,
        bad: &[u32],
        error: &Error,
    ) -> (Result<Isolated<u32>, Error>, u32) {
        let statements = AtomicU32::new(0);
        let act = |rows: Vec<u32>| -> BoxFuture<'_, Result<u64, Error>> {
            statements.fetch_add(1, Ordering::Relaxed);
            let outcome = match rows.iter().any(|row| bad.contains(row)) {
                true => Err(error.clone()),
                false => Ok(rows.len() as u64),
            };
            Box::pin(std::future::ready(outcome))
        };
        let outcome = isolate((0..rows).collect(), act).await;
        (outcome, statements.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn failing_rows_are_found_and_all_others_succeed() {
        let error = Error::internal("this row is stuck");
        for (rows, bad) in [(1000, &[0, 17, 998][..]), (1, &[0]), (7, &[]), (0, &[])] {
            let (outcome, statements) = isolated(rows, bad, &error).await;
            let outcome = outcome.expect("the database is there");
            let mut failed: Vec<u32> = outcome.failed.iter().map(|(row, _)| *row).collect();
            failed.sort_unstable();
            assert_eq!(failed, bad);
            assert_eq!(outcome.done, u64::from(rows) - bad.len() as u64);
            assert!(
                outcome.too_many.is_none() && statements <= 60,
                "{statements}"
            );
        }
    }

    #[tokio::test]
    async fn a_statement_that_fails_for_all_rows_is_not_tried_for_each_row() {
        let all: Vec<u32> = (0..1000).collect();
        let (outcome, statements) = isolated(1000, &all, &Error::internal("no such table")).await;
        let outcome = outcome.expect("the database is there");
        assert!(outcome.too_many.is_some() && outcome.done == 0);
        assert!(statements < 80, "{statements}");
    }

    #[tokio::test]
    async fn no_row_is_blamed_while_the_database_is_unreachable() {
        let (outcome, statements) = isolated(1000, &[5], &Error::unavailable("away")).await;
        assert!(outcome.is_err_and(|error| error.code == Code::Unavailable));
        assert_eq!(statements, 1);
    }
}
