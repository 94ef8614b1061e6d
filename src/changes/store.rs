//! All SQL of the change feed. Every statement reads only the logs of its readers.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use diesel::result::Error as DieselError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use uuid::Uuid;

use super::{ChangeAction, Cursor, cursor::Seen};
use crate::{
    auth::UserId,
    db::{Connection, Statement, row},
    error::Error,
    items::{ItemKind, ItemRef},
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
    /// One user's log and the database, in the snapshot of a statement.
    #[derive(Debug, Clone)]
    pub(super) struct LogState {
        /// `None` if no epoch has begun in this database yet.
        pub(super) epoch: Option<Uuid>,
        pub(super) now: DateTime<Utc>,
        snapshot: String,
        /// The newest transaction of the epoch that is visible in the log. If there is none, the last one before the
        /// epoch.
        newest: Option<i64>,
        /// The generation of the owner's stored search index. The search, which reads the log first, needs no other statement.
        pub(super) index_generation: Option<Uuid>,
    }
}

impl LogState {
    /// The end of the snapshot: all visible transactions are below this id.
    pub(super) fn xmax(&self) -> Result<u64, Error> {
        let xmax = self.snapshot.split(':').nth(1).map(str::parse);
        xmax.and_then(Result::ok).ok_or_else(|| self.is_invalid())
    }

    fn is_invalid(&self) -> Error {
        Error::internal(format!("invalid snapshot: {}", self.snapshot))
    }

    /// What a reader that had seen `before` has seen in this snapshot.
    pub(super) fn seen(&self, before: &Seen) -> Result<Seen, Error> {
        let newest = self.newest.map(i64::unsigned_abs);
        let seen = Seen::after(before, &self.snapshot, newest);
        seen.ok_or_else(|| self.is_invalid())
    }
}

/// The epoch and the snapshot of a statement. Without an epoch, its columns are null.
const STATE: &str = "(
        SELECT epoch.id AS epoch, epoch.first_id, epoch.first_xid, statement_timestamp() AS now,
            pg_current_snapshot()::text AS snapshot, pg_snapshot_xmax(pg_current_snapshot()) AS next_xid
        FROM (VALUES (1)) AS one LEFT JOIN change_epochs AS epoch ON epoch.database = change_database() OFFSET 0
    ) AS log_state";

/// The kind of an entry of the log, as a number. Null if the entry is not about an item.
static ITEM_KIND: LazyLock<String> = LazyLock::new(|| {
    let number = |kind: ItemKind| format!("WHEN '{}' THEN {}", kind.logged_name(), i16::from(kind));
    let numbers = ItemKind::ALL.map(number).join(" ");
    format!("(CASE entity_type {numbers} END)::smallint")
});

/// The generation of an owner's stored search index; null without one.
fn index_generation(owner: &str) -> String {
    format!("(SELECT generation FROM search_indexes WHERE user_id = {owner} AND part = 0)")
}

/// The condition that an entry of the log is about a change of an item.
static IS_CHANGE: LazyLock<String> = LazyLock::new(|| {
    let name = |kind: ItemKind| format!("'{}'", kind.logged_name());
    let names = ItemKind::ALL.map(name).join(", ");
    format!(
        "entity_type IN ({names})
            AND action IN ('CREATED', 'UPDATED', 'TRASHED', 'RESTORED', 'DELETED')"
    )
});

/// The newest transaction of the epoch in a log. `owner`: the log's owner.
fn newest(owner: &str) -> String {
    format!(
        "LEFT JOIN LATERAL (
        SELECT xid FROM audit_logs
        WHERE user_id = {owner} AND xid >= log_state.first_xid AND xid < log_state.next_xid
            AND CASE WHEN id < log_state.first_id THEN false ELSE true END
        ORDER BY xid DESC LIMIT 1
    ) AS newest ON true"
    )
}

static LOG_STATE: LazyLock<String> = LazyLock::new(|| {
    let (newest, index_generation) = (newest("$1"), index_generation("$1"));
    format!(
        "SELECT log_state.epoch, log_state.now, log_state.snapshot,
        coalesce(newest.xid::text::bigint, log_state.first_xid::text::bigint - 1), {index_generation}
    FROM {STATE} {newest}"
    )
});

/// Reads the present state of a log, without its entries.
pub(super) async fn log_state(conn: &mut Connection, owner: UserId) -> Result<LogState, Error> {
    let state = conn
        .row(Statement::new(LOG_STATE.as_str()).bind(owner))
        .await?;
    state.ok_or_else(no_state)
}

fn no_state() -> Error {
    Error::internal("the statement returned no state of the log")
}

/// The reader of a log, and what it has seen.
#[derive(Debug, Clone)]
pub(super) struct ReaderPosition {
    pub(super) owner: UserId,
    pub(super) seen: Arc<Seen>,
}

