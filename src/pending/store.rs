//! The SQL of pending operations on items. `account_deletion` has that of deleting a user.

use uuid::Uuid;

use crate::{
    auth::UserId,
    db::{Connection, Statement, Writers, named, row},
    error::Error,
    items::{ItemKind, ItemRef},
};

/// The kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Gives a course's documents and tasks the status of the course.
    Settle,
    /// Deletes an item, and a course with its contents.
    Remove,
    /// Deletes the user.
    DeleteUser,
}

named!(Operation {
    Settle = "settle",
    Remove = "remove",
    DeleteUser = "leave",
});

const LOCK_OWNER: &str = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE";
const LOCK_OWNER_IF_FREE: &str = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED";

/// Locks the owner's trash until the transaction ends. `false` if there is no such user.
pub(crate) async fn lock_owner(conn: &mut Connection, owner: UserId) -> Result<bool, Error> {
    Ok(conn.execute(Statement::new(LOCK_OWNER).bind(owner)).await? > 0)
}

/// Like [`lock_owner`], without waiting. Also `false` if another transaction holds the lock.
pub(crate) async fn lock_owner_if_free(
    conn: &mut Connection,
    owner: UserId,
) -> Result<bool, Error> {
    let locked = conn.execute(Statement::new(LOCK_OWNER_IF_FREE).bind(owner));
    Ok(locked.await? > 0)
}

/// A course may be deleted before it is settled.
const ADD_ITEMS: &str = "
    INSERT INTO pending_operations (user_id, item_id, kind, operation, actor_id, ip_address, user_agent)
    SELECT $1, item.id, item.kind, $4, $5, $6::inet, $7 FROM unnest($2, $3) AS item (id, kind)
    ON CONFLICT (user_id, item_id) DO UPDATE SET operation = excluded.operation, actor_id = excluded.actor_id,
        ip_address = excluded.ip_address, user_agent = excluded.user_agent, retry_at = excluded.retry_at
    WHERE pending_operations.operation <> 'remove'";

/// Adds an operation for each of these items, and returns how many are new. `actor` is `None` for the service itself;
/// the connection knows the client. The caller's transaction has locked the owner.
pub(crate) async fn add_items(
    conn: &mut Connection,
    owner: UserId,
    operation: Operation,
    items: &[ItemRef],
    actor: Option<UserId>,
) -> Result<u64, Error> {
    if items.is_empty() {
        return Ok(0);
    }
    let kinds: Vec<i16> = items.iter().map(|item| item.kind.into()).collect();
    // The views show the result at once, although the items' rows change later.
    conn.writes_for(Writers::These([owner.0].into()));
    let statement = Statement::new(ADD_ITEMS)
        .bind(owner)
        .bind(items.iter().map(|item| item.id).collect::<Vec<_>>())
        .bind(kinds)
        .bind(operation)
        .bind(actor.map(Uuid::from))
        .bind_origin(conn);
    Ok(conn.execute(statement).await? as u64)
}

const ADD_USER: &str = "
    INSERT INTO pending_operations (user_id, item_id, kind, operation, actor_id) VALUES ($1, $1, 0, 'leave', $1)";

/// Adds the deletion of a user.
pub(crate) async fn add_user(conn: &mut Connection, user: UserId) -> Result<(), Error> {
    conn.writes_for(Writers::These([user.0].into()));
    conn.execute(Statement::new(ADD_USER).bind(user)).await?;
    Ok(())
}

row! {
    /// An operation that a step works on.
    #[derive(Debug, Clone)]
    pub(super) struct Pending {
        /// The item's id, or the user's if the user is deleted.
        pub(super) id: Uuid,
        /// The number of the item's kind, or 0 for the user. A newer program may have added a kind that this one does not know.
        pub(super) kind: i16,
        pub(super) operation: Operation,
        actor: Option<Uuid>,
        address: Option<String>,
        program: Option<String>,
    }
}

/// The deletion of the user comes first, since it includes everything else.
const NEXT: &str = "
    (SELECT item_id, kind, operation, actor_id, host(ip_address), user_agent FROM pending_operations
     WHERE user_id = $1 AND item_id = $1 AND retry_at <= now())
    UNION ALL
    (SELECT item_id, kind, operation, actor_id, host(ip_address), user_agent FROM pending_operations
     WHERE user_id = $1 AND retry_at <= now() ORDER BY item_id LIMIT 1)
    LIMIT 1";

/// The owner's first operation that is not set aside.
pub(super) async fn next(conn: &mut Connection, owner: UserId) -> Result<Option<Pending>, Error> {
    conn.row(Statement::new(NEXT).bind(owner)).await
}

const NEXT_OWNER: &str = "
    SELECT user_id FROM pending_operations WHERE user_id > $1 AND retry_at <= now() ORDER BY user_id LIMIT 1";

/// The next owner with pending operations, in the order of ids.
pub(super) async fn next_owner(
    conn: &mut Connection,
    after: UserId,
) -> Result<Option<UserId>, Error> {
    conn.row(Statement::new(NEXT_OWNER).bind(after)).await
}

