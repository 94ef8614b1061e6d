//! Pages of lists, by keyset: the rows behind a position of the order, found in an index, not counted off.
//!
//! One statement answers a page, or one page for each of several parents (LATERAL: measured 1.6 times faster than a
//! window function and 2.1 times faster than json_agg), with the total where it is asked for. The total is counted once per
//! parent, before the page is joined: as a column beside the page's rows PostgreSQL counted it again for each row (100 rows
//! of 50,000: 1,237 ms, now 13 ms). The nouns say what their lists are ([`List`]); `graphql::page` turns arguments into a
//! [`Slice`] and positions into cursors.

use std::{borrow::Borrow, collections::HashMap};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use derive_where::derive_where;
use uuid::Uuid;

use super::{
    Connection, Load, Statement,
    current::{self, Source},
};
use crate::error::Error;

/// What a list of `T` sorts by. The id breaks ties, in the same direction.
#[derive_where(Clone, Copy)]
pub(crate) struct SortKey<T> {
    /// Names list and key in cursors, e.g. `task.due`.
    name: &'static str,
    kind: KeyKind,
    /// The key in SQL; never null. An index on (user, status, this, id) makes the order cheap.
    expression: &'static str,
    /// The key and the id of a row.
    position: fn(&T) -> Position,
}

impl<T> SortKey<T> {
    /// A key whose values are times.
    pub(crate) const fn time(
        name: &'static str,
        expression: &'static str,
        position: fn(&T) -> Position,
    ) -> Self {
        Self::new(name, KeyKind::Time, expression, position)
    }

    /// A key whose values are text.
    pub(crate) const fn text(
        name: &'static str,
        expression: &'static str,
        position: fn(&T) -> Position,
    ) -> Self {
        Self::new(name, KeyKind::Text, expression, position)
    }

    /// A key whose values are small numbers.
    pub(crate) const fn number(
        name: &'static str,
        expression: &'static str,
        position: fn(&T) -> Position,
    ) -> Self {
        Self::new(name, KeyKind::Number, expression, position)
    }

    const fn new(
        name: &'static str,
        kind: KeyKind,
        expression: &'static str,
        position: fn(&T) -> Position,
    ) -> Self {
        SortKey {
            name,
            kind,
            expression,
            position,
        }
    }
}

/// The values of a sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum KeyKind {
    /// Moments, as RFC 3339 to the microsecond, or `infinity` or `-infinity`.
    Time,
    /// Text, in the column's collation.
    Text,
    /// Small numbers.
    Number,
}

/// An order of a list of `T`: a key and a direction.
#[derive_where(Clone, Copy)]
pub(crate) struct Order<T> {
    pub(crate) key: SortKey<T>,
    pub(crate) descending: bool,
}

/// The position of one row in an order.
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
    /// The page after some position, of rows of which there is one more than `size` if there are more.
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

    /// The page without the one row too many, which tells whether there are more.
    pub(crate) fn trimmed(mut items: Vec<T>, total: Option<i64>, slice: &Slice) -> Self {
        let size = usize::try_from(slice.size).unwrap_or(0);
        let more = items.len() > size;
        items.truncate(size);
        if slice.backward {
            items.reverse();
        }
        let forward = !slice.backward;
        Page {
            items,
            total,
            has_next: if forward {
                more
            } else {
                slice.before.is_some()
            },
            has_previous: if forward {
                slice.after.is_some() || slice.offset > 0
            } else {
                more
            },
        }
    }
}

/// A list of one owner's rows.
pub(crate) trait List: Sync {
    /// The row of the list.
    type Item: Send;
    /// [`PageRow`] of it.
    type Row: Load + Borrow<PageRow<Self::Item>> + Into<PageRow<Self::Item>>;

    /// The table that it lists.
    fn table() -> &'static str;
    /// Writes the columns of the row, comma-separated, in the order of the row's fields.
    fn columns(&self, statement: &mut Statement<Self::Row>, source: Source);
    /// Writes ` AND …` for each condition that rows must meet, except for the owner's, which is written already.
    fn conditions(&self, statement: &mut Statement<Self::Row>, owner: Uuid);
    /// The order that it is in.
    fn order(&self) -> Order<Self::Item>;
}

/// Parent, total, whether an operation of the owner is pending, row. A parent without rows has one without an item.
pub(crate) type PageRow<T> = (Option<Uuid>, Option<i64>, bool, Option<T>);

/// One page of the owner's list.
pub(crate) async fn page<L: List>(
    conn: &mut Connection,
    owner: Uuid,
    list: &L,
    slice: &Slice,
    count: bool,
) -> Result<Page<L::Item>, Error> {
    let statement = |source| page_statement(owner, None, list, slice, count, source);
    let mut pages: Loaded<L::Item> = load(conn, statement).await?;
    let (items, total) = pages.remove(&None).unwrap_or_default();
    Ok(Page::trimmed(items, total, slice))
}

/// One page of the owner's list for each of the parents, by the parent's id: rows whose `course_id` it is.
pub(crate) async fn pages_of_courses<L: List>(
    conn: &mut Connection,
    owner: Uuid,
    courses: Vec<Uuid>,
    list: &L,
    slice: &Slice,
    count: bool,
) -> Result<HashMap<Uuid, Page<L::Item>>, Error> {
    let statement = |source| page_statement(owner, Some(&courses), list, slice, count, source);
    let pages: Loaded<L::Item> = load(conn, statement).await?;
    let by_course = pages
        .into_iter()
        .filter_map(|(course, (items, total))| Some((course?, Page::trimmed(items, total, slice))));
    Ok(by_course.collect())
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

/// `SELECT parent, total, pending, row FROM parents LEFT JOIN LATERAL (one page)`; without parents there is one, NULL.
/// `OFFSET 0` keeps the planner from counting after it has joined the page.
fn page_statement<L: List>(
    owner: Uuid,
    courses: Option<&[Uuid]>,
    list: &L,
    slice: &Slice,
    count: bool,
    source: Source,
) -> Statement<L::Row> {
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
    statement: &mut Statement<L::Row>,
    owner: Uuid,
    nested: bool,
    list: &L,
    source: Source,
) {
    statement
        .sql(" FROM ")
        .sql(source.prefix())
        .sql(L::table())
        .sql(" AS listed WHERE user_id = ")
        .value(owner);
    if nested {
        statement.sql(" AND course_id = parent.id");
    }
    list.conditions(statement, owner);
}

/// The bounds, the order and the length of a page. One row more than asked for tells whether there are more.
fn between<R, T>(statement: &mut Statement<R>, order: Order<T>, slice: &Slice) {
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

impl<T> Order<T> {
    /// The opaque cursor of a row. It names its order, so that a cursor of another list or order is recognised.
    pub(crate) fn cursor(self, row: &T) -> String {
        self.encode(&(self.key.position)(row))
    }

    fn encode(self, position: &Position) -> String {
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

impl Position {
    /// The position of a row whose key is a time.
    pub(crate) fn at_time(time: chrono::DateTime<chrono::Utc>, id: Uuid) -> Position {
        let key = time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        Position { key, id }
    }

    /// The position of a row with another key.
    pub(crate) fn of(key: impl Into<String>, id: Uuid) -> Position {
        let key = key.into();
        Position { key, id }
    }
}

#[cfg(test)]
mod tests;
