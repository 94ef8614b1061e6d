//! Readers with the faults that readers of such a log have: the checker must catch each.

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

/// Which fault, as the condition on a row behind the cursor and what the next cursor is.
#[derive(Clone, Copy)]
pub(super) enum Flaw {
    /// The cursor is the last id.
    IdAlone,
    /// It waits below the oldest transaction that is open.
    BelowOldest,
    /// It leaves out whose the log is.
    Everybodys,
    /// Its snapshot is not cut off behind the newest transaction that it saw.
    Uncapped,
}

impl Flaw {
    fn first(self) -> &'static str {
        match self {
            Flaw::IdAlone | Flaw::BelowOldest | Flaw::Everybodys => "0",
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
            Flaw::Everybodys => format!(
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

/// Where a snapshot ends; of what is no snapshot, the number.
fn end(cursor: &str) -> u64 {
    cursor.split(':').nth(1).unwrap_or(cursor).parse().unwrap()
}

/// Reads past the service, with that flaw.
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
            // After a crash, as a reader that was away then.
            if end(&entry.cursor) >= end(&cursor) {
                cursor = entry.cursor;
            }
        }
    }
}
