//! All the SQL of the change feed. Every statement is of its readers alone; none reads another's log.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::result::Error as DieselError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use uuid::Uuid;

use super::{ChangeAction, Cursor, cursor::Seen};
use crate::{
    auth::UserId,
    db::{Connection, Statement, row},
    error::Error,
    items::ItemRef,
};

row! {
    /// An entry of the log about an item.
    #[derive(Debug, Clone)]
    pub(super) struct Entry {
        pub(super) id: i64,
        transaction: i64,
        pub(super) action: ChangeAction,
        pub(super) item: ItemRef,
        pub(super) version: i32,
        pub(super) changed_at: DateTime<Utc>,
    }
}

impl Entry {
    /// The id of the transaction that wrote it.
    pub(super) fn transaction(&self) -> u64 {
        self.transaction.cast_unsigned()
    }
}

row! {
    /// The database at the moment of a statement, as one person's log has it.
    #[derive(Debug, Clone)]
    pub(super) struct Moment {
        /// `None`: the log has none in this database yet.
        pub(super) epoch: Option<Uuid>,
        pub(super) now: DateTime<Utc>,
        snapshot: String,
        /// The newest transaction of the epoch that is visible in the log. If none is, the last one before the epoch.
        newest: Option<i64>,
    }
}

impl Moment {
    /// The end of the snapshot: nothing that is visible has this number or a higher one.
    pub(super) fn next(&self) -> Result<u64, Error> {
        let next = self.snapshot.split(':').nth(1).map(str::parse);
        next.and_then(Result::ok).ok_or_else(|| self.is_none())
    }

    fn is_none(&self) -> Error {
        Error::internal(format!("{} is no snapshot", self.snapshot))
    }

    /// What a reader has seen that had seen `before`.
    pub(super) fn seen(&self, before: &Seen) -> Result<Seen, Error> {
        let newest = self.newest.map(i64::unsigned_abs);
        let seen = Seen::after(before, &self.snapshot, newest);
        seen.ok_or_else(|| self.is_none())
    }
}

/// The epoch and the snapshot of a statement. Without an epoch, its columns are null.
macro_rules! moment {
    () => {
        "(
        SELECT epoch.id AS epoch, epoch.first_id, epoch.first_xid, statement_timestamp() AS now,
            pg_current_snapshot()::text AS snapshot, pg_snapshot_xmax(pg_current_snapshot()) AS next_xid
        FROM (VALUES (1)) AS one LEFT JOIN change_epochs AS epoch ON epoch.database = change_database() OFFSET 0
    ) AS moment"
    };
}

const MOMENT: &str = concat!(
    "
    SELECT moment.epoch, moment.now, moment.snapshot, coalesce(newest.xid::text::bigint, moment.first_xid::text::bigint - 1)
    FROM ",
    moment!(),
    "
    LEFT JOIN LATERAL (
        SELECT xid FROM audit_logs
        WHERE user_id = $1 AND xid >= moment.first_xid AND xid < moment.next_xid AND CASE WHEN id < moment.first_id THEN false ELSE true END
        ORDER BY xid DESC LIMIT 1
    ) AS newest ON true"
);

/// The database now, and none of the log.
pub(super) async fn moment(conn: &mut Connection, owner: UserId) -> Result<Moment, Error> {
    let moment = conn.row(Statement::new(MOMENT).bind(owner)).await?;
    moment.ok_or_else(|| Error::internal("a moment is always answered"))
}

/// A reader of a log, and what it has seen.
#[derive(Debug, Clone)]
pub(super) struct Since {
    pub(super) owner: UserId,
    pub(super) seen: Arc<Seen>,
}

type NewsRow = (Uuid, Moment, Option<Entry>);

