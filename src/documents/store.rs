//! All the SQL of documents. Every statement is its owner's alone.

use std::collections::HashMap;

use diesel::sql_types::{Integer, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::{
    excerpt,
    model::{Document, DocumentChanges, DocumentList, DocumentTexts, NewDocument},
};
use crate::{
    auth::UserId,
    db::{
        Connection, Row, Statement,
        current::Source,
        keyset::{List, Order, PageRow},
        pool::{from_database, violated_unique},
        sql::Value,
    },
    error::{Error, Failure},
    items::{self, NewId},
    rules::Change,
};

const FIND_ALL: &str = "
    SELECT id, course_id, title, NULL::text, NULL::text, excerpt, processing_time, metadata, version,
        created_at, updated_at, deleted_at, trashed_with
    FROM current_documents WHERE user_id = $1 AND id = ANY($2)";

pub(super) async fn find_all(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<Vec<Document>, Error> {
    conn.rows(Statement::new(FIND_ALL).bind(owner).bind(ids))
        .await
}

const TEXTS: &str = "SELECT id, original_text, formatted_note, version FROM documents WHERE user_id = $1 AND id = ANY($2)";

type TextsRow = (Uuid, DocumentTexts);

impl Row for TextsRow {
    type Sql = (SqlUuid, (Text, Text, Integer));
}

pub(super) async fn texts(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, DocumentTexts>, Error> {
    let rows: Vec<TextsRow> = conn
        .rows(Statement::new(TEXTS).bind(owner).bind(ids))
        .await?;
    Ok(rows.into_iter().collect())
}

/// How an attempt to insert ended.
pub(super) enum Inserted {
    Document(Box<Document>),
    /// The course is not active, or the id is in use.
    Nothing {
        /// `None`: there is no such course.
        course_status: Option<String>,
    },
}

/// A course's status beside what was written into it, if anything was.
type WithCourse = (Option<String>, Option<Document>);

impl Row for WithCourse {
    type Sql = (Nullable<Text>, Nullable<<Document as Row>::Sql>);
}

/// The course is locked first, so that it cannot go to the trash before this commits. An id is the caller's alone, and
/// of one type: what has it among the courses and tasks keeps it.
const INSERT: &str = "
    WITH course AS MATERIALIZED (
        SELECT status FROM courses WHERE user_id = $1 AND id = $3
            AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $3 AND operation = 'remove')
        FOR SHARE
    ), made AS (
        INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, excerpt_is_own,
            processing_time, metadata)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
        WHERE EXISTS (SELECT FROM course WHERE status = 'active')
            AND NOT ($11 AND (EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = $2)
                              OR EXISTS (SELECT FROM tasks WHERE user_id = $1 AND id = $2)))
        ON CONFLICT (user_id, id) DO NOTHING
        RETURNING id, course_id, title, original_text, formatted_note, excerpt, processing_time, metadata, version,
            created_at, updated_at, deleted_at, trashed_with
    )
    SELECT (SELECT status FROM course), made.* FROM (VALUES (1)) AS one LEFT JOIN made ON true";

pub(super) async fn insert(
    conn: &mut Connection,
    owner: UserId,
    id: NewId,
    new: &NewDocument,
) -> Result<Inserted, Failure> {
    let statement = Statement::<WithCourse>::new(INSERT)
        .by(owner)
        .bind(id.id)
        .bind(new.course_id)
        .bind(new.title.as_str())
        .bind(new.original_text.as_str())
        .bind(new.formatted_note.as_str())
        .bind(
            new.excerpt
                .clone()
                .unwrap_or_else(|| excerpt::of_note(&new.formatted_note)),
        )
        .bind(new.excerpt.is_some())
        .bind(new.processing_time)
        .bind(new.metadata.clone())
        .bind(id.own);
    match conn.try_rows(statement).await {
        Ok(mut rows) => match rows.pop() {
            Some((_, Some(document))) => Ok(Inserted::Document(Box::new(document))),
            Some((course_status, None)) => Ok(Inserted::Nothing { course_status }),
            None => Err(Error::internal("an INSERT answered no row").into()),
        },
        Err(error) if violated_unique(&error) == Some(items::CREATED_ONCE) => Err(items::taken()),
        Err(error) => Err(from_database(error).into()),
    }
}

/// What becomes of the excerpt in an update.
pub(super) struct NewExcerpt {
    /// Replaces the excerpt, whoever made it.
    text: Option<String>,
    /// Whether that text is the caller's own.
    own: bool,
    /// Replaces an excerpt that is made of the note.
    made: Option<String>,
}

impl NewExcerpt {
    /// `stored`: the texts as they are, where the excerpt is to be made of a note that the caller did not send.
    pub(super) fn of(changes: &DocumentChanges, stored: Option<&DocumentTexts>) -> Self {
        let note = changes
            .formatted_note
            .value()
            .or(stored.map(|texts| &texts.formatted_note));
        let made = note.map(|note| excerpt::of_note(note));
        match &changes.excerpt {
            Change::Keep => NewExcerpt {
                text: None,
                own: false,
                made,
            },
            Change::Clear => NewExcerpt {
                text: made.clone(),
                own: false,
                made,
            },
            Change::Set(text) => NewExcerpt {
                text: Some(text.clone()),
                own: true,
                made,
            },
        }
    }
}

