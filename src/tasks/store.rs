//! All the SQL of tasks. Every statement is its owner's alone.

use std::collections::HashMap;

use diesel::{
    Queryable,
    sql_types::{Bool, Nullable, Text, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::model::{NewTask, Task, TaskChanges, TaskList, TaskPriority};
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
    SELECT id, course_id, title, description, completed_at, due_at, priority, version, created_at, updated_at,
        deleted_at, trashed_with
    FROM current_tasks WHERE user_id = $1 AND id = ANY($2)";

pub(super) async fn find_all(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<Vec<Task>, Error> {
    conn.rows(Statement::new(FIND_ALL).bind(owner).bind(ids))
        .await
}

/// How an attempt to insert ended.
pub(super) enum Inserted {
    Task(Task),
    /// The course is not active, or the id is in use.
    Nothing {
        /// `None`: there is no such course, or none was named.
        course_status: Option<String>,
    },
}

/// A course's status beside what was written into it, if anything was.
type WithCourse = (Option<String>, Option<Task>);

impl Row for WithCourse {
    type Sql = (Nullable<Text>, Nullable<<Task as Row>::Sql>);
}

/// The course is locked first, so that it cannot go to the trash before this commits. An id is the caller's alone, and
/// of one type: what has it among the courses and documents keeps it.
const INSERT: &str = "
    WITH course AS MATERIALIZED (
        SELECT status FROM courses WHERE user_id = $1 AND id = $3
            AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $3 AND operation = 'remove')
        FOR SHARE
    ), made AS (
        INSERT INTO tasks (user_id, id, course_id, title, description, due_at, priority)
        SELECT $1, $2, $3, $4, $5, $6, $7
        WHERE ($3 IS NULL OR EXISTS (SELECT FROM course WHERE status = 'active'))
            AND NOT ($8 AND (EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = $2)
                             OR EXISTS (SELECT FROM documents WHERE user_id = $1 AND id = $2)))
        ON CONFLICT (user_id, id) DO NOTHING
        RETURNING id, course_id, title, description, completed_at, due_at, priority, version, created_at, updated_at,
            deleted_at, trashed_with
    )
    SELECT (SELECT status FROM course), made.* FROM (VALUES (1)) AS one LEFT JOIN made ON true";

pub(super) async fn insert(
    conn: &mut Connection,
    owner: UserId,
    id: NewId,
    new: &NewTask,
) -> Result<Inserted, Failure> {
    let statement = Statement::<WithCourse>::new(INSERT)
        .by(owner)
        .bind(id.id)
        .bind(new.course_id)
        .bind(new.title.as_str())
        .bind(new.description.clone())
        .bind(new.due_at)
        .bind(new.priority.map(i16::from))
        .bind(id.own);
    match conn.try_rows(statement).await {
        Ok(mut rows) => match rows.pop() {
            Some((_, Some(task))) => Ok(Inserted::Task(task)),
            Some((course_status, None)) => Ok(Inserted::Nothing { course_status }),
            None => Err(Error::internal("an INSERT answered no row").into()),
        },
        Err(error) if violated_unique(&error) == Some(items::CREATED_ONCE) => Err(items::taken()),
        Err(error) => Err(from_database(error).into()),
    }
}

/// What an update did.
pub(super) struct Changed {
    /// `None`: there is no such active task at that version, or its new course is not active.
    pub(super) task: Option<Task>,
    /// The status of the course that it would go into; `None`: there is none, or none was named.
    pub(super) course_status: Option<String>,
}

/// One text whatever is changed, so that it is prepared once. The new course is locked before the task, as everywhere;
/// where none is named, none is locked. The course that the task is in is asked, too: the row's own status may follow later
/// (`pending`). A task that moves to another course leaves what it is still to be told by the previous one.
const UPDATE: &str = "
    WITH course AS MATERIALIZED (
        SELECT status FROM courses WHERE user_id = $1 AND id = $5
            AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $5 AND operation = 'remove')
        FOR SHARE
    ), done AS (
        UPDATE tasks SET
            course_id = CASE WHEN $4 THEN $5 ELSE course_id END,
            title = CASE WHEN $6 THEN $7 ELSE title END,
            description = CASE WHEN $8 THEN $9 ELSE description END,
            completed_at = CASE WHEN $10 THEN coalesce(completed_at, now()) WHEN $11 THEN NULL ELSE completed_at END,
            due_at = CASE WHEN $12 THEN $13 ELSE due_at END,
            priority = coalesce($14, priority),
            status = CASE WHEN $4 THEN 'active' ELSE status END,
            deleted_at = CASE WHEN NOT $4 THEN deleted_at END,
            trashed_with = CASE WHEN NOT $4 THEN trashed_with END
        WHERE user_id = $1 AND id = $2 AND (status = 'active' OR trashed_with IS NOT NULL) AND ($3 IS NULL OR version = $3)
            AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = tasks.course_id AND courses.status = 'trash')
            AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $2 AND operation = 'remove')
            AND ($5 IS NULL OR EXISTS (SELECT FROM course WHERE status = 'active'))
        RETURNING id, course_id, title, description, completed_at, due_at, priority, version, created_at, updated_at,
            NULL::timestamptz, NULL::uuid
    )
    SELECT (SELECT status FROM course), done.* FROM (VALUES (1)) AS one LEFT JOIN done ON true";

