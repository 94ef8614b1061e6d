//! Orders of lists: by one to three keys, each ascending or descending, and then by id. A position in an order is the keys of a
//! row, and a cursor is the text of a position.

mod key;

use derive_where::derive_where;
use uuid::Uuid;

pub(crate) use key::{KeyValue, SortKey};

use super::Slice;
use crate::db::{SqlText, cursor, raw::RawRow};

/// Maximum number of keys of an order.
pub(crate) const MAX_KEYS: usize = 3;

/// A row of a list.
pub(crate) trait Keyed {
    /// Breaks ties between rows with equal sort keys.
    fn id(&self) -> Uuid;
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
    pub(super) fn write_part(&self, statement: &mut SqlText, part: Part) {
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
    pub(super) fn write(&self, statement: &mut SqlText, backward: bool, part: Part) {
        self.write_order(statement, backward, |statement, at, sorted| {
            statement.sql(self.expression(at, sorted, part));
        });
    }

    /// Writes ` ORDER BY …` for rows with the columns of [`Order::write_named_columns`].
    pub(super) fn write_by_name(&self, statement: &mut SqlText, backward: bool) {
        self.write_order(statement, backward, |statement, at, _| {
            statement.sql(&column_name(at));
        });
    }

    fn write_order(
        &self,
        statement: &mut SqlText,
        backward: bool,
        write_key: impl Fn(&mut SqlText, usize, &Sorted<T>),
    ) {
        statement.sql(" ORDER BY ");
        let mut direction = " ASC";
        for (at, sorted) in self.keys().enumerate() {
            direction = match sorted.descending != backward {
                true => " DESC",
                false => " ASC",
            };
            write_key(statement, at, sorted);
            statement.sql(direction).sql(", ");
        }
        statement.sql("id").sql(direction);
    }

    /// Writes ` AND …`: the condition that rows of a part are on this side of a position. If the position is in the other part, they
    /// all are.
    ///
    /// Keys in the same direction are compared as one row, which an index of the order finds at once. If directions differ, the
    /// first keys limit the range that is read, and the next ones are compared where the first are equal.
    pub(super) fn write_bound(
        &self,
        statement: &mut SqlText,
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
    fn compared(&self, statement: &mut SqlText, position: &Position, part: Part) -> Vec<Compared> {
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

/// The name of a key's column.
fn column_name(at: usize) -> String {
    format!("key_{at}")
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

    /// Writes the keys of rows of a part as columns with names, each after a comma.
    pub(super) fn write_named_columns(&self, statement: &mut SqlText, part: Part) {
        for (at, sorted) in self.keys().enumerate() {
            statement.sql(", ").sql(self.expression(at, sorted, part));
            statement.sql(" AS ").sql(&column_name(at));
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

#[cfg(test)]
mod tests;