impl ReaderPosition {
    /// The statement that reads for this reader only, without its last three values.
    fn alone(&self) -> Statement<NewEntriesRow> {
        Statement::new(NEW_ENTRIES_OF_ONE.as_str())
            .bind(self.owner)
            .bind(self.seen.xmax.to_string())
            .bind(array(&self.seen.in_progress))
    }
}

/// The statement that reads for these readers, without its last three values.
fn together(readers: &[ReaderPosition]) -> Statement<NewEntriesRow> {
    let owners: Vec<Uuid> = readers.iter().map(|reader| reader.owner.0).collect();
    let xmaxes = readers.iter().map(|reader| reader.seen.xmax.to_string());
    let in_progress = readers.iter().map(|reader| array(&reader.seen.in_progress));
    Statement::new(NEW_ENTRIES.as_str())
        .bind(owners)
        .bind(xmaxes.collect::<Vec<_>>())
        .bind(in_progress.collect::<Vec<_>>())
}

type NewEntriesRow = (Uuid, LogState, Option<Entry>);

/// One statement is one snapshot: the new entries, the snapshot, and the newest visible transaction belong together.
///
/// `unseen` has two arms, because the planner handles one condition with OR badly while an old transaction is open. It
/// is MATERIALIZED, because the planner would otherwise satisfy the order by id with the primary key and read the whole
/// log. OFFSET 0 is an optimization fence: a planner that sees how few readers there are plans the statement again each
/// time. Planning takes longer than reading.
///
/// Entries from before the epoch (see `epoch`) may have any transaction id. The bounds on transaction ids keep nearly
/// all of these out of the index scans, and the condition on `id` rejects the others. It is a CASE, so that the planner
/// does not choose the primary key for it. Without an epoch, nothing is read.
static NEW_ENTRIES: LazyLock<String> = LazyLock::new(|| {
    new_entries_text(
        "reader.id",
        "(SELECT $1 AS ids, $2 AS xmaxes, $3 AS in_progress OFFSET 0) AS given
    CROSS JOIN unnest(given.ids, given.xmaxes, given.in_progress) WITH ORDINALITY AS reader (id, xmax, in_progress, position)",
    )
});

/// For one reader, on a sharded database. Readers are on different servers, each with its own snapshot.
static NEW_ENTRIES_OF_ONE: LazyLock<String> = LazyLock::new(|| {
    new_entries_text(
        "$1",
        "(SELECT $1 AS id, $2 AS xmax, $3 AS in_progress, 1 AS position) AS reader",
    )
});

/// `owner`: the expression of a reader's id. `readers`: the source of readers.
fn new_entries_text(owner: &str, readers: &str) -> String {
    let newest = newest(owner);
    let index_generation = index_generation(owner);
    let (item_kind, is_change) = (&*ITEM_KIND, &*IS_CHANGE);
    format!(
        "SELECT reader.id, log_state.epoch, log_state.now, log_state.snapshot,
        coalesce(newest.xid::text::bigint, log_state.first_xid::text::bigint - 1), stored_index.generation,
        item.id, item.xid::text::bigint, item.action, item.kind, item.entity_id, item.version, item.created_at
    FROM {readers}
    CROSS JOIN LATERAL (SELECT {index_generation} AS generation OFFSET 0) AS stored_index
    CROSS JOIN {STATE} {newest}
    LEFT JOIN LATERAL (
        WITH unseen AS MATERIALIZED (
            SELECT id, xid, action, entity_type, entity_id, version, created_at FROM audit_logs
            WHERE user_id = {owner} AND xid >= greatest(reader.xmax::xid8, log_state.first_xid) AND xid < log_state.next_xid
                AND CASE WHEN id < log_state.first_id THEN false ELSE true END
            UNION ALL
            SELECT id, xid, action, entity_type, entity_id, version, created_at
            FROM unnest(reader.in_progress::xid8[]) AS in_progress (xid) JOIN audit_logs USING (xid)
            WHERE user_id = {owner} AND CASE WHEN id < log_state.first_id THEN false ELSE true END
        )
        SELECT id, xid, action, entity_id, version, created_at, {item_kind} AS kind
        FROM unseen
        WHERE {is_change} AND created_at > coalesce($4, statement_timestamp()) - make_interval(days => $5)
        ORDER BY id LIMIT $6
    ) AS item ON true
    ORDER BY reader.position, item.id"
    )
}

