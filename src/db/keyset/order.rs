//! Orders of lists: by one to three keys, each ascending or descending, and then by id. A position in an order is the keys of a
//! row, and a cursor is the text of a position.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use derive_where::derive_where;
use uuid::Uuid;

use super::Slice;
use crate::db::{Statement, cursor};

/// Maximum number of keys of an order.
pub(crate) const MAX_KEYS: usize = 3;

/// A row of a list.
pub(crate) trait Keyed {
    /// Breaks ties between rows with equal sort keys.
    fn id(&self) -> Uuid;
}

/// A key by which a list of `T` can be sorted.
#[derive_where(Clone, Copy)]
pub(crate) struct SortKey<T> {
    /// Identifies the list and the key in cursors, e.g. `task.due`.
    pub(crate) name: &'static str,
    /// The key in SQL; never null. If the key is not nullable, an index on (user, status, this, id) makes an order by it cheap.
    expression: &'static str,
    /// For a nullable key, its value in SQL. An index on (user, status, this, id) makes an order by it cheap, in both directions.
    nullable: Option<&'static str>,
    value: KeyValue<T>,
}

/// The value of a row's sort key, by its type.
#[derive_where(Clone, Copy)]
pub(crate) enum KeyValue<T> {
    /// A time. Cursors have it as RFC 3339 to the microsecond.
    Time(fn(&T) -> DateTime<Utc>),
    /// A time. The text replaces a missing one: `infinity` or `-infinity`.
    TimeOr(&'static str, fn(&T) -> Option<DateTime<Utc>>),
    /// Text without U+0000, in the column's collation.
    Text(fn(&T) -> &str),
    /// As [`Text`](Self::Text). The first text replaces a missing one.
    TextOr(&'static str, fn(&T) -> Option<&str>),
    /// A small number.
    Number(fn(&T) -> i16),
}

impl<T> SortKey<T> {
    pub(crate) const fn new(
        name: &'static str,
        expression: &'static str,
        value: KeyValue<T>,
    ) -> Self {
        SortKey {
            name,
            expression,
            nullable: None,
            value,
        }
    }

    /// A key that may be null. `expression`: the value, or what stands for null.
    pub(crate) const fn nullable(
        name: &'static str,
        nullable: &'static str,
        expression: &'static str,
        value: KeyValue<T>,
    ) -> Self {
        SortKey {
            nullable: Some(nullable),
            ..SortKey::new(name, expression, value)
        }
    }
}

/// A key and its direction.
#[derive_where(Clone, Copy)]
pub(crate) struct Sorted<T> {
    pub(crate) key: SortKey<T>,
    pub(crate) descending: bool,
}

/// An order of a list of `T`. The id breaks ties, in the direction of the last key.
#[derive_where(Clone, Copy)]
pub(crate) struct Order<T> {
    keys: [Option<Sorted<T>>; MAX_KEYS],
}

/// The position of one row in an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    /// The row's sort keys as text.
    pub(crate) keys: Vec<String>,
    pub(crate) id: Uuid,
}

/// A side of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// A part of a list. If the first key is nullable, rows without it come last in both directions, so no index has the whole order.
/// An index on the key has the order of each of the two parts: forward in one direction, and backward in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All rows.
    Whole,
    /// The rows with the first key.
    Present,
    /// The rows whose first key is null.
    Absent,
}

impl<T> Order<T> {
    /// The order by one key.
    pub(crate) const fn by(key: SortKey<T>, descending: bool) -> Self {
        Order {
            keys: [Some(Sorted { key, descending }), None, None],
        }
    }

