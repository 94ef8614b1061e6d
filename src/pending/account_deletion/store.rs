//! The SQL of deleting a user.

use std::sync::LazyLock;

use crate::{
    auth::UserId,
    db::{Connection, Statement},
    error::Error,
    items::ItemKind,
    pending::store::count,
};

/// Deletes at most `$2` items of a kind. Courses and tags are deleted after the items in them.
fn delete_items(kind: ItemKind) -> String {
    let table = kind.table();
    let is_empty = if kind == ItemKind::Course {
        ItemKind::IN_COURSES
            .map(|contained| {
                let contained = contained.table();
                format!(
                    " AND NOT EXISTS (SELECT FROM {contained} WHERE user_id = $1 AND course_id = courses.id)"
                )
            })
            .concat()
    } else {
        String::new()
    };
    format!(
        "DELETE FROM {table} WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM {table} WHERE user_id = $1{is_empty} LIMIT $2 FOR UPDATE SKIP LOCKED))"
    )
}

/// Executed in this order, at most `$2` rows each. Rows that refer to others are deleted before them. The logs of other
/// users keep what the user did as an admin, but not their address and program.
static STEPS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let items = ItemKind::ALL.into_iter().rev().map(delete_items);
    let others = OTHER_STEPS.map(str::to_owned);
    items.chain(others).collect()
});

const OTHER_STEPS: [&str; 5] = [
    "DELETE FROM search_indexes WHERE user_id = $1 AND part = ANY (ARRAY(
        SELECT part FROM search_indexes WHERE user_id = $1 LIMIT $2))",
    "DELETE FROM pending_operations WHERE user_id = $1 AND item_id = ANY (ARRAY(
        SELECT item_id FROM pending_operations WHERE user_id = $1 AND operation <> 'leave' LIMIT $2))",
    "DELETE FROM sessions WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM sessions WHERE user_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    ACTED,
    "DELETE FROM audit_logs WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM audit_logs WHERE user_id = $1 LIMIT $2))",
];

const ACTED: &str = "UPDATE audit_logs SET ip_address = NULL, user_agent = NULL WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM audit_logs
        WHERE actor_id = $1 AND actor_id <> user_id AND (ip_address IS NOT NULL OR user_agent IS NOT NULL)
        LIMIT $2 FOR UPDATE SKIP LOCKED))";
/// On a sharded database, all of them, since they are on different servers. The last condition only binds the limit.
const ACTED_ON_SHARDS: &str = "
    UPDATE audit_logs SET ip_address = NULL, user_agent = NULL
    WHERE actor_id = $1 AND actor_id <> user_id AND (ip_address IS NOT NULL OR user_agent IS NOT NULL) AND $2::bigint > 0";

/// Deletes at most `size` rows of a user, and returns how many. 0 if all rows that no other transaction holds are
/// deleted.
pub(super) async fn delete_rows(
    conn: &mut Connection,
    user: UserId,
    size: i64,
) -> Result<i64, Error> {
    let mut rows = 0;
    for text in STEPS.iter() {
        if rows < size {
            let text = match text == ACTED && conn.is_sharded() {
                true => ACTED_ON_SHARDS,
                false => text.as_str(),
            };
            let statement = Statement::new(text).bind(user).bind(size - rows);
            rows += count(conn.execute(statement).await?);
        }
    }
    Ok(rows)
}

/// Returns no row while requests are still inserting rows of the user. Later requests find no user.
const LOCK: &str = "SELECT id FROM users WHERE id = $1 FOR UPDATE SKIP LOCKED";

/// Whether items are left. Requests cannot insert any, since the user is locked.
static HAS_ITEMS: LazyLock<String> = LazyLock::new(|| {
    let of_kind = |kind: ItemKind| {
        let table = kind.table();
        format!("SELECT 1 FROM (SELECT FROM {table} WHERE user_id = $1 LIMIT 1) AS {table}")
    };
    ItemKind::ALL.map(of_kind).join(" UNION ALL ")
});

/// Deleting the user also deletes the pending operation.
const DELETE: &str = "DELETE FROM users WHERE id = $1";

/// Deletes what was logged since, and inserts the one entry that remains.
const LOG: [&str; 2] = [
    "DELETE FROM audit_logs WHERE user_id = $1",
    "INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    VALUES ($1, $1, 'DELETED', 'User', $1, NULL, NULL)",
];

/// Deletes the user's row after everything else, in the caller's transaction. `false` if something is left.
pub(super) async fn delete_user(conn: &mut Connection, user: UserId) -> Result<bool, Error> {
    if conn.execute(Statement::new(LOCK).bind(user)).await? == 0 {
        return Ok(false);
    }
    let left = Statement::new(HAS_ITEMS.as_str()).bind(user);
    if conn.execute(left).await? > 0 {
        return Ok(false);
    }
    if conn.execute(Statement::new(DELETE).bind(user)).await? == 0 {
        return Ok(false);
    }
    for text in LOG {
        conn.execute(Statement::new(text).bind(user)).await?;
    }
    Ok(true)
}
