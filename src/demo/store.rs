//! The demo's SQL: inserts items with past times, which the API does not allow.
//!
//! `$2` is an array of rows as JSON, with the names of the columns. Items that the change log knows existed before, and
//! may have been deleted since, so they are not added again.

use serde_json::Value;
use uuid::Uuid;

use crate::{
    auth::UserId,
    db::{Connection, Statement},
    error::Error,
};

pub(super) const ADD_COURSES: &str = "
    INSERT INTO courses (user_id, id, name, description, color, icon, created_at, updated_at,
        name_folded)
    SELECT $1, id, name, description, color, icon, created_at, created_at, name_folded
    FROM jsonb_populate_recordset(NULL::courses, $2) AS new
    WHERE NOT EXISTS (SELECT FROM audit_logs WHERE user_id = $1 AND entity_id = new.id AND action = 'CREATED')
    RETURNING id";

/// Without a name that another tag has.
pub(super) const ADD_TAGS: &str = "
    INSERT INTO tags (user_id, id, name, color, created_at, updated_at, name_folded)
    SELECT $1, id, name, color, created_at, created_at, name_folded
    FROM jsonb_populate_recordset(NULL::tags, $2) AS new
    WHERE NOT EXISTS (SELECT FROM audit_logs WHERE user_id = $1 AND entity_id = new.id AND action = 'CREATED')
    ON CONFLICT DO NOTHING RETURNING id";

/// Statements lock tags before courses and items.
const LOCK_TAGS: &str =
    "SELECT FROM tags WHERE user_id = $1 AND status = 'active' ORDER BY id FOR SHARE";

/// Locks the owner's active tags until the transaction ends.
pub(super) async fn lock_tags(conn: &mut Connection, owner: UserId) -> Result<(), Error> {
    conn.execute(Statement::new(LOCK_TAGS).bind(owner)).await?;
    Ok(())
}

macro_rules! assign_tags {
    ($table:literal) => {
        concat!(
            "INSERT INTO ", $table, " (user_id, item_id, tag_id)
            SELECT $1, item_id, tag_id FROM jsonb_populate_recordset(NULL::", $table, ", $2)
            WHERE EXISTS (SELECT FROM tags WHERE user_id = $1 AND id = tag_id AND status = 'active')"
        )
    };
}

pub(super) const TAG_DOCUMENTS: &str = assign_tags!("document_tags");
pub(super) const TAG_TASKS: &str = assign_tags!("task_tags");

/// Only into an active course, as everywhere.
pub(super) const ADD_DOCUMENTS: &str = "
    INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, processing_time,
        metadata, created_at, updated_at, status, deleted_at, title_folded)
    SELECT $1, id, course_id, title, original_text, formatted_note, excerpt, processing_time,
        metadata, created_at, created_at, CASE WHEN deleted_at IS NULL THEN 'active' ELSE 'trash' END, deleted_at, title_folded
    FROM jsonb_populate_recordset(NULL::documents, $2) AS new
    WHERE NOT EXISTS (SELECT FROM audit_logs WHERE user_id = $1 AND entity_id = new.id AND action = 'CREATED')
        AND EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = new.course_id AND status = 'active' FOR SHARE)
    RETURNING id";

pub(super) const ADD_TASKS: &str = "
    INSERT INTO tasks (user_id, id, course_id, title, description, priority, due_at, due_on, completed_at, created_at, updated_at,
        status, deleted_at, title_folded)
    SELECT $1, id, course_id, title, description, priority, due_at, due_on, completed_at, created_at, created_at,
        CASE WHEN deleted_at IS NULL THEN 'active' ELSE 'trash' END, deleted_at, title_folded
    FROM jsonb_populate_recordset(NULL::tasks, $2) AS new
    WHERE NOT EXISTS (SELECT FROM audit_logs WHERE user_id = $1 AND entity_id = new.id AND action = 'CREATED')
        AND (course_id IS NULL
            OR EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = new.course_id AND status = 'active' FOR SHARE))
    RETURNING id";

/// Adds items. Returns the ids of those that are new.
pub(super) async fn add(
    conn: &mut Connection,
    text: &'static str,
    owner: UserId,
    rows: Vec<Value>,
) -> Result<Vec<Uuid>, Error> {
    let statement = Statement::new(text).bind(owner).bind(Value::Array(rows));
    conn.rows(statement).await
}

/// Assigns tags, if they are active, to items that have none.
pub(super) async fn assign_tags(
    conn: &mut Connection,
    text: &'static str,
    owner: UserId,
    rows: Vec<Value>,
) -> Result<(), Error> {
    let statement = Statement::new(text).bind(owner).bind(Value::Array(rows));
    conn.execute(statement).await?;
    Ok(())
}