/// Reads the entries of each of these logs that its reader has not seen, in the order of the readers: `limit` entries
/// of each log and, if there are more, one beyond. Omits entries older than `days` before `cursor_read_at` (default
/// now).
pub(super) async fn new_entries(
    conn: &mut Connection,
    readers: &[ReaderPosition],
    cursor_read_at: Option<DateTime<Utc>>,
    days: i32,
    limit: usize,
) -> Result<Vec<(UserId, LogState, Vec<Entry>)>, Error> {
    let bounded = |statement: Statement<NewEntriesRow>| {
        statement
            .bind(cursor_read_at)
            .bind(days)
            .bind(one_more(limit))
    };
    let rows = match conn.is_sharded() {
        true => {
            let mut rows = Vec::new();
            for reader in readers {
                rows.extend(conn.rows(bounded(reader.alone())).await?);
            }
            rows
        }
        false => conn.rows(bounded(together(readers))).await?,
    };
    let mut read: Vec<(UserId, LogState, Vec<Entry>)> = Vec::with_capacity(readers.len());
    for (owner, state, entry) in rows {
        match read.last_mut() {
            Some((last, _, entries)) if last.0 == owner => entries.extend(entry),
            _ => read.push((UserId(owner), state, entry.into_iter().collect())),
        }
    }
    Ok(read)
}

type RestRow = (LogState, Option<Entry>);

/// Reads the primary key from the last id on, because nearly all entries there belong to the page. CASE keeps the
/// planner from using an index for the conditions on transactions. IN (SELECT …) is a hash table; an array would be
/// searched for each entry, and a cursor may name thousands of transactions. Entries from before the epoch count as
/// written by transaction 3, the lowest normal transaction id.
static REST: LazyLock<String> = LazyLock::new(|| {
    let (item_kind, is_change) = (&*ITEM_KIND, &*IS_CHANGE);
    let index_generation = index_generation("$1");
    format!(
        "SELECT log_state.epoch, log_state.now, log_state.snapshot, NULL::bigint, {index_generation},
        item.id, item.xid::text::bigint, item.action, item.kind, item.entity_id, item.version, item.created_at
    FROM {STATE}
    LEFT JOIN LATERAL (
        SELECT id, entry.xid, action, entity_id, version, created_at, {item_kind} AS kind
        FROM audit_logs CROSS JOIN LATERAL (
            SELECT CASE WHEN id < log_state.first_id THEN '3'::xid8 ELSE audit_logs.xid END AS xid
        ) AS entry
        WHERE user_id = $1 AND id > $2
            AND CASE WHEN entry.xid < $3::xid8 THEN entry.xid NOT IN (SELECT unnest($4::xid8[])) ELSE false END
            AND CASE WHEN entry.xid < $5::xid8 THEN entry.xid IN (SELECT unnest($6::xid8[])) ELSE true END
            AND {is_change} AND created_at > coalesce($7, statement_timestamp()) - make_interval(days => $8)
        ORDER BY id LIMIT $9
    ) AS item ON true
    ORDER BY item.id"
    )
});

/// Reads the rest of a page that was cut: entries above the id `last` that `target` has seen and the base of `after`
/// has not. Reads `limit` entries and, if there are more, one beyond.
pub(super) async fn rest(
    conn: &mut Connection,
    owner: UserId,
    after: &Cursor,
    (target, last): (&Seen, i64),
    days: i32,
    limit: usize,
) -> Result<(LogState, Vec<Entry>), Error> {
    let base = &after.base;
    let statement = Statement::new(REST.as_str())
        .bind(owner)
        .bind(last)
        .bind(target.xmax.to_string())
        .bind(array(&target.in_progress))
        .bind(base.xmax.to_string())
        .bind(array(&base.in_progress))
        .bind(after.read_at)
        .bind(days)
        .bind(one_more(limit));
    let mut state = None;
    let mut entries = Vec::new();
    for (at, entry) in conn.rows::<RestRow>(statement).await? {
        state = Some(at);
        entries.extend(entry);
    }
    Ok((state.ok_or_else(no_state)?, entries))
}

/// Formats an array as PostgreSQL's text form.
fn array(ids: &[u64]) -> String {
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit + 1)
}

/// On a sharded database, each server has its own epoch. Returns the servers on which it did not begin.
const BEGIN_EPOCHS: &str = "
    SELECT nodename || ': ' || coalesce(result, '')
    FROM run_command_on_all_nodes('SELECT begin_change_epoch()') JOIN pg_dist_node USING (nodeid) WHERE NOT success";

/// Begins an epoch of the log if this database has none: it is new, or was restored, promoted or branched.
pub(super) async fn begin_epoch(conn: &mut Connection) -> Result<(), Error> {
    conn.transaction(async |conn| {
        // The function waits for the transactions in progress, however long these take.
        conn.batch("SET LOCAL statement_timeout = 0")
            .await
            .map_err(crate::db::pool::from_database)?;
        if !conn.is_sharded() {
            conn.execute(Statement::new("SELECT begin_change_epoch()"))
                .await?;
            return Ok(());
        }
        let failures: Vec<(String,)> = conn.rows(Statement::new(BEGIN_EPOCHS)).await?;
        match failures.into_iter().next() {
            Some((failure,)) => Err(Error::unavailable(failure)),
            None => Ok(()),
        }
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

/// Starts to receive the messages of [`notify`].
pub(super) async fn listen(conn: &mut AsyncPgConnection) -> Result<(), DieselError> {
    conn.batch_execute("LISTEN snapnote_changes").await
}
