//! What courses, documents and tasks have in common: they are active or in the trash, they count versions, and a
//! caller may choose their ids.
//!
//! Each noun has its own rules, rows and SQL; what works across them is in `trash`.

mod kind;

use uuid::Uuid;

pub use kind::{ItemKind, ItemRef};

use crate::{
    db::{Row, Statement, sql::Value},
    error::{Failure, Refusal, RefusalCode},
    rules::Problems,
};

/// Which items a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusFilter {
    /// Those that are not in the trash.
    Active,
    /// Those in the trash.
    Trash,
    /// Both.
    Any,
}

impl StatusFilter {
    /// Writes the condition, as a constant: each of the three has a plan of its own.
    pub(crate) fn condition<R: Row>(self, statement: &mut Statement<R>) {
        match self {
            StatusFilter::Active => statement.sql(" AND status = 'active'"),
            StatusFilter::Trash => statement.sql(" AND status = 'trash'"),
            StatusFilter::Any => statement,
        };
    }
}

/// Nothing longer stands in a name or a title, in code points.
const LONGEST_TITLE: usize = 500;

/// Writes ` AND …` for text that a column must contain, whatever the case; `None` is not asked.
pub(crate) fn contains<R: Row>(statement: &mut Statement<R>, column: &str, part: Option<&str>) {
    let Some(part) = part else { return };
    if part.chars().nth(LONGEST_TITLE).is_some() {
        statement.sql(" AND false");
        return;
    }
    let escaped = part
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    statement.sql(" AND ").sql(column).sql(" ILIKE ");
    statement.value(format!("%{escaped}%"));
}

/// Writes ` AND …` for what a JSON column of theirs must contain. An index holds its values in their owner's scope; what has
/// none is compared as it is.
pub(crate) fn holds<R: Row>(
    statement: &mut Statement<R>,
    owner: Uuid,
    column: &str,
    part: Option<&serde_json::Value>,
) {
    let Some(part) = part else { return };
    if !has_values(part) {
        statement.sql(" AND ").sql(column).sql(" @> ");
        statement.value(part.clone());
        return;
    }
    statement.sql(" AND search_owned(user_id, ").sql(column);
    statement.sql(") @> search_owned(").value(owner);
    statement.sql(", ").value(part.clone()).sql(")");
}

fn has_values(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(fields) => fields.values().any(has_values),
        serde_json::Value::Array(values) => values.iter().any(has_values),
        _ => true,
    }
}

/// Writes ` AND (value IS NULL OR <column><comparison>value)`: one text, whether it is asked or not, so that a list's
/// filters do not multiply the statements that are prepared.
pub(crate) fn unless_null<R: Row>(
    statement: &mut Statement<R>,
    column: &str,
    comparison: &str,
    value: impl Into<Value>,
) {
    let value = value.into();
    statement
        .sql(" AND (")
        .value(value.clone())
        .sql(" IS NULL OR ");
    statement.sql(column).sql(comparison).value(value).sql(")");
}

/// The id of a new item: the caller's own, or one of ours that sorts by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewId {
    pub(crate) id: Uuid,
    /// The caller chose it, so it may be in use.
    pub(crate) own: bool,
}

impl NewId {
    /// Reads a caller's own id; one that is no UUID is a problem.
    pub(crate) fn of(own: Option<&str>, problems: &mut Problems) -> NewId {
        let Some(own) = own else {
            return NewId {
                id: Uuid::now_v7(),
                own: false,
            };
        };
        let id = parse_id(own);
        if id.is_none() {
            problems.add(
                "id",
                RefusalCode::Invalid,
                "id must be a UUID such as 018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f.",
            );
        }
        NewId {
            id: id.unwrap_or_default(),
            own: true,
        }
    }
}

/// An id in its hyphenated form, in either case; `None` if it is no UUID.
pub(crate) fn parse_id(id: &str) -> Option<Uuid> {
    if id.len() == 36 {
        Uuid::try_parse(id).ok()
    } else {
        None
    }
}

/// The unique index that keeps an id from being created twice among one person's objects.
pub(crate) const CREATED_ONCE: &str = "audit_logs_created_once";

/// How an update ended.
#[derive(Debug, Clone)]
pub enum Updated<T> {
    /// The item as it is after the update.
    Done(T),
    /// The item as it is: it has changed since the version that the caller sent, so nothing was updated.
    Conflict(T),
}

/// How often a command looks again when the item changes under its hands.
pub(crate) const ATTEMPTS: usize = 5;

/// Ids as they come, each once, with the place at which it stands first.
pub(crate) fn each_once(ids: &[Uuid]) -> impl Iterator<Item = (usize, Uuid)> {
    let mut seen = std::collections::HashSet::with_capacity(ids.len());
    ids.iter()
        .copied()
        .enumerate()
        .filter(move |(_, id)| seen.insert(*id))
}

/// The refusal of an id that is in use, or was.
pub(crate) fn taken() -> Failure {
    Refusal::of("id", RefusalCode::Taken, "This id is in use, or was.").into()
}

/// The refusal of an object that is not there.
pub(crate) fn not_found(field: &str, what: &str) -> Failure {
    Refusal::of(
        field,
        RefusalCode::NotFound,
        format!("There is no such {what}."),
    )
    .into()
}

/// The refusal of an object that is in the trash.
pub(crate) fn in_trash(field: &str, what: &str) -> Failure {
    Refusal::of(
        field,
        RefusalCode::InTrash,
        format!("The {what} is in the trash. Restore it first."),
    )
    .into()
}

/// The refusal of a course that something cannot go into, by its status; `None` if it can.
pub(crate) fn cannot_take(course_status: Option<&str>) -> Option<Failure> {
    match course_status {
        None => Some(not_found("courseId", "course")),
        Some("trash") => Some(in_trash("courseId", "course")),
        Some(_) => None,
    }
}
