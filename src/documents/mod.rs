//! Documents: the recognised text of a lecture page, and the Markdown note made from it. Each is in one course.
//!
//! The rules are here, the columns and inputs in [`model`], all the SQL in `store`, and in `excerpt` how the start of a note
//! becomes plain text.

pub mod excerpt;
pub mod model;
pub mod plain_text;
mod store;

use std::collections::HashMap;

use uuid::Uuid;

pub use model::{
    CreateDocumentInput, Document, DocumentFilter, DocumentOrder, DocumentOrderField,
    DocumentTexts, UpdateDocumentInput,
};
use store::NewExcerpt;

use crate::{
    auth::{UserId, Viewer},
    db::Connection,
    error::{Error, Failure, RefusalCode},
    items::{self, NewId, Written},
    rules::Problems,
    scalars::ID,
};

const MAX_TITLE: usize = 500;

/// The texts of the viewer's documents with these ids.
pub(crate) async fn texts(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, DocumentTexts>, Error> {
    store::texts(conn, viewer.user_id, ids).await
}

impl items::Create for CreateDocumentInput {
    type Item = Document;

    fn chosen_id(&self) -> Option<&ID> {
        self.id.as_ref()
    }

    fn has_course(&self) -> bool {
        true
    }

    fn check(&self, problems: &mut Problems) {
        problems.text("title", &self.title, MAX_TITLE);
        problems.storable("originalText", &self.original_text);
        problems.storable("formattedNote", &self.formatted_note);
        problems.optional_text("excerpt", self.excerpt.as_ref(), excerpt::MAX_LENGTH);
        check_processing_time(problems, self.processing_time);
        if let Some(metadata) = &self.metadata {
            problems.metadata("metadata", &metadata.0);
        }
    }

    async fn insert(
        &self,
        conn: &mut Connection,
        owner: UserId,
        id: NewId,
    ) -> Result<Written<Document>, Failure> {
        store::insert(conn, owner, id, self).await
    }
}

impl items::Update for UpdateDocumentInput {
    type Item = Document;

    fn id(&self) -> Uuid {
        self.id.0
    }

    fn version(&self) -> Option<i32> {
        self.version
    }

    fn has_course(&self) -> bool {
        self.course_id.is_value()
    }

    fn check(&self, problems: &mut Problems) {
        problems.not_null("courseId", &self.course_id);
        problems.changed_text("title", &self.title, MAX_TITLE);
        for (field, text) in [
            ("originalText", &self.original_text),
            ("formattedNote", &self.formatted_note),
        ] {
            problems.not_null(field, text);
            problems.storable(field, text.value().map_or("", String::as_str));
        }
        problems.optional_text("excerpt", self.excerpt.value(), excerpt::MAX_LENGTH);
        check_processing_time(problems, self.processing_time.value().copied());
        problems.not_null("metadata", &self.metadata);
        if let Some(metadata) = self.metadata.value() {
            problems.metadata("metadata", &metadata.0);
        }
    }

    async fn apply(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
    ) -> Result<Written<Document>, Error> {
        // An excerpt can be made from a note that the caller did not send: from the stored one, if it stays the same.
        let stored = if self.excerpt.is_null() && self.formatted_note.is_undefined() {
            let id = self.id.0;
            texts(conn, viewer, vec![id]).await?.remove(&id)
        } else {
            None
        };
        let excerpt = NewExcerpt::of(self, stored.as_ref());
        let seen = self.version.or(stored.as_ref().map(|texts| texts.version));
        store::update(conn, viewer.user_id, self, &excerpt, seen).await
    }
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
