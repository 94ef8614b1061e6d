//! The rows of documents, and what a caller can ask of them.

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    db::{
        Row,
        keyset::{KeyKind, Order, Position, SortKey, time_key},
    },
    items::StatusFilter,
    rules::Change,
};

/// A document as it is stored; its texts, which can be long, only where they were asked for.
#[derive(Debug, Clone, Queryable)]
pub struct Document {
    /// Unique among its owner's objects.
    pub id: Uuid,
    /// The course that it stands in.
    pub course_id: Uuid,
    /// 1 to 500 characters.
    pub title: String,
    /// The text as it was recognised; `None` where it was not read.
    pub original_text: Option<String>,
    /// The note made of it, in Markdown; `None` where it was not read.
    pub formatted_note: Option<String>,
    /// The start of the note as plain text, 200 characters at most.
    pub excerpt: String,
    /// Seconds that recognition and formatting took, 0 or more.
    pub processing_time: Option<f64>,
    /// A JSON object.
    pub metadata: Value,
    /// Counts up with every change, from 1.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed; moving to the trash and back is no change.
    pub updated_at: DateTime<Utc>,
    /// When it went to the trash; `None` while active.
    pub deleted_at: Option<DateTime<Utc>>,
    /// The course that took it to the trash; `None` if it went alone, and while active.
    pub trashed_with: Option<Uuid>,
}

impl Row for Document {
    type Sql = (
        SqlUuid,
        SqlUuid,
        Text,
        Nullable<Text>,
        Nullable<Text>,
        Text,
        Nullable<Double>,
        Jsonb,
        Integer,
        Timestamptz,
        Timestamptz,
        Nullable<Timestamptz>,
        Nullable<SqlUuid>,
    );
}

impl Document {
    /// Its place in that order.
    pub(crate) fn position(&self, order: DocumentOrder) -> Position {
        let key = match order.key {
            DocumentSortKey::CreatedAt => time_key(self.created_at),
            DocumentSortKey::UpdatedAt => time_key(self.updated_at),
            DocumentSortKey::Title => self.title.clone(),
        };
        Position { key, id: self.id }
    }
}

/// The long texts of a document.
#[derive(Debug, Clone, Queryable, Default)]
pub struct DocumentTexts {
    /// The text as it was recognised.
    pub original_text: String,
    /// The note made of it, in Markdown.
    pub formatted_note: String,
    /// The version that they belong to.
    pub version: i32,
}

/// A document to be made.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// The caller's own id, if it gave one.
    pub id: Option<String>,
    /// The active course that it goes into.
    pub course_id: Uuid,
    /// 1 to 500 characters.
    pub title: String,
    /// May be empty.
    pub original_text: String,
    /// Markdown; may be empty.
    pub formatted_note: String,
    /// 200 characters at most; `None`: made of the note.
    pub excerpt: Option<String>,
    /// Seconds, 0 or more.
    pub processing_time: Option<f64>,
    /// A JSON object of 64 KiB at most, 32 levels deep at most.
    pub metadata: Value,
}

/// What to change of a document.
#[derive(Debug, Clone)]
pub struct DocumentChanges {
    /// Which document.
    pub id: Uuid,
    /// The version that the caller has seen; `None`: whichever it is.
    pub version: Option<i32>,
    /// The active course that it moves to.
    pub course_id: Change<Uuid>,
    /// 1 to 500 characters.
    pub title: Change<String>,
    /// May be empty.
    pub original_text: Change<String>,
    /// Markdown; may be empty.
    pub formatted_note: Change<String>,
    /// 200 characters at most; cleared: made of the note, and again whenever the note changes.
    pub excerpt: Change<String>,
    /// Seconds, 0 or more.
    pub processing_time: Change<f64>,
    /// A JSON object of 64 KiB at most, 32 levels deep at most.
    pub metadata: Change<Value>,
}

/// Which documents a list holds. What is `None` is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentFilter {
    /// Those of one course.
    pub course_id: Option<Uuid>,
    /// Active, in the trash, or both.
    pub status: StatusFilter,
    /// Text that the title contains, whatever the case.
    pub title_contains: Option<String>,
    /// A JSON object that the metadata contains.
    pub metadata_contains: Option<Value>,
    /// Those with a picture, or those without one.
    pub has_image: Option<bool>,
    /// Made at this moment or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Made before this moment.
    pub created_before: Option<DateTime<Utc>>,
}

impl DocumentFilter {
    /// Whether it asks for anything but the status and the course.
    pub(crate) fn is_special(&self) -> bool {
        self.title_contains.is_some()
            || self.metadata_contains.is_some()
            || self.has_image.is_some()
            || self.created_after.is_some()
            || self.created_before.is_some()
    }
}

/// How a list of documents is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DocumentOrder {
    /// By what.
    pub key: DocumentSortKey,
    /// Largest first.
    pub descending: bool,
}

/// What documents sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentSortKey {
    /// When they were made.
    CreatedAt,
    /// When they last changed.
    UpdatedAt,
    /// The title, by the Unicode collation order.
    Title,
}

impl From<DocumentOrder> for Order {
    fn from(order: DocumentOrder) -> Self {
        let key = match order.key {
            DocumentSortKey::CreatedAt => SortKey {
                name: "document.created",
                kind: KeyKind::Time,
                expression: "created_at",
            },
            DocumentSortKey::UpdatedAt => SortKey {
                name: "document.updated",
                kind: KeyKind::Time,
                expression: "updated_at",
            },
            DocumentSortKey::Title => SortKey {
                name: "document.title",
                kind: KeyKind::Text,
                expression: "title",
            },
        };
        Order {
            key,
            descending: order.descending,
        }
    }
}

/// Columns that can be long, so that they are read only where they are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct DocumentColumns {
    pub(crate) original_text: bool,
    pub(crate) formatted_note: bool,
}

/// A list of documents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentList {
    pub(crate) filter: DocumentFilter,
    pub(crate) order: DocumentOrder,
    pub(crate) columns: DocumentColumns,
}
