//! Pages of raw rows: selected columns, as the database sends them.

use std::collections::HashMap;

use uuid::Uuid;

use super::{List, Page, Slice, text::page_text};
use crate::db::{
    SqlText,
    current::Source,
    raw::{RawReads, RawRow},
};

/// The columns before those of the item: its parent, the total, and whether an operation of the owner is pending.
const PARENT: usize = 0;
const TOTAL: usize = 1;
const PENDING: usize = 2;
/// The column of the item's id. The selected columns follow it, and then the keys of the order, if they are read.
pub(crate) const ID: usize = 3;

/// What is read besides the selected columns of a page.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// The number of rows in the whole list.
    pub(crate) total: bool,
    /// The keys of the list's order, which cursors need.
    pub(crate) keys: bool,
    /// Whether more rows follow the page.
    pub(crate) more: bool,
}

/// Reads one page of the owner's list, or one for each of these parents, by the parent's id. `columns` writes the selected columns,
/// each after a comma; its argument is the maximum number of rows. `wanted`: what is read besides.
///
/// `None` if they cannot be read in this way: an operation of the owner is pending (`current`), or a shared connection failed.
pub(crate) async fn pages<L: List>(
    reads: &RawReads<'_>,
    owner: Uuid,
    parents: Option<(L::Parent, &[Uuid])>,
    list: &L,
    slice: &Slice,
    wanted: Wanted,
    columns: impl Fn(&mut SqlText, i64),
) -> Option<HashMap<Option<Uuid>, Page<RawRow>>> {
    let columns = |text: &mut SqlText, _, rows| {
        text.sql("id");
        columns(text, rows);
        if wanted.keys {
            list.order().write_columns(text);
        }
    };
    let text = page_text(
        owner,
        parents,
        list,
        slice,
        (wanted.total, wanted.more),
        Source::Tables,
        columns,
    );
    let rows = reads.rows(&text).await?;
    if rows.first()?.boolean(PENDING)? {
        return None;
    }
    let mut loaded: HashMap<Option<Uuid>, (Vec<RawRow>, Option<i64>)> = HashMap::new();
    for row in rows {
        let (items, total) = loaded.entry(row.uuid(PARENT)).or_default();
        *total = row.bigint(TOTAL);
        if row.column(ID).is_some() {
            items.push(row);
        }
    }
    let page = |(parent, (items, total))| (parent, Page::trimmed(items, total, slice));
    Some(loaded.into_iter().map(page).collect())
}
