//! All the SQL of the trash. Every statement is scoped to one owner, except the one that lists owners with old items.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    auth::UserId,
    db::{
        Connection, Statement,
        current::{self, Source},
        keyset::{KeyValue, Keyed, Order, Page, Slice, SortKey},
        pool::from_database,
        row,
    },
    error::{Error, Failure, Refusal, RefusalCode},
    items::{ItemKind, ItemRef, is_title_taken},
};

row! {
    /// An item that a command names.
    #[derive(Debug, Clone)]
    pub(super) struct NamedItem {
        pub(super) kind: ItemKind,
        id: Uuid,
        /// Whether its row says that it is active.
        pub(super) is_active: bool,
        /// Whether its row says that its course took it to the trash.
        with_course: bool,
        /// The course that it is in.
        pub(super) course_id: Option<Uuid>,
        pub(super) course_in_trash: bool,
        /// Whether it cannot be restored, because another item has its title.
        pub(super) title_is_taken: bool,
    }
}

impl NamedItem {
    /// Whether the item is in the trash, by itself or because its course is.
    pub(super) fn in_trash(&self) -> bool {
        !self.is_active && !self.with_course || self.course_in_trash
    }

    /// Whether its row has the state of its course, or one of its own.
    pub(super) fn is_settled(&self) -> bool {
        match self.is_active {
            true => !self.course_in_trash,
            false => !self.with_course || self.course_in_trash,
        }
    }
}

/// Why an item cannot be restored if another item has its title.
pub(super) const TITLE_IS_TAKEN: &str = "Another item with the same name is active, or is restored with this one. Rename the active \
    item first, or restore only one of them.";

/// The condition that an item in the trash cannot be restored together with the other named ones, because another item has its
/// title.
fn title_is_taken(kind: ItemKind) -> String {
    if kind.unique_title_index().is_none() {
        return "false".to_owned();
    }
    let (table, title) = (kind.table(), kind.title_column());
    format!(
        "status = 'trash' AND EXISTS (SELECT FROM {table} AS other
            WHERE user_id = $1 AND lower(normalize({title}, NFC)) = lower(normalize(item.{title}, NFC))
                AND id <> item.id AND (status = 'active' OR id = ANY($2)))"
    )
}

/// Locks by kind and id, as every statement does.
fn lock_text(kind: ItemKind) -> String {
    let (number, table) = (i16::from(kind), kind.table());
    let (state, containers) = match kind.is_in_courses() {
        true => (
            "trashed_with IS NOT NULL, course_id,
             EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')",
            "item.id, item.course_id",
        ),
        false => ("false, NULL::uuid, false", "item.id"),
    };
    let title_is_taken = title_is_taken(kind);
    format!(
        "SELECT {number}::smallint, id, status = 'active', {state}, {title_is_taken} FROM {table} AS item
        WHERE user_id = $1 AND id = ANY($2) AND NOT EXISTS (
            SELECT FROM pending_operations WHERE user_id = $1 AND item_id IN ({containers}) AND operation = 'remove')
        ORDER BY id FOR NO KEY UPDATE"
    )
}

