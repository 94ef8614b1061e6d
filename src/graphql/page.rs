//! Connections: arguments become a page of a list, and the page becomes edges, nodes and cursors.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, InputType, Object, OutputType, SelectionField, SimpleObject};
use derive_where::derive_where;
use uuid::Uuid;

use super::{
    audit::AuditEvent,
    changes::Change,
    context::ContextExt,
    course::Course,
    document::Document,
    loaders::{Loaders, PageOfCourse},
    lookahead::Preloaded,
    node::Item,
    task::Task,
    user::User,
};
use crate::{
    auth::Viewer,
    db::{
        self,
        keyset::{Order, Page, Slice},
    },
    error::Error,
    items::{List, Listed},
};

/// The size of a page if neither `first` nor `last` is given.
pub(super) const DEFAULT_SIZE: i32 = 50;
/// The maximum size of a page.
pub(super) const MAX_SIZE: i32 = 100;
const MAX_OFFSET: i32 = 10_000;

/// The arguments that select a part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct PageArguments {
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<i32>,
    pub(crate) before: Option<String>,
    pub(crate) offset: Option<i32>,
}

impl PageArguments {
    /// The part of a list in that order.
    ///
    /// # Errors
    /// BAD_USER_INPUT if an argument is out of range, is a cursor of another order, or cannot be combined with another.
    pub(crate) fn slice<T>(&self, order: Order<T>) -> Result<Slice, Error> {
        let size = self.size()?;
        let offset = self.offset.unwrap_or(0);
        if !(0..=MAX_OFFSET).contains(&offset) {
            return Err(Error::bad_input(format!(
                "`offset` must be between 0 and {MAX_OFFSET}; got {offset}."
            )));
        }
        if self.offset.is_some()
            && (self.last.is_some() || self.after.is_some() || self.before.is_some())
        {
            return Err(Error::bad_input(
                "`offset` can only be combined with `first`, not with `after`, `last` or `before`.",
            ));
        }
        let position = |name: &str, cursor: &Option<String>| match cursor {
            None => Ok(None),
            Some(cursor) => match order.position(cursor) {
                Some(position) => Ok(Some(position)),
                None => Err(Error::bad_input(format!(
                    "`{name}` must be a cursor of this list in the same order."
                ))),
            },
        };
        Ok(Slice {
            size: i64::from(size),
            backward: self.last.is_some(),
            after: position("after", &self.after)?,
            before: position("before", &self.before)?,
            offset: i64::from(offset),
        })
    }

    /// The maximum number of rows.
    ///
    /// # Errors
    /// BAD_USER_INPUT if it is out of range or given twice.
    pub(crate) fn size(&self) -> Result<i32, Error> {
        if self.first.is_some() && self.last.is_some() {
            return Err(Error::bad_input("`first` and `last` cannot be combined."));
        }
        let (name, size) = match self.last {
            Some(last) => ("last", last),
            None => ("first", self.first.unwrap_or(DEFAULT_SIZE)),
        };
        if (1..=MAX_SIZE).contains(&size) {
            return Ok(size);
        }
        Err(Error::bad_input(format!(
            "`{name}` must be between 1 and {MAX_SIZE}; got {size}."
        )))
    }
}

/// The arguments of a list of items, and what is selected of it.
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
        order_by: Option<T::OrderBy>,
        page: &PageArguments,
        selected: &Selected<'_>,
    ) -> Result<Self, Error> {
        let list = List::new(filter, order_by, |column| selected.has(column))?;
        Ok(ListArguments {
            slice: page.slice(list.order())?,
            count: selected.total,
            list,
        })
    }

    /// The arguments of a field that is selected further down.
    pub(crate) fn of_field(field: &SelectionField<'_>) -> Result<Self, Error> {
        let mut given = Given::of(field)?;
        let (filter, order_by) = (given.take("filter")?, given.take("orderBy")?);
        let selected = Selected::of_connection(Some(*field));
        ListArguments::new(filter, order_by, &given.page()?, &selected)
    }

    /// The page that they select.
    pub(crate) async fn page(
        &self,
        conn: &mut db::Connection,
        viewer: &Viewer,
    ) -> Result<Page<T>, Error> {
        self.list.page(conn, viewer, &self.slice, self.count).await
    }

    /// The pages that they select of the items in each of these courses.
    pub(crate) async fn pages_of_courses(
        &self,
        conn: &mut db::Connection,
        viewer: &Viewer,
        courses: Vec<Uuid>,
    ) -> Result<HashMap<Uuid, Page<T>>, Error> {
        let (slice, count) = (&self.slice, self.count);
        self.list
            .pages_of_courses(conn, viewer, courses, slice, count)
            .await
    }
}