const SET_ASIDE: &str = "
    UPDATE pending_operations SET retry_at = now() + interval '1 day'
    WHERE user_id = $1 AND item_id = $2 AND operation = $3 AND retry_at <= now()";

/// Sets a failed operation aside for a day.
pub(super) async fn set_aside(
    conn: &mut Connection,
    owner: UserId,
    pending: &Pending,
) -> Result<(), Error> {
    let statement = Statement::new(SET_ASIDE)
        .bind(owner)
        .bind(pending.id)
        .bind(pending.operation);
    conn.execute(statement).await?;
    Ok(())
}

/// The change log names the operation's actor and client for this transaction, or logs nothing.
pub(super) async fn set_origin(
    conn: &mut Connection,
    pending: &Pending,
    logged: bool,
) -> Result<(), Error> {
    let actor = pending
        .actor
        .map_or_else(|| "service".to_owned(), |actor| actor.to_string());
    let logging = if logged { "on" } else { "off" };
    conn.set_local(&[
        ("snapnote.actor", actor),
        (
            "snapnote.address",
            pending.address.clone().unwrap_or_default(),
        ),
        (
            "snapnote.program",
            pending.program.clone().unwrap_or_default(),
        ),
        ("snapnote.logging", logging.to_owned()),
    ])
    .await
}

const IS_IN_TRASH: &str = "SELECT status = 'trash' FROM courses WHERE user_id = $1 AND id = $2";

/// Whether a course is in the trash. `None` if it was deleted.
pub(super) async fn is_in_trash(
    conn: &mut Connection,
    owner: UserId,
    course: Uuid,
) -> Result<Option<bool>, Error> {
    conn.row(Statement::new(IS_IN_TRASH).bind(owner).bind(course))
        .await
}

/// How an item differs from its course. There is an index for the first two.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unsettled {
    /// Still active in a course that is in the trash.
    Active,
    /// Still in the trash, with a course that was restored.
    Trashed,
    /// In the trash since a previous move of the course to the trash.
    Stale,
}

impl Unsettled {
    fn condition(self) -> &'static str {
        match self {
            Unsettled::Active => "item.status = 'active'",
            Unsettled::Trashed => "item.status = 'trash' AND item.trashed_with IS NOT NULL",
            Unsettled::Stale => {
                "item.status = 'trash' AND item.trashed_with IS NOT NULL AND item.deleted_at <> course.deleted_at"
            }
        }
    }
}

/// Settles at most `size` items of one kind in a course, and returns how many. Rows locked by other transactions are
/// left for the next step.
pub(super) async fn settle(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    course: Uuid,
    unsettled: Unsettled,
    size: i64,
) -> Result<i64, Error> {
    let (table, unsettled) = (kind.table(), unsettled.condition());
    let text = format!(
        "WITH course AS MATERIALIZED (
            SELECT id, status, deleted_at FROM courses WHERE user_id = $1 AND id = $2
        ), batch AS MATERIALIZED (
            SELECT item.id FROM {table} AS item, course
            WHERE item.user_id = $1 AND item.course_id = $2 AND {unsettled}
                AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = item.id AND operation = 'remove')
            LIMIT $3 FOR NO KEY UPDATE OF item SKIP LOCKED
        )
        UPDATE {table} SET status = course.status, deleted_at = course.deleted_at,
            trashed_with = CASE WHEN course.status = 'trash' THEN course.id END
        FROM course, batch WHERE {table}.user_id = $1 AND {table}.id = batch.id"
    );
    let statement = Statement::new(text).bind(owner).bind(course).bind(size);
    Ok(count(conn.execute(statement).await?))
}

/// Settles these items of one kind at once. Items that were trashed by themselves are not changed.
pub(crate) async fn settle_items(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    ids: Vec<Uuid>,
) -> Result<(), Error> {
    let table = kind.table();
    let text = format!(
        "UPDATE {table} SET status = course.status, deleted_at = course.deleted_at,
            trashed_with = CASE WHEN course.status = 'trash' THEN course.id END
        FROM courses AS course
        WHERE (SELECT set_origin($address, $program))
            AND {table}.user_id = $1 AND {table}.id = ANY($2) AND course.user_id = $1 AND course.id = {table}.course_id
            AND ({table}.status = 'active' OR trashed_with IS NOT NULL)
            AND ({table}.status <> course.status OR {table}.deleted_at IS DISTINCT FROM course.deleted_at)"
    );
    let statement = Statement::write(text, owner).bind(ids);
    conn.execute(statement).await?;
    Ok(())
}

