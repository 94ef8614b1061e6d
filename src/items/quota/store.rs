//! The SQL of quotas.

use std::{collections::HashMap, sync::LazyLock};

use chrono::{TimeDelta, Utc};
use uuid::Uuid;

use super::Usage;
use crate::{
    auth::UserId,
    db::{Connection, SharedText, Statement},
    error::Error,
    items::ItemKind,
};

/// The upper bound of what a user has, with the growth of this transaction.
#[derive(Default)]
pub(super) struct Reserved {
    pub(super) usage: Usage,
    /// Whether it was counted in the last hour.
    pub(super) is_recent: bool,
}

/// Locks the owner first, so that the deletion of the user waits or comes before.
const RESERVE: &str = "
    WITH owner AS MATERIALIZED (SELECT id FROM users WHERE id = $1 FOR KEY SHARE)
    INSERT INTO item_usage AS known (user_id, items, bytes) SELECT id, $2, $3 FROM owner
    ON CONFLICT (user_id) DO UPDATE SET items = known.items + excluded.items, bytes = known.bytes + excluded.bytes
    RETURNING items, bytes, counted_at > now() - interval '1 hour'";

/// On a sharded database. The foreign key locks the owner.
const RESERVE_ON_SHARD: &str = "
    INSERT INTO item_usage AS known (user_id, items, bytes) VALUES ($1, $2, $3)
    ON CONFLICT (user_id) DO UPDATE SET items = known.items + excluded.items, bytes = known.bytes + excluded.bytes
    RETURNING items, bytes, counted_at > $4";

/// Adds growth to the upper bound, and locks it until the transaction ends.
pub(super) async fn reserve(
    conn: &mut Connection,
    owner: UserId,
    growth: Usage,
) -> Result<Reserved, Error> {
    let mut statement = match conn.is_sharded() {
        true => Statement::new(RESERVE_ON_SHARD),
        false => Statement::new(RESERVE),
    };
    statement = statement.bind(owner).bind(growth.items).bind(growth.bytes);
    if conn.is_sharded() {
        statement = statement.bind(Utc::now() - TimeDelta::hours(1));
    }
    let row: Option<(i64, i64, bool)> = conn.row(statement).await?;
    let reserved = row.map(|(items, bytes, is_recent)| Reserved {
        usage: Usage { items, bytes },
        is_recent,
    });
    Ok(reserved.unwrap_or_default())
}

const SAVE: &str =
    "UPDATE item_usage SET items = $2, bytes = $3, counted_at = now() WHERE user_id = $1";

/// Replaces the upper bound by exact numbers.
pub(super) async fn save(conn: &mut Connection, owner: UserId, now: Usage) -> Result<(), Error> {
    let statement = Statement::new(SAVE)
        .bind(owner)
        .bind(now.items)
        .bind(now.bytes);
    conn.execute(statement).await?;
    Ok(())
}

/// PostgreSQL knows the length of a text, and the size of metadata as it is stored, without reading it.
static COUNT: LazyLock<SharedText> = LazyLock::new(|| {
    let of_kind = |kind: ItemKind| {
        let texts = kind.text_columns();
        let lengths = texts.map(|column| format!("coalesce(octet_length({column}), 0)"));
        let sizes = kind.json_columns().iter();
        let sizes = sizes.map(|column| format!("pg_column_size({column})"));
        let bytes: Vec<String> = lengths.chain(sizes).collect();
        let (bytes, table) = (bytes.join(" + "), kind.table());
        format!(
            "SELECT user_id, count(*) AS items, sum({bytes}) AS bytes FROM current_{table}
            WHERE user_id = ANY($1) GROUP BY user_id"
        )
    };
    let items = ItemKind::ALL.map(of_kind).join(" UNION ALL ");
    SharedText::new(format!(
        "SELECT user_id, sum(items)::bigint, sum(bytes)::bigint FROM (
            {items}
            UNION ALL SELECT user_id, 0, sum(byte_size) FROM image_objects
            WHERE user_id = ANY($1) AND state = 'stored' GROUP BY user_id
        ) AS counted GROUP BY user_id"
    ))
});

/// What a user has now.
pub(super) async fn count(conn: &mut Connection, owner: UserId) -> Result<Usage, Error> {
    let mut counted = count_all(conn, vec![owner.0]).await?;
    Ok(counted.remove(&owner.0).unwrap_or_default())
}

/// What each of these users has now.
pub(crate) async fn count_all(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<HashMap<Uuid, Usage>, Error> {
    let mut counted: HashMap<Uuid, Usage> =
        users.iter().map(|user| (*user, Usage::default())).collect();
    let rows: Vec<(Uuid, Usage)> = conn.rows(Statement::look_up(&COUNT).bind(users)).await?;
    counted.extend(rows);
    Ok(counted)
}
