//! Documents: their columns, the inputs with their limits, and the orders of lists.

use async_graphql::{ID, InputObject};
use serde_json::Value;
use uuid::Uuid;

use super::excerpt;
use crate::{
    db::{
        keyset::{
            KeyValue::{Text, Time},
            SortKey,
        },
        row,
    },
    error::RefusalCode,
    items::{UpdateTarget, checks, filter, item, order},
    rules::Field as _,
    scalars::{JsonObject, MaybeUndefined, ObjectId},
};

type Timestamp = chrono::DateTime<chrono::Utc>;

row! {
    /// A document as it is stored. Its texts and its metadata can be long. They are read only on demand, and with the row only if they
    /// are short.
    #[derive(Debug, Clone)]
    pub struct Document from documents {
        /// Unique among its owner's objects.
        pub id: Uuid,
        /// The course that it is in.
        pub course_id: Uuid,
        /// 1–500 characters.
        pub title: String,
        /// The start of the note as plain text. Maximum 200 characters.
        pub excerpt: String,
        /// Seconds that recognition and formatting took, 0 or more.
        pub processing_time: Option<f64>,
        /// Counts its changes, from 1.
        pub version: i32,
        /// When it was created.
        pub created_at: Timestamp,
        /// When it last changed. Moving it to the trash and restoring it are not changes.
        pub updated_at: Timestamp,
        /// When it was moved to the trash; `None` while it is active.
        pub deleted_at: Option<Timestamp>,
        /// The course that took it to the trash; `None` if it was trashed itself, and while it is active.
        pub trashed_with: Option<Uuid>;
        on demand
        /// A JSON object; `None` if it was not read or is long.
        pub metadata: Option<Value>,
        /// The recognized text; `None` if it was not read or is long.
        pub original_text: Option<String>,
        /// The note made from it, in Markdown; `None` if it was not read or is long.
        pub formatted_note: Option<String>,
    }
}

item!(Document);

row! {
    /// The long texts of a document.
    #[derive(Debug, Clone, Default)]
    pub struct DocumentTexts from documents {
        /// The recognized text.
        pub original_text: String,
        /// The note made from it, in Markdown.
        pub formatted_note: String,
    }
}

/// A document to create.
#[derive(InputObject, Debug, Clone)]
pub struct CreateDocumentInput {
    /// A UUID of your own; the service generates one by default. TAKEN if another of your objects has or had it.
    pub id: Option<ID>,
    /// The id of the course to put the document into, which must be active. An id that is not a UUID matches nothing.
    pub course_id: ObjectId,
    /// The title. 1–500 characters, not blank.
    pub title: String,
    /// The recognized text. May be empty. Limited by the size of the request (1 MiB by default). QUERY_TOO_COMPLEX if the arguments of the request exceed twice that size, counting each use of a variable.
    pub original_text: String,
    /// The note, in Markdown. May be empty. Limited by the size of the request (1 MiB by default). QUERY_TOO_COMPLEX if the arguments of the request exceed twice that size, counting each use of a variable.
    pub formatted_note: String,
    /// The excerpt. Maximum 200 characters. By default, the service makes it from the note.
    pub excerpt: Option<String>,
    /// Seconds that recognition and formatting took. Minimum 0.
    pub processing_time: Option<f64>,
    /// Your app's own data: a JSON object (maximum 64 KiB and 32 levels, default `{}`).
    pub metadata: Option<JsonObject>,
    /// The ids of the document's tags, which must be active (maximum 20). Duplicates count once. By default, it has none. An id that is not a UUID matches nothing.
    pub tag_ids: Option<Vec<ObjectId>>,
}

