//! Documents: the recognized text of a lecture page, and the Markdown note made from it. Each is in one course.
//!
//! The rules are here, the columns and inputs in [`model`], all the SQL in `store`, and in `excerpt` how the start of a note
//! becomes plain text.

pub mod excerpt;
pub mod model;
mod store;

pub use model::{
    CreateDocumentInput, Document, DocumentFilter, DocumentOrder, DocumentOrderField,
    DocumentTexts, UpdateDocumentInput,
};
use store::NewExcerpt;
pub(crate) use store::texts;

use crate::{
    auth::{UserId, Viewer},
    db::{Connection, Statement},
    error::{Error, RefusalCode},
    items::{self, NewId, Written},
    rules::Problems,
};

const MAX_TITLE: usize = 500;

impl items::Create for CreateDocumentInput {
    type Item = Document;

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

    fn insert(&self, owner: UserId, id: NewId) -> Statement<Written<Document>> {
        store::insert(owner, id, self)
    }
}

impl items::Update for UpdateDocumentInput {
    type Item = Document;

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

    async fn update(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
    ) -> Result<Statement<Written<Document>>, Error> {
        // An excerpt can be made from a note that the caller did not send: from the stored one, if it stays the same.
        let stored = if self.excerpt.is_null() && self.formatted_note.is_undefined() {
            let id = self.id.0;
            texts(conn, viewer, vec![id]).await?.remove(&id)
        } else {
            None
        };
        let excerpt = NewExcerpt::of(self, stored.as_ref());
        let seen = self.version.or(stored.as_ref().map(|texts| texts.version));
        Ok(store::update(viewer.user_id, self, excerpt, seen))
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
