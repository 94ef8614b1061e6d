//! All the SQL of documents. Every statement is scoped to one owner.

use std::{collections::HashMap, sync::LazyLock};

use uuid::Uuid;

use super::{
    excerpt,
    model::{
        CreateDocumentInput, Document, DocumentFilter, DocumentOrder, DocumentTexts,
        UpdateDocumentInput,
    },
};
use crate::{
    auth::{UserId, Viewer},
    db::{Columns, Connection, Statement, sql::SET_ORIGIN},
    error::Error,
    items::{
        Changes, ItemKind, Listed, NewId, Written,
        store::{
            COURSE_IS_ACTIVE, Conditions, MOVE, id_is_free, into_course, is_updatable, set_title,
        },
        titles,
    },
    rules::Problems,
    scalars::MaybeUndefined,
};

const COLUMNS: &str = Document::COLUMNS;

static TEXTS: LazyLock<String> = LazyLock::new(|| {
    let columns = DocumentTexts::COLUMNS;
    format!("SELECT id, {columns} FROM documents WHERE user_id = $1 AND id = ANY($2)")
});

/// The texts of the viewer's documents with these ids.
pub(crate) async fn texts(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, DocumentTexts>, Error> {
    let statement = Statement::new(TEXTS.as_str())
        .bind(viewer.user_id)
        .bind(ids);
    let rows: Vec<(Uuid, DocumentTexts)> = conn.rows(statement).await?;
    Ok(rows.into_iter().collect())
}

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let id_is_free = id_is_free::<Document>("$11");
    let insert = format!(
        "INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, excerpt_is_own,
            processing_time, metadata, title_folded)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $12
        WHERE {SET_ORIGIN} AND {COURSE_IS_ACTIVE} AND {id_is_free}
        ON CONFLICT (user_id, id) DO NOTHING
        RETURNING {COLUMNS}, original_text, formatted_note"
    );
    into_course("$3", &insert)
});

pub(super) fn insert(
    owner: UserId,
    id: NewId,
    input: &CreateDocumentInput,
) -> Statement<Written<Document>> {
    let excerpt = input.excerpt.clone();
    Statement::write(INSERT.as_str(), owner)
        .bind(id.id)
        .bind(input.course_id)
        .bind(input.title.as_str())
        .bind(input.original_text.as_str())
        .bind(input.formatted_note.as_str())
        .bind(excerpt.unwrap_or_else(|| excerpt::of_note(&input.formatted_note)))
        .bind(input.excerpt.is_some())
        .bind(input.processing_time)
        .bind(input.metadata.clone().unwrap_or_default())
        .bind(id.chosen)
        .bind(titles::fold(&input.title))
}

/// How an update changes the excerpt.
pub(super) struct NewExcerpt {
    /// Replaces the excerpt in any case.
    text: Option<String>,
    /// Whether the caller wrote that text.
    own: bool,
    /// Replaces an excerpt that was made from the note.
    made: Option<String>,
}

impl NewExcerpt {
    /// `stored`: the present texts, if the excerpt is made from a note that the caller did not send.
    pub(super) fn of(input: &UpdateDocumentInput, stored: Option<&DocumentTexts>) -> Self {
        let note = input
            .formatted_note
            .value()
            .or(stored.map(|texts| &texts.formatted_note));
        let made = note.map(|note| excerpt::of_note(note));
        let (text, own) = match &input.excerpt {
            MaybeUndefined::Undefined => (None, false),
            MaybeUndefined::Null => (made.clone(), false),
            MaybeUndefined::Value(text) => (Some(text.clone()), true),
        };
        NewExcerpt { text, own, made }
    }
}

/// One text for all updates, so that it is prepared once.
static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let is_updatable = is_updatable::<Document>();
    let title = set_title(ItemKind::Document, ["$6", "$7", "$21"]);
    let update = format!(
        "UPDATE documents SET
            {title},
            original_text = CASE WHEN $8 THEN $9 ELSE original_text END,
            formatted_note = CASE WHEN $10 THEN $11 ELSE formatted_note END,
            processing_time = CASE WHEN $12 THEN $13 ELSE processing_time END,
            metadata = CASE WHEN $14 THEN $15 ELSE metadata END,
            excerpt = CASE WHEN $16 THEN $17 WHEN $18 AND NOT excerpt_is_own THEN $19 ELSE excerpt END,
            excerpt_is_own = CASE WHEN $16 THEN $20 ELSE excerpt_is_own END,
            {MOVE}
        WHERE {is_updatable} AND (NOT $4 OR {COURSE_IS_ACTIVE})
        RETURNING {COLUMNS}, original_text, formatted_note"
    );
    into_course("$5", &update)
});

/// Updates a document, if it is active, has that version, and its new course is active.
pub(super) fn update(
    owner: UserId,
    input: &UpdateDocumentInput,
    excerpt: NewExcerpt,
    version: Option<i32>,
) -> Statement<Written<Document>> {
    Statement::write(UPDATE.as_str(), owner)
        .bind(input.id)
        .bind(version)
        .bind_change(&input.course_id)
        .bind_change(&input.title)
        .bind_change(&input.original_text)
        .bind_change(&input.formatted_note)
        .bind_change(&input.processing_time)
        .bind_change(&input.metadata)
        .bind(excerpt.text.is_some())
        .bind(excerpt.text)
        .bind(excerpt.made.is_some())
        .bind(excerpt.made)
        .bind(excerpt.own)
        .bind(input.title.value().map(|title| titles::fold(title)))
}

impl Listed for Document {
    type Filter = DocumentFilter;
    type OrderBy = DocumentOrder;

    fn check(filter: &DocumentFilter) -> Result<(), Error> {
        if filter.course_id.is_null() {
            let message = "`courseId` must not be null, since every document is in a course. Omit it to list all documents.";
            return Err(Error::bad_input(message));
        }
        let Some(metadata) = &filter.metadata_contains else {
            return Ok(());
        };
        let mut problems = Problems::default();
        problems.metadata("metadataContains", &metadata.0);
        let message = "`metadataContains` must not exceed 64 KiB or 32 levels, or contain U+0000.";
        problems.finish().map_err(|_| Error::bad_input(message))
    }

    fn title_part(filter: &DocumentFilter) -> Option<&str> {
        filter.title_contains.as_deref()
    }

    fn conditions(filter: &DocumentFilter, conditions: &mut Conditions<'_, Self::PageRow>) {
        let DocumentFilter {
            course_id,
            status,
            title_contains: _,
            metadata_contains,
            has_image,
            created_after,
            created_before,
        } = filter;
        conditions
            .status(*status)
            .equals("course_id", course_id.value().copied())
            .holds("metadata", metadata_contains.as_ref().map(|part| &part.0))
            .rarely("(image_id IS NOT NULL) = ", *has_image, "")
            .rarely("created_at >= ", *created_after, "")
            .rarely("created_at < ", *created_before, "");
    }
}
