//! Readers with typical faults of log readers: the checker must find each.

use std::{sync::Arc, time::Duration};

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    environment::Environment,
    readers::{Reader, is_over},
};

#[derive(diesel::QueryableByName)]
struct Entry {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    entity_id: Uuid,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    at: i64,
    #[diesel(sql_type = diesel::sql_types::Text)]
    cursor: String,
}

/// A fault: a wrong condition for rows after the cursor, or a wrong next cursor.
#[derive(Clone, Copy)]
pub(super) enum Flaw {
    /// The cursor is the last id.
    IdAlone,
    /// It reads only below the oldest open transaction.
    BelowOldest,
    /// It also reads the changes of other users.
    AllUsers,
    /// Its snapshot is not limited to the newest transaction that it saw.
    Uncapped,
}

impl Flaw {
    fn first(self) -> &'static str {
        match self {
            Flaw::IdAlone | Flaw::BelowOldest | Flaw::AllUsers => "0",
            Flaw::Uncapped => "1:1:",
        }
    }

    fn sql(self, user: Uuid, cursor: &str) -> String {
        let fields = "entity_id, (extract(epoch FROM created_at) * 1000000)::bigint AS at";
        let logs = "audit_logs WHERE entity_type = 'Course'";
        match self {
            Flaw::IdAlone => format!(
                "SELECT {fields}, id::text AS cursor FROM {logs} AND user_id = '{user}' AND id > {cursor} ORDER BY id"
            ),
            Flaw::AllUsers => format!(
                "SELECT {fields}, id::text AS cursor FROM {logs} AND id > {cursor} ORDER BY id"
            ),
            Flaw::BelowOldest => format!(
                "SELECT {fields}, pg_snapshot_xmin(pg_current_snapshot())::text AS cursor FROM {logs}
                 AND user_id = '{user}' AND xid >= '{cursor}'::xid8
                 AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY id"
            ),
            Flaw::Uncapped => format!(
                "SELECT coalesce(entity_id, '{user}') AS entity_id, coalesce(at, 0) AS at, cursor
                 FROM (SELECT pg_current_snapshot()::text AS cursor) AS now
                 LEFT JOIN (SELECT {fields}, id FROM {logs} AND user_id = '{user}'
                     AND NOT pg_visible_in_snapshot(xid, '{cursor}'::pg_snapshot)) AS new ON true
                 ORDER BY id"
            ),
        }
    }
}

/// The end of a snapshot; for other cursors, the number itself.
fn end(cursor: &str) -> u64 {
    cursor.split(':').nth(1).unwrap_or(cursor).parse().unwrap()
}

/// Reads from the database, with this fault.
pub(super) async fn flawed(environment: Arc<Environment>, reader: Arc<Reader>, flaw: Flaw) {
    let user = environment.people[reader.person].id;
    let mut conn: Option<AsyncPgConnection> = None;
    let mut cursor = flaw.first().to_owned();
    while !is_over(&environment) {
        sleep(Duration::from_millis(100)).await;
        let open = match &mut conn {
            Some(open) => open,
            None => conn.insert(environment.conn().await),
        };
        let query = diesel::sql_query(flaw.sql(user, &cursor));
        let Ok(entries) = query.load::<Entry>(open).await else {
            conn = None;
            continue;
        };
        for entry in entries {
            if entry.at > 0 {
                reader.received((entry.entity_id, entry.at));
            }
            // After a crash, like a reader that was disconnected.
            if end(&entry.cursor) >= end(&cursor) {
                cursor = entry.cursor;
            }
        }
    }
}
