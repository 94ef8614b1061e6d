//! Documents: the recognised text of a lecture page and the Markdown note made of it. Each stands in one course.
//!
//! The rules are here, the rows in [`model`], all the SQL in `store`, and in `excerpt` how a note's start becomes plain
//! text.

pub mod excerpt;
pub mod model;
mod store;

use std::collections::HashMap;

use uuid::Uuid;

pub(crate) use model::DocumentColumns;
pub use model::{
    Document, DocumentChanges, DocumentFilter, DocumentList, DocumentOrder, DocumentSortKey,
    DocumentTexts, NewDocument,
};
use store::{Changed, Inserted, NewExcerpt};

use crate::{
    auth::Viewer,
    db::{Connection, keyset},
    error::{Error, Failure, RefusalCode},
    items::{self, ATTEMPTS, NewId, Updated},
    rules::{Change, Problems},
};

const MOST_TITLE: usize = 500;

/// Makes a document in an active course. One with the caller's own id that is there already comes back as it is.
///
/// # Errors
/// What is wrong with the input; NOT_FOUND or IN_TRASH of the course; TAKEN if another of the caller's objects has the
/// id, or had it.
pub async fn create(
    conn: &mut Connection,
    viewer: &Viewer,
    new: NewDocument,
) -> Result<Document, Failure> {
    let mut problems = Problems::default();
    let id = NewId::of(new.id.as_deref(), &mut problems);
    problems.text("title", &new.title, MOST_TITLE);
    problems.storable("originalText", &new.original_text);
    problems.storable("formattedNote", &new.formatted_note);
    if let Some(excerpt) = &new.excerpt {
        problems.optional_text("excerpt", excerpt, excerpt::MOST);
    }
    check_processing_time(&mut problems, new.processing_time);
    problems.metadata("metadata", &new.metadata);
    problems.finish()?;
    let course_status = match store::insert(conn, viewer.user_id, id, &new).await? {
        Inserted::Document(document) => return Ok(*document),
        Inserted::Nothing { course_status } => course_status,
    };
    if id.own
        && let Some(document) = find(conn, viewer, id.id).await?
    {
        return Ok(document);
    }
    Err(items::cannot_take(course_status.as_deref()).unwrap_or_else(items::taken))
}

/// Changes a document. With a `version`, only if it is still at it.
///
/// # Errors
/// What is wrong with the input; NOT_FOUND or IN_TRASH, of the document or of the course that it would go into.
pub async fn update(
    conn: &mut Connection,
    viewer: &Viewer,
    changes: DocumentChanges,
) -> Result<Updated<Document>, Failure> {
    check(&changes)?;
    for _ in 0..ATTEMPTS {
        // An excerpt that is to be made of a note that is not sent: of the one that is there, if it stays the same.
        let made_of_stored =
            changes.excerpt == Change::Clear && changes.formatted_note == Change::Keep;
        let stored = if made_of_stored {
            texts(conn, viewer, vec![changes.id])
                .await?
                .remove(&changes.id)
        } else {
            None
        };
        let excerpt = NewExcerpt::of(&changes, stored.as_ref());
        let seen = changes
            .version
            .or(stored.as_ref().map(|texts| texts.version));
        let Changed {
            document,
            course_status,
        } = store::update(conn, viewer.user_id, &changes, &excerpt, seen).await?;
        if let Some(document) = document {
            return Ok(Updated::Done(document));
        }
        let Some(document) = find(conn, viewer, changes.id).await? else {
            return Err(items::not_found("id", "document"));
        };
        if document.deleted_at.is_some() {
            return Err(items::in_trash("id", "document"));
        }
        if changes
            .version
            .is_some_and(|version| version != document.version)
        {
            return Ok(Updated::Conflict(document));
        }
        if changes.course_id.given()
            && let Some(refusal) = items::cannot_take(course_status.as_deref())
        {
            return Err(refusal);
        }
    }
    Err(Error::unavailable("a document kept changing while it was updated").into())
}

/// The viewer's document with that id, active or in the trash.
pub async fn find(
    conn: &mut Connection,
    viewer: &Viewer,
    id: Uuid,
) -> Result<Option<Document>, Error> {
    Ok(find_all(conn, viewer, vec![id]).await?.pop())
}

/// The viewer's documents with these ids, in no order and without their texts; those that are not there are left out.
pub async fn find_all(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<Vec<Document>, Error> {
    store::find_all(conn, viewer.user_id, ids).await
}

/// The texts of the viewer's documents with these ids.
pub(crate) async fn texts(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, DocumentTexts>, Error> {
    store::texts(conn, viewer.user_id, ids).await
}

/// One page of the viewer's documents.
pub(crate) async fn page(
    conn: &mut Connection,
    viewer: &Viewer,
    list: &DocumentList,
    slice: &keyset::Slice,
    count: bool,
) -> Result<keyset::Page<Document>, Error> {
    keyset::page(conn, viewer.user_id.0, list, slice, count).await
}

/// One page of documents for each of these courses of the viewer's.
pub(crate) async fn pages_of_courses(
    conn: &mut Connection,
    viewer: &Viewer,
    courses: Vec<Uuid>,
    list: &DocumentList,
    slice: &keyset::Slice,
    count: bool,
) -> Result<HashMap<Uuid, keyset::Page<Document>>, Error> {
    keyset::pages_of_courses(conn, viewer.user_id.0, courses, list, slice, count).await
}

fn check(changes: &DocumentChanges) -> Result<(), Failure> {
    let mut problems = Problems::default();
    if changes.course_id == Change::Clear {
        problems.must_not_be_null("courseId");
    }
    problems.changed_text("title", &changes.title, MOST_TITLE);
    let texts = [
        ("originalText", &changes.original_text),
        ("formattedNote", &changes.formatted_note),
    ];
    for (field, change) in texts {
        match change {
            Change::Keep => {}
            Change::Clear => problems.must_not_be_null(field),
            Change::Set(text) => problems.storable(field, text),
        }
    }
    if let Change::Set(excerpt) = &changes.excerpt {
        problems.optional_text("excerpt", excerpt, excerpt::MOST);
    }
    check_processing_time(&mut problems, changes.processing_time.value().copied());
    match &changes.metadata {
        Change::Keep => {}
        Change::Clear => problems.must_not_be_null("metadata"),
        Change::Set(metadata) => problems.metadata("metadata", metadata),
    }
    problems.finish()
}

fn check_processing_time(problems: &mut Problems, seconds: Option<f64>) {
    if seconds.is_some_and(|seconds| !seconds.is_finite() || seconds < 0.0) {
        problems.add(
            "processingTime",
            RefusalCode::Invalid,
            "processingTime must be 0 or more seconds.",
        );
    }
}
