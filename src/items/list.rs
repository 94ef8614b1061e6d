//! Lists of items: their filters and orders as callers give them.
//!
//! A noun implements [`Listed`]. [`List`] then reads pages of the noun's items with `db::keyset`.

use std::collections::HashMap;

use derive_where::derive_where;
use uuid::Uuid;

use super::{Conditions, Filter, Item, ItemKind, OrderBy, contents, filter, order, raw};
use crate::{
    auth::Viewer,
    db::{
        Connection, SqlText,
        current::Source,
        keyset::{self, Order, Page, Slice, raw::Wanted},
        raw::{RawReads, RawRow},
    },
    error::Error,
};

/// Maximum size in bytes of each column with long values in the rows of a statement. Longer values are counted before they are loaded.
pub(crate) const INLINE_BYTES: i64 = 1 << 20;

/// A noun that has lists.
pub(crate) trait Listed: Item {
    /// Its `filter` argument.
    type Filter: Filter;
    /// An element of its `orderBy` argument.
    type OrderBy: OrderBy<Self>;

    /// Writes the conditions of the fields that only this noun's filter has, except the condition on the title.
    fn conditions(_filter: &Self::Filter, _conditions: &mut Conditions<'_>) {}

    /// Writes a column that is read on demand: by default, one of the counts of a container. If its value may be longer than `_max_bytes`,
    /// it is NULL instead, and loaded later.
    fn on_demand(
        column: &str,
        statement: &mut SqlText,
        owner: Uuid,
        source: Source,
        _max_bytes: i64,
    ) {
        contents::write_count(statement, owner, Self::KIND, column, source);
    }
}

/// A list of one owner's items of a noun.
#[derive_where(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct List<T: Listed> {
    filter: T::Filter,
    order_by: Vec<T::OrderBy>,
    /// For each of the row's columns on demand, whether it is read.
    on_demand: Vec<bool>,
    /// Whether the filter compares texts of all items, which takes long.
    reads_texts: bool,
}

impl<T: Listed> List<T> {
    /// The list with that filter, in that order. `selects`: whether a column on demand is read.
    ///
    /// # Errors
    /// BAD_USER_INPUT if the filter or the order is invalid.
    pub(crate) fn new(
        filter: Option<T::Filter>,
        order_by: Option<Vec<T::OrderBy>>,
        selects: impl Fn(&str) -> bool,
    ) -> Result<Self, Error> {
        let filter = filter.unwrap_or_default();
        let reads_texts = filter::check::<T>(&filter)?.reads_texts;
        Ok(List {
            reads_texts,
            filter,
            order_by: order::checked(order_by.unwrap_or_default())?,
            on_demand: T::ON_DEMAND.iter().map(|column| selects(column)).collect(),
        })
    }

    /// The order that it is in.
    pub(crate) fn order(&self) -> Order<T> {
        order::order_by(&self.order_by)
    }

    /// One page of it.
    pub(crate) async fn page(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
        slice: &Slice,
        count: bool,
    ) -> Result<Page<T>, Error> {
        keyset::page(conn, viewer.user_id.0, self, slice, count).await
    }

    /// Selected columns of one page, or of one page for each of these courses or tags, by its id. `None` if they cannot be read in
    /// this way (`keyset::raw`).
    pub(crate) async fn raw_pages(
        &self,
        reads: &RawReads<'_>,
        viewer: &Viewer,
        containers: Option<(ItemKind, &[Uuid])>,
        slice: &Slice,
        wanted: Wanted,
        columns: &[&str],
    ) -> Option<HashMap<Option<Uuid>, Page<RawRow>>> {
        if self.reads_texts {
            return None;
        }
        let owner = viewer.user_id.0;
        let columns = |text: &mut SqlText, rows| {
            raw::store::write_columns::<T>(text, owner, columns, Source::Tables, rows);
        };
        keyset::raw::pages(reads, owner, containers, self, slice, wanted, columns).await
    }

    /// One page of the items in each of these courses or tags, by its id.
    pub(crate) async fn pages_in(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
        (container, ids): (ItemKind, Vec<Uuid>),
        slice: &Slice,
        count: bool,
    ) -> Result<HashMap<Uuid, Page<T>>, Error> {
        let parents = (container, ids);
        keyset::pages_of_parents(conn, viewer.user_id.0, parents, self, slice, count).await
    }
}

impl<T: Listed> keyset::List for List<T> {
    type Item = T;
    type Row = T::PageRow;
    type Parent = ItemKind;

    fn table() -> &'static str {
        T::KIND.table()
    }

    fn columns(&self, statement: &mut SqlText, owner: Uuid, source: Source, rows: i64) {
        let max_bytes = INLINE_BYTES / rows.max(1);
        statement.sql(T::COLUMNS);
        for (column, read) in T::ON_DEMAND.iter().zip(&self.on_demand) {
            statement.sql(", ");
            match read {
                true => T::on_demand(column, statement, owner, source, max_bytes),
                false => {
                    statement.sql("NULL");
                }
            }
        }
    }

    fn conditions(&self, statement: &mut SqlText, owner: Uuid, container: Option<ItemKind>) {
        let mut conditions = match container {
            Some(container) => {
                contents::store::write_is_in_parent(statement, owner, T::KIND, container);
                Conditions::new(statement, owner)
            }
            None => Conditions::that_find_ids(statement, owner),
        };
        filter::write::<T>(&self.filter, &mut conditions);
    }

    fn compares_texts(&self) -> bool {
        filter::title_part(&self.filter).is_some()
    }

    fn write_text_condition(&self, statement: &mut SqlText) {
        if let Some(part) = filter::title_part(&self.filter) {
            filter::store::write_title_contains(statement, T::KIND, part);
        }
    }

    fn write_text_matches(&self, statement: &mut SqlText, owner: Uuid) {
        if let Some(part) = filter::title_part(&self.filter) {
            filter::store::write_titles_with(statement, owner, T::KIND, part);
        }
    }

    fn groups(&self, container: Option<ItemKind>) -> &'static [&'static str] {
        // The items of a tag are found by their ids.
        let is_in_tag = container == Some(ItemKind::Tag);
        match filter::includes_any_status::<T>(&self.filter) && !is_in_tag {
            true => &filter::store::EACH_STATUS,
            false => &[],
        }
    }

    fn order(&self) -> Order<T> {
        List::order(self)
    }
}