/// One statement is one snapshot: what is new, the snapshot, and the newest transaction that it shows belong together.
/// Two arms and a fence: one condition with OR is planned badly while somebody holds an old transaction open, and without
/// the fence the order by id would be read off the primary key, through the whole log. The readers stand behind a fence,
/// too: where the planner sees how few they are, it plans anew each time, which takes longer than the reading.
///
/// Entries from before the epoch (see `epoch`) may have any transaction id. The bounds on transaction ids keep nearly all of these
/// out of the index scans, and the condition on `id` rejects the others. It is a CASE, so that it does not draw the planner to the
/// primary key. Without an epoch nothing is read.
const NEWS: &str = concat!(
    "
    SELECT reader.id, moment.epoch, moment.now, moment.snapshot,
        coalesce(newest.xid::text::bigint, moment.first_xid::text::bigint - 1),
        item.id, item.xid::text::bigint, item.action, item.kind, item.entity_id, item.version, item.created_at
    FROM (SELECT $1 AS ids, $2 AS nexts, $3 AS helds OFFSET 0) AS given
    CROSS JOIN unnest(given.ids, given.nexts, given.helds) WITH ORDINALITY AS reader (id, next, held, place)
    CROSS JOIN ",
    moment!(),
    "
    LEFT JOIN LATERAL (
        SELECT xid FROM audit_logs
        WHERE user_id = reader.id AND xid >= moment.first_xid AND xid < moment.next_xid AND CASE WHEN id < moment.first_id THEN false ELSE true END
        ORDER BY xid DESC LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        WITH unseen AS MATERIALIZED (
            SELECT id, xid, action, entity_type, entity_id, version, created_at FROM audit_logs
            WHERE user_id = reader.id AND xid >= greatest(reader.next::xid8, moment.first_xid) AND xid < moment.next_xid
                AND CASE WHEN id < moment.first_id THEN false ELSE true END
            UNION ALL
            SELECT id, xid, action, entity_type, entity_id, version, created_at
            FROM unnest(reader.held::xid8[]) AS held (xid) JOIN audit_logs USING (xid)
            WHERE user_id = reader.id AND CASE WHEN id < moment.first_id THEN false ELSE true END
        )
        SELECT id, xid, action, entity_id, version, created_at,
            CASE entity_type WHEN 'Course' THEN 1 WHEN 'Document' THEN 2 ELSE 3 END::smallint AS kind
        FROM unseen
        WHERE entity_type IN ('Course', 'Document', 'Task')
            AND action IN ('CREATED', 'UPDATED', 'TRASHED', 'RESTORED', 'DELETED')
            AND created_at > coalesce($4, statement_timestamp()) - make_interval(days => $5)
        ORDER BY id LIMIT $6
    ) AS item ON true
    ORDER BY reader.place, item.id"
);

/// What each of these logs holds that its reader has not seen, in the readers' order; of each `room` entries and, if
/// there are more, one beyond. Nothing that is older than `days` before `since`, or before now.
pub(super) async fn news(
    conn: &mut Connection,
    readers: &[Since],
    since: Option<DateTime<Utc>>,
    days: i32,
    room: usize,
) -> Result<Vec<(UserId, Moment, Vec<Entry>)>, Error> {
    let owners: Vec<Uuid> = readers.iter().map(|reader| reader.owner.0).collect();
    let next = readers.iter().map(|reader| reader.seen.next.to_string());
    let held = readers.iter().map(|reader| array(&reader.seen.held));
    let statement = Statement::new(NEWS)
        .bind(owners)
        .bind(next.collect::<Vec<_>>())
        .bind(held.collect::<Vec<_>>())
        .bind(since)
        .bind(days)
        .bind(limit(room));
    let mut read: Vec<(UserId, Moment, Vec<Entry>)> = Vec::with_capacity(readers.len());
    let rows: Vec<NewsRow> = conn.rows(statement).await?;
    for (owner, moment, entry) in rows {
        match read.last_mut() {
            Some((last, _, entries)) if last.0 == owner => entries.extend(entry),
            _ => read.push((UserId(owner), moment, entry.into_iter().collect())),
        }
    }
    Ok(read)
}

type RestRow = (Moment, Option<Entry>);

