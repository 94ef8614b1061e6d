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
    auth::Viewer,
    db::{Columns, Connection, Statement},
    error::Error,
    items::{Conditions, Create, InsertItems, Item as _, Listed, Update, UpdateItems, Written},
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

    fn insert(insert: InsertItems<'_, Self>) -> Statement<Written<Document>> {
        insert
            .into_course(|document| Some(document.course_id))
            .title(|document| &document.title)
            .value("original_text", |document| document.original_text.as_str())
            .value("formatted_note", |document| {
                document.formatted_note.as_str()
            })
            .value("excerpt", |document| match &document.excerpt {
                Some(excerpt) => excerpt.clone(),
                None => excerpt::of_note(&document.formatted_note),
            })
            .value("excerpt_is_own", |document| document.excerpt.is_some())
            .value("processing_time", |document| document.processing_time)
            .value("metadata", |document| {
                document.metadata.clone().unwrap_or_default()
            })
            .returning(Document::ON_DEMAND)
    }
}

impl UpdateDocumentInput {
    /// Whether the excerpt is to be made from the stored note, since the note stays the same.
    fn needs_stored_note(&self) -> bool {
        self.excerpt.is_null() && self.formatted_note.is_undefined()
    }

    /// The excerpt that the caller wrote, or the one made from the note.
    fn new_excerpt(&self, stored: &HashMap<Uuid, StoredExcerpt>) -> Option<String> {
        if let Some(excerpt) = self.excerpt.value() {
            return Some(excerpt.clone());
        }
        match self.formatted_note.value() {
            Some(note) => Some(excerpt::of_note(note)),
            None => Some(stored.get(&self.target.id.0)?.excerpt.clone()),
        }
    }

    /// Whether the caller writes the excerpt from now on. `None` if that does not change.
    fn excerpt_is_own(&self) -> Option<bool> {
        match &self.excerpt {
            MaybeUndefined::Undefined => None,
            excerpt => Some(!excerpt.is_null()),
        }
    }
}

/// The excerpt that is made from a stored note.
#[derive(Debug)]
pub(crate) struct StoredExcerpt {
    excerpt: String,
    /// The version of the document that has this note.
    version: i32,
}

const NOTES: &str =
    "SELECT id, formatted_note, version FROM documents WHERE user_id = $1 AND id = ANY($2)";

/// The excerpts of the stored notes of the viewer's documents with these ids. Notes can be long, so they are parsed on a thread for
/// blocking work.
async fn stored_excerpts(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, StoredExcerpt>, Error> {
    let statement = Statement::new(NOTES).bind(viewer.user_id).bind(ids);
    let notes: Vec<(Uuid, String, i32)> = conn.rows(statement).await?;
    let excerpts = tokio::task::spawn_blocking(move || {
        let stored = notes.into_iter().map(|(id, note, version)| {
            let excerpt = excerpt::of_note(&note);
            (id, StoredExcerpt { excerpt, version })
        });
        stored.collect()
    });
    excerpts.await.map_err(Error::internal)
}

impl Update for UpdateDocumentInput {
    type Item = Document;
    /// Of the documents that [need](UpdateDocumentInput::needs_stored_note) it.
    type Stored = HashMap<Uuid, StoredExcerpt>;

    async fn read(
        conn: &mut Connection,
        viewer: &Viewer,
        inputs: &[&Self],
    ) -> Result<HashMap<Uuid, StoredExcerpt>, Error> {
        let need = inputs
            .iter()
            .filter(|document| document.needs_stored_note());
        let ids: Vec<Uuid> = need.map(|document| document.target.id.0).collect();
        match ids.is_empty() {
            true => Ok(HashMap::new()),
            false => stored_excerpts(conn, viewer, ids).await,
        }
    }

    fn update(
        update: UpdateItems<'_, Self>,
        stored: &HashMap<Uuid, StoredExcerpt>,
    ) -> Statement<Written<Document>> {
        update
            .version(|document| stored.get(&document.target.id.0).map(|stored| stored.version))
            .into_course(|document| &document.course_id)
            .title(|document| &document.title)
            .change("original_text", |document| &document.original_text)
            .change("formatted_note", |document| &document.formatted_note)
            .change("processing_time", |document| &document.processing_time)
            .change("metadata", |document| &document.metadata)
            .set("excerpt", |entries| {
                let new = entries.value(|document| document.new_excerpt(stored));
                let own = entries.value(Self::excerpt_is_own);
                format!("CASE WHEN {own} IS NULL AND excerpt_is_own THEN excerpt ELSE coalesce({new}, excerpt) END")
            })
            .set("excerpt_is_own", |entries| {
                let own = entries.value(Self::excerpt_is_own);
                format!("coalesce({own}, excerpt_is_own)")
            })
            .returning(Document::ON_DEMAND)
    }
}

impl Listed for Document {
    type Filter = DocumentFilter;
    type OrderBy = DocumentOrder;

    fn title_part(filter: &DocumentFilter) -> Option<&str> {
        filter.title_contains.as_deref()
    }

    fn conditions(filter: &DocumentFilter, conditions: &mut Conditions<'_>) {
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
