//! The SQL of exports. PostgreSQL makes the JSON, with the names of the API.

use uuid::Uuid;

use super::Picture;
use crate::{
    auth::UserId,
    db::{Connection, Statement},
    error::Error,
    images::model::ContentType,
};

/// Rows of a page.
const MAX_ROWS: i64 = 500;
/// Size of a page's texts in bytes, except for a single row that is larger.
const MAX_BYTES: i64 = 1024 * 1024;

const BEGIN_SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Makes the current transaction read from one snapshot. The first statement of the transaction.
pub(super) async fn begin_snapshot(conn: &mut Connection) -> Result<(), Error> {
    conn.execute(Statement::new(BEGIN_SNAPSHOT)).await?;
    Ok(())
}

const PROFILE: &str = "
    SELECT json_build_object('id', users.id, 'email', email, 'emailVerified', email_verified, 'name', name, 'avatarUrl', avatar_url,
        'role', upper(role), 'createdAt', users.created_at, 'updatedAt', users.updated_at, 'lastSignInAt', last_sign_in_at,
        'profile', json_build_object('proficiency', upper(proficiency), 'technicalBackground', technical_background,
            'hardwareAccess', hardware_access, 'learningGoals', learning_goals, 'preferences', preferences,
            'updatedAt', profile.updated_at),
        'accounts', (SELECT coalesce(jsonb_agg(json_build_object('provider', provider, 'accountId', provider_account_id,
            'createdAt', accounts.created_at) ORDER BY provider, provider_account_id), '[]') FROM accounts WHERE accounts.user_id = users.id)
        )::text
    FROM users LEFT JOIN user_profiles AS profile ON profile.user_id = users.id
    WHERE users.id = $1 AND deleted_at IS NULL";

/// The user as JSON.
pub(super) async fn profile(conn: &mut Connection, user: UserId) -> Result<Option<String>, Error> {
    let row = conn
        .row::<(String,)>(Statement::new(PROFILE).bind(user))
        .await?;
    Ok(row.map(|(json,)| json))
}

/// A file with one kind of item.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Tags,
    Courses,
    Documents,
    Tasks,
}

/// A statement that returns a page of JSON objects. `$value`: the object, `$size`: the size of its texts.
macro_rules! page {
    ($view:literal, $size:literal, $value:literal) => {
        concat!(
            "SELECT id, json FROM (
                SELECT id, ",
            $value,
            "::text AS json, sum(",
            $size,
            ") OVER (ORDER BY id) AS total, row_number() OVER (ORDER BY id) AS number
                FROM (SELECT * FROM ",
            $view,
            " WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3) AS item
            ) AS page WHERE total <= $4 OR number = 1 ORDER BY id"
        )
    };
}

const TAGS: &str = page!(
    "current_tags",
    "0",
    "json_build_object('id', id, 'name', name, 'color', color, 'status', upper(status), 'version', version,
        'createdAt', created_at, 'updatedAt', updated_at, 'deletedAt', deleted_at)"
);
const COURSES: &str = page!(
    "current_courses",
    "coalesce(octet_length(description), 0)",
    "json_build_object('id', id, 'name', name, 'description', description, 'color', color, 'icon', icon, 'status', upper(status),
        'version', version, 'createdAt', created_at, 'updatedAt', updated_at, 'deletedAt', deleted_at)"
);
const DOCUMENTS: &str = page!(
    "current_documents",
    "octet_length(original_text) + octet_length(formatted_note) + pg_column_size(metadata)",
    "json_build_object('id', id, 'courseId', course_id, 'title', title, 'originalText', original_text, 'formattedNote', formatted_note,
        'excerpt', excerpt, 'processingTime', processing_time, 'metadata', metadata, 'status', upper(status), 'version', version,
        'createdAt', created_at, 'updatedAt', updated_at, 'deletedAt', deleted_at,
        'tagIds', (SELECT coalesce(jsonb_agg(tag_id ORDER BY tag_id), '[]') FROM document_tags
            WHERE document_tags.user_id = $1 AND item_id = item.id),
        'image', (SELECT 'images/' || object.id || CASE content_type WHEN 'image/jpeg' THEN '.jpg' WHEN 'image/png' THEN '.png'
            WHEN 'image/webp' THEN '.webp' ELSE '.gif' END
            FROM image_objects AS object WHERE object.user_id = $1 AND object.id = item.image_id))"
);
const TASKS: &str = page!(
    "current_tasks",
    "coalesce(octet_length(description), 0)",
    "json_build_object('id', id, 'courseId', course_id, 'title', title, 'description', description, 'completedAt', completed_at,
        'dueAt', due_at, 'dueOn', due_on, 'priority', CASE priority WHEN 0 THEN 'LOW' WHEN 1 THEN 'MEDIUM' ELSE 'HIGH' END,
        'position', position, 'status', upper(status), 'version', version, 'createdAt', created_at, 'updatedAt', updated_at,
        'deletedAt', deleted_at,
        'tagIds', (SELECT coalesce(jsonb_agg(tag_id ORDER BY tag_id), '[]') FROM task_tags
            WHERE task_tags.user_id = $1 AND item_id = item.id))"
);

impl Part {
    /// All parts. What others refer to comes first.
    pub(super) const ALL: [Part; 4] = [Part::Tags, Part::Courses, Part::Documents, Part::Tasks];

    /// The name of the file.
    pub(super) fn file(self) -> &'static str {
        match self {
            Part::Tags => "tags.ndjson",
            Part::Courses => "courses.ndjson",
            Part::Documents => "documents.ndjson",
            Part::Tasks => "tasks.ndjson",
        }
    }

    fn statement(self) -> &'static str {
        match self {
            Part::Tags => TAGS,
            Part::Courses => COURSES,
            Part::Documents => DOCUMENTS,
            Part::Tasks => TASKS,
        }
    }
}

/// A page of JSON objects.
pub(super) struct Page {
    pub(super) lines: Vec<String>,
    /// The id of the last one. `None`: the end.
    pub(super) last: Option<Uuid>,
}

/// The items after this id, in the order of ids.
pub(super) async fn page(
    conn: &mut Connection,
    user: UserId,
    part: Part,
    after: Uuid,
) -> Result<Page, Error> {
    let statement = Statement::<(Uuid, String)>::new(part.statement())
        .bind(user)
        .bind(after)
        .bind(MAX_ROWS)
        .bind(MAX_BYTES);
    let rows = conn.rows(statement).await?;
    let last = rows.last().map(|(id, _)| *id);
    let lines = rows.into_iter().map(|(_, line)| line).collect();
    Ok(Page { lines, last })
}

const PICTURES: &str = "
    SELECT object.id, object.content_type FROM current_documents AS document
    JOIN image_objects AS object ON object.user_id = $1 AND object.id = document.image_id
    WHERE document.user_id = $1 ORDER BY object.id";

/// The images of all documents.
pub(super) async fn pictures(conn: &mut Connection, user: UserId) -> Result<Vec<Picture>, Error> {
    let statement = Statement::<(Uuid, ContentType)>::new(PICTURES).bind(user);
    let picture = |(id, content_type): (Uuid, ContentType)| Picture {
        id,
        extension: content_type.extension(),
    };
    let rows = conn.rows(statement).await?;
    Ok(rows.into_iter().map(picture).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_images_by_the_extensions_of_their_types() {
        for media_type in ["image/jpeg", "image/png", "image/webp", "image/gif"] {
            let known = ContentType::of_media_type(media_type).expect("a known type");
            let named = format!("'.{}'", known.extension());
            assert!(DOCUMENTS.contains(&named), "{media_type}");
        }
    }
}
