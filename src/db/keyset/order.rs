//! Orders of lists: by one to three keys, each ascending or descending, and then by id. A position in an order is the keys of a
//! row, and a cursor is the text of a position.

use chrono::{DateTime, Datelike, Utc};
use derive_where::derive_where;
use uuid::Uuid;

use crate::db::{
    SqlText, cursor,
    raw::{RawRow, Time},
    time_text,
};

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
    /// The key in SQL; never null. An index on (user, status, this, id) makes an order by this key cheap.
    expression: &'static str,
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
            value,
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

    /// Writes ` ORDER BY …`.
    pub(super) fn write(&self, statement: &mut SqlText, backward: bool) {
        statement.sql(" ORDER BY ");
        let mut direction = " ASC";
        for sorted in self.keys() {
            direction = match sorted.descending != backward {
                true => " DESC",
                false => " ASC",
            };
            statement.sql(sorted.key.expression);
            statement.sql(direction).sql(", ");
        }
        statement.sql("id").sql(direction);
    }

    /// Writes the condition that rows are on this side of a position.
    ///
    /// Keys in the same direction are compared as one row, which an index of the order finds at once. If directions differ, the
    /// first keys limit the range that is read, and the next ones are compared where the first are equal.
    pub(super) fn write_bound(&self, statement: &mut SqlText, position: &Position, side: Side) {
        let keys: Vec<KeyAt<'_, T>> = self.keys().zip(&position.keys).collect();
        let mut runs = keys
            .chunk_by(|(one, _), (next, _)| one.descending == next.descending)
            .peekable();
        let mut open = 0;
        while let Some(run) = runs.next() {
            let is_last = runs.peek().is_none();
            let (columns, values) = compared(statement, run, is_last.then_some(position.id));
            let descending = run.iter().any(|(sorted, _)| sorted.descending);
            let sign = match descending == (side == Side::After) {
                true => "<",
                false => ">",
            };
            if is_last {
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

/// A key of an order, and its value at a position.
type KeyAt<'a, T> = (&'a Sorted<T>, &'a String);

/// The two sides of a comparison of keys, and of the id if it is given, with their values at a position.
fn compared<T>(
    statement: &mut SqlText,
    keys: &[KeyAt<'_, T>],
    id: Option<Uuid>,
) -> (String, String) {
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for (sorted, value) in keys {
        columns.push(sorted.key.expression);
        let value = statement.placeholder(value.as_str());
        values.push(format!("{value}{}", sorted.key.value.cast()));
    }
    if let Some(id) = id {
        columns.push("id");
        values.push(statement.placeholder(id));
    }
    (columns.join(", "), values.join(", "))
}

/// Separates the keys in a cursor. No key contains it.
const SEPARATOR: &str = "\0";

impl<T> Order<T> {
    /// The opaque cursor of the row with this id and these keys. It contains its order, so that a cursor of another list or order is
    /// rejected.
    fn cursor_of(&self, id: Uuid, keys: impl IntoIterator<Item = String>) -> String {
        let mut text = self.name();
        text.push_str(id.simple().encode_lower(&mut Uuid::encode_buffer()));
        for (index, key) in keys.into_iter().enumerate() {
            if index > 0 {
                text.push_str(SEPARATOR);
            }
            text.push_str(&key);
        }
        cursor::encode(text)
    }

    /// Writes the keys as columns, each after a comma.
    pub(super) fn write_columns(&self, statement: &mut SqlText) {
        for sorted in self.keys() {
            statement.sql(", ").sql(sorted.key.expression);
        }
    }

    /// The cursor of a raw row, whose keys begin in the column `first_key`.
    pub(crate) fn raw_cursor(&self, row: &RawRow, id: Uuid, first_key: usize) -> Option<String> {
        let keys = self.keys().enumerate().map(|(index, sorted)| {
            let bytes = row.column(first_key + index)?;
            sorted.key.value.of_raw(bytes)
        });
        Some(self.cursor_of(id, keys.collect::<Option<Vec<_>>>()?))
    }
}

impl<T: Keyed> Order<T> {
    /// The opaque cursor of a row.
    pub(crate) fn cursor(&self, row: &T) -> String {
        let keys = self.keys().map(|sorted| sorted.key.value.of(row));
        self.cursor_of(row.id(), keys)
    }
}

impl<T> KeyValue<T> {
    /// The value of a row as text.
    fn of(self, row: &T) -> String {
        match self {
            KeyValue::Time(of) => time_text::of(of(row)),
            KeyValue::TimeOr(missing, of) => {
                of(row).map_or_else(|| missing.to_owned(), time_text::of)
            }
            KeyValue::Text(of) => of(row).to_owned(),
            KeyValue::TextOr(missing, of) => of(row).unwrap_or(missing).to_owned(),
            KeyValue::Number(of) => of(row).to_string(),
        }
    }

    /// The text of a key in PostgreSQL's binary format.
    fn of_raw(self, bytes: &[u8]) -> Option<String> {
        match self {
            KeyValue::Time(_) | KeyValue::TimeOr(..) => Some(match Time::read(bytes)? {
                Time::Finite(time) => time_text::of(time),
                Time::Infinity => "infinity".to_owned(),
                Time::NegativeInfinity => "-infinity".to_owned(),
            }),
            KeyValue::Text(_) | KeyValue::TextOr(..) => {
                Some(str::from_utf8(bytes).ok()?.to_owned())
            }
            KeyValue::Number(_) => Some(i16::from_be_bytes(bytes.try_into().ok()?).to_string()),
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
    time.is_ok_and(|time| (1..=9999).contains(&time.year()) && time_text::of(time) == key)
}

#[cfg(test)]
mod tests;
