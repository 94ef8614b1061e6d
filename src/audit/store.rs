//! The SQL of reading and pruning the audit log.

use diesel::sql_types::Uuid as SqlUuid;
use uuid::Uuid;

use super::model::Event;
use crate::{
    auth::{Client, UserId},
    db::{Connection, Row, Statement},
    error::Error,
};

/// Entries that one step of pruning takes at most.
const STEP: i64 = 1000;

type EventOf = (Uuid, Event);

impl Row for EventOf {
    type Sql = (SqlUuid, <Event as Row>::Sql);
}

/// What is older than the log is kept may be there still, bare or not pruned yet: it is not shown.
const PAGES: &str = "
    SELECT person.id, event.* FROM unnest($1) AS person (id) CROSS JOIN LATERAL (
        SELECT id, action, entity_type, entity_id, actor_id, changes, host(ip_address), user_agent, created_at
        FROM audit_logs
        WHERE user_id = person.id AND id < $2
            AND ($4 = 0 OR created_at > now() - make_interval(days => $4))
        ORDER BY id DESC LIMIT $3
    ) AS event";

pub(super) async fn pages(
    conn: &mut Connection,
    users: Vec<Uuid>,
    before: Option<i64>,
    size: i64,
    days: u32,
) -> Result<Vec<EventOf>, Error> {
    let statement = Statement::new(PAGES)
        .bind(users)
        .bind(before.unwrap_or(i64::MAX))
        .bind(size)
        .bind(counted(days));
    conn.rows(statement).await
}

const NOTE: &str = "
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    SELECT id, $1, $3, 'User', id, $4::inet, $5 FROM users WHERE id = ANY($2) FOR KEY SHARE";

pub(super) async fn note_reading(
    conn: &mut Connection,
    admin: UserId,
    users: Vec<Uuid>,
    action: &'static str,
    client: &Client,
) -> Result<(), Error> {
    let origin = client.origin();
    let statement = Statement::new(NOTE)
        .bind(admin)
        .bind(users)
        .bind(action)
        .bind(origin.address)
        .bind(origin.program);
    conn.execute(statement).await?;
    Ok(())
}

const LOCK: &str = "SELECT pg_try_advisory_xact_lock(8315168184020661352)";

/// The condition is that of the index `audit_logs_prunable_idx`.
const PRUNE: &str = "
    WITH old AS MATERIALIZED (
        SELECT user_id, id, action FROM audit_logs
        WHERE created_at < now() - make_interval(days => $1)
            AND (action <> 'CREATED' OR ip_address IS NOT NULL OR user_agent IS NOT NULL OR changes IS NOT NULL)
        ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ), stripped AS (
        UPDATE audit_logs SET ip_address = NULL, user_agent = NULL, changes = NULL FROM old
        WHERE audit_logs.user_id = old.user_id AND audit_logs.id = old.id AND old.action = 'CREATED'
    ), deleted AS (
        DELETE FROM audit_logs USING old
        WHERE audit_logs.user_id = old.user_id AND audit_logs.id = old.id AND old.action <> 'CREATED'
    )
    SELECT count(*) FROM old";

/// One step of pruning, by one process at a time; answers how many entries. 0 if another process does it.
pub(super) async fn prune(conn: &mut Connection, days: u32) -> Result<u64, Error> {
    let locked: Option<(bool,)> = conn.row(Statement::new(LOCK)).await?;
    if !locked.is_some_and(|(locked,)| locked) {
        return Ok(0);
    }
    let statement = Statement::new(PRUNE).bind(counted(days)).bind(STEP);
    let pruned: Option<(i64,)> = conn.row(statement).await?;
    Ok(pruned.map_or(0, |(rows,)| rows.unsigned_abs()))
}

/// Days as PostgreSQL can count them back from now.
fn counted(days: u32) -> i32 {
    i32::try_from(days.min(36_500)).unwrap_or(0)
}
