//! All the SQL of tasks. Every statement is scoped to one owner.

use std::collections::HashMap;

use uuid::Uuid;

use super::model::{CreateTaskInput, Task, TaskFilter, TaskOrder, UpdateTaskInput};
use crate::{
    auth::UserId,
    db::{Columns, Connection, Statement},
    error::Error,
    items::{Create, InsertItems, Listed, Update, UpdateItems, Written, store::Conditions},
    rules::Problems,
};

impl Create for CreateTaskInput {
    type Item = Task;

    fn insert(insert: InsertItems<'_, Self>) -> Statement<Written<Task>> {
        insert
            .into_course(|task| task.course_id)
            .title(|task| &task.title)
            .value("description", |task| task.description.clone())
            .value("due_at", |task| task.due_at)
            .value("priority", |task| task.priority.value().copied())
            .returning(Task::ON_DEMAND)
    }
}

impl Update for UpdateTaskInput {
    type Item = Task;
    type Stored = ();

    fn check_changes(&self, problems: &mut Problems) {
        problems.not_null("completed", &self.completed);
    }

    fn update(update: UpdateItems<'_, Self>, (): &()) -> Statement<Written<Task>> {
        update
            .into_course(|task| &task.course_id)
            .title(|task| &task.title)
            .change("description", |task| &task.description)
            .change("due_at", |task| &task.due_at)
            .change("priority", |task| &task.priority)
            .set("completed_at", |entries| {
                let completed = entries.value(|task| task.completed.value().copied());
                format!(
                    "CASE {completed} WHEN true THEN coalesce(completed_at, now()) WHEN false THEN NULL ELSE completed_at END"
                )
            })
            .returning(Task::ON_DEMAND)
    }
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
            .is("course_id", course_id)
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
