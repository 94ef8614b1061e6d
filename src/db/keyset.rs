//! Pages of lists by keyset: an index finds the rows after a position of the order, so earlier rows are not counted.
//!
//! One statement returns a page, or one page for each of several parents, with the total if it is requested. Pages of several
//! parents use LATERAL, which was 1.6 times faster than a window function and 2.1 times faster than json_agg. The total is
//! counted once per parent, before the page is joined. As a column of the page's rows, PostgreSQL counted it again for each row
//! (100 rows of 50,000: 1,237 ms, now 13 ms). Nouns describe their lists ([`List`]) and orders (`order`). `graphql::page` turns
//! arguments into a [`Slice`], and positions into cursors.

use std::{borrow::Borrow, collections::HashMap};

use uuid::Uuid;

use super::{
    Connection, Load, SqlText, Statement,
    current::{self, Source},
};
use crate::error::Error;

mod order;
pub(crate) mod raw;
mod text;
pub(crate) use order::{KeyValue, Keyed, MAX_KEYS, Order, Position, SortKey, Sorted};
use text::page_text;

/// The requested part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Slice {
    /// Maximum number of rows.
    pub(crate) size: i64,
    /// Whether the rows are the last of the range, not the first.
    pub(crate) backward: bool,
    /// Only rows after this position.
    pub(crate) after: Option<Position>,
    /// Only rows before this position.
    pub(crate) before: Option<Position>,
    /// Number of rows to skip.
    pub(crate) offset: i64,
}

impl Slice {
    /// The position after which a list that is sorted by one time, newest first, is read: its key and id.
    pub(crate) fn after_time(&self) -> (&str, Uuid) {
        let after = self.after.as_ref();
        let key = after.and_then(|position| position.keys.first());
        (
            key.map_or("infinity", String::as_str),
            after.map_or(Uuid::max(), |position| position.id),
        )
    }
}

/// A part of a list, in the list's order.
#[derive(Debug, Clone)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// The number of rows in the whole filtered list. `None` if it was not requested.
    pub(crate) total: Option<i64>,
    pub(crate) has_next: bool,
    pub(crate) has_previous: bool,
}

impl<T> Page<T> {
    /// A page of the first `size` rows. `items` has one more row if more rows follow; `continued` tells whether rows precede it.
    pub(crate) fn of(mut items: Vec<T>, size: usize, continued: bool) -> Self {
        let has_next = items.len() > size;
        items.truncate(size);
        Page {
            items,
            total: None,
            has_next,
            has_previous: continued,
        }
    }

    /// The page of a slice. `items` has one more row if the range has more rows; the rows of a backward slice come last first.
    pub(crate) fn trimmed(items: Vec<T>, total: Option<i64>, slice: &Slice) -> Self {
        let size = usize::try_from(slice.size).unwrap_or(0);
        let mut page = Page::of(items, size, slice.after.is_some() || slice.offset > 0);
        page.total = total;
        if slice.backward {
            page.items.reverse();
            page.has_previous = page.has_next;
            page.has_next = slice.before.is_some();
        }
        page
    }
}

/// A list of one owner's rows.
pub(crate) trait List: Sync {
    /// The row of the list.
    type Item: Send;
    /// The [`PageRow`] of the item.
    type Row: Load + Borrow<PageRow<Self::Item>> + Into<PageRow<Self::Item>>;
    /// The kind of the parents of nested lists.
    type Parent: Copy + Send + Sync;

    /// The table of the rows.
    fn table() -> &'static str;
    /// Writes the columns of the row, comma-separated, in the order of the row's fields. `rows`: the maximum number of rows.
    fn columns(&self, statement: &mut SqlText, owner: Uuid, source: Source, rows: i64);
    /// Writes ` AND …` for each condition that rows must meet, except the one on texts. The condition on the owner is already
    /// written. With a kind of parent, rows must also belong to the row `parent`.
    fn conditions(&self, statement: &mut SqlText, owner: Uuid, parent: Option<Self::Parent>);
    /// The order of the list.
    fn order(&self) -> Order<Self::Item>;
    /// Whether a text of the rows must match, which no index finds.
    fn compares_texts(&self) -> bool;
    /// Writes ` AND …`: the condition that the text of the row matches.
    fn write_text_condition(&self, statement: &mut SqlText);
    /// Writes a query of the ids of all the owner's rows whose texts match. It reads an index that has only the texts.
    fn write_text_matches(&self, statement: &mut SqlText, owner: Uuid);
    /// Conditions that divide the rows into groups, each as ` AND …`. Every row meets exactly one of them. The indexes of the orders have
    /// each group by itself, so a page is merged from the pages of the groups. Empty if the list has rows of one group only, or is not
    /// read in the order of an index.
    fn groups(&self, parent: Option<Self::Parent>) -> &'static [&'static str];
}

/// The parent, the total, whether an operation of the owner is pending, and the item. A parent without items has one row
/// without an item.
pub(crate) type PageRow<T> = (Option<Uuid>, Option<i64>, bool, Option<T>);

/// Reads one page of the owner's list.
pub(crate) async fn page<L: List>(
    conn: &mut Connection,
    owner: Uuid,
    list: &L,
    slice: &Slice,
    count: bool,
) -> Result<Page<L::Item>, Error> {
    let columns = |statement: &mut SqlText, source, rows| {
        list.columns(statement, owner, source, rows);
    };
    let text = |source| page_text(owner, None, list, slice, (count, true), source, columns);
    let statement = |source| Statement::<L::Row>::from(text(source));
    let mut pages: Loaded<L::Item> = load(conn, statement).await?;
    let (items, total) = pages.remove(&None).unwrap_or_default();
    Ok(Page::trimmed(items, total, slice))
}

/// Reads one page of the owner's list for each of these parents, by the parent's id.
pub(crate) async fn pages_of_parents<L: List>(
    conn: &mut Connection,
    owner: Uuid,
    (kind, parents): (L::Parent, Vec<Uuid>),
    list: &L,
    slice: &Slice,
    count: bool,
) -> Result<HashMap<Uuid, Page<L::Item>>, Error> {
    let parents = Some((kind, parents.as_slice()));
    let columns = |statement: &mut SqlText, source, rows| {
        list.columns(statement, owner, source, rows);
    };
    let text = |source| page_text(owner, parents, list, slice, (count, true), source, columns);
    let statement = |source| Statement::<L::Row>::from(text(source));
    let pages: Loaded<L::Item> = load(conn, statement).await?;
    let by_parent = pages
        .into_iter()
        .filter_map(|(parent, (items, total))| Some((parent?, Page::trimmed(items, total, slice))));
    Ok(by_parent.collect())
}

/// The rows and the total of each parent.
type Loaded<T> = HashMap<Option<Uuid>, (Vec<T>, Option<i64>)>;

async fn load<T, R: Load + Borrow<PageRow<T>> + Into<PageRow<T>>>(
    conn: &mut Connection,
    statement: impl Fn(Source) -> Statement<R>,
) -> Result<Loaded<T>, Error> {
    let rows = current::read(conn, statement, |row: &R| row.borrow().2).await?;
    let mut loaded = Loaded::new();
    for row in rows {
        let (parent, total, _, item) = row.into();
        let (items, counted) = loaded.entry(parent).or_default();
        *counted = total;
        items.extend(item);
    }
    Ok(loaded)
}