    /// The order by these keys: the first decides, and each of the next between rows that are equal so far. Keys beyond
    /// [`MAX_KEYS`] are ignored.
    pub(crate) fn by_all(keys: impl IntoIterator<Item = Sorted<T>>) -> Self {
        let mut keys = keys.into_iter();
        Order {
            keys: std::array::from_fn(|_| keys.next()),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &Sorted<T>> {
        self.keys.iter().flatten()
    }

    /// The value of the first key in SQL, if it may be null.
    fn nullable(&self) -> Option<&'static str> {
        self.keys().next()?.key.nullable
    }

    /// Whether a position is among the rows whose first key is null.
    fn is_absent(&self, position: &Position) -> bool {
        let first = self.keys().zip(&position.keys).next();
        first.is_some_and(|(sorted, key)| sorted.key.value.stands_for_null(key))
    }

    /// The parts that rows of a range can be in, in the order in which they are read.
    pub(super) fn parts(&self, slice: &Slice) -> Vec<Part> {
        let mut parts = Vec::with_capacity(2);
        if self.nullable().is_some() {
            let is_absent =
                |position: &Option<Position>| position.as_ref().map(|it| self.is_absent(it));
            if is_absent(&slice.after) != Some(true) {
                parts.push(Part::Present);
            }
            if is_absent(&slice.before) != Some(false) {
                parts.push(Part::Absent);
            }
        }
        if parts.is_empty() {
            parts.push(Part::Whole);
        }
        if slice.backward {
            parts.reverse();
        }
        parts
    }

    /// Writes ` AND …`: the condition that rows are in a part.
    pub(super) fn write_part<R>(&self, statement: &mut Statement<R>, part: Part) {
        let condition = match part {
            Part::Whole => return,
            Part::Present => " IS NOT NULL",
            Part::Absent => " IS NULL",
        };
        if let Some(first) = self.nullable() {
            statement.sql(" AND ").sql(first).sql(condition);
        }
    }

    /// The SQL of a key at this place in the order, within a part.
    fn expression(&self, at: usize, sorted: &Sorted<T>, part: Part) -> &'static str {
        match sorted.key.nullable {
            Some(nullable) if at == 0 && part != Part::Whole => nullable,
            _ => sorted.key.expression,
        }
    }

    /// Writes ` ORDER BY …`. In a part without the first key, it names that key too, so that the index has the order.
    pub(super) fn write<R>(&self, statement: &mut Statement<R>, backward: bool, part: Part) {
        statement.sql(" ORDER BY ");
        let mut direction = " ASC";
        for (at, sorted) in self.keys().enumerate() {
            direction = match sorted.descending != backward {
                true => " DESC",
                false => " ASC",
            };
            statement.sql(self.expression(at, sorted, part));
            statement.sql(direction).sql(", ");
        }
        statement.sql("id").sql(direction);
    }

    /// Writes ` AND …`: the condition that rows of a part are on this side of a position. If the position is in the other part, they
    /// all are.
    ///
    /// Keys in the same direction are compared as one row, which an index of the order finds at once. If directions differ, the
    /// first keys limit the range that is read, and the next ones are compared where the first are equal.
    pub(super) fn write_bound<R>(
        &self,
        statement: &mut Statement<R>,
        (position, side): (&Position, Side),
        part: Part,
    ) {
        if part != Part::Whole && (part == Part::Absent) != self.is_absent(position) {
            return;
        }
        statement.sql(" AND ");
        let compared = self.compared(statement, position, part);
        let mut runs = compared
            .chunk_by(|one, next| one.descending == next.descending)
            .peekable();
        let mut open = 0;
        while let Some(run) = runs.next() {
            let list =
                |of: fn(&Compared) -> &str| run.iter().map(of).collect::<Vec<_>>().join(", ");
            let (columns, values) = (list(|it| it.expression), list(|it| &it.value));
            let descending = run.iter().any(|it| it.descending);
            let sign = match descending == (side == Side::After) {
                true => "<",
                false => ">",
            };
            if runs.peek().is_none() {
                statement.sql(&format!("({columns}) {sign} ({values})"));
            } else {
                open += 1;
                statement.sql(&format!(
                    "({columns}) {sign}= ({values}) AND (({columns}) <> ({values}) OR "
                ));
            }
        }
        statement.sql(&")".repeat(open));
    }