/// What an update did.
pub(super) struct Changed {
    /// `None`: there is no such active document at that version, or its new course is not active.
    pub(super) document: Option<Document>,
    /// The status of the course that it would go into; `None`: there is none, or none was named.
    pub(super) course_status: Option<String>,
}

/// One text whatever is changed, so that it is prepared once. The new course is locked before the document, as
/// everywhere; where none is named, none is locked. The course that the document is in is asked, too: the row's own status
/// may follow later (`pending`). A document that moves to another course leaves what it is still to be told by the previous
/// one.
const UPDATE: &str = "
    WITH course AS MATERIALIZED (
        SELECT status FROM courses WHERE user_id = $1 AND id = $5
            AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $5 AND operation = 'remove')
        FOR SHARE
    ), done AS (
        UPDATE documents SET
            course_id = CASE WHEN $4 THEN $5 ELSE course_id END,
            title = CASE WHEN $6 THEN $7 ELSE title END,
            original_text = CASE WHEN $8 THEN $9 ELSE original_text END,
            formatted_note = CASE WHEN $10 THEN $11 ELSE formatted_note END,
            excerpt = CASE WHEN $12 THEN $13 WHEN $14 AND NOT excerpt_is_own THEN $15 ELSE excerpt END,
            excerpt_is_own = CASE WHEN $12 THEN $16 ELSE excerpt_is_own END,
            processing_time = CASE WHEN $17 THEN $18 ELSE processing_time END,
            metadata = CASE WHEN $19 THEN $20 ELSE metadata END,
            status = CASE WHEN $4 THEN 'active' ELSE status END,
            deleted_at = CASE WHEN NOT $4 THEN deleted_at END,
            trashed_with = CASE WHEN NOT $4 THEN trashed_with END
        WHERE user_id = $1 AND id = $2 AND (status = 'active' OR trashed_with IS NOT NULL) AND ($3 IS NULL OR version = $3)
            AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = documents.course_id AND courses.status = 'trash')
            AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $2 AND operation = 'remove')
            AND (NOT $4 OR EXISTS (SELECT FROM course WHERE status = 'active'))
        RETURNING id, course_id, title, original_text, formatted_note, excerpt, processing_time, metadata, version,
            created_at, updated_at, NULL::timestamptz, NULL::uuid
    )
    SELECT (SELECT status FROM course), done.* FROM (VALUES (1)) AS one LEFT JOIN done ON true";

pub(super) async fn update(
    conn: &mut Connection,
    owner: UserId,
    changes: &DocumentChanges,
    excerpt: &NewExcerpt,
    version: Option<i32>,
) -> Result<Changed, Error> {
    let text = |change: &Change<String>| Value::Text(change.value().cloned());
    let statement = Statement::<WithCourse>::new(UPDATE)
        .by(owner)
        .bind(changes.id)
        .bind(version)
        .bind(changes.course_id.given())
        .bind(changes.course_id.value().copied())
        .bind(changes.title.given())
        .bind(text(&changes.title))
        .bind(changes.original_text.given())
        .bind(text(&changes.original_text))
        .bind(changes.formatted_note.given())
        .bind(text(&changes.formatted_note))
        .bind(excerpt.text.is_some())
        .bind(excerpt.text.clone())
        .bind(excerpt.made.is_some())
        .bind(excerpt.made.clone())
        .bind(excerpt.own)
        .bind(changes.processing_time.given())
        .bind(changes.processing_time.value().copied())
        .bind(changes.metadata.given())
        .bind(changes.metadata.value().cloned());
    let (course_status, document) = conn.row(statement).await?.unwrap_or_default();
    Ok(Changed {
        document,
        course_status,
    })
}

impl List for DocumentList {
    type Item = Document;
    const TABLE: &'static str = "documents";

    fn columns(&self, statement: &mut Statement<PageRow<Document>>, _source: Source) {
        statement
            .sql("id, course_id, title, CASE WHEN ")
            .value(self.columns.original_text);
        statement
            .sql(" THEN original_text END, CASE WHEN ")
            .value(self.columns.formatted_note);
        statement.sql(
            " THEN formatted_note END, excerpt, processing_time, metadata, version, created_at, updated_at, deleted_at,
              trashed_with",
        );
    }

    fn conditions(&self, statement: &mut Statement<PageRow<Document>>, owner: Uuid) {
        let filter = &self.filter;
        filter.status.condition(statement);
        if let Some(course_id) = filter.course_id {
            statement.sql(" AND course_id = ").value(course_id);
        }
        if filter.is_special() {
            items::contains(statement, "title", filter.title_contains.as_deref());
            items::holds(
                statement,
                owner,
                "metadata",
                filter.metadata_contains.as_ref(),
            );
            items::unless_null(statement, "(image_id IS NOT NULL)", " = ", filter.has_image);
            items::unless_null(statement, "created_at", " >= ", filter.created_after);
            items::unless_null(statement, "created_at", " < ", filter.created_before);
        }
    }

    fn order(&self) -> Order {
        self.order.into()
    }
}
