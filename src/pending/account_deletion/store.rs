//! The SQL of deleting a user.

use crate::{
    auth::UserId,
    db::{Connection, Statement},
    error::Error,
    pending::store::count,
};

/// Executed in this order, at most `$2` rows each. Rows that refer to others are deleted before them. The logs of other
/// users keep what the user did as an admin, but not their address and program.
const STEPS: [&str; 8] = [
    "DELETE FROM search_indexes WHERE user_id = $1 AND part = ANY (ARRAY(
        SELECT part FROM search_indexes WHERE user_id = $1 LIMIT $2))",
    "DELETE FROM documents WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM documents WHERE user_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM tasks WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM tasks WHERE user_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM courses WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM courses WHERE user_id = $1
            AND NOT EXISTS (SELECT FROM documents WHERE user_id = $1 AND course_id = courses.id)
            AND NOT EXISTS (SELECT FROM tasks WHERE user_id = $1 AND course_id = courses.id)
        LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM pending_operations WHERE user_id = $1 AND item_id = ANY (ARRAY(
        SELECT item_id FROM pending_operations WHERE user_id = $1 AND operation <> 'leave' LIMIT $2))",
    "DELETE FROM sessions WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM sessions WHERE user_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "UPDATE audit_logs SET ip_address = NULL, user_agent = NULL WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM audit_logs
        WHERE actor_id = $1 AND actor_id <> user_id AND (ip_address IS NOT NULL OR user_agent IS NOT NULL)
        LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM audit_logs WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM audit_logs WHERE user_id = $1 LIMIT $2))",
];

/// Deletes at most `size` rows of a user, and returns how many. 0 if all rows that no other transaction holds are
/// deleted.
pub(super) async fn delete_rows(
    conn: &mut Connection,
    user: UserId,
    size: i64,
) -> Result<i64, Error> {
    let mut rows = 0;
    for text in STEPS {
        if rows < size {
            let statement = Statement::new(text).bind(user).bind(size - rows);
            rows += count(conn.execute(statement).await?);
        }
    }
    Ok(rows)
}

/// Returns no row while requests are still inserting rows of the user. Later requests find no user.
const LOCK: &str = "SELECT id FROM users WHERE id = $1 FOR UPDATE SKIP LOCKED";

/// Deletes nothing while items are left. Deleting the user also deletes the pending operation.
const DELETE: &str = "
    DELETE FROM users WHERE id = $1
        AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1)
        AND NOT EXISTS (SELECT FROM documents WHERE user_id = $1)
        AND NOT EXISTS (SELECT FROM tasks WHERE user_id = $1)";

/// Deletes what was logged since, and inserts the one entry that remains.
const LOG: [&str; 2] = [
    "DELETE FROM audit_logs WHERE user_id = $1",
    "INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    VALUES ($1, $1, 'DELETED', 'User', $1, NULL, NULL)",
];

/// Deletes the user's row after everything else, in the caller's transaction. `false` if something is left.
pub(super) async fn delete_user(conn: &mut Connection, user: UserId) -> Result<bool, Error> {
    for text in [LOCK, DELETE] {
        if conn.execute(Statement::new(text).bind(user)).await? == 0 {
            return Ok(false);
        }
    }
    for text in LOG {
        conn.execute(Statement::new(text).bind(user)).await?;
    }
    Ok(true)
}
