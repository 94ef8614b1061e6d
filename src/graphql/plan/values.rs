//! Writes values of columns as JSON, the same bytes as the library. Each function returns `None` if a value has an unexpected form.

use std::io::Write as _;

use async_graphql::resolver_utils::EnumType;
use chrono::NaiveDate;
use uuid::Uuid;

use super::fields::Format;
use crate::{
    db::{raw::Time, time_text},
    graphql::connection::count,
    items::ItemStatus,
    tasks::TaskPriority,
    users::Role,
};

/// Appends JSON that needs no escapes.
pub(super) fn literal(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(json.as_bytes());
}

pub(super) fn boolean(out: &mut Vec<u8>, value: bool) -> Option<()> {
    literal(out, if value { "true" } else { "false" });
    Some(())
}

pub(super) fn int(out: &mut Vec<u8>, value: i32) -> Option<()> {
    write!(out, "{value}").ok()
}

/// Writes the value of a column in PostgreSQL's binary format. `None` is NULL.
pub(super) fn value(out: &mut Vec<u8>, format: Format, column: Option<&[u8]>) -> Option<()> {
    match (format, column) {
        (Format::IsSet, column) => boolean(out, column.is_some()),
        (Format::Status, None) => name(out, ItemStatus::Active),
        (Format::Status, Some(_)) => name(out, ItemStatus::Trash),
        // It is not null, but too long to be read here.
        (Format::Json, None) => None,
        (_, None) => null(out),
        (format, Some(bytes)) => not_null(out, format, bytes),
    }
}

pub(super) fn null(out: &mut Vec<u8>) -> Option<()> {
    literal(out, "null");
    Some(())
}

fn not_null(out: &mut Vec<u8>, format: Format, bytes: &[u8]) -> Option<()> {
    match format {
        Format::IsSet | Format::Status => None,
        Format::Text | Format::Url => text(out, bytes),
        Format::Id => {
            let id = Uuid::from_slice(bytes).ok()?;
            quoted(out, |out| {
                let mut buffer = Uuid::encode_buffer();
                literal(out, id.hyphenated().encode_lower(&mut buffer));
            })
        }
        Format::Int => int(out, i32::from_be_bytes(bytes.try_into().ok()?)),
        Format::Count => int(out, count(i64::from_be_bytes(bytes.try_into().ok()?))),
        Format::Float => {
            let number = f64::from_be_bytes(bytes.try_into().ok()?);
            serde_json::to_writer(out, &number).ok()
        }
        Format::Boolean => boolean(out, *bytes.first()? != 0),
        Format::Time => match Time::read(bytes)? {
            Time::Finite(time) => quoted(out, |out| time_text::write(out, time)),
            Time::Infinity | Time::NegativeInfinity => None,
        },
        Format::Date => {
            let days = i32::from_be_bytes(bytes.try_into().ok()?);
            let date = START_OF_2000.checked_add_signed(chrono::TimeDelta::days(days.into()))?;
            quoted(out, |out| literal(out, &date.to_string()))
        }
        Format::Json => json(out, bytes),
        Format::Priority => {
            let number = i16::from_be_bytes(bytes.try_into().ok()?);
            name(out, TaskPriority::of_number(number)?)
        }
        Format::Role => name(out, Role::parse(str::from_utf8(bytes).ok()?)?),
    }
}

/// The date from which PostgreSQL counts days.
const START_OF_2000: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a date");

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
    out.push(b'"');
    write(out);
    out.push(b'"');
    Some(())
}

/// Writes the name of an enum's value.
fn name<E: EnumType>(out: &mut Vec<u8>, value: E) -> Option<()> {
    let item = E::items().iter().find(|item| item.value == value)?;
    quoted(out, |out| literal(out, item.name))
}

/// Writes a `jsonb` column: a byte for the version, and JSON with spaces. The library sorts keys, and writes numbers in their shortest
/// form.
fn json(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let json: serde_json::Value = serde_json::from_slice(bytes.strip_prefix(&[1])?).ok()?;
    serde_json::to_writer(out, &json).ok()
}

/// Writes text, which is UTF-8. Most texts need no escapes: this checks many bytes at once, and then copies them.
pub(super) fn text(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let needs_escapes = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let mut chunks = bytes.chunks(CHUNK);
    let is_plain = chunks.all(|chunk| {
        let escapes = chunk
            .iter()
            .fold(false, |any, byte| any | needs_escapes(byte));
        !escapes
    });
    if is_plain {
        return quoted(out, |out| out.extend_from_slice(bytes));
    }
    serde_json::to_writer(out, str::from_utf8(bytes).ok()?).ok()
}

/// The number of bytes of a text that are checked at once.
const CHUNK: usize = 64;

#[cfg(test)]
mod tests;
