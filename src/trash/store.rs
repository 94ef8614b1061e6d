//! All the SQL of the trash. Every statement is its owner's alone, the sweep's apart, which is in `sweep`.

use std::collections::{HashMap, HashSet};

use diesel::{
    Queryable,
    sql_types::{BigInt, Bool, Nullable, SmallInt, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::{
    auth::UserId,
    db::{
        Connection, Row, Statement,
        keyset::{KeyKind, Order, Position, SortKey},
    },
    error::Error,
};

/// What kind of item it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// A course.
    Course,
    /// A document.
    Document,
    /// A task.
    Task,
}

impl From<ItemKind> for i16 {
    fn from(kind: ItemKind) -> i16 {
        match kind {
            ItemKind::Course => 1,
            ItemKind::Document => 2,
            ItemKind::Task => 3,
        }
    }
}

impl TryFrom<i16> for ItemKind {
    type Error = String;

    fn try_from(number: i16) -> Result<Self, String> {
        match number {
            1 => Ok(ItemKind::Course),
            2 => Ok(ItemKind::Document),
            3 => Ok(ItemKind::Task),
            _ => Err(format!("no kind of item has the number {number}")),
        }
    }
}

/// An item by its kind and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Queryable)]
pub struct ItemRef {
    /// What it is.
    #[diesel(deserialize_as = i16)]
    pub kind: ItemKind,
    /// Its id.
    pub id: Uuid,
}

impl Row for ItemRef {
    type Sql = (SmallInt, SqlUuid);
}

const FIND_KINDS: &str = "
    SELECT 1::smallint, id FROM courses WHERE user_id = $1 AND id = ANY($2)
    UNION ALL SELECT 2::smallint, id FROM documents WHERE user_id = $1 AND id = ANY($2)
    UNION ALL SELECT 3::smallint, id FROM tasks WHERE user_id = $1 AND id = ANY($2)";

/// What each of these ids is, in one statement; those that are no item of the owner's are left out.
pub(crate) async fn find_kinds(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<Vec<ItemRef>, Error> {
    conn.rows(Statement::new(FIND_KINDS).bind(owner).bind(ids))
        .await
}

/// An item as a command finds it.
#[derive(Debug, Clone, Queryable)]
pub(super) struct Found {
    #[diesel(deserialize_as = i16)]
    pub(super) kind: ItemKind,
    id: Uuid,
    pub(super) in_trash: bool,
    /// The course that it stands in.
    pub(super) course_id: Option<Uuid>,
}

impl Row for Found {
    type Sql = (SmallInt, SqlUuid, Bool, Nullable<SqlUuid>);
}

/// A course is locked together with all that is in it, each table by id: who locks in another order could wait for
/// somebody who waits for him.
const LOCK: [&str; 3] = [
    "SELECT 1::smallint, id, status = 'trash', NULL::uuid FROM courses
     WHERE user_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE",
    "SELECT 2::smallint, id, status = 'trash', course_id FROM documents
     WHERE user_id = $1 AND (id = ANY($2) OR course_id = ANY($2)) ORDER BY id FOR UPDATE",
    "SELECT 3::smallint, id, status = 'trash', course_id FROM tasks
     WHERE user_id = $1 AND (id = ANY($2) OR course_id = ANY($2)) ORDER BY id FOR UPDATE",
];

/// Locks items, and what is in the courses among them, until the transaction ends; answers them as they are from now on.
pub(super) async fn lock(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, Found>, Error> {
    let mut found = HashMap::with_capacity(ids.len());
    for text in LOCK {
        let rows: Vec<Found> = conn
            .rows(Statement::new(text).bind(owner).bind(ids.clone()))
            .await?;
        found.extend(rows.into_iter().map(|item| (item.id, item)));
    }
    Ok(found)
}

const LOCK_COURSES_OF: &str = "
    SELECT id, status = 'trash' FROM courses
    WHERE user_id = $1 AND (id = ANY($2) OR id IN (
        SELECT course_id FROM documents WHERE user_id = $1 AND id = ANY($2)
        UNION ALL SELECT course_id FROM tasks WHERE user_id = $1 AND id = ANY($2)))
    ORDER BY id FOR UPDATE";

#[derive(Queryable)]
struct CourseState {
    id: Uuid,
    in_trash: bool,
}

impl Row for CourseState {
    type Sql = (SqlUuid, Bool);
}

/// Locks the courses among the ids and those that the documents and tasks among them stand in, so that none goes to
/// the trash before this transaction ends; answers which of them are there.
pub(super) async fn lock_courses_of(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<HashSet<Uuid>, Error> {
    let rows: Vec<CourseState> = conn
        .rows(Statement::new(LOCK_COURSES_OF).bind(owner).bind(ids))
        .await?;
    Ok(rows
        .into_iter()
        .filter(|course| course.in_trash)
        .map(|course| course.id)
        .collect())
}

/// What stands in a course goes with it, even where it is named itself.
const TRASH: [&str; 3] = [
    "UPDATE courses SET status = 'trash', deleted_at = now()
     WHERE user_id = $1 AND id = ANY($2) AND status = 'active'",
    "UPDATE documents SET status = 'trash', deleted_at = now(),
         trashed_with = CASE WHEN course_id = ANY($2) THEN course_id END
     WHERE user_id = $1 AND (id = ANY($2) OR course_id = ANY($2)) AND status = 'active'",
    "UPDATE tasks SET status = 'trash', deleted_at = now(),
         trashed_with = CASE WHEN course_id = ANY($2) THEN course_id END
     WHERE user_id = $1 AND (id = ANY($2) OR course_id = ANY($2)) AND status = 'active'",
];

pub(super) async fn trash(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<(), Error> {
    run(conn, owner, ids, TRASH).await
}

/// A course brings back what it took along, not what was in the trash before.
const RESTORE: [&str; 3] = [
    "UPDATE courses SET status = 'active', deleted_at = NULL
     WHERE user_id = $1 AND id = ANY($2) AND status = 'trash'",
    "UPDATE documents SET status = 'active', deleted_at = NULL, trashed_with = NULL
     WHERE user_id = $1 AND (id = ANY($2) OR course_id = ANY($2) AND trashed_with IS NOT NULL) AND status = 'trash'",
    "UPDATE tasks SET status = 'active', deleted_at = NULL, trashed_with = NULL
     WHERE user_id = $1 AND (id = ANY($2) OR course_id = ANY($2) AND trashed_with IS NOT NULL) AND status = 'trash'",
];

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

/// What stands in a course goes first, so that the log tells of each row and no cascade is left to do it.
const DELETE: [&str; 3] = [
    "DELETE FROM documents WHERE user_id = $1 AND (id = ANY($2) OR course_id = ANY($2)) RETURNING 2::smallint, id",
    "DELETE FROM tasks WHERE user_id = $1 AND (id = ANY($2) OR course_id = ANY($2)) RETURNING 3::smallint, id",
    "DELETE FROM courses WHERE user_id = $1 AND id = ANY($2) RETURNING 1::smallint, id",
];

/// Deletes items, courses with all that is in them; answers the ids of everything deleted.
pub(super) async fn delete(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<Vec<Uuid>, Error> {
    let mut gone = Vec::with_capacity(ids.len());
    for text in DELETE {
        let rows: Vec<ItemRef> = conn
            .rows(Statement::new(text).by(owner).bind(ids.clone()))
            .await?;
        gone.extend(rows.into_iter().map(|item| item.id));
    }
    Ok(gone)
}

const LOCK_ALL: [&str; 3] = [
    "SELECT 1::smallint, id FROM courses WHERE user_id = $1 AND status = 'trash' ORDER BY id FOR UPDATE",
    "SELECT 2::smallint, id FROM documents WHERE user_id = $1 AND status = 'trash' ORDER BY id FOR UPDATE",
    "SELECT 3::smallint, id FROM tasks WHERE user_id = $1 AND status = 'trash' ORDER BY id FOR UPDATE",
];

/// Locks all that is in the owner's trash, and answers the ids.
pub(super) async fn lock_all(conn: &mut Connection, owner: UserId) -> Result<Vec<Uuid>, Error> {
    let mut ids = Vec::new();
    for text in LOCK_ALL {
        let rows: Vec<ItemRef> = conn.rows(Statement::new(text).bind(owner)).await?;
        ids.extend(rows.into_iter().map(|item| item.id));
    }
    Ok(ids)
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

/// The total beside an item; an empty page has the total alone.
type TrashRow = (Option<i64>, Option<ItemRef>);

impl Row for TrashRow {
    type Sql = (Nullable<BigInt>, Nullable<(SmallInt, SqlUuid)>);
}

/// Each table gives its newest from its index; together they are cut again.
const PAGE: &str = "
    SELECT CASE WHEN $1 THEN
            (SELECT count(*) FROM courses WHERE user_id = $2 AND status = 'trash')
            + (SELECT count(*) FROM documents WHERE user_id = $2 AND status = 'trash')
            + (SELECT count(*) FROM tasks WHERE user_id = $2 AND status = 'trash') END,
        item.kind, item.id
    FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
        (SELECT 1::smallint AS kind, id, deleted_at FROM courses
         WHERE user_id = $2 AND status = 'trash' AND (deleted_at, id) < ($3::timestamptz, $4)
         ORDER BY deleted_at DESC, id DESC LIMIT $5)
        UNION ALL
        (SELECT 2::smallint, id, deleted_at FROM documents
         WHERE user_id = $2 AND status = 'trash' AND (deleted_at, id) < ($3::timestamptz, $4)
         ORDER BY deleted_at DESC, id DESC LIMIT $5)
        UNION ALL
        (SELECT 3::smallint, id, deleted_at FROM tasks
         WHERE user_id = $2 AND status = 'trash' AND (deleted_at, id) < ($3::timestamptz, $4)
         ORDER BY deleted_at DESC, id DESC LIMIT $5)
        ORDER BY deleted_at DESC, id DESC LIMIT $5
    ) AS item ON true
    ORDER BY item.deleted_at DESC, item.id DESC";

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
    let statement = Statement::new(PAGE)
        .bind(count)
        .bind(owner)
        .bind(key)
        .bind(id)
        .bind(size);
    let rows: Vec<TrashRow> = conn.rows(statement).await?;
    let total = rows.first().and_then(|(total, _)| *total);
    Ok((
        rows.into_iter().filter_map(|(_, item)| item).collect(),
        total,
    ))
}
