//! All the SQL of tasks. Every statement is scoped to one owner.

use uuid::Uuid;

use super::model::{CreateTaskInput, Task, TaskFilter, TaskOrder, UpdateTaskInput};
use crate::{
    auth::UserId,
    db::{Columns, Connection, Statement},
    error::Error,
    items::{Conditions, Create, InsertItems, Item as _, Listed, Update, UpdateItems, Written},
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
            .value("due_on", |task| task.due_on)
            .value("position", |task| task.position.clone())
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
            .change("due_at", UpdateTaskInput::due_at)
            .change("due_on", UpdateTaskInput::due_on)
            .change("position", |task| &task.position)
            .change("priority", |task| &task.priority)
            .set("completed_at", |entries| {
                let completed = entries.value(|task| task.completed.value().copied());
                let now = entries.now();
                // Citus accepts no CASE with an operand.
                format!(
                    "CASE WHEN {completed} THEN coalesce(completed_at, {now}) WHEN NOT {completed} THEN NULL ELSE completed_at END"
                )
            })
            .returning(Task::ON_DEMAND)
    }
}

const SET_COMPLETED: &str = "
    UPDATE tasks SET completed_at = CASE WHEN $3 THEN (SELECT now()) END
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

    fn conditions(filter: &TaskFilter, conditions: &mut Conditions<'_>) {
        let TaskFilter {
            completed,
            completed_after,
            completed_before,
            course_id,
            course_ids,
            tag_ids,
            priority,
            title_contains: _,
            has_course,
            has_due_date,
            due_after,
            due_before,
            shared: _,
            and: _,
            or: _,
            not: _,
        } = filter;
        let priorities = priority.as_ref().map(|priorities| {
            let numbers = priorities.iter().copied().map(i16::from);
            numbers.collect::<Vec<_>>()
        });
        conditions
            .is("course_id", course_id)
            .either(
                *completed,
                "completed_at IS NOT NULL",
                "completed_at IS NULL",
            )
            .at_or_after("completed_at", *completed_after)
            .before("completed_at", *completed_before)
            .one_of("courseIds", "course_id", course_ids.as_deref())
            .tagged(Task::KIND, tag_ids.as_deref())
            .any_of("priority", priorities)
            .either(*has_course, "course_id IS NOT NULL", "course_id IS NULL")
            .either(
                *has_due_date,
                "due_instant(due_at, due_on) IS NOT NULL",
                "due_instant(due_at, due_on) IS NULL",
            )
            .at_or_after("due_instant(due_at, due_on)", *due_after)
            .before("due_instant(due_at, due_on)", *due_before);
    }
}
