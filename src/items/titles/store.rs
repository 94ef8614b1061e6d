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
    // On a sharded database, `set_folded` checks the titles again.
    let lock = match conn.is_sharded() {
        true => "",
        false => " FOR NO KEY UPDATE SKIP LOCKED",
    };
    let text = format!(
        "SELECT user_id, id, {title} FROM {table} WHERE {folded} IS NULL
        ORDER BY user_id, id LIMIT $1{lock}"
    );
    conn.rows(Statement::new(text).bind(i64::from(limit))).await
}

/// An item whose title was read and folded.
pub(super) struct Folded {
    pub(super) owner: Uuid,
    pub(super) id: Uuid,
    pub(super) title: String,
    pub(super) folded: String,
}

/// Sets the folded titles of items that [`lock_unfolded`] returned, sorted by owner.
pub(super) async fn set_folded(
    conn: &mut Connection,
    kind: ItemKind,
    items: Vec<Folded>,
) -> Result<(), Error> {
    if conn.is_sharded() {
        for items in items.chunk_by(|one, other| one.owner == other.owner) {
            set_folded_of_owner(conn, kind, items).await?;
        }
        return Ok(());
    }
    let (table, column) = (kind.table(), kind.folded_title_column());
    let text = format!(
        "UPDATE {table} AS item SET {column} = folded.title
        FROM unnest($1, $2, $3) AS folded (user_id, id, title)
        WHERE item.user_id = folded.user_id AND item.id = folded.id"
    );
    let (owners, ids): (Vec<Uuid>, Vec<Uuid>) =
        items.iter().map(|item| (item.owner, item.id)).unzip();
    let folded: Vec<String> = items.into_iter().map(|item| item.folded).collect();
    let statement = Statement::<()>::new(text).bind(owners).bind(ids);
    conn.execute(statement.bind(folded)).await?;
    Ok(())
}

/// Sets folded titles if the titles are still those that were read, since nothing locks them.
async fn set_folded_of_owner(
    conn: &mut Connection,
    kind: ItemKind,
    items: &[Folded],
) -> Result<(), Error> {
    let Some(Folded { owner, .. }) = items.first() else {
        return Ok(());
    };
    let (table, title, column) = (
        kind.table(),
        kind.title_column(),
        kind.folded_title_column(),
    );
    let text = format!(
        "UPDATE {table} AS item SET {column} = folded.title FROM unnest($2, $3, $4) AS folded (id, original, title)
        WHERE item.user_id = $1 AND item.id = folded.id AND item.{column} IS NULL AND item.{title} = folded.original"
    );
    let each = |value: fn(&Folded) -> &String| items.iter().map(value).cloned().collect();
    let ids: Vec<Uuid> = items.iter().map(|item| item.id).collect();
    let (titles, folded): (Vec<String>, Vec<String>) =
        (each(|item| &item.title), each(|item| &item.folded));
    let statement = Statement::<()>::new(text).bind(*owner).bind(ids);
    conn.execute(statement.bind(titles).bind(folded)).await?;
    Ok(())
}
