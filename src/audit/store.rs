//! The SQL that reads and prunes the audit log.

use uuid::Uuid;

use super::model::{Event, Part};
use crate::{
    auth::{Client, UserId},
    db::{
        Connection, Statement,
        background::{Cleanup, OnShards},
    },
    error::Error,
};

/// Entries older than the retention may still exist, stripped or not yet pruned. They are not returned.
macro_rules! pages {
    ($people:literal, $person:literal) => {
        concat!(
            "
    SELECT person.id, event.* FROM ", $people, " AS person (id) CROSS JOIN LATERAL (
        SELECT id, action, entity_type, entity_id, actor_id, changes, host(ip_address), user_agent, created_at
        FROM audit_logs
        WHERE user_id = ", $person, " AND id < $2
            AND ($4 = 0 OR created_at > now() - make_interval(days => $4))
        ORDER BY id DESC LIMIT $3
    ) AS event"
        )
    };
}

const PAGES: &str = pages!("unnest($1)", "person.id");
/// On a sharded database. Users are on different servers, so each page is read by itself.
const PAGE: &str = pages!("(SELECT $1)", "$1");

pub(super) async fn pages(
    conn: &mut Connection,
    users: Vec<Uuid>,
    before: Option<i64>,
    size: i64,
    days: u32,
) -> Result<Vec<(Uuid, Event)>, Error> {
    let bind = |statement: Statement<(Uuid, Event)>| {
        statement
            .bind(before.unwrap_or(i64::MAX))
            .bind(size)
            .bind(counted(days))
    };
    if !conn.is_sharded() {
        return conn.rows(bind(Statement::new(PAGES).bind(users))).await;
    }
    let mut events = Vec::new();
    for user in users {
        events.extend(conn.rows(bind(Statement::new(PAGE).bind(user))).await?);
    }
    Ok(events)
}

const NOTE: &str = "
    INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    SELECT id, $1, $3, 'User', id, $4::inet, $5 FROM users WHERE id = ANY($2) FOR KEY SHARE";

pub(super) async fn note_reading(
    conn: &mut Connection,
    reader: Option<UserId>,
    users: Vec<Uuid>,
    part: Part,
    client: &Client,
) -> Result<(), Error> {
    let origin = client.origin();
    let statement = Statement::new(NOTE)
        .bind(reader.map(|reader| reader.0))
        .bind(users)
        .bind(part)
        .bind(origin.address)
        .bind(origin.program);
    conn.execute(statement).await?;
    Ok(())
}

/// Pruning deletes old entries, except CREATED ones, which only keep what identifies the item. The entry's key here is
/// `<user>/<id>`, the primary key. The condition is that of the index `audit_logs_prunable_idx`.
macro_rules! due {
    ($lock:literal) => {
        concat!(
            "
    SELECT concat(user_id, '/', id) FROM audit_logs
    WHERE created_at < now() - make_interval(days => $3)
        AND (action <> 'CREATED' OR ip_address IS NOT NULL OR user_agent IS NOT NULL OR changes IS NOT NULL)
        AND concat(user_id, '/', id) <> ALL ($2)
    ORDER BY created_at LIMIT $1",
            $lock
        )
    };
}
const DUE: &str = due!(" FOR UPDATE SKIP LOCKED");

const FINISH: &str = "
    WITH old AS MATERIALIZED (
        SELECT split_part(entry, '/', 1)::uuid AS user_id, split_part(entry, '/', 2)::bigint AS id
        FROM unnest($1) AS entry
    ), stripped AS (
        UPDATE audit_logs SET ip_address = NULL, user_agent = NULL, changes = NULL FROM old
        WHERE audit_logs.user_id = old.user_id AND audit_logs.id = old.id AND action = 'CREATED'
        RETURNING 1
    ), deleted AS (
        DELETE FROM audit_logs USING old
        WHERE audit_logs.user_id = old.user_id AND audit_logs.id = old.id AND action <> 'CREATED'
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM stripped) + (SELECT count(*) FROM deleted)";

/// On a sharded database. No other job changes these entries.
const ON_SHARDS: OnShards = OnShards {
    due: due!(""),
    finish: "SELECT prune_log($1)",
};

/// The clean-up of entries that are older than `days`. `None` if they are kept forever.
pub(super) fn pruning(days: u32) -> Option<Cleanup> {
    (days > 0).then(|| Cleanup {
        name: "audit-log",
        due: DUE,
        finish: FINISH,
        on_shards: Some(ON_SHARDS),
        days: Some(counted(days)),
    })
}

/// Days within the range of PostgreSQL's dates.
fn counted(days: u32) -> i32 {
    i32::try_from(days.min(36_500)).unwrap_or(0)
}