    /// Binds the values of a position that rows of a part are compared with: the keys, except one that all these rows lack, and the id.
    fn compared<R>(
        &self,
        statement: &mut Statement<R>,
        position: &Position,
        part: Part,
    ) -> Vec<Compared> {
        let mut compared = Vec::with_capacity(MAX_KEYS + 1);
        let mut descending = false;
        for (at, (sorted, value)) in self.keys().zip(&position.keys).enumerate() {
            descending = sorted.descending;
            if at == 0 && part == Part::Absent {
                continue;
            }
            let value = statement.placeholder(value.as_str());
            compared.push(Compared {
                expression: self.expression(at, sorted, part),
                value: format!("{value}{}", sorted.key.value.cast()),
                descending,
            });
        }
        compared.push(Compared {
            expression: "id",
            value: statement.placeholder(position.id),
            descending,
        });
        compared
    }

    /// Identifies the order in cursors.
    fn name(&self) -> String {
        let mut name = String::with_capacity(128);
        for sorted in self.keys() {
            name.push_str(sorted.key.name);
            name.push(if sorted.descending { '-' } else { '+' });
        }
        name
    }

    /// The position in a cursor of this order. `None` if the cursor is invalid or belongs to another order.
    pub(crate) fn position(&self, cursor: &str) -> Option<Position> {
        let text = cursor::decode_text(cursor)?;
        let (id, values) = text.strip_prefix(&self.name())?.split_at_checked(32)?;
        let keys: Vec<String> = values.split(SEPARATOR).map(str::to_owned).collect();
        let are_valid = keys.len() == self.keys().count()
            && (self.keys().zip(&keys)).all(|(sorted, key)| sorted.key.value.holds(key));
        let id = Uuid::try_parse(id).ok()?;
        are_valid.then_some(Position { keys, id })
    }
}

/// A key or the id in SQL, and its value at a position.
struct Compared {
    expression: &'static str,
    value: String,
    descending: bool,
}

/// Separates the keys in a cursor. No key contains it.
const SEPARATOR: &str = "\0";

impl<T: Keyed> Order<T> {
    /// The opaque cursor of a row. It contains its order, so that a cursor of another list or order is rejected.
    pub(crate) fn cursor(&self, row: &T) -> String {
        let mut text = self.name();
        text.push_str(row.id().simple().encode_lower(&mut Uuid::encode_buffer()));
        for (index, sorted) in self.keys().enumerate() {
            if index > 0 {
                text.push_str(SEPARATOR);
            }
            text.push_str(&sorted.key.value.of(row));
        }
        cursor::encode(text)
    }
}

impl<T> KeyValue<T> {
    /// The value of a row as text.
    fn of(self, row: &T) -> String {
        match self {
            KeyValue::Time(of) => text_of(of(row)),
            KeyValue::TimeOr(missing, of) => of(row).map_or_else(|| missing.to_owned(), text_of),
            KeyValue::Text(of) => of(row).to_owned(),
            KeyValue::TextOr(missing, of) => of(row).unwrap_or(missing).to_owned(),
            KeyValue::Number(of) => of(row).to_string(),
        }
    }

    /// Whether the text replaces a missing value.
    fn stands_for_null(self, key: &str) -> bool {
        match self {
            KeyValue::TimeOr(missing, _) | KeyValue::TextOr(missing, _) => key == missing,
            KeyValue::Time(_) | KeyValue::Text(_) | KeyValue::Number(_) => false,
        }
    }

    /// What turns the text into a value in SQL.
    fn cast(self) -> &'static str {
        match self {
            KeyValue::Time(_) | KeyValue::TimeOr(..) => "::timestamptz",
            KeyValue::Text(_) | KeyValue::TextOr(..) => "",
            KeyValue::Number(_) => "::smallint",
        }
    }

    /// Whether PostgreSQL can read the text as a value of this type.
    fn holds(self, key: &str) -> bool {
        match self {
            KeyValue::Time(_) | KeyValue::TimeOr(..) => {
                matches!(key, "infinity" | "-infinity") || is_time(key)
            }
            KeyValue::Text(_) | KeyValue::TextOr(..) => !key.contains('\0'),
            KeyValue::Number(_) => key.parse::<i16>().is_ok(),
        }
    }
}

/// Whether it is the text of a time that the API can have.
fn is_time(key: &str) -> bool {
    let time = DateTime::parse_from_rfc3339(key).map(|time| time.to_utc());
    time.is_ok_and(|time| (1..=9999).contains(&time.year()) && text_of(time) == key)
}

fn text_of(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests;