const END_SETTLED: &str = "
    DELETE FROM pending_operations WHERE user_id = $1 AND item_id = $2 AND operation = 'settle' AND NOT EXISTS (
        SELECT FROM courses AS course JOIN (
            SELECT id, course_id, status, deleted_at, trashed_with FROM documents WHERE user_id = $1 AND course_id = $2
            UNION ALL SELECT id, course_id, status, deleted_at, trashed_with FROM tasks WHERE user_id = $1 AND course_id = $2
        ) AS item ON item.course_id = course.id
        WHERE course.user_id = $1 AND course.id = $2 AND (item.status = 'active' OR trashed_with IS NOT NULL)
            AND (item.status <> course.status OR item.deleted_at IS DISTINCT FROM course.deleted_at)
            AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = item.id AND operation = 'remove'))";

/// Ends the operation if the whole course is settled. Returns how many operations ended.
pub(super) async fn end_settled(
    conn: &mut Connection,
    owner: UserId,
    course: Uuid,
) -> Result<i64, Error> {
    let statement = Statement::new(END_SETTLED).bind(owner).bind(course);
    Ok(count(conn.execute(statement).await?))
}

/// Deletes at most `size` marked items of one kind, starting at this operation, and ends their operations. Returns how
/// many ended. Never deletes active items.
pub(super) async fn remove_items(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    first: &Pending,
    size: i64,
) -> Result<i64, Error> {
    let table = kind.table();
    let text = format!(
        "WITH batch AS MATERIALIZED (
            SELECT item_id FROM pending_operations
            WHERE user_id = $1 AND item_id >= $2 AND kind = $3 AND operation = 'remove' AND retry_at <= now()
                AND (actor_id, host(ip_address), user_agent) IS NOT DISTINCT FROM ($4, $5, $6)
            ORDER BY item_id LIMIT $7
        ), locked AS MATERIALIZED (
            SELECT id FROM {table} WHERE user_id = $1 AND id IN (SELECT item_id FROM batch) AND status = 'trash'
            FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM {table} USING locked WHERE {table}.user_id = $1 AND {table}.id = locked.id
        )
        DELETE FROM pending_operations
        WHERE user_id = $1 AND item_id IN (SELECT item_id FROM batch) AND (
            item_id IN (SELECT id FROM locked)
            OR NOT EXISTS (SELECT FROM {table} WHERE user_id = $1 AND id = item_id AND status = 'trash'))"
    );
    let statement = Statement::new(text)
        .bind(owner)
        .bind(first.id)
        .bind(i16::from(kind))
        .bind(first.actor)
        .bind(first.address.clone())
        .bind(first.program.clone())
        .bind(size);
    Ok(count(conn.execute(statement).await?))
}

/// Takes marked tags from at most `size` items of one kind, and returns how many.
pub(super) async fn untag_items(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    size: i64,
) -> Result<i64, Error> {
    let (name, tag) = (kind.name(), i16::from(ItemKind::Tag));
    let text = format!(
        "WITH locked AS MATERIALIZED (
            SELECT item_id, tag_id FROM {name}_tags WHERE user_id = $1 AND tag_id IN (
                SELECT item_id FROM pending_operations
                WHERE user_id = $1 AND kind = {tag} AND operation = 'remove' AND retry_at <= now())
            ORDER BY tag_id LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM {name}_tags AS assigned USING locked
        WHERE assigned.user_id = $1 AND assigned.item_id = locked.item_id AND assigned.tag_id = locked.tag_id"
    );
    let statement = Statement::new(text).bind(owner).bind(size);
    Ok(count(conn.execute(statement).await?))
}

/// Deletes at most `size` items of one kind in a course, and returns how many.
pub(super) async fn remove_contents(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    course: Uuid,
    size: i64,
) -> Result<i64, Error> {
    let table = kind.table();
    let text = format!(
        "WITH locked AS MATERIALIZED (
            SELECT id FROM {table} WHERE user_id = $1 AND course_id = $2 LIMIT $3 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM {table} USING locked WHERE {table}.user_id = $1 AND {table}.id = locked.id"
    );
    let statement = Statement::new(text).bind(owner).bind(course).bind(size);
    Ok(count(conn.execute(statement).await?))
}

const REMOVE_COURSE: [&str; 2] = [
    "DELETE FROM courses WHERE user_id = $1 AND id = ANY (ARRAY(
        SELECT id FROM courses WHERE user_id = $1 AND id = $2 AND status = 'trash'
            AND NOT EXISTS (SELECT FROM documents WHERE user_id = $1 AND course_id = $2)
            AND NOT EXISTS (SELECT FROM tasks WHERE user_id = $1 AND course_id = $2)
        FOR UPDATE SKIP LOCKED))",
    "DELETE FROM pending_operations WHERE user_id = $1 AND item_id = $2 AND operation = 'remove'
        AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = $2 AND status = 'trash')",
];

/// Deletes an empty course and ends its operation. Returns the number of deleted rows.
pub(super) async fn remove_course(
    conn: &mut Connection,
    owner: UserId,
    course: Uuid,
) -> Result<i64, Error> {
    let mut rows = 0;
    for text in REMOVE_COURSE {
        let statement = Statement::new(text).bind(owner).bind(course);
        rows += count(conn.execute(statement).await?);
    }
    Ok(rows)
}

/// A number of rows in PostgreSQL's type.
pub(super) fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
