//! The demo's SQL: inserts items with past times, which the API does not allow.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::content::{Course, Task};
use crate::{
    auth::UserId,
    db::{Connection, Statement},
    error::Error,
};

pub(super) struct CourseRow<'a> {
    pub(super) id: Uuid,
    pub(super) course: &'a Course,
    pub(super) created_at: DateTime<Utc>,
}

pub(super) struct DocumentRow<'a> {
    pub(super) id: Uuid,
    pub(super) course_id: Uuid,
    pub(super) title: &'a str,
    pub(super) original_text: String,
    pub(super) formatted_note: &'a str,
    pub(super) excerpt: String,
    pub(super) processing_time: f64,
    pub(super) metadata: Value,
    pub(super) created_at: DateTime<Utc>,
    pub(super) deleted_at: Option<DateTime<Utc>>,
}

pub(super) struct TaskRow<'a> {
    pub(super) id: Uuid,
    pub(super) course_id: Option<Uuid>,
    pub(super) task: &'a Task,
    pub(super) created_at: DateTime<Utc>,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) completed_at: Option<DateTime<Utc>>,
    pub(super) deleted_at: Option<DateTime<Utc>>,
}

/// Items that the change log knows existed before, and may have been deleted since, so they are not added again.
const ADD_COURSE: &str = "
    INSERT INTO courses (user_id, id, name, description, color, icon, created_at, updated_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $7
    WHERE NOT EXISTS (SELECT FROM audit_logs WHERE user_id = $1 AND entity_id = $2 AND action = 'CREATED')";

pub(super) async fn add_course(
    conn: &mut Connection,
    owner: UserId,
    row: &CourseRow<'_>,
) -> Result<usize, Error> {
    let statement = Statement::new(ADD_COURSE)
        .bind(owner)
        .bind(row.id)
        .bind(row.course.name.as_str())
        .bind(row.course.description.as_str())
        .bind(row.course.color.as_str())
        .bind(row.course.icon.as_str())
        .bind(row.created_at);
    conn.execute(statement).await
}

/// Only into an active course, as everywhere.
const ADD_DOCUMENT: &str = "
    INSERT INTO documents (user_id, id, course_id, title, original_text, formatted_note, excerpt, processing_time,
        metadata, created_at, updated_at, status, deleted_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, CASE WHEN $11 IS NULL THEN 'active' ELSE 'trash' END, $11
    WHERE NOT EXISTS (SELECT FROM audit_logs WHERE user_id = $1 AND entity_id = $2 AND action = 'CREATED')
        AND EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = $3 AND status = 'active' FOR SHARE)";

pub(super) async fn add_document(
    conn: &mut Connection,
    owner: UserId,
    row: &DocumentRow<'_>,
) -> Result<usize, Error> {
    let statement = Statement::new(ADD_DOCUMENT)
        .bind(owner)
        .bind(row.id)
        .bind(row.course_id)
        .bind(row.title)
        .bind(row.original_text.as_str())
        .bind(row.formatted_note)
        .bind(row.excerpt.as_str())
        .bind(row.processing_time)
        .bind(row.metadata.clone())
        .bind(row.created_at)
        .bind(row.deleted_at);
    conn.execute(statement).await
}

const ADD_TASK: &str = "
    INSERT INTO tasks (user_id, id, course_id, title, description, priority, due_at, completed_at, created_at, updated_at,
        status, deleted_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $9, CASE WHEN $10 IS NULL THEN 'active' ELSE 'trash' END, $10
    WHERE NOT EXISTS (SELECT FROM audit_logs WHERE user_id = $1 AND entity_id = $2 AND action = 'CREATED')
        AND ($3 IS NULL OR EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = $3 AND status = 'active' FOR SHARE))";

pub(super) async fn add_task(
    conn: &mut Connection,
    owner: UserId,
    row: &TaskRow<'_>,
) -> Result<usize, Error> {
    let statement = Statement::new(ADD_TASK)
        .bind(owner)
        .bind(row.id)
        .bind(row.course_id)
        .bind(row.task.title.as_str())
        .bind(row.task.description.clone())
        .bind(i16::from(row.task.priority()))
        .bind(row.due_at)
        .bind(row.completed_at)
        .bind(row.created_at)
        .bind(row.deleted_at);
    conn.execute(statement).await
}
