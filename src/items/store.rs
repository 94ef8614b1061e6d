//! SQL that reads items, the same for all kinds. Every statement is scoped to one owner.

use std::{collections::HashMap, sync::LazyLock};

use uuid::Uuid;

use super::{Item, ItemKind};
use crate::{
    auth::{UserId, Viewer},
    db::{Connection, Reader, SharedText, Statement, current::READS_ROWS},
    error::Error,
};

/// The viewer's item with that id, active or in the trash, without its columns on demand.
pub(crate) async fn find<T: Item>(
    reader: impl Reader,
    viewer: &Viewer,
    id: Uuid,
) -> Result<Option<T>, Error> {
    Ok(find_all(reader, viewer, vec![id]).await?.pop())
}

/// The text that finds items of a kind: `$1` the owner, `$2` their ids.
pub(crate) fn by_ids<T: Item>() -> SharedText {
    let nulls = ", NULL".repeat(T::ON_DEMAND.len());
    let (columns, table) = (T::COLUMNS, T::KIND.table());
    SharedText::new(format!(
        "SELECT {columns}{nulls} FROM current_{table} WHERE user_id = $1 AND id = ANY($2)"
    ))
}

/// The viewer's items with these ids, in no particular order and without their columns on demand. Omits those that do not
/// exist.
pub(crate) async fn find_all<T: Item>(
    reader: impl Reader,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<Vec<T>, Error> {
    let statement = Statement::look_up(T::by_ids());
    reader.read(statement.bind(viewer.user_id).bind(ids)).await
}

/// As [`find_all`], by id. Sends no statement if there are no ids.
pub(crate) async fn find_by_id<T: Item>(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, T>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let items = find_all::<T>(conn, viewer, ids).await?.into_iter();
    Ok(items.map(|item| (item.id(), item)).collect())
}

static KINDS: LazyLock<SharedText> = LazyLock::new(|| {
    let of_kind = |kind: ItemKind| {
        let (number, table) = (i16::from(kind), kind.table());
        format!(
            "SELECT id, {number}::smallint FROM current_{table} WHERE user_id = $1 AND id = ANY($2){READS_ROWS}"
        )
    };
    SharedText::new(ItemKind::ALL.map(of_kind).join(" UNION ALL "))
});

/// The kind of each of these ids. Omits those that are not items of the viewer.
pub(crate) async fn find_kinds(
    reader: impl Reader,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, ItemKind>, Error> {
    let statement = Statement::look_up(&KINDS).bind(viewer.user_id).bind(ids);
    Ok(reader.read(statement).await?.into_iter().collect())
}

/// Locks documents or tasks until the transaction ends, in the order of the ids, as every statement does, so that two requests
/// cannot wait for each other. Returns whether each is in the trash; omits those that do not exist.
pub(crate) async fn lock(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, bool>, Error> {
    let table = kind.table();
    let text = format!(
        "SELECT id, status = 'trash' AND trashed_with IS NULL
            OR EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')
        FROM {table} AS item
        WHERE user_id = $1 AND id = ANY($2) AND NOT EXISTS (
            SELECT FROM pending_operations WHERE user_id = $1 AND item_id IN (item.id, item.course_id) AND operation = 'remove')
        ORDER BY id FOR NO KEY UPDATE"
    );
    let rows: Vec<(Uuid, bool)> = conn
        .rows(Statement::new(text).bind(owner).bind(ids))
        .await?;
    Ok(rows.into_iter().collect())
}
