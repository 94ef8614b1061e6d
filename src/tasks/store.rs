//! All the SQL of tasks. Every statement is scoped to one owner.

use std::{collections::HashMap, sync::LazyLock};

use uuid::Uuid;

use super::model::{CreateTaskInput, Task, TaskFilter, TaskOrder, UpdateTaskInput};
use crate::{
    auth::UserId,
    db::{Columns, Connection, Statement, sql::SET_ORIGIN},
    error::Error,
    items::{
        Changes, ItemKind, Listed, NewId, Written,
        store::{
            COURSE_IS_ACTIVE, Conditions, MOVE, id_is_free, into_course, is_updatable, set_title,
        },
        titles,
    },
    scalars::MaybeUndefined,
};

const COLUMNS: &str = Task::COLUMNS;

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let id_is_free = id_is_free::<Task>("$8");
    let insert = format!(
        "INSERT INTO tasks (user_id, id, course_id, title, description, due_at, priority, title_folded)
        SELECT $1, $2, $3, $4, $5, $6, $7, $9
        WHERE {SET_ORIGIN} AND ($3 IS NULL OR {COURSE_IS_ACTIVE}) AND {id_is_free}
        ON CONFLICT (user_id, id) DO NOTHING
        RETURNING {COLUMNS}"
    );
    into_course("$3", &insert)
});

pub(super) fn insert(
    owner: UserId,
    id: NewId,
    input: &CreateTaskInput,
) -> Statement<Written<Task>> {
    Statement::write(INSERT.as_str(), owner)
        .bind(id.id)
        .bind(input.course_id)
        .bind(input.title.as_str())
        .bind(input.description.clone())
        .bind(input.due_at)
        .bind(input.priority.map(i16::from))
        .bind(id.chosen)
        .bind(titles::fold(&input.title))
}

/// One text for all updates, so that it is prepared once.
static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let is_updatable = is_updatable::<Task>();
    let title = set_title(ItemKind::Task, ["$6", "$7", "$15"]);
    let update = format!(
        "UPDATE tasks SET
            {title},
            description = CASE WHEN $8 THEN $9 ELSE description END,
            due_at = CASE WHEN $10 THEN $11 ELSE due_at END,
            priority = coalesce($12, priority),
            completed_at = CASE WHEN $13 THEN coalesce(completed_at, now()) WHEN $14 THEN NULL ELSE completed_at END,
            {MOVE}
        WHERE {is_updatable} AND ($5 IS NULL OR {COURSE_IS_ACTIVE})
        RETURNING {COLUMNS}"
    );
    into_course("$5", &update)
});

/// Updates a task, if it is active, has that version, and its new course is active.
pub(super) fn update(owner: UserId, input: &UpdateTaskInput) -> Statement<Written<Task>> {
    Statement::write(UPDATE.as_str(), owner)
        .bind(input.id)
        .bind(input.version)
        .bind_change(&input.course_id)
        .bind_change(&input.title)
        .bind_change(&input.description)
        .bind_change(&input.due_at)
        .bind(input.priority.value().copied().map(i16::from))
        .bind(input.completed == MaybeUndefined::Value(true))
        .bind(input.completed == MaybeUndefined::Value(false))
        .bind(input.title.value().map(|title| titles::fold(title)))
}

/// Locks in the order of the ids, as every statement does, so that two requests cannot wait for each other.
const LOCK: &str = "
    SELECT id, status = 'trash' AND trashed_with IS NULL
        OR EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')
    FROM tasks AS item
    WHERE user_id = $1 AND id = ANY($2) AND NOT EXISTS (
        SELECT FROM pending_operations WHERE user_id = $1 AND item_id IN (item.id, item.course_id) AND operation = 'remove')
    ORDER BY id FOR NO KEY UPDATE";

/// Locks tasks until the transaction ends. Returns whether each is in the trash; omits those that do not exist.
pub(super) async fn lock(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, bool>, Error> {
    let rows: Vec<(Uuid, bool)> = conn
        .rows(Statement::new(LOCK).bind(owner).bind(ids))
        .await?;
    Ok(rows.into_iter().collect())
}

const SET_COMPLETED: &str = "
    UPDATE tasks SET completed_at = CASE WHEN $3 THEN now() END
    WHERE (SELECT set_origin($address, $program))
        AND user_id = $1 AND id = ANY($2) AND (completed_at IS NOT NULL) <> $3";

pub(super) async fn set_completed(
    conn: &mut Connection,
    owner: UserId,
    ids: Vec<Uuid>,
    completed: bool,
) -> Result<(), Error> {
    let statement = Statement::write(SET_COMPLETED, owner)
        .bind(ids)
        .bind(completed);
    conn.execute(statement).await?;
    Ok(())
}

impl Listed for Task {
    type Filter = TaskFilter;
    type OrderBy = TaskOrder;

    fn title_part(filter: &TaskFilter) -> Option<&str> {
        filter.title_contains.as_deref()
    }

    fn conditions(filter: &TaskFilter, conditions: &mut Conditions<'_, Self::PageRow>) {
        let TaskFilter {
            completed,
            course_id,
            status,
            priority,
            title_contains: _,
            has_course,
            has_due_date,
            due_after,
            due_before,
        } = filter;
        let priorities = priority.as_ref().map(|priorities| {
            let numbers = priorities.iter().copied().map(i16::from);
            numbers.collect::<Vec<_>>()
        });
        conditions
            .status(*status)
            .equals("course_id", course_id.value().copied())
            .either(course_id.is_null().then_some(true), "course_id IS NULL", "")
            .either(
                *completed,
                "completed_at IS NOT NULL",
                "completed_at IS NULL",
            )
            .rarely("priority = ANY(", priorities, ")")
            .rarely("(course_id IS NOT NULL) = ", *has_course, "")
            .rarely("(due_at IS NOT NULL) = ", *has_due_date, "")
            .rarely("due_at >= ", *due_after, "")
            .rarely("due_at < ", *due_before, "");
    }
}
