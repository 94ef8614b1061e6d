//! The stand-in's SQL.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{Change, ChangeAction, Cursor};
use crate::{
    auth::UserId,
    db::{Connection, Row, Statement},
    error::Error,
    trash::{ItemKind, ItemRef},
};

type Logged = (i64, String, String, Uuid, DateTime<Utc>);

impl Row for Logged {
    type Sql = (BigInt, Text, Text, SqlUuid, Timestamptz);
}

const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM audit_logs WHERE user_id = $1";

pub(super) async fn newest(conn: &mut Connection, user: UserId) -> Result<i64, Error> {
    let row: Option<(i64,)> = conn.row(Statement::new(NEWEST).bind(user)).await?;
    Ok(row.map_or(0, |(id,)| id))
}

const NEXT: &str = "
    SELECT id, action, entity_type, entity_id, created_at FROM audit_logs
    WHERE user_id = $1 AND id > $2 AND entity_type IN ('Course', 'Document', 'Task') AND entity_id IS NOT NULL
        AND action IN ('CREATED', 'UPDATED', 'TRASHED', 'RESTORED', 'DELETED')
    ORDER BY id LIMIT 100";

pub(super) async fn next(
    conn: &mut Connection,
    user: UserId,
    after: i64,
) -> Result<Vec<Change>, Error> {
    let rows: Vec<Logged> = conn
        .rows(Statement::new(NEXT).bind(user).bind(after))
        .await?;
    let change = |(id, action, entity, item, changed_at): Logged| Change {
        cursor: Cursor(id),
        action: match action.as_str() {
            "CREATED" => ChangeAction::Created,
            "UPDATED" => ChangeAction::Updated,
            "TRASHED" => ChangeAction::Trashed,
            "RESTORED" => ChangeAction::Restored,
            _ => ChangeAction::Deleted,
        },
        item: ItemRef {
            kind: match entity.as_str() {
                "Course" => ItemKind::Course,
                "Document" => ItemKind::Document,
                _ => ItemKind::Task,
            },
            id: item,
        },
        changed_at,
    };
    Ok(rows.into_iter().map(change).collect())
}
