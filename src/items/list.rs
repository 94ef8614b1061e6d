//! Lists of items: their filters and orders as callers give them, and the conditions that follow from them.
//!
//! A noun implements [`Listed`]. [`List`] then reads pages of the noun's items with `db::keyset`.

use std::{collections::HashMap, fmt::Debug, hash::Hash};

use async_graphql::InputType;
use derive_where::derive_where;
use uuid::Uuid;

use super::{Item, ItemKind, contents, store::Conditions};
use crate::{
    auth::Viewer,
    db::{
        Connection, Statement,
        current::Source,
        keyset::{self, Order, Page, Slice},
    },
    error::Error,
    scalars::check_text,
};

/// What a noun's `orderBy` argument is.
pub(crate) trait OrderBy<T>:
    InputType + Debug + Copy + PartialEq + Eq + Hash + Default
{
    /// The order in SQL.
    fn order(self) -> Order<T>;
}

/// Declares a noun's `orderBy` argument: the fields that its lists can be sorted by, with their keys. The first field is the
/// default. Keys may depend on the direction.
macro_rules! order {
    (
        $(#[$doc:meta])* $Order:ident;
        $(#[$field_doc:meta])* $Field:ident for $Row:ident, |$descending:ident| {
            $(#[$first_doc:meta])* $First:ident => $first_key:expr
            $(, $(#[$variant_doc:meta])* $Variant:ident => $key:expr)* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(async_graphql::InputObject, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $Order {
            /// What to sort by.
            pub field: $Field,
            /// The direction.
            #[graphql(default)]
            pub direction: $crate::items::OrderDirection,
        }

        $(#[$field_doc])*
        #[derive(async_graphql::Enum, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum $Field {
            $(#[$first_doc])*
            #[default]
            $First,
            $($(#[$variant_doc])* $Variant,)*
        }

        impl $crate::items::OrderBy<$Row> for $Order {
            fn order(self) -> $crate::db::keyset::Order<$Row> {
                let $descending = self.direction == $crate::items::OrderDirection::Desc;
                let key: $crate::db::keyset::SortKey<$Row> = match self.field {
                    $Field::$First => $first_key,
                    $($Field::$Variant => $key,)*
                };
                $crate::db::keyset::Order {
                    key,
                    descending: $descending,
                }
            }
        }
    };
}
pub(crate) use order;

/// A noun that has lists.
pub(crate) trait Listed: Item {
    /// Its `filter` argument.
    type Filter: InputType + Debug + Clone + PartialEq + Eq + Hash + Default;
    /// Its `orderBy` argument.
    type OrderBy: OrderBy<Self>;

    /// Rejects invalid values of a filter. The part of a title is checked separately.
    fn check(_filter: &Self::Filter) -> Result<(), Error> {
        Ok(())
    }

    /// The part of a title that the filter looks for.
    fn title_part(filter: &Self::Filter) -> Option<&str>;

    /// Writes the conditions of a filter, except the condition on the title.
    fn conditions(filter: &Self::Filter, conditions: &mut Conditions<'_, Self::PageRow>);

    /// Writes a column that is read on demand.
    fn on_demand(column: &str, statement: &mut Statement<Self::PageRow>, _source: Source) {
        statement.sql(column);
    }
}

/// A list of one owner's items of a noun.
#[derive_where(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct List<T: Listed> {
    filter: T::Filter,
    pub(crate) order_by: T::OrderBy,
    /// For each of the row's columns on demand, whether it is read.
    on_demand: Vec<bool>,
}

impl<T: Listed> List<T> {
    /// The list with that filter, in that order. `selects`: whether a column on demand is read.
    ///
    /// # Errors
    /// BAD_USER_INPUT if the database cannot compare with a value of the filter.
    pub(crate) fn new(
        filter: Option<T::Filter>,
        order_by: Option<T::OrderBy>,
        selects: impl Fn(&str) -> bool,
    ) -> Result<Self, Error> {
        let filter = filter.unwrap_or_default();
        let title_argument = format!("filter.{}Contains", T::KIND.title_column());
        check_text(&title_argument, T::title_part(&filter))?;
        T::check(&filter)?;
        Ok(List {
            filter,
            order_by: order_by.unwrap_or_default(),
            on_demand: T::ON_DEMAND.iter().map(|column| selects(column)).collect(),
        })
    }

    /// The order that it is in.
    pub(crate) fn order(&self) -> Order<T> {
        self.order_by.order()
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

    fn columns(&self, statement: &mut Statement<T::PageRow>, source: Source) {
        statement.sql(T::COLUMNS);
        for (column, read) in T::ON_DEMAND.iter().zip(&self.on_demand) {
            statement.sql(", CASE WHEN ").value(*read).sql(" THEN ");
            T::on_demand(column, statement, source);
            statement.sql(" END");
        }
    }

    fn conditions(&self, statement: &mut Statement<T::PageRow>, owner: Uuid) {
        Conditions::write(statement, owner, |conditions| {
            T::conditions(&self.filter, conditions);
            conditions.title_contains(T::KIND, T::title_part(&self.filter));
        });
    }

    fn belongs(statement: &mut Statement<T::PageRow>, owner: Uuid, container: ItemKind) {
        contents::store::write_is_in_parent(statement, owner, T::KIND, container);
    }

    fn finds_ids_first(&self) -> bool {
        T::title_part(&self.filter).is_some()
    }

    fn order(&self) -> Order<T> {
        List::order(self)
    }
}
