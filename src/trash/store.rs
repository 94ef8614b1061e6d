//! All the SQL of the trash. Every statement is scoped to one owner, except the one that lists owners with old items.

use std::collections::HashMap;

use diesel::{
    Queryable,
    sql_types::{BigInt, Bool, Nullable, SmallInt, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::Command;
use crate::{
    auth::UserId,
    db::{
        Connection, Row, Statement,
        current::{self, Source},
        keyset::{KeyKind, Order, Position, SortKey},
    },
    error::Error,
    items::{ItemKind, ItemRef},
};

const FIND_KINDS: &str = "
    SELECT 1::smallint, id FROM current_courses WHERE user_id = $1 AND id = ANY($2)
    UNION ALL SELECT 2::smallint, id FROM current_documents WHERE user_id = $1 AND id = ANY($2)
    UNION ALL SELECT 3::smallint, id FROM current_tasks WHERE user_id = $1 AND id = ANY($2)";

/// What each of these ids is, in one statement; those that are no item of the owner's are omitted.
pub(crate) async fn find_kinds(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<Vec<ItemRef>, Error> {
    conn.rows(Statement::new(FIND_KINDS).bind(owner).bind(ids))
        .await
}

/// An item that a command names.
#[derive(Debug, Clone, Queryable)]
pub(super) struct Named {
    #[diesel(deserialize_as = i16)]
    pub(super) kind: ItemKind,
    id: Uuid,
    /// Whether its row says that it is active.
    is_active: bool,
    /// Whether its row says that its course took it along.
    with_course: bool,
    /// The course that it is in.
    pub(super) course_id: Option<Uuid>,
    pub(super) course_in_trash: bool,
}

impl Row for Named {
    type Sql = (SmallInt, SqlUuid, Bool, Bool, Nullable<SqlUuid>, Bool);
}

impl Named {
    /// Whether the item is in the trash, by itself or because its course is.
    pub(super) fn in_trash(&self) -> bool {
        !self.is_active && !self.with_course || self.course_in_trash
    }

    /// Whether this command changes the row.
    pub(super) fn changes(&self, command: Command) -> bool {
        match command {
            Command::Trash => self.is_active,
            Command::Restore => !self.is_active,
            Command::Delete => true,
        }
    }

    /// Whether its row has the state of its course, or one of its own.
    pub(super) fn is_settled(&self) -> bool {
        match self.is_active {
            true => !self.course_in_trash,
            false => !self.with_course || self.course_in_trash,
        }
    }
}

/// Locked by kind and id, as everywhere.
const LOCK: [&str; 3] = [
    "SELECT 1::smallint, id, status = 'active', false, NULL::uuid, false FROM courses
     WHERE user_id = $1 AND id = ANY($2) AND id NOT IN (
         SELECT item_id FROM pending_operations WHERE user_id = $1 AND item_id = ANY($2) AND operation = 'remove')
     ORDER BY id FOR NO KEY UPDATE",
    "SELECT 2::smallint, id, status = 'active', trashed_with IS NOT NULL, course_id,
         EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')
     FROM documents AS item
     WHERE user_id = $1 AND id = ANY($2) AND NOT EXISTS (
         SELECT FROM pending_operations WHERE user_id = $1 AND item_id IN (item.id, item.course_id) AND operation = 'remove')
     ORDER BY id FOR NO KEY UPDATE",
    "SELECT 3::smallint, id, status = 'active', trashed_with IS NOT NULL, course_id,
         EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')
     FROM tasks AS item
     WHERE user_id = $1 AND id = ANY($2) AND NOT EXISTS (
         SELECT FROM pending_operations WHERE user_id = $1 AND item_id IN (item.id, item.course_id) AND operation = 'remove')
     ORDER BY id FOR NO KEY UPDATE",
];

/// Locks items until the transaction ends; answers them as they are from now on. The owner is locked already, so no course
/// goes to the trash or comes back meanwhile.
pub(super) async fn lock(
    conn: &mut Connection,
    owner: UserId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Named>, Error> {
    let mut found = HashMap::with_capacity(ids.len());
    for text in LOCK {
        let rows: Vec<Named> = conn
            .rows(Statement::new(text).bind(owner).bind(ids.to_vec()))
            .await?;
        found.extend(rows.into_iter().map(|item| (item.id, item)));
    }
    Ok(found)
}

/// By the statement's time: the transaction may have begun long before it had the lock.
const TRASH: [&str; 3] = [
    "UPDATE courses SET status = 'trash', deleted_at = statement_timestamp()
     WHERE user_id = $1 AND id = ANY($2) AND status = 'active'",
    "UPDATE documents SET status = 'trash', deleted_at = statement_timestamp()
     WHERE user_id = $1 AND id = ANY($2) AND status = 'active' AND course_id <> ALL ($2)",
    "UPDATE tasks SET status = 'trash', deleted_at = statement_timestamp()
     WHERE user_id = $1 AND id = ANY($2) AND status = 'active' AND (course_id = ANY ($2)) IS NOT TRUE",
];

/// Moves the items themselves to the trash. What is in a course that is named goes with the course, even if it is named, too.
pub(super) async fn trash(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<(), Error> {
    run(conn, owner, ids, TRASH).await
}

/// What is named comes back even if its course did not take it along.
const RESTORE: [&str; 3] = [
    "UPDATE courses SET status = 'active', deleted_at = NULL
     WHERE user_id = $1 AND id = ANY($2) AND status = 'trash'",
    "UPDATE documents SET status = 'active', deleted_at = NULL, trashed_with = NULL
     WHERE user_id = $1 AND id = ANY($2) AND status = 'trash'",
    "UPDATE tasks SET status = 'active', deleted_at = NULL, trashed_with = NULL
     WHERE user_id = $1 AND id = ANY($2) AND status = 'trash'",
];

/// Brings the items themselves back.
pub(super) async fn restore(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<(), Error> {
    run(conn, owner, ids, RESTORE).await
}

async fn run(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
    texts: [&'static str; 3],
) -> Result<(), Error> {
    for text in texts {
        conn.execute(Statement::new(text).by(owner).bind(ids.clone()))
            .await?;
    }
    Ok(())
}

type Id = (Uuid,);

const CONTENTS: &str = "
    SELECT id FROM current_documents WHERE user_id = $1 AND course_id = ANY($2)
    UNION ALL SELECT id FROM current_tasks WHERE user_id = $1 AND course_id = ANY($2)";

/// The ids of what is in these courses.
pub(super) async fn contents(
    conn: &mut Connection,
    owner: UserId,
    courses: Vec<Uuid>,
) -> Result<Vec<Uuid>, Error> {
    if courses.is_empty() {
        return Ok(Vec::new());
    }
    let statement = Statement::<Id>::new(CONTENTS).bind(owner).bind(courses);
    let rows = conn.rows(statement).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// What is in a course that is in the trash goes with it.
const ROOTS: &str = "
    SELECT 1::smallint, id FROM current_courses WHERE user_id = $1 AND status = 'trash'
    UNION ALL SELECT 2::smallint, id FROM current_documents AS item
    WHERE user_id = $1 AND status = 'trash'
        AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')
    UNION ALL SELECT 3::smallint, id FROM current_tasks AS item
    WHERE user_id = $1 AND status = 'trash'
        AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')";

/// What is in the trash, but for what is in courses that are.
pub(super) async fn roots(conn: &mut Connection, owner: UserId) -> Result<Vec<ItemRef>, Error> {
    conn.rows(Statement::new(ROOTS).bind(owner)).await
}

/// The order of the trash: last deleted first.
pub(crate) const ORDER: Order = Order {
    key: SortKey {
        name: "trash",
        kind: KeyKind::Time,
        expression: "deleted_at",
    },
    descending: true,
};

/// The total and whether an operation of the owner is pending beside an item; an empty page has these alone.
type TrashRow = (Option<i64>, bool, Option<ItemRef>);

impl Row for TrashRow {
    type Sql = (Nullable<BigInt>, Bool, Nullable<(SmallInt, SqlUuid)>);
}

/// Each table gives its newest from its index; together they are cut again.
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

/// The first `size` items of the trash behind a position, and, if asked, how many there are in all.
pub(crate) async fn page(
    conn: &mut Connection,
    owner: UserId,
    after: Option<&Position>,
    size: i64,
    count: bool,
) -> Result<(Vec<ItemRef>, Option<i64>), Error> {
    let (key, id) = after.map_or(("infinity", Uuid::max()), |position| {
        (&position.key, position.id)
    });
    let statement = |source| {
        Statement::<TrashRow>::new(page_text(source))
            .bind(count)
            .bind(owner)
            .bind(key)
            .bind(id)
            .bind(size)
    };
    let rows = current::read(conn, statement, |(_, pending, _)| *pending).await?;
    let total = rows.first().and_then(|(total, ..)| *total);
    Ok((
        rows.into_iter().filter_map(|(.., item)| item).collect(),
        total,
    ))
}

/// Owners of what has been in the trash too long and is not being deleted yet. An index leads to the old rows.
const OWNERS_OF_OLD: &str = "
    SELECT DISTINCT user_id FROM (
        SELECT user_id, id FROM courses WHERE status = 'trash' AND deleted_at < now() - make_interval(days => $1)
        UNION ALL SELECT user_id, id FROM documents
        WHERE status = 'trash' AND trashed_with IS NULL AND deleted_at < now() - make_interval(days => $1)
        UNION ALL SELECT user_id, id FROM tasks
        WHERE status = 'trash' AND trashed_with IS NULL AND deleted_at < now() - make_interval(days => $1)
    ) AS old
    WHERE user_id > $2 AND NOT EXISTS (
        SELECT FROM pending_operations AS pending
        WHERE pending.user_id = old.user_id AND pending.item_id = old.id AND operation = 'remove')
    ORDER BY user_id LIMIT 100";

/// A hundred owners of old items in the trash, after that owner.
pub(super) async fn owners_of_old(
    conn: &mut Connection,
    days: i32,
    after: Option<UserId>,
) -> Result<Vec<UserId>, Error> {
    let statement = Statement::<Id>::new(OWNERS_OF_OLD)
        .bind(days)
        .bind(after.map_or(Uuid::nil(), Uuid::from));
    let rows = conn.rows(statement).await?;
    Ok(rows.into_iter().map(|(id,)| UserId(id)).collect())
}

const OLD: &str = "
    SELECT kind, id FROM (
        SELECT 1::smallint AS kind, id FROM courses
        WHERE user_id = $1 AND status = 'trash' AND deleted_at < now() - make_interval(days => $2)
        UNION ALL SELECT 2::smallint, id FROM documents
        WHERE user_id = $1 AND status = 'trash' AND trashed_with IS NULL AND deleted_at < now() - make_interval(days => $2)
        UNION ALL SELECT 3::smallint, id FROM tasks
        WHERE user_id = $1 AND status = 'trash' AND trashed_with IS NULL AND deleted_at < now() - make_interval(days => $2)
    ) AS old
    WHERE NOT EXISTS (
        SELECT FROM pending_operations WHERE user_id = $1 AND item_id = old.id AND operation = 'remove')
    LIMIT $3";

/// At most `limit` items that have been in an owner's trash for that many days and are not marked yet; the contents of courses
/// are deleted with their course.
pub(super) async fn old(
    conn: &mut Connection,
    owner: UserId,
    days: i32,
    limit: i64,
) -> Result<Vec<ItemRef>, Error> {
    let statement = Statement::new(OLD).bind(owner).bind(days).bind(limit);
    conn.rows(statement).await
}
