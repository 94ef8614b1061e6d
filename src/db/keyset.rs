//! Pages of lists, by keyset: the rows behind a position of the order, found in an index, not counted off.
//!
//! One statement answers a page, or one page for each of several parents (LATERAL: measured 1.6 times faster than a
//! window function and 2.1 times faster than json_agg), with the total where it is asked for. The total is counted once per
//! parent, before the page is joined: as a column beside the page's rows PostgreSQL counted it again for each row (100 rows
//! of 50,000: 1,237 ms, now 13 ms). The nouns say what their lists are ([`List`]); `graphql::page` turns arguments into a
//! [`Slice`] and positions into cursors.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use diesel::sql_types::{BigInt, Bool, Nullable};
use diesel_async::{AsyncPgConnection, methods::LoadQuery};
use uuid::Uuid;

use super::{
    Connection, Row, Statement,
    current::{self, Source},
};
use crate::error::Error;

/// What a list sorts by. The id breaks ties, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SortKey {
    /// Names list and key in cursors, e.g. `task.due`.
    pub(crate) name: &'static str,
    /// What its values are.
    pub(crate) kind: KeyKind,
    /// The key in SQL; never null. An index on (user, status, this, id) makes the order cheap.
    pub(crate) expression: &'static str,
}

/// What values a sort key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum KeyKind {
    /// Moments, as RFC 3339 to the microsecond, or `infinity` or `-infinity`.
    Time,
    /// Text, in the column's collation.
    Text,
    /// Small numbers.
    Number,
}

/// An order: a key and a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Order {
    pub(crate) key: SortKey,
    pub(crate) descending: bool,
}

/// The place of one row in an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    /// The row's sort key as text.
    pub(crate) key: String,
    pub(crate) id: Uuid,
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Slice {
    /// Rows at most.
    pub(crate) size: i64,
    /// Whether the rows are the last of the range, not the first.
    pub(crate) backward: bool,
    /// Only rows behind this position.
    pub(crate) after: Option<Position>,
    /// Only rows before this position.
    pub(crate) before: Option<Position>,
    /// Rows to pass over first.
    pub(crate) offset: i64,
}

/// A part of a list, in the list's order.
#[derive(Debug, Clone)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// How many the whole filtered list has; `None` where nobody asked.
    pub(crate) total: Option<i64>,
    pub(crate) has_next: bool,
    pub(crate) has_previous: bool,
}

impl<T> Page<T> {
    fn empty() -> Self {
        Page {
            items: Vec::new(),
            total: None,
            has_next: false,
            has_previous: false,
        }
    }
}

/// A list of one person's rows.
pub(crate) trait List {
    /// The row of the list.
    type Item: Row;
    /// The table that it lists.
    const TABLE: &'static str;

    /// Writes the columns of the row, comma-separated, in the order of the row's fields.
    fn columns(&self, statement: &mut Statement<PageRow<Self::Item>>, source: Source);
    /// Writes ` AND …` for each condition that rows must meet, the owner's apart: that is written already.
    fn conditions(&self, statement: &mut Statement<PageRow<Self::Item>>, owner: Uuid);
    /// The order that it is in.
    fn order(&self) -> Order;
}

/// Parent, total, whether an operation of the owner is pending, row: a parent without rows has one with none.
pub(crate) type PageRow<R> = (Option<Uuid>, Option<i64>, bool, Option<R>);

impl<R: Row> Row for PageRow<R> {
    type Sql = (
        Nullable<diesel::sql_types::Uuid>,
        Nullable<BigInt>,
        Bool,
        Nullable<R::Sql>,
    );
}

/// One page of the owner's list.
pub(crate) async fn page<L>(
    conn: &mut Connection,
    owner: Uuid,
    list: &L,
    slice: &Slice,
    count: bool,
) -> Result<Page<L::Item>, Error>
where
    L: List,
    L::Item: Send,
    for<'query> Statement<PageRow<L::Item>>: LoadQuery<'query, AsyncPgConnection, PageRow<L::Item>>,
{
    let statement = |source| page_statement(owner, None, list, slice, count, source);
    let rows = current::read(conn, statement, |(_, _, pending, _)| *pending);
    let mut page = Page::empty();
    for (_, total, _, item) in rows.await? {
        page.total = total;
        page.items.extend(item);
    }
    Ok(trimmed(page, slice))
}