pub(super) async fn update(
    conn: &mut Connection,
    owner: UserId,
    changes: &TaskChanges,
) -> Result<Changed, Error> {
    let text = |change: &Change<String>| Value::Text(change.value().cloned());
    let statement = Statement::<WithCourse>::new(UPDATE)
        .by(owner)
        .bind(changes.id)
        .bind(changes.version)
        .bind(changes.course_id.given())
        .bind(changes.course_id.value().copied())
        .bind(changes.title.given())
        .bind(text(&changes.title))
        .bind(changes.description.given())
        .bind(text(&changes.description))
        .bind(changes.completed == Change::Set(true))
        .bind(changes.completed == Change::Set(false))
        .bind(changes.due_at.given())
        .bind(changes.due_at.value().copied())
        .bind(
            changes
                .priority
                .value()
                .map(|priority| i16::from(*priority)),
        );
    let (course_status, task) = conn.row(statement).await?.unwrap_or_default();
    Ok(Changed {
        task,
        course_status,
    })
}

/// Locked in the order of the ids, as everywhere, so that two callers cannot wait for each other.
const LOCK: &str = "
    SELECT id, status = 'trash' AND trashed_with IS NULL
        OR EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')
    FROM tasks AS item
    WHERE user_id = $1 AND id = ANY($2) AND NOT EXISTS (
        SELECT FROM pending_operations WHERE user_id = $1 AND item_id IN (item.id, item.course_id) AND operation = 'remove')
    ORDER BY id FOR NO KEY UPDATE";

#[derive(Queryable)]
struct Locked {
    id: Uuid,
    in_trash: bool,
}

impl Row for Locked {
    type Sql = (SqlUuid, Bool);
}

/// Locks tasks until the transaction ends; answers for each that is there whether it is in the trash.
pub(super) async fn lock(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, bool>, Error> {
    let rows: Vec<Locked> = conn
        .rows(Statement::new(LOCK).bind(owner).bind(ids))
        .await?;
    Ok(rows
        .into_iter()
        .map(|task| (task.id, task.in_trash))
        .collect())
}

const SET_COMPLETED: &str = "
    UPDATE tasks SET completed_at = CASE WHEN $3 THEN now() END
    WHERE user_id = $1 AND id = ANY($2) AND (completed_at IS NOT NULL) <> $3";

pub(super) async fn set_completed(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
    completed: bool,
) -> Result<(), Error> {
    conn.execute(
        Statement::new(SET_COMPLETED)
            .by(owner)
            .bind(ids)
            .bind(completed),
    )
    .await?;
    Ok(())
}

impl List for TaskList {
    type Item = Task;
    const TABLE: &'static str = "tasks";

    fn columns(&self, statement: &mut Statement<PageRow<Task>>, _source: Source) {
        statement.sql(
            "id, course_id, title, description, completed_at, due_at, priority, version, created_at, updated_at,
             deleted_at, trashed_with",
        );
    }

    fn conditions(&self, statement: &mut Statement<PageRow<Task>>, _owner: Uuid) {
        let filter = &self.filter;
        filter.status.condition(statement);
        if let Some(course_id) = filter.course_id {
            statement.sql(" AND course_id = ").value(course_id);
        }
        match filter.completed {
            Some(true) => statement.sql(" AND completed_at IS NOT NULL"),
            Some(false) => statement.sql(" AND completed_at IS NULL"),
            None => statement,
        };
        if filter.is_special() {
            let numbers = |priorities: &Vec<TaskPriority>| {
                priorities.iter().copied().map(i16::from).collect()
            };
            let priorities: Option<Vec<i16>> = filter.priority.as_ref().map(numbers);
            statement
                .sql(" AND (")
                .value(priorities.clone())
                .sql(" IS NULL OR priority = ANY(");
            statement.value(priorities).sql("))");
            items::contains(statement, "title", filter.title_contains.as_deref());
            items::unless_null(
                statement,
                "(course_id IS NOT NULL)",
                " = ",
                filter.has_course,
            );
            items::unless_null(
                statement,
                "(due_at IS NOT NULL)",
                " = ",
                filter.has_due_date,
            );
            items::unless_null(statement, "due_at", " >= ", filter.due_after);
            items::unless_null(statement, "due_at", " < ", filter.due_before);
        }
    }

    fn order(&self) -> Order {
        self.order.into()
    }
}