/// By the primary key, from the last id on: nearly all that stands there belongs to the page. CASE keeps the planner from
/// taking the conditions on transactions for a way in; IN (SELECT …) is a hash table, where a list would be gone through for
/// each entry, and a cursor may name thousands. Entries from before the epoch count as written by transaction 3, the oldest there is.
const REST: &str = concat!(
    "
    SELECT moment.epoch, moment.now, moment.snapshot, NULL::bigint,
        item.id, item.xid::text::bigint, item.action, item.kind, item.entity_id, item.version, item.created_at
    FROM ",
    moment!(),
    "
    LEFT JOIN LATERAL (
        SELECT id, entry.xid, action, entity_id, version, created_at,
            CASE entity_type WHEN 'Course' THEN 1 WHEN 'Document' THEN 2 ELSE 3 END::smallint AS kind
        FROM audit_logs CROSS JOIN LATERAL (
            SELECT CASE WHEN id < moment.first_id THEN '3'::xid8 ELSE audit_logs.xid END AS xid
        ) AS entry
        WHERE user_id = $1 AND id > $2
            AND CASE WHEN entry.xid < $3::xid8 THEN entry.xid NOT IN (SELECT unnest($4::xid8[])) ELSE false END
            AND CASE WHEN entry.xid < $5::xid8 THEN entry.xid IN (SELECT unnest($6::xid8[])) ELSE true END
            AND entity_type IN ('Course', 'Document', 'Task')
            AND action IN ('CREATED', 'UPDATED', 'TRASHED', 'RESTORED', 'DELETED')
            AND created_at > coalesce($7, statement_timestamp()) - make_interval(days => $8)
        ORDER BY id LIMIT $9
    ) AS item ON true
    ORDER BY item.id"
);

/// A page that was cut: what was seen at its end and not before, behind its last entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest<'a> {
    pub(super) owner: UserId,
    pub(super) after: &'a Cursor,
    pub(super) target: &'a Seen,
    pub(super) last: i64,
}

/// The rest of a page that was cut: `room` entries and, if there are more, one beyond.
pub(super) async fn rest(
    conn: &mut Connection,
    rest: Rest<'_>,
    days: i32,
    room: usize,
) -> Result<(Moment, Vec<Entry>), Error> {
    let base = rest.after.base();
    let statement = Statement::new(REST)
        .bind(rest.owner)
        .bind(rest.last)
        .bind(rest.target.next.to_string())
        .bind(array(&rest.target.held))
        .bind(base.next.to_string())
        .bind(array(&base.held))
        .bind(rest.after.since())
        .bind(days)
        .bind(limit(room));
    let mut moment = None;
    let mut entries = Vec::new();
    for (at, entry) in conn.rows::<RestRow>(statement).await? {
        moment = Some(at);
        entries.extend(entry);
    }
    let moment = moment.ok_or_else(|| Error::internal("a moment is always answered"))?;
    Ok((moment, entries))
}

/// An array as PostgreSQL reads it.
fn array(ids: &[u64]) -> String {
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

fn limit(room: usize) -> i64 {
    i64::try_from(room).map_or(i64::MAX, |room| room + 1)
}

/// Begins an epoch of the log, unless one holds: in a database that is new, was restored, promoted or branched off.
pub(super) async fn begin_epoch(conn: &mut Connection) -> Result<(), Error> {
    conn.transaction(async |conn| {
        // The function waits for the writers that are in flight, however long these take.
        conn.batch("SET LOCAL statement_timeout = 0")
            .await
            .map_err(crate::db::pool::from_database)?;
        conn.execute(Statement::new("SELECT begin_change_epoch()"))
            .await?;
        Ok(())
    })
    .await
}

/// Sends a message to every process that listens.
pub(super) async fn notify(conn: &mut Connection, payloads: Vec<String>) -> Result<(), Error> {
    let statement =
        Statement::new("SELECT pg_notify('snapnote_changes', payload) FROM unnest($1) AS payload");
    conn.execute(statement.bind(payloads)).await?;
    Ok(())
}

/// Listens to what others [`notify`], from now on.
pub(super) async fn listen(conn: &mut AsyncPgConnection) -> Result<(), DieselError> {
    conn.batch_execute("LISTEN snapnote_changes").await
}