/// One page of the owner's list for each of the parents, by the parent's id: rows whose `course_id` it is.
pub(crate) async fn pages_of_courses<L>(
    conn: &mut Connection,
    owner: Uuid,
    courses: Vec<Uuid>,
    list: &L,
    slice: &Slice,
    count: bool,
) -> Result<HashMap<Uuid, Page<L::Item>>, Error>
where
    L: List,
    L::Item: Send,
    for<'query> Statement<PageRow<L::Item>>: LoadQuery<'query, AsyncPgConnection, PageRow<L::Item>>,
{
    let mut pages: HashMap<Uuid, Page<L::Item>> =
        courses.iter().map(|id| (*id, Page::empty())).collect();
    let statement = |source| page_statement(owner, Some(&courses), list, slice, count, source);
    let rows = current::read(conn, statement, |(_, _, pending, _)| *pending);
    for (parent, total, _, item) in rows.await? {
        let Some(page) = parent.and_then(|parent| pages.get_mut(&parent)) else {
            continue;
        };
        page.total = total;
        page.items.extend(item);
    }
    Ok(pages
        .into_iter()
        .map(|(parent, page)| (parent, trimmed(page, slice)))
        .collect())
}

/// `SELECT parent, total, pending, row FROM parents LEFT JOIN LATERAL (one page)`; without parents there is one, NULL.
/// `OFFSET 0` keeps the planner from counting after it has joined the page.
fn page_statement<L: List>(
    owner: Uuid,
    courses: Option<&[Uuid]>,
    list: &L,
    slice: &Slice,
    count: bool,
    source: Source,
) -> Statement<PageRow<L::Item>> {
    let nested = courses.is_some();
    let mut statement = Statement::new(
        "SELECT parent.id, parent.total, EXISTS (SELECT FROM pending_operations WHERE user_id = ",
    );
    statement.value(owner).sql("), item.* FROM (SELECT id, ");
    if count {
        statement.sql("(SELECT count(*)");
        rows_of(&mut statement, owner, nested, list, source);
        statement.sql(") AS total FROM ");
    } else {
        statement.sql("NULL::bigint AS total FROM ");
    }
    match courses {
        Some(courses) => statement.sql("unnest(").value(courses.to_vec()).sql(")"),
        None => statement.sql("(VALUES (NULL::uuid))"),
    };
    statement.sql(" AS parent (id) OFFSET 0) AS parent LEFT JOIN LATERAL (SELECT ");
    list.columns(&mut statement, source);
    rows_of(&mut statement, owner, nested, list, source);
    between(&mut statement, list.order(), slice);
    statement.sql(") AS item ON true");
    statement
}

fn rows_of<L: List>(
    statement: &mut Statement<PageRow<L::Item>>,
    owner: Uuid,
    nested: bool,
    list: &L,
    source: Source,
) {
    statement
        .sql(" FROM ")
        .sql(source.prefix())
        .sql(L::TABLE)
        .sql(" AS listed WHERE user_id = ")
        .value(owner);
    if nested {
        statement.sql(" AND course_id = parent.id");
    }
    list.conditions(statement, owner);
}

/// The bounds, the order and the length of a page. One row more than asked for tells whether there are more.
fn between<R>(statement: &mut Statement<R>, order: Order, slice: &Slice) {
    let expression = order.key.expression;
    let cast = match order.key.kind {
        KeyKind::Time => "::timestamptz",
        KeyKind::Text => "",
        KeyKind::Number => "::smallint",
    };
    let bounds = [
        (&slice.after, order.descending),
        (&slice.before, !order.descending),
    ];
    for (position, below) in bounds {
        let Some(position) = position else { continue };
        let comparison = if below { "<" } else { ">" };
        statement
            .sql(" AND (")
            .sql(expression)
            .sql(", id) ")
            .sql(comparison)
            .sql(" (");
        statement
            .value(position.key.as_str())
            .sql(cast)
            .sql(", ")
            .value(position.id)
            .sql(")");
    }
    let direction = if order.descending != slice.backward {
        " DESC"
    } else {
        " ASC"
    };
    statement
        .sql(" ORDER BY ")
        .sql(expression)
        .sql(direction)
        .sql(", id")
        .sql(direction);
    statement.sql(" LIMIT ").value(slice.size + 1);
    if slice.offset > 0 {
        statement.sql(" OFFSET ").value(slice.offset);
    }
}