/// One page of the viewer's items.
pub(crate) async fn list<N: ItemObject>(
    ctx: &Context<'_>,
    filter: Option<<N::Row as Listed>::Filter>,
    order_by: Option<<N::Row as Listed>::OrderBy>,
    page: &PageArguments,
) -> Result<Connection<N>, Error> {
    let viewer = ctx.viewer()?;
    let selected = Selected::of(ctx);
    let arguments = ListArguments::<N::Row>::new(filter, order_by, page, &selected)?;
    let mut conn = ctx.connection().await?;
    let page = arguments.page(&mut conn, viewer).await?;
    let connection = Connection::new(page, &arguments.list.order(), N::from);
    N::preload(&mut conn, viewer, &selected, &connection.all()).await?;
    Ok(connection)
}

/// One page of the items in a course, preloaded if lookahead has seen it.
pub(crate) async fn list_of_course<N: ItemObject>(
    ctx: &Context<'_>,
    course: Uuid,
    preloaded: &Preloaded<N::Row>,
    filter: Option<<N::Row as Listed>::Filter>,
    order_by: Option<<N::Row as Listed>::OrderBy>,
    page: &PageArguments,
) -> Result<Connection<N>, Error> {
    let arguments = ListArguments::<N::Row>::new(filter, order_by, page, &Selected::of(ctx))?;
    let order = arguments.list.order();
    let page = match preloaded.take(&arguments) {
        Some(page) => page,
        None => {
            let arguments = Arc::new(arguments);
            Loaders::of(ctx)
                .one(PageOfCourse { course, arguments })
                .await?
        }
    };
    Ok(Connection::new(page, &order, N::from))
}

/// A page's position in its list.
#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether there are more items after this page.
    pub(crate) has_next_page: bool,
    /// Whether there are more items before this page. When paging forward: whether `after` or `offset` was given.
    pub(crate) has_previous_page: bool,
    /// The cursor of the first edge. Null if the page is empty.
    pub(crate) start_cursor: Option<String>,
    /// The cursor of the last edge. Pass it as `after` to fetch the next page. Null if the page is empty, except for
    /// `changes`, where it is never null.
    pub(crate) end_cursor: Option<String>,
}

/// A node of a connection.
pub(crate) trait HasCursor: OutputType {
    /// What its cursor needs to know of the connection.
    type Cursor: Send + Sync;

    /// Its opaque cursor.
    fn cursor(&self, of: &Self::Cursor) -> String;
}

/// A GraphQL object of an item.
pub(crate) trait ItemObject: OutputType + From<<Self as ItemObject>::Row> {
    /// Its row.
    type Row: Listed;

    fn row(&self) -> &Self::Row;

    /// Loads what is selected in the nodes of a page, for all of them at once.
    fn preload(
        _conn: &mut db::Connection,
        _viewer: &Viewer,
        _selected: &Selected<'_>,
        _nodes: &[&Self],
    ) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }
}

impl<N: ItemObject> HasCursor for N {
    type Cursor = Order<N::Row>;

    fn cursor(&self, order: &Self::Cursor) -> String {
        order.cursor(self.row())
    }
}

/// An edge of a connection: a node and its cursor.
pub(crate) struct Edge<N: HasCursor> {
    node: N,
    cursor: N::Cursor,
}

/// A node and its cursor.
#[Object(
    concrete(name = "CourseEdge", params(Course)),
    concrete(name = "DocumentEdge", params(Document)),
    concrete(name = "TaskEdge", params(Task)),
    concrete(name = "ItemEdge", params(Item)),
    concrete(name = "UserEdge", params(User)),
    concrete(name = "AuditEventEdge", params(AuditEvent)),
    concrete(name = "ChangeEdge", params(Change))
)]
impl<N: HasCursor> Edge<N> {
    /// The node's opaque cursor in this list and order. Pass it as `after` or, where there is one, as `before`.
    fn cursor(&self) -> String {
        self.node.cursor(&self.cursor)
    }

