//! SQL that assigns tags to documents and tasks, the same for both. Every statement is scoped to one owner.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::MAX_TAGS;
use crate::{
    auth::UserId,
    db::{Connection, Statement},
    error::Error,
    items::ItemKind,
};

/// Locks in the order of the ids, as every statement does.
const LOCK_TAGS: &str = "
    SELECT id, status = 'trash' FROM tags
    WHERE user_id = $1 AND id = ANY($2) AND NOT EXISTS (
        SELECT FROM pending_operations WHERE user_id = $1 AND item_id = tags.id AND operation = 'remove')
    ORDER BY id FOR SHARE";

/// Locks tags until the transaction ends. Returns whether each is in the trash; omits those that do not exist.
pub(crate) async fn lock_tags(
    conn: &mut Connection,
    owner: UserId,
    tags: Vec<Uuid>,
) -> Result<HashMap<Uuid, bool>, Error> {
    if tags.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, bool)> = conn
        .rows(Statement::new(LOCK_TAGS).bind(owner).bind(tags))
        .await?;
    Ok(rows.into_iter().collect())
}

/// Gives items of a kind tags: pairs of an item and a tag. Items that have the tag already stay unchanged. Returns the items that
/// got a tag.
pub(crate) async fn add(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    pairs: Vec<(Uuid, Uuid)>,
) -> Result<HashSet<Uuid>, Error> {
    if pairs.is_empty() {
        return Ok(HashSet::new());
    }
    let name = kind.name();
    let text = format!(
        "INSERT INTO {name}_tags (user_id, item_id, tag_id)
        SELECT $1, item_id, tag_id FROM unnest($2, $3) AS pair (item_id, tag_id)
        WHERE (SELECT set_origin($address, $program))
        ON CONFLICT DO NOTHING
        RETURNING item_id"
    );
    let (items, tags): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    let statement = Statement::write(text, owner).bind(items).bind(tags);
    let tagged: Vec<Uuid> = conn.rows(statement).await?;
    Ok(tagged.into_iter().collect())
}

/// Takes tags from items of a kind.
pub(crate) async fn remove(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    items: Vec<Uuid>,
    tags: Vec<Uuid>,
) -> Result<(), Error> {
    if items.is_empty() || tags.is_empty() {
        return Ok(());
    }
    let name = kind.name();
    let text = format!(
        "DELETE FROM {name}_tags
        WHERE (SELECT set_origin($address, $program)) AND user_id = $1 AND item_id = ANY($2) AND tag_id = ANY($3)"
    );
    let statement = Statement::write(text, owner).bind(items).bind(tags);
    conn.execute(statement).await?;
    Ok(())
}

/// Replaces the active tags of items of a kind with those in `pairs` of an item and a tag. Returns the items whose tags have changed.
pub(crate) async fn replace(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    items: Vec<Uuid>,
    pairs: Vec<(Uuid, Uuid)>,
) -> Result<Vec<Uuid>, Error> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let name = kind.name();
    let text = format!(
        "SELECT DISTINCT item_id FROM replace_tags('{name}_tags', $1, $2, $3, $4) AS item_id
        WHERE (SELECT set_origin($address, $program))"
    );
    let (tag_items, tag_ids): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    let statement = Statement::write(text, owner).bind(items);
    conn.rows(statement.bind(tag_items).bind(tag_ids)).await
}

/// The tags of items of a kind, in the trash or not: pairs of an item and a tag.
pub(crate) async fn assigned(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    items: Vec<Uuid>,
) -> Result<HashSet<(Uuid, Uuid)>, Error> {
    let name = kind.name();
    let text =
        format!("SELECT item_id, tag_id FROM {name}_tags WHERE user_id = $1 AND item_id = ANY($2)");
    let statement = Statement::new(text).bind(owner).bind(items);
    let pairs: Vec<(Uuid, Uuid)> = conn.rows(statement).await?;
    Ok(pairs.into_iter().collect())
}

/// The number of active tags of each of these items of a kind that has more than [`MAX_TAGS`].
pub(crate) async fn too_many(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    items: Vec<Uuid>,
) -> Result<Vec<(Uuid, i64)>, Error> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let name = kind.name();
    let text = format!(
        "SELECT item_id, count(*) FROM {name}_tags JOIN tags ON tags.user_id = $1 AND id = tag_id AND status = 'active'
        WHERE {name}_tags.user_id = $1 AND item_id = ANY($2) GROUP BY item_id HAVING count(*) > {MAX_TAGS}"
    );
    let statement = Statement::new(text).bind(owner).bind(items);
    conn.rows(statement).await
}