/// Without the one row too many, which tells whether there are more.
pub(crate) fn trimmed<T>(mut page: Page<T>, slice: &Slice) -> Page<T> {
    let size = usize::try_from(slice.size).unwrap_or(0);
    let more = page.items.len() > size;
    page.items.truncate(size);
    if slice.backward {
        page.items.reverse();
        page.has_previous = more;
        page.has_next = slice.before.is_some();
    } else {
        page.has_next = more;
        page.has_previous = slice.after.is_some() || slice.offset > 0;
    }
    page
}

impl Order {
    /// The opaque cursor of a position: it names its order, so that it can be told from another list's.
    pub(crate) fn cursor(self, position: &Position) -> String {
        let direction = if self.descending { '-' } else { '+' };
        let id = position.id.simple();
        URL_SAFE_NO_PAD.encode(format!("{}{direction}{id}{}", self.key.name, position.key))
    }

    /// The position that a cursor of this order names; `None` if it is no cursor, or another order's.
    pub(crate) fn position(self, cursor: &str) -> Option<Position> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let rest = text.strip_prefix(self.key.name)?;
        let rest = rest.strip_prefix(if self.descending { '-' } else { '+' })?;
        let (id, key) = rest.split_at_checked(32)?;
        let position = Position {
            key: key.to_owned(),
            id: Uuid::try_parse(id).ok()?,
        };
        self.key.kind.holds(&position.key).then_some(position)
    }
}

impl KeyKind {
    /// Whether PostgreSQL can read that text as such a value.
    fn holds(self, key: &str) -> bool {
        match self {
            KeyKind::Time => {
                matches!(key, "infinity" | "-infinity")
                    || (key.len() <= 40 && chrono::DateTime::parse_from_rfc3339(key).is_ok())
            }
            KeyKind::Text => !key.contains('\0'),
            KeyKind::Number => key.parse::<i16>().is_ok(),
        }
    }
}

/// A moment as a position's key.
pub(crate) fn time_key(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: SortKey = SortKey {
        name: "task.created",
        kind: KeyKind::Time,
        expression: "created_at",
    };
    const TITLE: SortKey = SortKey {
        name: "task.title",
        kind: KeyKind::Text,
        expression: "title",
    };

    #[test]
    fn a_cursor_is_bound_to_its_order() {
        let order = Order {
            key: TITLE,
            descending: true,
        };
        let position = Position {
            key: "Übung – 1".to_owned(),
            id: Uuid::from_u128(7),
        };
        let cursor = order.cursor(&position);
        assert_eq!(order.position(&cursor), Some(position));
        assert_eq!(
            Order {
                key: TITLE,
                descending: false
            }
            .position(&cursor),
            None
        );
        assert_eq!(
            Order {
                key: CREATED,
                descending: true
            }
            .position(&cursor),
            None
        );
    }

    #[test]
    fn what_is_no_cursor_is_told() {
        let order = Order {
            key: CREATED,
            descending: true,
        };
        let forged = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let id = "00000000000000000000000000000007";
        for cursor in [
            "",
            "!",
            "AAAA",
            &forged("task.created-"),
            &forged(&format!("task.created-{id}soon")),
        ] {
            assert_eq!(order.position(cursor), None, "{cursor}");
        }
        assert!(
            order
                .position(&forged(&format!("task.created-{id}infinity")))
                .is_some()
        );
        let text = Order {
            key: TITLE,
            descending: false,
        };
        assert_eq!(
            text.position(&forged(&format!("task.title+{id}a\0b"))),
            None
        );
    }
}