/// Changes to a document.
#[derive(InputObject, Debug, Clone)]
pub struct UpdateDocumentInput {
    /// The document to update.
    #[graphql(flatten)]
    pub target: UpdateTarget,
    /// Moves the document to this course, which must be active. Must not be null. An id that is not a UUID matches nothing.
    pub course_id: MaybeUndefined<ObjectId>,
    /// The title. 1–500 characters. Must not be null.
    pub title: MaybeUndefined<String>,
    /// The recognized text. May be empty. Must not be null.
    pub original_text: MaybeUndefined<String>,
    /// The note, in Markdown. May be empty. Must not be null.
    pub formatted_note: MaybeUndefined<String>,
    /// The excerpt. Maximum 200 characters. If null, the service makes it from the note, now and whenever the
    /// note changes.
    pub excerpt: MaybeUndefined<String>,
    /// Seconds that recognition and formatting took. Minimum 0. Null clears it.
    pub processing_time: MaybeUndefined<f64>,
    /// Your app's own data. Replaces the whole object (maximum 64 KiB and 32 levels). Must not be null.
    pub metadata: MaybeUndefined<JsonObject>,
    /// The ids of the tags that replace the document's active tags. They must be active (maximum 20, unless it has all of them). Duplicates count once. Null removes
    /// all active tags. Tags in the trash stay assigned. An id that is not a UUID matches nothing.
    pub tag_ids: MaybeUndefined<Vec<ObjectId>>,
}

checks! {
    tagged CreateDocumentInput, UpdateDocumentInput: |input, problems| {
        problems.not_null("courseId", &input.course_id);
        problems.text("title", &input.title, 500);
        problems.not_null("originalText", &input.original_text);
        problems.storable("originalText", &input.original_text);
        problems.not_null("formattedNote", &input.formatted_note);
        problems.storable("formattedNote", &input.formatted_note);
        problems.optional_text("excerpt", &input.excerpt, excerpt::MAX_LENGTH);
        let seconds = input.processing_time.given();
        if seconds.is_some_and(|seconds| !seconds.is_finite() || *seconds < 0.0) {
            let message = "`processingTime` must be 0 or more seconds.";
            problems.add("processingTime", RefusalCode::Invalid, message);
        }
        problems.not_null("metadata", &input.metadata);
        if let Some(metadata) = input.metadata.given() {
            problems.metadata("metadata", &metadata.0);
        }
    }
}

filter! {
    /// Which documents a list contains.
    /// Example: `{ hasImage: true, metadataContains: { page: 3 } }`.
    DocumentFilter, title part: title_contains {
        /// Only documents in this course. Must not be null, since every document is in a course. An id that is not a UUID matches nothing.
        course_id: MaybeUndefined<ObjectId>,
        /// Only documents in one of these courses. Maximum 100 different ids. An empty list matches nothing, as does an id that is not a UUID. Null does not filter.
        course_ids: Option<Vec<ObjectId>>,
        /// Only documents that have at least one of these tags. Maximum 100 different ids. An empty list matches nothing, as does a tag in the trash, or an id that is not a UUID. Null does not filter.
        tag_ids: Option<Vec<ObjectId>>,
        /// Only documents whose title contains this text. Case and accents are ignored. Adds 5 to the cost. Null does not filter.
        title_contains: Option<String>,
        /// Only documents whose metadata contains this object, as by PostgreSQL's operator `@>`. Maximum 64 KiB and 32 levels. Adds 5 to the cost. Null does not filter.
        metadata_contains: Option<JsonObject>,
        /// Only documents with an image (true), or only those without one (false). Null does not filter.
        has_image: Option<bool>,
    }
}

order! {
    /// The order of a list of documents. Documents with equal values are sorted by id, in the direction of the last element of `orderBy`.
    /// Example: `orderBy: [{ field: TITLE }]`.
    DocumentOrder {
        /// The direction. Default: ascending for `TITLE`, and descending for the others. Null means the default.
        direction
    }
    /// What documents can be sorted by.
    DocumentOrderField for Document, |descending| {
        /// When they were created.
        CreatedAt: Desc => SortKey::new("document.created", "created_at", Time(|it| it.created_at)),
        /// When they last changed.
        UpdatedAt: Desc => SortKey::new("document.updated", "updated_at", Time(|it| it.updated_at)),
        /// The title, in Unicode collation order, the same on every server.
        Title: Asc => SortKey::new("document.title", "title", Text(|it| &it.title)),
    }
}
