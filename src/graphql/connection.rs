//! Connections: a page of rows becomes edges, nodes, cursors and page info.
//!
//! [`Connection`] is a page of a list with a total count. [`LogConnection`] is a page of a log, which grows while clients
//! read it and is not counted. What a node's cursor contains is defined by [`HasCursor`].

use async_graphql::{Object, OutputType, SimpleObject};

use super::{
    audit::AuditEvent, changes::Change, course::Course, document::Document, lookahead::Lookahead,
    node::Item, tag::Tag, task::Task, user::User,
};
use crate::{
    auth::Viewer,
    db::{
        self,
        keyset::{Order, Page},
    },
    error::Error,
    items::Listed,
};

/// The position of a page in its list.
#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether there are more items after this page. When paging backward, this is true if `before` was given.
    pub(crate) has_next_page: bool,
    /// Whether there are more items before this page. When paging forward, this is true if `after` or a positive `offset` was
    /// given.
    pub(crate) has_previous_page: bool,
    /// The cursor of the first edge. Null if the page is empty.
    pub(crate) start_cursor: Option<String>,
    /// The cursor of the last edge. Pass it as `after` to fetch the next page. Null if the page is empty, except in `changes`,
    /// where it is never null.
    pub(crate) end_cursor: Option<String>,
}

/// A node of a connection.
pub(crate) trait HasCursor: OutputType {
    /// The order of the list, if the cursor depends on it.
    type Order: Send + Sync;

    /// The node's opaque cursor.
    fn cursor(&self, order: &Self::Order) -> String;
}

/// The GraphQL object of an item.
pub(crate) trait ItemObject: OutputType + From<<Self as ItemObject>::Row> {
    /// The item's row.
    type Row: Listed;

    /// The row of this object.
    fn row(&self) -> &Self::Row;

    /// Loads what is selected in the nodes of a page, for all of them at once.
    fn preload(
        _conn: &mut db::Connection,
        _viewer: &Viewer,
        _lookahead: &Lookahead,
        _nodes: &[&Self],
    ) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }
}

impl<N: ItemObject> HasCursor for N {
    type Order = Order<N::Row>;

    fn cursor(&self, order: &Self::Order) -> String {
        order.cursor(self.row())
    }
}

/// An edge of a connection.
pub(crate) struct Edge<N: HasCursor> {
    node: N,
    order: N::Order,
}

/// A node and its cursor.
#[Object(
    concrete(name = "CourseEdge", params(Course)),
    concrete(name = "DocumentEdge", params(Document)),
    concrete(name = "TaskEdge", params(Task)),
    concrete(name = "TagEdge", params(Tag)),
    concrete(name = "ItemEdge", params(Item)),
    concrete(name = "UserEdge", params(User)),
    concrete(name = "AuditEventEdge", params(AuditEvent)),
    concrete(name = "ChangeEdge", params(Change))
)]
impl<N: HasCursor> Edge<N> {
    /// The node's opaque cursor in this list and order. Pass it as `after`, or as `before` if the list has that argument.
    fn cursor(&self) -> String {
        self.node.cursor(&self.order)
    }

    /// The node.
    fn node(&self) -> &N {
        &self.node
    }
}

fn edges<N: HasCursor>(nodes: impl IntoIterator<Item = N>, order: &N::Order) -> Vec<Edge<N>>
where
    N::Order: Clone,
{
    let edge = |node| Edge {
        node,
        order: order.clone(),
    };
    nodes.into_iter().map(edge).collect()
}

fn page_info<N: HasCursor>(
    edges: &[Edge<N>],
    has_next_page: bool,
    has_previous_page: bool,
) -> PageInfo {
    let cursor_of = |edge: &Edge<N>| edge.node.cursor(&edge.order);
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
    N::Order: Clone,
{
    /// The connection of a page of rows. `node` makes the object of a row.
    pub(crate) fn new<R>(page: Page<R>, order: &N::Order, node: impl Fn(R) -> N) -> Self {
        Connection {
            edges: edges(page.items.into_iter().map(node), order),
            has_next: page.has_next,
            has_previous: page.has_previous,
            total: page.total,
        }
    }
}

impl<N: HasCursor> Connection<N> {
    /// All nodes of the page.
    pub(crate) fn all(&self) -> Vec<&N> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

/// A page of a list.
#[Object(
    concrete(name = "CourseConnection", params(Course)),
    concrete(name = "DocumentConnection", params(Document)),
    concrete(name = "TaskConnection", params(Task)),
    concrete(name = "TagConnection", params(Tag)),
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

    /// The position of this page in the list.
    fn page_info(&self) -> PageInfo {
        page_info(&self.edges, self.has_next, self.has_previous)
    }

    /// The number of items on all pages of the filtered list. Counted only if selected.
    fn total_count(&self) -> Result<i32, Error> {
        let total = self
            .total
            .ok_or_else(|| Error::internal("totalCount was selected and not counted"))?;
        Ok(count(total))
    }
}

/// A page of a log.
pub(crate) struct LogConnection<N: HasCursor> {
    edges: Vec<Edge<N>>,
    has_next: bool,
    has_previous: bool,
    /// Where to continue after an empty page.
    end: Option<String>,
}

impl<N: HasCursor<Order = ()>> LogConnection<N> {
    /// The connection of a page of events. `end` replaces the cursor of the last edge in the page info.
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

    /// The position of this page in the log.
    async fn page_info(&self) -> PageInfo {
        let info = page_info(&self.edges, self.has_next, self.has_previous);
        PageInfo {
            end_cursor: self.end.clone().or(info.end_cursor),
            ..info
        }
    }
}

/// A count as a GraphQL `Int`.
pub(crate) fn count(rows: i64) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}
