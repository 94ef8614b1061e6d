//! SQL that folds titles. It works for all owners.

use uuid::Uuid;

use crate::{
    db::{Connection, Statement},
    error::Error,
    items::ItemKind,
};

/// Titles of all owners that are not folded yet, with their owners and ids (maximum `limit`). Locks the items until the
/// transaction ends, and skips those that are locked.
pub(super) async fn lock_unfolded(
    conn: &mut Connection,
    kind: ItemKind,
    limit: u32,
) -> Result<Vec<(Uuid, Uuid, String)>, Error> {
    let (table, title, folded) = (
        kind.table(),
        kind.title_column(),
        kind.folded_title_column(),
    );
    let text = format!(
        "SELECT user_id, id, {title} FROM {table} WHERE {folded} IS NULL
        ORDER BY user_id, id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED"
    );
    conn.rows(Statement::new(text).bind(i64::from(limit))).await
}

/// Sets the folded titles of items with these owners and ids.
pub(super) async fn set_folded(
    conn: &mut Connection,
    kind: ItemKind,
    (owners, ids, folded): (Vec<Uuid>, Vec<Uuid>, Vec<String>),
) -> Result<(), Error> {
    let (table, column) = (kind.table(), kind.folded_title_column());
    let text = format!(
        "UPDATE {table} AS item SET {column} = folded.title
        FROM unnest($1, $2, $3) AS folded (user_id, id, title)
        WHERE item.user_id = folded.user_id AND item.id = folded.id"
    );
    let statement = Statement::<()>::new(text).bind(owners).bind(ids);
    conn.execute(statement.bind(folded)).await?;
    Ok(())
}
