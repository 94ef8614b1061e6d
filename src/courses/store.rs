//! All the SQL of courses. Every statement is its owner's alone.

use std::collections::HashMap;

use diesel::sql_types::{BigInt, Uuid as SqlUuid};
use uuid::Uuid;

use super::model::{Course, CourseChanges, CourseCounts, CourseList, NewCourse};
use crate::{
    auth::UserId,
    db::{
        Connection, Row, Statement,
        keyset::{List, Order, PageRow},
        pool::{from_database, violated_unique},
        sql::Value,
    },
    error::{Error, Failure},
    items::{self, NewId},
    rules::Change,
};

const FIND_ALL: &str = "
    SELECT id, name, description, color, icon, version, created_at, updated_at, deleted_at, NULL::bigint, NULL::bigint
    FROM courses WHERE user_id = $1 AND id = ANY($2)";

pub(super) async fn find_all(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<Vec<Course>, Error> {
    conn.rows(Statement::new(FIND_ALL).bind(owner).bind(ids))
        .await
}

/// An id is the caller's alone, and of one type: what has it among the documents and tasks keeps it.
const INSERT: &str = "
    INSERT INTO courses (user_id, id, name, description, color, icon)
    SELECT $1, $2, $3, $4, $5, $6
    WHERE NOT ($7 AND (EXISTS (SELECT FROM documents WHERE user_id = $1 AND id = $2)
                       OR EXISTS (SELECT FROM tasks WHERE user_id = $1 AND id = $2)))
    ON CONFLICT (user_id, id) DO NOTHING
    RETURNING id, name, description, color, icon, version, created_at, updated_at, deleted_at, 0::bigint, 0::bigint";

/// `None` if a course, or something else, has the id.
pub(super) async fn insert(
    conn: &mut Connection,
    owner: UserId,
    id: NewId,
    new: &NewCourse,
) -> Result<Option<Course>, Failure> {
    let statement = Statement::<Course>::new(INSERT)
        .by(owner)
        .bind(id.id)
        .bind(new.name.as_str())
        .bind(new.description.clone())
        .bind(new.color.clone())
        .bind(new.icon.clone())
        .bind(id.own);
    match conn.try_rows(statement).await {
        Ok(mut rows) => Ok(rows.pop()),
        Err(error) if violated_unique(&error) == Some(items::CREATED_ONCE) => Err(items::taken()),
        Err(error) => Err(from_database(error).into()),
    }
}

/// One text whatever is changed, so that it is prepared once.
const UPDATE: &str = "
    UPDATE courses SET
        name = CASE WHEN $4 THEN $5 ELSE name END,
        description = CASE WHEN $6 THEN $7 ELSE description END,
        color = CASE WHEN $8 THEN $9 ELSE color END,
        icon = CASE WHEN $10 THEN $11 ELSE icon END
    WHERE user_id = $1 AND id = $2 AND status = 'active' AND ($3 IS NULL OR version = $3)
    RETURNING id, name, description, color, icon, version, created_at, updated_at, deleted_at,
        NULL::bigint, NULL::bigint";

/// `None` if there is no such active course at that version.
pub(super) async fn update(
    conn: &mut Connection,
    owner: UserId,
    changes: &CourseChanges,
) -> Result<Option<Course>, Error> {
    let text = |change: &Change<String>| Value::Text(change.value().cloned());
    let statement = Statement::new(UPDATE)
        .by(owner)
        .bind(changes.id)
        .bind(changes.version)
        .bind(changes.name.given())
        .bind(text(&changes.name))
        .bind(changes.description.given())
        .bind(text(&changes.description))
        .bind(changes.color.given())
        .bind(text(&changes.color))
        .bind(changes.icon.given())
        .bind(text(&changes.icon));
    conn.row(statement).await
}

const COUNTS: &str = "
    SELECT course.id,
        (SELECT count(*) FROM documents
         WHERE user_id = $1 AND course_id = course.id AND status = 'active'),
        (SELECT count(*) FROM tasks
         WHERE user_id = $1 AND course_id = course.id AND status = 'active' AND completed_at IS NULL)
    FROM unnest($2) AS course (id)";

type CountsRow = (Uuid, CourseCounts);

impl Row for CountsRow {
    type Sql = (SqlUuid, (BigInt, BigInt));
}

pub(super) async fn counts(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, CourseCounts>, Error> {
    let rows: Vec<CountsRow> = conn
        .rows(Statement::new(COUNTS).bind(owner).bind(ids))
        .await?;
    Ok(rows.into_iter().collect())
}

impl List for CourseList {
    type Item = Course;
    const TABLE: &'static str = "courses";

    fn columns(&self, statement: &mut Statement<PageRow<Course>>) {
        statement.sql(
            "id, name, description, color, icon, version, created_at, updated_at, deleted_at, ",
        );
        statement.sql("CASE WHEN ").value(self.columns.document_count).sql(
            " THEN (SELECT count(*) FROM documents
              WHERE user_id = courses.user_id AND course_id = courses.id AND status = 'active') END, ",
        );
        statement
            .sql("CASE WHEN ")
            .value(self.columns.open_task_count)
            .sql(
                " THEN (SELECT count(*) FROM tasks
              WHERE user_id = courses.user_id AND course_id = courses.id AND status = 'active'
                AND completed_at IS NULL) END",
            );
    }

    fn conditions(&self, statement: &mut Statement<PageRow<Course>>, _owner: Uuid) {
        self.filter.status.condition(statement);
        items::contains(statement, "name", self.filter.name_contains.as_deref());
    }

    fn order(&self) -> Order {
        self.order.into()
    }
}
