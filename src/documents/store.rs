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
    db::{Columns, Connection, Statement},
    error::Error,
    items::{
        Create, Item as _, Listed, NewId, Update, UpdateTarget, Written,
        commands::store::{InsertItem, UpdateItem},
        store::Conditions,
    },
    scalars::MaybeUndefined,
};

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

impl Create for CreateDocumentInput {
    type Item = Document;

    fn insert(&self, owner: UserId, id: NewId) -> Statement<Written<Document>> {
        let excerpt = self.excerpt.clone();
        let excerpt = excerpt.unwrap_or_else(|| excerpt::of_note(&self.formatted_note));
        InsertItem::<Document>::new(owner, id)
            .into_course(Some(self.course_id))
            .title(&self.title)
            .value("original_text", self.original_text.as_str())
            .value("formatted_note", self.formatted_note.as_str())
            .value("excerpt", excerpt)
            .value("excerpt_is_own", self.excerpt.is_some())
            .value("processing_time", self.processing_time)
            .value("metadata", self.metadata.clone().unwrap_or_default())
            .returning(Document::ON_DEMAND)
    }
}

/// How an update changes the excerpt.
struct NewExcerpt {
    /// Replaces the excerpt in any case.
    text: Option<String>,
    /// Whether the caller wrote that text; `None` if there is none.
    own: Option<bool>,
    /// Replaces an excerpt that was made from the note.
    made: Option<String>,
}

impl NewExcerpt {
    /// `stored`: the present texts, if the excerpt is made from a note that the caller did not send.
    fn of(input: &UpdateDocumentInput, stored: Option<&DocumentTexts>) -> Self {
        let note = input
            .formatted_note
            .value()
            .or(stored.map(|texts| &texts.formatted_note));
        let made = note.map(|note| excerpt::of_note(note));
        let (text, own) = match &input.excerpt {
            MaybeUndefined::Undefined => (None, None),
            MaybeUndefined::Null => (made.clone(), made.as_ref().map(|_| false)),
            MaybeUndefined::Value(text) => (Some(text.clone()), Some(true)),
        };
        NewExcerpt { text, own, made }
    }
}

impl Update for UpdateDocumentInput {
    type Item = Document;

    fn target(&self) -> UpdateTarget {
        self.target
    }

    async fn update(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
    ) -> Result<Statement<Written<Document>>, Error> {
        // An excerpt can be made from a note that the caller did not send: from the stored one, if it stays the same.
        let stored = if self.excerpt.is_null() && self.formatted_note.is_undefined() {
            let id = self.target.id.0;
            texts(conn, viewer, vec![id]).await?.remove(&id)
        } else {
            None
        };
        let excerpt = NewExcerpt::of(self, stored.as_ref());
        let version = self
            .target
            .version
            .or(stored.as_ref().map(|texts| texts.version));
        let target = UpdateTarget {
            version,
            ..self.target
        };
        let update = UpdateItem::<Document>::new(viewer.user_id, target)
            .into_course(&self.course_id)
            .title(&self.title)
            .change("original_text", &self.original_text)
            .change("formatted_note", &self.formatted_note)
            .change("processing_time", &self.processing_time)
            .change("metadata", &self.metadata)
            .set("excerpt", |statement| {
                let text = statement.placeholder(excerpt.text);
                let made = statement.placeholder(excerpt.made);
                format!("coalesce({text}, CASE WHEN NOT excerpt_is_own THEN {made} END, excerpt)")
            })
            .set("excerpt_is_own", |statement| {
                let own = statement.placeholder(excerpt.own);
                format!("coalesce({own}, excerpt_is_own)")
            })
            .returning(Document::ON_DEMAND);
        Ok(update)
    }
}

impl Listed for Document {
    type Filter = DocumentFilter;
    type OrderBy = DocumentOrder;

    fn title_part(filter: &DocumentFilter) -> Option<&str> {
        filter.title_contains.as_deref()
    }

    fn conditions(filter: &DocumentFilter, conditions: &mut Conditions<'_, Self::PageRow>) {
        let DocumentFilter {
            course_id,
            course_ids,
            tag_ids,
            title_contains: _,
            metadata_contains,
            has_image,
            shared: _,
            and: _,
            or: _,
            not: _,
        } = filter;
        if course_id.is_null() {
            let problem = "must not be null, since every document is in a course. Omit it to list all documents.";
            conditions.invalid("courseId", problem);
        }
        conditions
            .equals("course_id", course_id.value().copied())
            .one_of("courseIds", "course_id", course_ids.as_deref())
            .tagged(Document::KIND, tag_ids.as_deref())
            .holds("metadataContains", "metadata", metadata_contains.as_ref())
            .either(*has_image, "image_id IS NOT NULL", "image_id IS NULL");
    }
}
