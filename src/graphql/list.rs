//! Lists of items: the arguments of a list field select a page, which becomes a connection.

use std::{collections::HashMap, sync::Arc};

use async_graphql::Context;
use derive_where::derive_where;
use uuid::Uuid;

use super::{
    connection::{Connection, ItemObject},
    context::ContextExt,
    loaders::{Loaders, PageIn},
    lookahead::{Lookahead, Preloaded},
    page::PageArguments,
    selection::{FieldArguments, Selected},
};
use crate::{
    auth::Viewer,
    db::{
        self,
        keyset::{Page, Slice, raw::Wanted},
        raw::{RawReads, RawRow},
    },
    error::Error,
    items::{Item, ItemKind, ItemRef, List, Listed},
};

/// The arguments of a list of items, and whether its total is selected.
#[derive_where(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ListArguments<T: Listed> {
    pub(crate) list: List<T>,
    slice: Slice,
    count: bool,
}

impl<T: Listed> ListArguments<T> {
    /// # Errors
    /// BAD_USER_INPUT, as [`List::new`] and [`PageArguments::slice`].
    pub(crate) fn new(
        filter: Option<T::Filter>,
        order_by: Option<Vec<T::OrderBy>>,
        page: &PageArguments,
        selected: &Selected<'_>,
    ) -> Result<Self, Error> {
        let list = List::new(filter, order_by, |column| selected.has(column))?;
        ListArguments::of_list(list, page, selected.total)
    }

    /// The arguments of a field that the caller does not resolve. `selects`: whether a column on demand is read. `count`: whether the
    /// total is selected.
    ///
    /// # Errors
    /// Same as [`ListArguments::new`].
    pub(crate) fn of_field(
        mut arguments: FieldArguments,
        selects: impl Fn(&str) -> bool,
        count: bool,
    ) -> Result<Self, Error> {
        let (filter, order_by) = (arguments.take("filter")?, arguments.take("orderBy")?);
        let list = List::new(filter, order_by, selects)?;
        ListArguments::of_list(list, &arguments.page()?, count)
    }

    fn of_list(list: List<T>, page: &PageArguments, count: bool) -> Result<Self, Error> {
        Ok(ListArguments {
            slice: page.slice(list.order())?,
            count,
            list,
        })
    }

    /// Columns of the pages that the arguments select, as [`List::raw_pages`].
    pub(crate) async fn raw_pages(
        &self,
        reads: &RawReads<'_>,
        viewer: &Viewer,
        containers: Option<(ItemKind, &[Uuid])>,
        wanted: Wanted,
        columns: &[&str],
    ) -> Option<HashMap<Option<Uuid>, Page<RawRow>>> {
        let (list, slice) = (&self.list, &self.slice);
        list.raw_pages(reads, viewer, containers, slice, wanted, columns)
            .await
    }

    /// The page that the arguments select.
    pub(crate) async fn page(
        &self,
        conn: &mut db::Connection,
        viewer: &Viewer,
    ) -> Result<Page<T>, Error> {
        self.list.page(conn, viewer, &self.slice, self.count).await
    }

    /// The page that the arguments select in each of these courses or tags, by its id.
    pub(crate) async fn pages_in(
        &self,
        conn: &mut db::Connection,
        viewer: &Viewer,
        containers: (ItemKind, Vec<Uuid>),
    ) -> Result<HashMap<Uuid, Page<T>>, Error> {
        let (slice, count) = (&self.slice, self.count);
        self.list
            .pages_in(conn, viewer, containers, slice, count)
            .await
    }
}

/// One page of the viewer's items.
pub(crate) async fn list<N: ItemObject>(
    ctx: &Context<'_>,
    filter: Option<<N::Row as Listed>::Filter>,
    order_by: Option<Vec<<N::Row as Listed>::OrderBy>>,
    page: &PageArguments,
) -> Result<Connection<N>, Error> {
    let viewer = ctx.viewer()?;
    let selected = Selected::of(ctx);
    let arguments = ListArguments::<N::Row>::new(filter, order_by, page, &selected)?;
    let lookahead = Lookahead::of(&selected)?;
    let mut conn = ctx.reading_connection().await?;
    let page = arguments.page(&mut conn, viewer).await?;
    let connection = Connection::new(page, &arguments.list.order(), N::from);
    N::preload(&mut conn, viewer, &lookahead, &connection.all()).await?;
    Ok(connection)
}

/// One page of the items in a course or with a tag. It is preloaded if lookahead has seen its field.
pub(crate) async fn list_in<C: Item, N: ItemObject>(
    ctx: &Context<'_>,
    container: &C,
    preloaded: &Preloaded<N::Row>,
    filter: Option<<N::Row as Listed>::Filter>,
    order_by: Option<Vec<<N::Row as Listed>::OrderBy>>,
    page: &PageArguments,
) -> Result<Connection<N>, Error> {
    let arguments = ListArguments::<N::Row>::new(filter, order_by, page, &Selected::of(ctx))?;
    let order = arguments.list.order();
    let page = match preloaded.take(&arguments) {
        Some(page) => page,
        None => {
            let (kind, id) = (C::KIND, container.id());
            let page = PageIn {
                container: ItemRef { kind, id },
                arguments: Arc::new(arguments),
            };
            Loaders::of(ctx).get(page).await?
        }
    };
    Ok(Connection::new(page, &order, N::from))
}
