//! Connections: how arguments become part of a list, and a part of a list becomes edges, nodes and cursors.

use std::collections::HashMap;

use async_graphql::{Context, Enum, InputType, Object, OutputType, SelectionField, SimpleObject};

use super::{course::Course, document::Document, node::Item, task::Task, user::User};
use crate::{
    db::keyset::{Order, Page, Slice},
    error::Error,
};

/// The page's size if `first` and `last` are left out.
pub(super) const DEFAULT_SIZE: i32 = 50;
/// The page's size at most.
pub(super) const MOST_SIZE: i32 = 100;
/// Rows that `offset` passes over at most.
const MOST_OFFSET: i32 = 10_000;

/// Which way a list is sorted.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderDirection {
    /// Smallest, oldest or first in the alphabet first.
    Asc,
    /// Largest, newest or last in the alphabet first.
    Desc,
}

impl OrderDirection {
    pub(crate) fn is_descending(self) -> bool {
        self == OrderDirection::Desc
    }
}

/// The arguments by which a caller says which part of a list it wants.
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
    /// BAD_USER_INPUT if an argument is out of range, is of another list's order, or does not go with another.
    pub(crate) fn slice(&self, order: Order) -> Result<Slice, Error> {
        let size = self.size()?;
        let offset = self.offset.unwrap_or(0);
        if !(0..=MOST_OFFSET).contains(&offset) {
            return Err(Error::bad_input(format!(
                "offset must be between 0 and {MOST_OFFSET}."
            )));
        }
        if self.offset.is_some()
            && (self.last.is_some() || self.after.is_some() || self.before.is_some())
        {
            return Err(Error::bad_input(
                "offset goes with first alone, not with after, last or before.",
            ));
        }
        let position = |name: &str, cursor: &Option<String>| match cursor {
            None => Ok(None),
            Some(cursor) => match order.position(cursor) {
                Some(position) => Ok(Some(position)),
                None => Err(Error::bad_input(format!(
                    "{name} must be a cursor of this list in this order."
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

    /// How many rows are wanted at most.
    ///
    /// # Errors
    /// BAD_USER_INPUT if it is out of range, or said twice.
    pub(crate) fn size(&self) -> Result<i32, Error> {
        if self.first.is_some() && self.last.is_some() {
            return Err(Error::bad_input("first and last do not go together."));
        }
        let (name, size) = match self.last {
            Some(last) => ("last", last),
            None => ("first", self.first.unwrap_or(DEFAULT_SIZE)),
        };
        if (1..=MOST_SIZE).contains(&size) {
            return Ok(size);
        }
        Err(Error::bad_input(format!(
            "{name} must be between 1 and {MOST_SIZE}."
        )))
    }
}

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether there are more behind this page.
    pub(crate) has_next_page: bool,
    /// Whether there are more before this page. Paging forward it is told by the cursor or the offset that was given.
    pub(crate) has_previous_page: bool,
    /// The first edge's cursor; null on an empty page.
    pub(crate) start_cursor: Option<String>,
    /// The last edge's cursor; null on an empty page, but of `changes`, where it is never null. Give it as `after` to read
    /// on.
    pub(crate) end_cursor: Option<String>,
}

/// What can stand in a list.
pub(crate) trait Listed: OutputType {
    /// How its lists are sorted.
    type Order: Copy + Send + Sync;

    /// The cursor of this node in a list of that order.
    fn cursor(&self, order: Self::Order) -> String;
}

/// An edge: a node and its place in the list.
pub(crate) struct Edge<N: Listed> {
    node: N,
    order: N::Order,
}

/// A node of the list, with its place.
#[Object(
    concrete(name = "CourseEdge", params(Course)),
    concrete(name = "DocumentEdge", params(Document)),
    concrete(name = "TaskEdge", params(Task)),
    concrete(name = "ItemEdge", params(Item)),
    concrete(name = "UserEdge", params(User))
)]
impl<N: Listed> Edge<N> {
    /// Its place in this list and order; opaque. Give it as `after` or `before`.
    fn cursor(&self) -> String {
        self.node.cursor(self.order)
    }

    /// The node.
    fn node(&self) -> &N {
        &self.node
    }
}

/// A page of a list.
pub(crate) struct Connection<N: Listed> {
    edges: Vec<Edge<N>>,
    has_next: bool,
    has_previous: bool,
    total: Option<i64>,
}

impl<N: Listed> Connection<N> {
    pub(crate) fn new<R>(page: Page<R>, order: N::Order, node: impl Fn(R) -> N) -> Self {
        let edges = page
            .items
            .into_iter()
            .map(|row| Edge {
                node: node(row),
                order,
            })
            .collect();
        Connection {
            edges,
            has_next: page.has_next,
            has_previous: page.has_previous,
            total: page.total,
        }
    }

    /// The nodes, before they are answered.
    pub(crate) fn nodes_now(&self) -> Vec<&N> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    fn cursor_of(edge: Option<&Edge<N>>) -> Option<String> {
        edge.map(|edge| edge.node.cursor(edge.order))
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
impl<N: Listed> Connection<N>
where
    Edge<N>: OutputType,
{
    /// The nodes with their cursors.
    fn edges(&self) -> &[Edge<N>] {
        &self.edges
    }

    /// The nodes alone.
    fn nodes(&self) -> Vec<&N> {
        self.nodes_now()
    }

    /// Where this page stands in its list.
    fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: self.has_previous,
            start_cursor: Self::cursor_of(self.edges.first()),
            end_cursor: Self::cursor_of(self.edges.last()),
        }
    }

    /// How many the whole list has, with this filter. Counted only when asked for.
    fn total_count(&self) -> Result<i32, Error> {
        let total = self
            .total
            .ok_or_else(|| Error::internal("a total was asked for and not counted"))?;
        Ok(count(total))
    }
}

/// A count as the API writes it.
pub(crate) fn count(rows: i64) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}

/// What a caller selects of a connection, seen before it is loaded.
pub(crate) struct Selected<'a> {
    /// The selected fields of its nodes, under `nodes` and under `edges { node }`; one may be there several times.
    pub(crate) fields: Vec<SelectionField<'a>>,
    /// Whether the total is asked for.
    pub(crate) total: bool,
}

impl<'a> Selected<'a> {
    /// What is selected of the connection that this resolver answers.
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

    /// Whether a field of the nodes is asked for.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name() == name)
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

    /// One argument; `None` if it was left out or is null.
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
    use crate::courses::{CourseOrder, CourseSortKey};

    fn order() -> Order {
        CourseOrder {
            key: CourseSortKey::Name,
            descending: false,
        }
        .into()
    }

    #[test]
    fn what_cannot_go_together_is_refused() {
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
    fn fifty_come_if_nothing_is_said() {
        let slice = PageArguments::default()
            .slice(order())
            .expect("nothing is wrong with nothing");
        assert_eq!((slice.size, slice.backward, slice.offset), (50, false, 0));
    }
}
