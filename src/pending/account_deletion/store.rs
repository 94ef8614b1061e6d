//! The SQL of deleting a user.

use uuid::Uuid;

use crate::{
    auth::UserId,
    db::{Connection, Statement},
    error::Error,
    pending::store::count,
};

/// In the order in which they are worked off, `$2` rows of each at a time. What refers to other rows goes before them. The
/// log of others keeps what the user did as an admin, but not from where.
const STEPS: [&str; 10] = [
    "DELETE FROM search_words WHERE id = ANY (ARRAY(
        SELECT id FROM search_words WHERE user_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM search_entries WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM search_entries WHERE user_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM documents WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM documents WHERE user_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM tasks WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM tasks WHERE user_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM courses WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM courses WHERE user_id = $1
            AND NOT EXISTS (SELECT FROM documents WHERE user_id = $1 AND course_id = courses.id)
            AND NOT EXISTS (SELECT FROM tasks WHERE user_id = $1 AND course_id = courses.id)
        LIMIT $2 FOR UPDATE SKIP LOCKED))",
    "DELETE FROM search_departed WHERE user_id = $1 AND item_id = ANY (ARRAY(
        SELECT item_id FROM search_departed WHERE user_id = $1 LIMIT $2))",
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

/// Deletes `size` rows of a user; answers how many went: 0 if all are gone that no other transaction holds.
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

/// No row while requests are still inserting something of the user's; those that come later find no user.
const LOCK: &str = "SELECT id FROM users WHERE id = $1 FOR UPDATE SKIP LOCKED";

/// No row while items are left. Deleting the user deletes the pending operation as well.
const DELETE: &str = "
    DELETE FROM users WHERE id = $1
        AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1)
        AND NOT EXISTS (SELECT FROM documents WHERE user_id = $1)
        AND NOT EXISTS (SELECT FROM tasks WHERE user_id = $1)
    RETURNING id";

/// What was logged in the meantime, and the one entry that stays.
const LOG: [&str; 2] = [
    "DELETE FROM audit_logs WHERE user_id = $1",
    "INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    VALUES ($1, $1, 'DELETED', 'User', $1, NULL, NULL)",
];

/// Deletes the row of a user of whom nothing else is left, in the caller's transaction; `false` if something is left.
pub(super) async fn delete_user(conn: &mut Connection, user: UserId) -> Result<bool, Error> {
    let locked = conn.row(Statement::<(Uuid,)>::new(LOCK).bind(user));
    if locked.await?.is_none() {
        return Ok(false);
    }
    let deleted = conn.row(Statement::<(Uuid,)>::new(DELETE).bind(user));
    if deleted.await?.is_none() {
        return Ok(false);
    }
    for text in LOG {
        conn.execute(Statement::new(text).bind(user)).await?;
    }
    Ok(true)
}