    /// The node.
    fn node(&self) -> &N {
        &self.node
    }
}

fn edges<N: HasCursor>(nodes: impl IntoIterator<Item = N>, cursor: &N::Cursor) -> Vec<Edge<N>>
where
    N::Cursor: Clone,
{
    let edge = |node| Edge {
        node,
        cursor: cursor.clone(),
    };
    nodes.into_iter().map(edge).collect()
}

fn page_info<N: HasCursor>(
    edges: &[Edge<N>],
    has_next_page: bool,
    has_previous_page: bool,
) -> PageInfo {
    let cursor_of = |edge: &Edge<N>| edge.node.cursor(&edge.cursor);
    PageInfo {
        has_next_page,
        has_previous_page,
        start_cursor: edges.first().map(cursor_of),
        end_cursor: edges.last().map(cursor_of),
    }
}

/// A page of a list that can be counted.
pub(crate) struct Connection<N: HasCursor> {
    edges: Vec<Edge<N>>,
    has_next: bool,
    has_previous: bool,
    total: Option<i64>,
}

impl<N: HasCursor> Connection<N>
where
    N::Cursor: Clone,
{
    pub(crate) fn new<R>(page: Page<R>, cursor: &N::Cursor, node: impl Fn(R) -> N) -> Self {
        Connection {
            edges: edges(page.items.into_iter().map(node), cursor),
            has_next: page.has_next,
            has_previous: page.has_previous,
            total: page.total,
        }
    }
}

impl<N: HasCursor> Connection<N> {
    /// The nodes.
    pub(crate) fn all(&self) -> Vec<&N> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

/// A page of a list.
#[Object(
    concrete(name = "CourseConnection", params(Course)),
    concrete(name = "DocumentConnection", params(Document)),
    concrete(name = "TaskConnection", params(Task)),
    concrete(name = "ItemConnection", params(Item)),
    concrete(name = "UserConnection", params(User))
)]
impl<N: HasCursor> Connection<N>
where
    Edge<N>: OutputType,
{
    /// The nodes with their cursors.
    fn edges(&self) -> &[Edge<N>] {
        &self.edges
    }

    /// The nodes without their cursors.
    fn nodes(&self) -> Vec<&N> {
        self.all()
    }

    /// This page's position in the list.
    fn page_info(&self) -> PageInfo {
        page_info(&self.edges, self.has_next, self.has_previous)
    }

    /// The number of items in the whole filtered list. Counted only if selected.
    fn total_count(&self) -> Result<i32, Error> {
        let total = self
            .total
            .ok_or_else(|| Error::internal("totalCount was selected and not counted"))?;
        Ok(count(total))
    }
}

/// A page of a log: it grows while it is read, so it is not counted.
pub(crate) struct LogConnection<N: HasCursor> {
    edges: Vec<Edge<N>>,
    has_next: bool,
    has_previous: bool,
    /// Where to continue after an empty page.
    end: Option<String>,
}

impl<N: HasCursor<Cursor = ()>> LogConnection<N> {
    pub(crate) fn new<R>(page: Page<R>, end: Option<String>, node: impl Fn(R) -> N) -> Self {
        LogConnection {
            edges: edges(page.items.into_iter().map(node), &()),
            has_next: page.has_next,
            has_previous: page.has_previous,
            end,
        }
    }
}

/// A page of a log.
#[Object(
    concrete(name = "AuditEventConnection", params(AuditEvent)),
    concrete(name = "ChangeConnection", params(Change))
)]
impl<N: HasCursor> LogConnection<N>
where
    Edge<N>: OutputType,
{
    /// The nodes with their cursors.
    async fn edges(&self) -> &[Edge<N>] {
        &self.edges
    }

    /// The nodes without their cursors.
    async fn nodes(&self) -> Vec<&N> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// This page's position in the log. For `changes`, `endCursor` is never null: pass it as `after` the next time, even if
    /// the page is empty.
    async fn page_info(&self) -> PageInfo {
        let info = page_info(&self.edges, self.has_next, self.has_previous);
        PageInfo {
            end_cursor: self.end.clone().or(info.end_cursor),
            ..info
        }
    }
}

