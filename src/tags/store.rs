//! All the SQL of tags. Every statement is scoped to one owner.

use std::{collections::HashMap, iter, sync::LazyLock};

use uuid::Uuid;

use super::model::{CreateTagInput, Tag, TagFilter, TagOrder, UpdateTagInput};
use crate::{
    auth::Viewer,
    db::{
        Columns, Connection, SqlText, Statement,
        raw::{RawReads, RawRow},
    },
    error::Error,
    items::{Create, InsertItems, ItemKind, Listed, Update, UpdateItems, Written, contents},
};

impl Create for CreateTagInput {
    type Item = Tag;

    fn insert(insert: InsertItems<'_, Self>) -> Statement<Written<Tag>> {
        insert
            .title(|tag| &tag.name)
            .value("color", |tag| tag.color.clone())
            .returning(&contents::EMPTY)
    }
}

impl Update for UpdateTagInput {
    type Item = Tag;
    type Stored = ();

    fn update(update: UpdateItems<'_, Self>, (): &()) -> Statement<Written<Tag>> {
        update
            .title(|tag| &tag.name)
            .change("color", |tag| &tag.color)
            .returning(&contents::NOT_COUNTED)
    }
}

impl Listed for Tag {
    type Filter = TagFilter;
    type OrderBy = TagOrder;
}

static OF_ITEMS: LazyLock<String> = LazyLock::new(|| {
    let counts = contents::NOT_COUNTED.join(", ");
    of_items_text(&format!("{}, {counts}", Tag::COLUMNS))
});

/// The statement that reads these columns of the active tags of the owner `$1`'s items `$2`, each after the item's id.
fn of_items_text(columns: &str) -> String {
    let of_kind = |kind: ItemKind| {
        let name = kind.name();
        format!("SELECT item_id, tag_id FROM {name}_tags WHERE user_id = $1 AND item_id = ANY($2)")
    };
    let assigned = ItemKind::IN_COURSES.map(of_kind).join(" UNION ALL ");
    format!(
        "SELECT item_id, {columns}
        FROM ({assigned}) AS assigned JOIN tags ON user_id = $1 AND id = tag_id AND status = 'active'
        ORDER BY name, id"
    )
}

/// The column of the item's id in the rows of [`raw_of_items`].
pub(crate) const RAW_ITEM: usize = 0;
/// The column of the tag's id in these rows. The selected columns follow it.
pub(crate) const RAW_ID: usize = 1;

/// Selected columns of the active tags of each of the viewer's documents and tasks with these ids, sorted by name. `None` if a shared
/// connection cannot read them now.
pub(crate) async fn raw_of_items(
    reads: &RawReads<'_>,
    viewer: &Viewer,
    items: Vec<Uuid>,
    columns: &[&str],
) -> Option<Vec<RawRow>> {
    let columns: Vec<&str> = iter::once("id").chain(columns.iter().copied()).collect();
    let mut text = SqlText::new(of_items_text(&columns.join(", ")));
    text.bind(viewer.user_id).bind(items);
    reads.rows(&text).await
}

/// The active tags of each of the viewer's documents and tasks with these ids, sorted by name. Omits items without tags.
pub(crate) async fn of_items(
    conn: &mut Connection,
    viewer: &Viewer,
    items: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<Tag>>, Error> {
    let statement = Statement::new(OF_ITEMS.as_str())
        .bind(viewer.user_id)
        .bind(items);
    let mut tags: HashMap<Uuid, Vec<Tag>> = HashMap::new();
    let rows: Vec<(Uuid, Tag)> = conn.rows(statement).await?;
    for (item, tag) in rows {
        tags.entry(item).or_default().push(tag);
    }
    Ok(tags)
}
