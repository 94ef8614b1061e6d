//! Tasks in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::{
    context::ContextExt,
    course::Course,
    error::{UserError, outcome, update_outcome},
    loaders::{Loaders, ViewersUser},
    node::find,
    page::{Connection, ItemObject, PageArguments, list},
    user::User,
};
use crate::{
    error::Error,
    items::{self, ItemIdsInput, ItemStatus},
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

    /// Whether it is active or in the trash.
    pub(crate) async fn status(&self) -> ItemStatus {
        ItemStatus::of(self.0.deleted_at)
    }

    /// Counts the changes, from 1. Pass it as `version` to update only what you have seen.
    pub(crate) async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was created.
    pub(crate) async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last changed. Moving it to the trash and restoring it are not changes.
    pub(crate) async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When it was moved to the trash. Null while it is active.
    pub(crate) async fn deleted_at(&self) -> Option<DateTime> {
        self.0.deleted_at.map(DateTime)
    }

    /// The owner: always you.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Loaders::of(ctx).one(ViewersUser).await
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

/// Queries of tasks.
#[derive(Default)]
pub(crate) struct TaskQuery;

#[Object]
impl TaskQuery {
    /// Your task with this id, active or in the trash. Null if you have none.
    async fn task(&self, ctx: &Context<'_>, id: ObjectId) -> Option<Result<Task, Error>> {
        find(ctx, id.0).await.transpose()
    }

    /// Your tasks.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Active items by default.")] filter: Option<TaskFilter>,
        #[graphql(desc = "By `CREATED_AT`, newest first, by default.")] order_by: Option<TaskOrder>,
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

/// The result of a mutation of a task.
#[derive(SimpleObject)]
pub(crate) struct TaskPayload {
    /// The task after the mutation. Null if the mutation failed. On CONFLICT, the current version.
    pub(super) task: Option<Task>,
    /// What was wrong with the input. If this is not empty, nothing was changed.
    pub(super) user_errors: Vec<UserError>,
}

/// The result of a mutation of several tasks.
#[derive(SimpleObject)]
pub(crate) struct TasksPayload {
    /// The tasks after the mutation, in the order of the ids, without duplicates. Null if the mutation failed.
    tasks: Option<Vec<Task>>,
    /// What was wrong with the input. If this is not empty, nothing was changed.
    user_errors: Vec<UserError>,
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
        input: CreateTaskInput,
    ) -> Option<Result<TaskPayload, Error>> {
        Some(create(ctx, &input).await)
    }

    /// Updates a task that is not in the trash.
    async fn update_task(
        &self,
        ctx: &Context<'_>,
        input: UpdateTaskInput,
    ) -> Option<Result<TaskPayload, Error>> {
        Some(update(ctx, &input).await)
    }

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

async fn create(ctx: &Context<'_>, input: &CreateTaskInput) -> Result<TaskPayload, Error> {
    let viewer = ctx.viewer()?;
    let created = outcome(items::create(&mut ctx.connection().await?, viewer, input).await)?;
    Ok(TaskPayload {
        task: created.value.map(Task::from),
        user_errors: created.user_errors,
    })
}

async fn update(ctx: &Context<'_>, input: &UpdateTaskInput) -> Result<TaskPayload, Error> {
    let viewer = ctx.viewer()?;
    let updated = items::update(&mut ctx.connection().await?, viewer, input).await;
    let updated = update_outcome(updated)?;
    Ok(TaskPayload {
        task: updated.value.map(Task::from),
        user_errors: updated.user_errors,
    })
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