/// A count as the API writes it.
pub(crate) fn count(rows: i64) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}

/// What a caller selects of a connection, known before it is loaded.
pub(crate) struct Selected<'a> {
    /// The selected fields of its nodes, under `nodes` and `edges { node }`. A field may occur several times.
    pub(crate) fields: Vec<SelectionField<'a>>,
    /// Whether the total is selected.
    pub(crate) total: bool,
}

impl<'a> Selected<'a> {
    /// What is selected of the connection that this resolver returns.
    pub(crate) fn of(ctx: &'a Context<'a>) -> Self {
        Selected::of_connection(ctx.look_ahead().selection_fields().into_iter().next())
    }

    /// What is selected of a connection further down.
    pub(crate) fn of_connection(connection: Option<SelectionField<'a>>) -> Self {
        let mut selected = Selected {
            fields: Vec::new(),
            total: false,
        };
        for part in connection.iter().flat_map(SelectionField::selection_set) {
            match part.name() {
                "totalCount" => selected.total = true,
                "nodes" => selected.fields.extend(part.selection_set()),
                "edges" => {
                    let nodes = part.selection_set().filter(|field| field.name() == "node");
                    selected
                        .fields
                        .extend(nodes.flat_map(|node| node.selection_set().collect::<Vec<_>>()));
                }
                _ => {}
            }
        }
        selected
    }

    /// Whether a field of the nodes is selected, by the name of its column.
    fn has(&self, column: &str) -> bool {
        let is_column = |field: &str| {
            let letters = field.chars().flat_map(|letter| {
                let underscore = letter.is_uppercase().then_some('_');
                underscore.into_iter().chain(letter.to_lowercase())
            });
            letters.eq(column.chars())
        };
        self.fields.iter().any(|field| is_column(field.name()))
    }
}

/// The arguments that a selected field was given.
pub(crate) struct Given(HashMap<String, async_graphql::Value>);

impl Given {
    pub(crate) fn of(field: &SelectionField<'_>) -> Result<Self, Error> {
        let arguments = field
            .arguments()
            .map_err(|error| Error::bad_input(error.message))?;
        Ok(Given(
            arguments
                .into_iter()
                .map(|(name, value)| (name.to_string(), value))
                .collect(),
        ))
    }

    /// One argument; `None` if it is omitted or null.
    pub(crate) fn take<T: InputType>(&mut self, name: &str) -> Result<Option<T>, Error> {
        let value = Option::<T>::parse(self.0.remove(name));
        value.map_err(|error| {
            Error::bad_input(
                error
                    .into_server_error(async_graphql::Pos::default())
                    .message,
            )
        })
    }

    pub(crate) fn page(&mut self) -> Result<PageArguments, Error> {
        Ok(PageArguments {
            first: self.take("first")?,
            after: self.take("after")?,
            last: self.take("last")?,
            before: self.take("before")?,
            offset: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        courses::{self, CourseOrder, CourseOrderField},
        items::{OrderBy, OrderDirection},
    };

    fn order() -> Order<courses::Course> {
        CourseOrder {
            field: CourseOrderField::Name,
            direction: OrderDirection::Asc,
        }
        .order()
    }

    #[test]
    fn arguments_that_cannot_be_combined_are_rejected() {
        let arguments = [
            PageArguments {
                first: Some(0),
                ..Default::default()
            },
            PageArguments {
                first: Some(-1),
                ..Default::default()
            },
            PageArguments {
                first: Some(101),
                ..Default::default()
            },
            PageArguments {
                last: Some(0),
                ..Default::default()
            },
            PageArguments {
                first: Some(1),
                last: Some(1),
                ..Default::default()
            },
            PageArguments {
                offset: Some(-1),
                ..Default::default()
            },
            PageArguments {
                offset: Some(10_001),
                ..Default::default()
            },
            PageArguments {
                offset: Some(0),
                last: Some(1),
                ..Default::default()
            },
            PageArguments {
                after: Some("nonsense".to_owned()),
                ..Default::default()
            },
        ];
        for arguments in arguments {
            assert!(arguments.slice(order()).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn a_page_has_fifty_items_by_default() {
        let slice = PageArguments::default()
            .slice(order())
            .expect("the defaults are valid");
        assert_eq!((slice.size, slice.backward, slice.offset), (50, false, 0));
    }
}
