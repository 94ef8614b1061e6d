//! Tasks in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, ID, Object};

use super::{
    connection::{Connection, ItemObject},
    context::ContextExt,
    course::Course,
    list::list,
    loaders::{Loaders, ViewersUser},
    node::find,
    page::PageArguments,
    payload::{payload, respond, respond_to_update},
    user::User,
};
use crate::{
    error::Error,
    items::{ItemIdsInput, ItemStatus},
    scalars::{DateTime, ObjectId, id_of},
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

/// A task: something to do, in a course or in none.
#[Object]
impl Task {
    /// A UUID, unique among all objects that you can see.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.0.id)
    }

    /// The task's title. 1–200 characters.
    fn title(&self) -> &str {
        &self.0.title
    }

    /// The task's description. Maximum 1,000 characters. Null if there is none.
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether the task is completed.
    fn completed(&self) -> bool {
        self.0.completed_at.is_some()
    }

    /// When the task was completed. Null while it is open.
    fn completed_at(&self) -> Option<DateTime> {
        self.0.completed_at.map(DateTime)
    }

    /// When the task is due. Null if it has no due date.
    fn due_at(&self) -> Option<DateTime> {
        self.0.due_at.map(DateTime)
    }

    /// The task's priority.
    fn priority(&self) -> TaskPriority {
        self.0.priority
    }

    /// Whether the task is active or in the trash.
    pub(crate) async fn status(&self) -> ItemStatus {
        ItemStatus::of(self.0.deleted_at)
    }

    /// The task's version: 1 at first, and 1 more after each change. Pass it to an update as `version`, so that the update
    /// overwrites no change that you have not seen.
    pub(crate) async fn version(&self) -> i32 {
        self.0.version
    }

    /// When the task was created.
    pub(crate) async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the task last changed. Moving it to the trash or restoring it does not count.
    pub(crate) async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When the task was moved to the trash. Null while it is active.
    pub(crate) async fn deleted_at(&self) -> Option<DateTime> {
        self.0.deleted_at.map(DateTime)
    }

    /// The task's owner, who is always you.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Loaders::of(ctx).get(ViewersUser).await
    }

    /// The task's course. Null if the task is in no course.
    async fn course(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
        Some(Loaders::of(ctx).get_item(self.0.course_id?).await)
    }

    /// The course that the task was moved to the trash with. Null while the task is active, or if it was moved to the trash
    /// itself.
    async fn trashed_with(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
        let course = self.0.deleted_at.and(self.0.trashed_with)?;
        Some(Loaders::of(ctx).get_item(course).await)
    }
}

/// Queries of tasks.
#[derive(Default)]
pub(crate) struct TaskQuery;

#[Object]
impl TaskQuery {
    /// Your task with this id, active or in the trash. Null if you have none.
    async fn task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task's id.")] id: ObjectId,
    ) -> Option<Result<Task, Error>> {
        find(ctx, id.0).await.transpose()
    }

    /// Your tasks.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter. By default, only active items.")] filter: Option<TaskFilter>,
        #[graphql(desc = "The order (default: `CREATED_AT`, newest first).")] order_by: Option<
            TaskOrder,
        >,
        #[graphql(desc = "Return the first *n* items (1–100, default 50).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last *n* items (1–100). Cannot be combined with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Number of items to skip (0–10,000). Can only be combined with `first`.")]
        offset: Option<i32>,
    ) -> Result<Connection<Task>, Error> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        list(ctx, filter, order_by, &page).await
    }
}

payload! {
    /// The result of a mutation of a task.
    TaskPayload {
        /// The task after the mutation. Null if the mutation failed. On CONFLICT, the current version.
        task: Task
    }
}

payload! {
    /// The result of a mutation of several tasks.
    TasksPayload {
        /// The tasks after the mutation, in the order of the ids, without duplicates. Null if the mutation failed.
        tasks: Vec<Task>
    }
}

/// Mutations of tasks.
#[derive(Default)]
pub(crate) struct TaskMutation;

#[Object]
impl TaskMutation {
    /// Creates a task, in an active course or in none.
    async fn create_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task to create.")] input: CreateTaskInput,
    ) -> Option<Result<TaskPayload, Error>> {
        Some(create(ctx, &input).await)
    }

    /// Updates a task that is not in the trash.
    async fn update_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task's id and its new values.")] input: UpdateTaskInput,
    ) -> Option<Result<TaskPayload, Error>> {
        Some(update(ctx, &input).await)
    }

    /// Completes tasks, all of them or none. Tasks that are completed already stay unchanged.
    async fn complete_tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tasks to complete.")] input: ItemIdsInput,
    ) -> Option<Result<TasksPayload, Error>> {
        Some(set_completed(ctx, input, true).await)
    }

    /// Reopens tasks, all of them or none. Tasks that are open already stay unchanged.
    async fn reopen_tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tasks to reopen.")] input: ItemIdsInput,
    ) -> Option<Result<TasksPayload, Error>> {
        Some(set_completed(ctx, input, false).await)
    }
}

async fn create(ctx: &Context<'_>, input: &CreateTaskInput) -> Result<TaskPayload, Error> {
    let viewer = ctx.viewer()?;
    respond(tasks::create(&mut ctx.connection().await?, viewer, input).await)
}

async fn update(ctx: &Context<'_>, input: &UpdateTaskInput) -> Result<TaskPayload, Error> {
    let viewer = ctx.viewer()?;
    respond_to_update(tasks::update(&mut ctx.connection().await?, viewer, input).await)
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
