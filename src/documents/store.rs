//! All the SQL of documents. Every statement is scoped to one owner.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

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
    db::{Columns, Connection, SqlText, Statement, current::Source},
    error::Error,
    items::{Conditions, Create, InsertItems, Item as _, Listed, Update, UpdateItems, Written},
    scalars::MaybeUndefined,
};

const STARTS: &str = "SELECT id, left(original_text, $3), left(formatted_note, $3) FROM documents WHERE user_id = $1 AND id = ANY($2)";

/// The first `length` characters of the texts of the viewer's documents with these ids.
pub(crate) async fn texts(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
    length: usize,
) -> Result<HashMap<Uuid, DocumentTexts>, Error> {
    let statement = Statement::new(STARTS)
        .bind(viewer.user_id)
        .bind(ids)
        .bind(i32::try_from(length).unwrap_or(i32::MAX));
    let rows: Vec<(Uuid, DocumentTexts)> = conn.rows(statement).await?;
    Ok(rows.into_iter().collect())
}

/// A field of a document whose value can be long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LongField {
    OriginalText,
    FormattedNote,
    Metadata,
}

impl LongField {
    const ALL: [LongField; 3] = [
        LongField::OriginalText,
        LongField::FormattedNote,
        LongField::Metadata,
    ];

    /// Its name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            LongField::OriginalText => "originalText",
            LongField::FormattedNote => "formattedNote",
            LongField::Metadata => "metadata",
        }
    }

    /// The names of those that occur among these values, as an error message shows them.
    pub(crate) fn names(values: &[(Uuid, LongField)]) -> String {
        let occurs = |field: &LongField| values.iter().any(|(_, known)| known == field);
        let fields = LongField::ALL.into_iter().filter(occurs);
        let names: Vec<String> = fields.map(|field| format!("`{}`", field.name())).collect();
        names.join(" and ")
    }
}

/// Long values of documents, and their size.
pub(crate) struct LongValues {
    /// The number of documents.
    pub(crate) documents: usize,
    /// The size of all values in bytes.
    pub(crate) bytes: i64,
    /// The values, metadata as JSON. `None` if they are longer than requested.
    pub(crate) values: Option<HashMap<(Uuid, LongField), String>>,
}

/// PostgreSQL knows the length of a text without reading it. So texts that are not returned cost nothing.
const LONG_VALUES: &str =
    "SELECT id, CASE WHEN total <= $6 THEN original END, CASE WHEN total <= $6 THEN note END,
        CASE WHEN total <= $6 THEN metadata END, total
    FROM (
        SELECT *, sum(coalesce(octet_length(original), 0) + coalesce(octet_length(note), 0)
            + coalesce(octet_length(metadata), 0)) OVER () AS total
        FROM (
            SELECT id, CASE WHEN id = ANY($3) THEN original_text END AS original,
                CASE WHEN id = ANY($4) THEN formatted_note END AS note,
                CASE WHEN id = ANY($5) THEN metadata::text END AS metadata
            FROM documents WHERE user_id = $1 AND id = ANY($2)
        ) AS selected
    ) AS sized";

/// These values of the viewer's documents if they have at most `max` bytes together, and their size.
pub(crate) async fn long_values(
    conn: &mut Connection,
    viewer: &Viewer,
    wanted: &[(Uuid, LongField)],
    max: i64,
) -> Result<LongValues, Error> {
    let all: HashSet<Uuid> = wanted.iter().map(|(id, _)| *id).collect();
    let all: Vec<Uuid> = all.into_iter().collect();
    let mut statement = Statement::new(LONG_VALUES).bind(viewer.user_id).bind(all);
    for field in LongField::ALL {
        let of_field = wanted.iter().filter(|(_, known)| *known == field);
        statement = statement.bind(of_field.map(|(id, _)| *id).collect::<Vec<Uuid>>());
    }
    type Value = Option<String>;
    let rows: Vec<(Uuid, Value, Value, Value, i64)> = conn.rows(statement.bind(max)).await?;
    let (documents, bytes) = (rows.len(), rows.first().map_or(0, |(.., total)| *total));
    let found = rows.into_iter().flat_map(|(id, text, note, metadata, _)| {
        let values = LongField::ALL.into_iter().zip([text, note, metadata]);
        values.filter_map(move |(field, value)| Some(((id, field), value?)))
    });
    Ok(LongValues {
        documents,
        bytes,
        values: (bytes <= max).then(|| found.collect()),
    })
}

/// The expression of a column on demand that is NULL if the value may have more than `max` bytes. PostgreSQL does not know the length
/// of compressed metadata.
fn if_short(column: &str, max: &str) -> String {
    let is_short = match column {
        "metadata" => {
            format!("pg_column_compression(metadata) IS NULL AND pg_column_size(metadata) <= {max}")
        }
        _ => format!("octet_length({column}) <= {max}"),
    };
    format!("CASE WHEN {is_short} THEN {column} END")
}

/// What a statement that writes documents returns for their columns on demand. A batch has up to 100 documents.
static SHORT_VALUES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let short = |column: &&str| if_short(column, "16384");
    Document::ON_DEMAND.iter().map(short).collect()
});

/// The same on a sharded database, where a statement that writes returns only what immutable functions compute.
static SHORT_VALUES_ON_SHARDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let short = |column: &&str| match *column {
        "metadata" => {
            "CASE WHEN octet_length(metadata::text) <= 16384 THEN metadata END".to_owned()
        }
        _ => if_short(column, "16384"),
    };
    Document::ON_DEMAND.iter().map(short).collect()
});

fn short_values(is_sharded: bool) -> Vec<&'static str> {
    let values = match is_sharded {
        true => &SHORT_VALUES_ON_SHARDS,
        false => &SHORT_VALUES,
    };
    values.iter().map(String::as_str).collect()
}

impl Create for CreateDocumentInput {
    type Item = Document;

    fn insert(insert: InsertItems<'_, Self>) -> Statement<Written<Document>> {
        let short_values = short_values(insert.is_sharded());
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
            .returning(&short_values)
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
    excerpts.await.map_err(Error::of_task)
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
        let short_values = short_values(update.is_sharded());
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
            .returning(&short_values)
    }
}

impl Listed for Document {
    type Filter = DocumentFilter;
    type OrderBy = DocumentOrder;

    fn on_demand(
        column: &str,
        statement: &mut SqlText,
        _owner: Uuid,
        _source: Source,
        max_bytes: i64,
    ) {
        let max = statement.placeholder(max_bytes);
        statement.sql(&if_short(column, &max));
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