/// Locks items until the transaction ends, and returns their state. The owner is locked already, so no course goes to the trash
/// or is restored in the meantime.
pub(super) async fn lock(
    conn: &mut Connection,
    owner: UserId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, NamedItem>, Error> {
    let mut found = HashMap::with_capacity(ids.len());
    for kind in ItemKind::ALL {
        let statement = Statement::new(lock_text(kind)).bind(owner);
        let rows: Vec<NamedItem> = conn.rows(statement.bind(ids.to_vec())).await?;
        found.extend(rows.into_iter().map(|item| (item.id, item)));
    }
    Ok(found)
}

const TO_TRASH: &str = "status = 'trash', deleted_at = statement_timestamp()";

/// Moves the items themselves to the trash, or restores them. The items in a course that is named go to the trash with the
/// course, even if they are named too. Items are restored even if their course did not take them to the trash. The time is
/// that of the statement: the transaction may have begun long before it had the lock.
///
/// # Errors
/// TAKEN for `ids` if another item has got the title of an item to restore since [`lock`].
pub(super) async fn set_trashed(
    conn: &mut Connection,
    owner: UserId,
    ids: &[Uuid],
    trashed: bool,
) -> Result<(), Failure> {
    for kind in ItemKind::ALL {
        let (set, condition) = match (trashed, kind.is_in_courses()) {
            (true, false) => (TO_TRASH, "status = 'active'"),
            (true, true) => (
                TO_TRASH,
                "status = 'active' AND (course_id = ANY($2)) IS NOT TRUE",
            ),
            (false, false) => ("status = 'active', deleted_at = NULL", "status = 'trash'"),
            (false, true) => (
                "status = 'active', deleted_at = NULL, trashed_with = NULL",
                "status = 'trash'",
            ),
        };
        let table = kind.table();
        let text = format!(
            "UPDATE {table} SET {set}
            WHERE (SELECT set_origin($address, $program)) AND user_id = $1 AND id = ANY($2) AND {condition}
            RETURNING id"
        );
        let statement = Statement::<Uuid>::write(text, owner).bind(ids.to_vec());
        let changed = conn.try_rows(statement).await;
        changed.map_err(|error| match is_title_taken(&error, kind) {
            true => Refusal::of("ids", RefusalCode::Taken, TITLE_IS_TAKEN).into(),
            false => Failure::from(from_database(error)),
        })?;
    }
    Ok(())
}

/// The ids of what is in these courses.
pub(super) async fn contents(
    conn: &mut Connection,
    owner: UserId,
    courses: Vec<Uuid>,
) -> Result<Vec<Uuid>, Error> {
    if courses.is_empty() {
        return Ok(Vec::new());
    }
    let of_kind = |kind: ItemKind| {
        let table = kind.table();
        format!("SELECT id FROM current_{table} WHERE user_id = $1 AND course_id = ANY($2)")
    };
    let text = ItemKind::IN_COURSES.map(of_kind).join(" UNION ALL ");
    conn.rows(Statement::new(text).bind(owner).bind(courses))
        .await
}

/// The items in the trash, without those that are in a course in the trash: they go with it.
pub(super) async fn roots(conn: &mut Connection, owner: UserId) -> Result<Vec<ItemRef>, Error> {
    let of_kind = |kind: ItemKind| {
        let (number, table) = (i16::from(kind), kind.table());
        let alone = match kind.is_in_courses() {
            true => {
                "AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')"
            }
            false => "",
        };
        format!(
            "SELECT {number}::smallint, id FROM current_{table} AS item WHERE user_id = $1 AND status = 'trash' {alone}"
        )
    };
    let text = ItemKind::ALL.map(of_kind).join(" UNION ALL ");
    conn.rows(Statement::new(text).bind(owner)).await
}

/// The order of the trash: last deleted first.
pub(crate) const ORDER: Order<TrashPosition> = Order::by(
    SortKey::new("trash", "deleted_at", KeyValue::Time(|it| it.deleted_at)),
    true,
);

/// The position of an item in the trash.
pub(crate) struct TrashPosition {
    pub(crate) id: Uuid,
    pub(crate) deleted_at: DateTime<Utc>,
}

impl Keyed for TrashPosition {
    fn id(&self) -> Uuid {
        self.id
    }
}

/// The total, whether an operation of the owner is pending, and an item; an empty page has one row without an item.
type TrashRow = (Option<i64>, bool, Option<ItemRef>);

/// Reads the newest items of each table from its index, and cuts them off again together.
fn page_text(source: Source) -> String {
    let count = |table: &str| {
        let table = format!("{}{table}", source.prefix());
        format!("(SELECT count(*) FROM {table} WHERE user_id = $2 AND status = 'trash')")
    };
    let newest = |kind: ItemKind| {
        let (number, table) = (i16::from(kind), kind.table());
        format!(
            "(SELECT {number}::smallint AS kind, id, deleted_at FROM {prefix}{table}
              WHERE user_id = $2 AND status = 'trash' AND (deleted_at, id) < ($3::timestamptz, $4)
              ORDER BY deleted_at DESC, id DESC LIMIT $5)",
            prefix = source.prefix()
        )
    };
    format!(
        "SELECT CASE WHEN $1 THEN {} END, EXISTS (SELECT FROM pending_operations WHERE user_id = $2), item.kind, item.id
        FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
            {} ORDER BY deleted_at DESC, id DESC LIMIT $5
        ) AS item ON true
        ORDER BY item.deleted_at DESC, item.id DESC",
        ItemKind::ALL.map(|kind| count(kind.table())).join(" + "),
        ItemKind::ALL.map(newest).join(" UNION ALL "),
    )
}

