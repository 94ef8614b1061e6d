//! The sweep: deletes for good what has lain in the trash too long, in small steps, by one process at a time.
//!
//! The lock is the transaction's: a session's would not pass a transaction pooler. The log says that the service did it.

use std::time::Duration;

use crate::{
    db::{Connection, Database, Statement, Writers, background::in_steps},
    error::Error,
};

/// Rows of a table that one step deletes at most; a course takes all that is in it along.
const STEP: i64 = 100;
/// How often a process looks.
const EVERY: Duration = Duration::from_secs(15 * 60);

/// Sweeps now and then, for as long as the process runs. `days` of 0: never.
pub async fn run(database: Database, days: u32) {
    if days == 0 {
        return;
    }
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        match sweep(&database, days).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(
                rows,
                days,
                "deleted for good what had lain in the trash too long"
            ),
            Err(error) => tracing::warn!(
                error = error.log_text(),
                "the sweep of the trash failed; it tries again"
            ),
        }
    }
}

/// Deletes all that has been in the trash for that many days; answers how many rows.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub async fn sweep(database: &Database, days: u32) -> Result<u64, Error> {
    in_steps(database, 1, async |conn| step(conn, days).await).await
}

/// One row if this process may sweep: no other holds the lock. The actor is set for this transaction alone.
const LOCK: &str = "
    SELECT length(set_config('snapnote.actor', 'service', true))::bigint
    WHERE pg_try_advisory_xact_lock(8315168184020661350)";

/// Courses first, with all that is in them: what they took along is as old as they are. Rows that somebody holds are
/// left for the next time.
const STEPS: [&str; 3] = [
    "WITH old AS (
        SELECT user_id, id FROM courses
        WHERE status = 'trash' AND deleted_at < now() - make_interval(days => $1)
        ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ), documents_in_them AS (
        DELETE FROM documents USING old WHERE documents.user_id = old.user_id AND documents.course_id = old.id
    ), tasks_in_them AS (
        DELETE FROM tasks USING old WHERE tasks.user_id = old.user_id AND tasks.course_id = old.id
    )
    DELETE FROM courses USING old WHERE courses.user_id = old.user_id AND courses.id = old.id",
    "DELETE FROM documents USING (
        SELECT user_id, id FROM documents
        WHERE status = 'trash' AND deleted_at < now() - make_interval(days => $1)
        ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) AS old WHERE documents.user_id = old.user_id AND documents.id = old.id",
    "DELETE FROM tasks USING (
        SELECT user_id, id FROM tasks
        WHERE status = 'trash' AND deleted_at < now() - make_interval(days => $1)
        ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) AS old WHERE tasks.user_id = old.user_id AND tasks.id = old.id",
];

async fn step(conn: &mut Connection, days: u32) -> Result<u64, Error> {
    if conn.row(Statement::<(i64,)>::new(LOCK)).await?.is_none() {
        return Ok(0);
    }
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    let mut rows = 0;
    for text in STEPS {
        rows += conn
            .execute(Statement::new(text).bind(days).bind(STEP))
            .await? as u64;
    }
    if rows > 0 {
        conn.writes_for(Writers::Anybody);
    }
    Ok(rows)
}
