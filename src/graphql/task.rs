//! Tasks in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, SimpleObject};

use super::{
    context::ContextExt,
    course::Course,
    error::{UserError, outcome},
    item_api::{item_mutations, item_object, item_queries},
    loaders::Loaders,
    page::ItemObject,
};
use crate::{
    error::Error,
    items::ItemIdsInput,
    scalars::DateTime,
    tasks::{self, CreateTaskInput, TaskFilter, TaskOrder, TaskPriority, UpdateTaskInput},
};

/// A task.
pub(crate) struct Task(pub(super) tasks::Task);

impl From<tasks::Task> for Task {
    fn from(row: tasks::Task) -> Self {
        Task(row)
    }
}

impl ItemObject for Task {
    type Row = tasks::Task;

    fn row(&self) -> &Self::Row {
        &self.0
    }
}

item_object! {
    /// A task: something to do, in a course or in none.
    impl Task {
        /// 1–200 characters.
        fn title(&self) -> &str {
            &self.0.title
        }

        /// Maximum 1,000 characters.
        fn description(&self) -> Option<&str> {
            self.0.description.as_deref()
        }

        /// Whether it is completed.
        fn completed(&self) -> bool {
            self.0.completed_at.is_some()
        }

        /// When it was completed. Null while it is open.
        fn completed_at(&self) -> Option<DateTime> {
            self.0.completed_at.map(DateTime)
        }

        /// When it is due. Null if it has no due date.
        fn due_at(&self) -> Option<DateTime> {
            self.0.due_at.map(DateTime)
        }

        /// Its priority.
        fn priority(&self) -> TaskPriority {
            self.0.priority
        }

        /// The course that it is in. Null if it is in none.
        async fn course(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
            Some(Loaders::of(ctx).item(self.0.course_id?).await)
        }

        /// The course that took it to the trash. Null if it was trashed itself, and while it is active.
        async fn trashed_with(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
            let course = self.0.deleted_at.and(self.0.trashed_with)?;
            Some(Loaders::of(ctx).item(course).await)
        }
    }
}

item_queries! {
    /// Queries of tasks.
    TaskQuery for Task {
        /// Your task with this id, active or in the trash. Null if you have none.
        task;
        /// Your tasks.
        tasks(TaskFilter, TaskOrder, "By `CREATED_AT`, newest first, by default.");
    }
}

/// The result of a mutation of several tasks.
#[derive(SimpleObject)]
pub(crate) struct TasksPayload {
    /// The tasks after the mutation, in the order of the ids, without duplicates. Null if the mutation failed.
    tasks: Option<Vec<Task>>,
    /// What was wrong with the input. If this is not empty, nothing was changed.
    user_errors: Vec<UserError>,
}

/// The result of a mutation of a task.
#[derive(SimpleObject)]
pub(crate) struct TaskPayload {
    /// The task after the mutation. Null if the mutation failed. On CONFLICT, the current version.
    pub(super) task: Option<Task>,
    /// What was wrong with the input. If this is not empty, nothing was changed.
    pub(super) user_errors: Vec<UserError>,
}

item_mutations! {
    /// Mutations of tasks.
    TaskMutation for Task {
        /// Creates a task, in an active course or in none.
        create_task(CreateTaskInput);
        /// Updates a task that is not in the trash.
        update_task(UpdateTaskInput);
        TaskPayload { task };

        /// Completes tasks, all of them or none. Tasks that are completed already stay unchanged.
        async fn complete_tasks(
            &self,
            ctx: &Context<'_>,
            input: ItemIdsInput,
        ) -> Option<Result<TasksPayload, Error>> {
            Some(set_completed(ctx, input, true).await)
        }

        /// Reopens tasks, all of them or none. Tasks that are open already stay unchanged.
        async fn reopen_tasks(
            &self,
            ctx: &Context<'_>,
            input: ItemIdsInput,
        ) -> Option<Result<TasksPayload, Error>> {
            Some(set_completed(ctx, input, false).await)
        }
    }
}

async fn set_completed(
    ctx: &Context<'_>,
    input: ItemIdsInput,
    completed: bool,
) -> Result<TasksPayload, Error> {
    let viewer = ctx.viewer()?;
    let mut conn = ctx.connection().await?;
    let changed = tasks::set_completed(&mut conn, viewer, &input.ids(), completed).await;
    let changed = outcome(changed)?;
    let tasks = changed
        .value
        .map(|tasks| tasks.into_iter().map(Task).collect());
    Ok(TasksPayload {
        tasks,
        user_errors: changed.user_errors,
    })
}