/// A page of the trash. One row more than its size tells whether there are more.
pub(crate) async fn page(
    conn: &mut Connection,
    owner: UserId,
    slice: &Slice,
    count: bool,
) -> Result<Page<ItemRef>, Error> {
    let (key, id) = slice.after_time();
    let statement = |source| {
        Statement::<TrashRow>::new(page_text(source))
            .bind(count)
            .bind(owner)
            .bind(key)
            .bind(id)
            .bind(slice.size + 1)
    };
    let rows = current::read(conn, statement, |(_, pending, _)| *pending).await?;
    let total = rows.first().and_then(|(total, ..)| *total);
    let items = rows.into_iter().filter_map(|(.., item)| item).collect();
    Ok(Page::trimmed(items, total, slice))
}

/// Items of a kind that have been in the trash for that many days (a parameter). Items that their course took along are deleted
/// with it.
fn old_items(kind: ItemKind, condition: &str, days: &str) -> String {
    let (number, table) = (i16::from(kind), kind.table());
    let alone = match kind.is_in_courses() {
        true => " AND trashed_with IS NULL",
        false => "",
    };
    format!(
        "SELECT {number}::smallint AS kind, user_id, id FROM {table}
        WHERE {condition} AND status = 'trash'{alone} AND deleted_at < now() - make_interval(days => {days})"
    )
}

/// Up to 100 owners, after that owner, of items that have been in the trash too long and are not being deleted yet.
pub(super) async fn owners_of_old(
    conn: &mut Connection,
    days: i32,
    after: Option<UserId>,
) -> Result<Vec<UserId>, Error> {
    let old = ItemKind::ALL.map(|kind| old_items(kind, "user_id > $2", "$1"));
    let text = format!(
        "SELECT DISTINCT user_id FROM ({}) AS old
        WHERE NOT EXISTS (
            SELECT FROM pending_operations AS pending
            WHERE pending.user_id = old.user_id AND pending.item_id = old.id AND operation = 'remove')
        ORDER BY user_id LIMIT 100",
        old.join(" UNION ALL ")
    );
    let statement = Statement::<Uuid>::new(text)
        .bind(days)
        .bind(after.map_or(Uuid::nil(), Uuid::from));
    Ok(conn
        .rows(statement)
        .await?
        .into_iter()
        .map(UserId)
        .collect())
}

/// At most `limit` items that have been in an owner's trash for that many days and are not marked yet.
pub(super) async fn old(
    conn: &mut Connection,
    owner: UserId,
    days: i32,
    limit: i64,
) -> Result<Vec<ItemRef>, Error> {
    let old = ItemKind::ALL.map(|kind| old_items(kind, "user_id = $1", "$2"));
    let text = format!(
        "SELECT kind, id FROM ({}) AS old
        WHERE NOT EXISTS (
            SELECT FROM pending_operations WHERE user_id = $1 AND item_id = old.id AND operation = 'remove')
        LIMIT $3",
        old.join(" UNION ALL ")
    );
    let statement = Statement::new(text).bind(owner).bind(days).bind(limit);
    conn.rows(statement).await
}
