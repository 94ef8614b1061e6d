//! Keys of orders: their SQL, and the text of their values in cursors.

use chrono::{DateTime, Datelike, Utc};
use derive_where::derive_where;

use crate::db::{raw::Time, time_text};

/// A key by which a list of `T` can be sorted.
#[derive_where(Clone, Copy)]
pub(crate) struct SortKey<T> {
    /// Identifies the list and the key in cursors, e.g. `task.due`.
    pub(crate) name: &'static str,
    /// The key in SQL; never null. If the key is not nullable, an index on (user, status, this, id) makes an order by it cheap.
    pub(super) expression: &'static str,
    /// For a nullable key, its value in SQL. An index on (user, status, this, id) makes an order by it cheap, in both directions.
    pub(super) nullable: Option<&'static str>,
    pub(super) value: KeyValue<T>,
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

impl<T> KeyValue<T> {
    /// The value of a row as text.
    pub(super) fn of(self, row: &T) -> String {
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
    pub(super) fn of_raw(self, bytes: &[u8]) -> Option<String> {
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

    /// Whether the text replaces a missing value.
    pub(super) fn stands_for_null(self, key: &str) -> bool {
        match self {
            KeyValue::TimeOr(missing, _) | KeyValue::TextOr(missing, _) => key == missing,
            KeyValue::Time(_) | KeyValue::Text(_) | KeyValue::Number(_) => false,
        }
    }

    /// What turns the text into a value in SQL.
    pub(super) fn cast(self) -> &'static str {
        match self {
            KeyValue::Time(_) | KeyValue::TimeOr(..) => "::timestamptz",
            KeyValue::Text(_) | KeyValue::TextOr(..) => "",
            KeyValue::Number(_) => "::smallint",
        }
    }

    /// Whether PostgreSQL can read the text as a value of this type.
    pub(super) fn holds(self, key: &str) -> bool {
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
