//! All the SQL of courses. Every statement is its owner's alone.

use std::collections::HashMap;

use diesel::sql_types::{BigInt, Bool, Uuid as SqlUuid};
use uuid::Uuid;

use super::model::{Course, CourseChanges, CourseCounts, CourseList, NewCourse};
use crate::{
    auth::UserId,
    db::{
        Connection, Row, Statement,
        current::{self, Source},
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
    FROM current_courses WHERE user_id = $1 AND id = ANY($2)";

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

/// What counts of a course are over; `listed` is the course.
const DOCUMENTS_OF_COURSE: &str =
    "documents WHERE user_id = listed.user_id AND course_id = listed.id AND status = 'active'";
const OPEN_TASKS_OF_COURSE: &str = "tasks WHERE user_id = listed.user_id AND course_id = listed.id AND status = 'active' AND completed_at IS NULL";

fn count_of<R: Row>(statement: &mut Statement<R>, source: Source, what: &str) {
    statement.sql("(SELECT count(*) FROM ").sql(source.prefix());
    statement.sql(what).sql(")");
}

type CountsRow = (Uuid, CourseCounts, bool);

impl Row for CountsRow {
    type Sql = (SqlUuid, (BigInt, BigInt), Bool);
}

fn counts_statement(owner: UserId, ids: &[Uuid], source: Source) -> Statement<CountsRow> {
    let mut statement = Statement::new("SELECT listed.id, ");
    count_of(&mut statement, source, DOCUMENTS_OF_COURSE);
    statement.sql(", ");
    count_of(&mut statement, source, OPEN_TASKS_OF_COURSE);
    statement.sql(", EXISTS (SELECT FROM pending_operations WHERE user_id = ");
    statement.value(owner).sql(") FROM unnest(");
    statement
        .value(ids.to_vec())
        .sql(") AS given (id) CROSS JOIN LATERAL (SELECT given.id, ");
    statement.value(owner).sql(" AS user_id) AS listed");
    statement
}

pub(super) async fn counts(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, CourseCounts>, Error> {
    let statement = |source| counts_statement(owner, &ids, source);
    let rows = current::read(conn, statement, |(_, _, pending)| *pending).await?;
    Ok(rows
        .into_iter()
        .map(|(course, counts, _)| (course, counts))
        .collect())
}

impl List for CourseList {
    type Item = Course;
    const TABLE: &'static str = "courses";

    fn columns(&self, statement: &mut Statement<PageRow<Course>>, source: Source) {
        statement.sql(
            "id, name, description, color, icon, version, created_at, updated_at, deleted_at, ",
        );
        let columns = &self.columns;
        statement.sql("CASE WHEN ").value(columns.document_count);
        statement.sql(" THEN ");
        count_of(statement, source, DOCUMENTS_OF_COURSE);
        statement.sql(" END, CASE WHEN ");
        statement.value(columns.open_task_count).sql(" THEN ");
        count_of(statement, source, OPEN_TASKS_OF_COURSE);
        statement.sql(" END");
    }

    fn conditions(&self, statement: &mut Statement<PageRow<Course>>, _owner: Uuid) {
        self.filter.status.condition(statement);
        items::contains(statement, "name", self.filter.name_contains.as_deref());
    }

    fn order(&self) -> Order {
        self.order.into()
    }
}
