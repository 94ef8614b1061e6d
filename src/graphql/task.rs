//! Tasks in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, ID};

use super::{
    budget::ResponseBudget,
    connection::ItemObject as _,
    context::ContextExt,
    course::Course,
    item_api::{item_mutations, item_object, item_queries, row_object},
    loaders::Loaders,
    payload::{payload, respond},
    tag::{self, Tag},
};
use crate::{
    error::Error,
    items::ItemIdsInput,
    scalars::{Date, DateTime, id_of},
    tasks::{self, CreateTaskInput, TaskFilter, TaskOrder, TaskPriority, UpdateTaskInput},
};

row_object! {
    /// A task.
    Task(tasks::Task)
}

item_object! {
    /// A task: something to do, in a course or in none.
    impl Task {
        /// The task's title. 1–200 characters.
        fn title(&self) -> &str {
            &self.0.title
        }

        /// The task's description. Maximum 1,000 characters. Null if there is none.
        async fn description(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
            let description = self.0.description.as_deref();
            let bytes = description.map_or(0, str::len);
            ResponseBudget::of(ctx).write("description", bytes).await?;
            Ok(description)
        }

        /// Whether the task is completed.
        fn completed(&self) -> bool {
            self.0.completed_at.is_some()
        }

        /// When the task was completed. Null while it is open.
        fn completed_at(&self) -> Option<DateTime> {
            self.0.completed_at.map(DateTime)
        }

        /// When the task is due. Null if it has no due time. `dueAt` and `dueOn` are never both set.
        fn due_at(&self) -> Option<DateTime> {
            self.0.due_at.map(DateTime)
        }

        /// The date on which the task is due, all day. Null if it has none. `dueAt` and `dueOn` are never both set.
        fn due_on(&self) -> Option<Date> {
            self.0.due_on.map(Date)
        }

        /// The manual sort position: 1–100 printable ASCII characters, compared byte by byte. Clients choose it, for example by
        /// fractional indexing. Null if the task has none. Such tasks come last.
        fn position(&self) -> Option<&str> {
            self.0.position.as_deref()
        }

        /// The task's priority.
        fn priority(&self) -> TaskPriority {
            self.0.priority
        }

        /// The id of the task's course. Null if the task is in no course.
        fn course_id(&self) -> Option<ID> {
            self.0.course_id.map(id_of)
        }

        /// The task's active tags, sorted by name. Maximum 20, unless tags were restored.
        async fn tags(&self, ctx: &Context<'_>) -> Result<Vec<Tag>, Error> {
            tag::of_item(ctx, self.0.id).await
        }

        /// The task's course. Null if the task is in no course.
        async fn course(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
            Some(Loaders::of(ctx).get_item(self.0.course_id?).await)
        }

        /// The course that the task was moved to the trash with. Null while the task is active, or if it was moved to the
        /// trash itself.
        async fn trashed_with(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
            let course = self.0.deleted_at.and(self.0.trashed_with)?;
            Some(Loaders::of(ctx).get_item(course).await)
        }
    }
}

item_queries! {
    /// Queries of tasks.
    TaskQuery for Task {
        /// Your task with this id, active or in the trash. Null if you have none.
        #[doc = example!("task")]
        task;
        /// Your tasks.
        #[doc = example!("tasks")]
        tasks(TaskFilter, TaskOrder, "The order: maximum 3 fields, each only once. An empty list means the default: `CREATED_AT`, newest first.");
    }
}

payload! {
    /// The result of completing or reopening tasks.
    TasksPayload {
        /// The tasks after the mutation, in the order of the ids, without duplicates. Null if the mutation failed.
        tasks: Vec<Task>
    }
}

payload! {
    /// The result of creating or updating a task.
    TaskPayload {
        /// The task after the mutation. Null if the mutation failed. On CONFLICT, the current version.
        task: Task
    }
}

item_mutations! {
    /// Mutations of tasks.
    TaskMutation for Task {
        /// Creates a task, in an active course or in none.
        /// `userErrors`: BLANK, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TAKEN, TOO_LONG.
        #[doc = example!("create_task")]
        create_task(CreateTaskInput);
        /// Updates a task that is not in the trash.
        /// `userErrors`: BLANK, CONFLICT, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TOO_LONG.
        #[doc = example!("update_task")]
        update_task(UpdateTaskInput);
        TaskPayload;
    }
    batches of tasks {
        /// Creates a batch of tasks, in active courses or in none. This takes much less time than creating them one by one.
        /// `userErrors`: BLANK, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TAKEN, TOO_LONG.
        #[doc = example!("create_tasks")]
        create_tasks(CreateTasksInput);
        /// Updates a batch of tasks that are not in the trash. This takes much less time than updating them one by one.
        /// `userErrors`: BLANK, CONFLICT, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TOO_LONG.
        #[doc = example!("update_tasks")]
        update_tasks(UpdateTasksInput);
        TasksBatchPayload;
    }
    own {
        /// Completes tasks, all of them or none. Tasks that are already completed stay unchanged.
        /// `userErrors`: BLANK, IN_TRASH, NOT_FOUND, TOO_LONG.
        #[doc = example!("complete_tasks")]
        async fn complete_tasks(
            &self,
            ctx: &Context<'_>,
            #[graphql(desc = "The tasks to complete.")] input: ItemIdsInput,
        ) -> Option<Result<TasksPayload, Error>> {
            Some(set_completed(ctx, input, true).await)
        }

        /// Reopens tasks, all of them or none. Tasks that are already open stay unchanged.
        /// `userErrors`: BLANK, IN_TRASH, NOT_FOUND, TOO_LONG.
        #[doc = example!("reopen_tasks")]
        async fn reopen_tasks(
            &self,
            ctx: &Context<'_>,
            #[graphql(desc = "The tasks to reopen.")] input: ItemIdsInput,
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
    respond(changed.map(|tasks| tasks.into_iter().map(Task).collect::<Vec<_>>()))
}
