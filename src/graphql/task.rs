//! Tasks in the API: the object, its lists, its queries and its mutations.

use std::collections::HashMap;

use async_graphql::{
    Context, Enum, ID, InputObject, MaybeUndefined, Object, SelectionField, SimpleObject,
};
use uuid::Uuid;

use super::{
    context::ContextExt,
    course::{Course, searchable},
    error::{UserError, outcome},
    loaders::{CourseById, Loaders, ViewersUser},
    node::{ItemIdsInput, ItemStatus},
    page::{Connection, Given, Listed, OrderDirection, PageArguments, Selected},
    scalars::{DateTime, change, id_of, known_id},
    user::User,
};
use crate::{
    auth::Viewer,
    db::{self, keyset},
    error::Error,
    items::{StatusFilter, Updated},
    tasks::{self, NewTask, TaskChanges, TaskList, TaskSortKey},
};

/// A task.
pub(crate) struct Task(pub(super) tasks::Task);

impl Task {
    /// Its id and when it went to the trash.
    pub(crate) fn trashed(&self) -> (Uuid, Option<chrono::DateTime<chrono::Utc>>) {
        (self.0.id, self.0.deleted_at)
    }
}

impl From<tasks::Task> for Task {
    fn from(row: tasks::Task) -> Self {
        Task(row)
    }
}

/// A task: what is to be done, in a course or beside them all.
#[Object]
impl Task {
    /// A UUID, unique across all that you can see.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.0.id)
    }

    /// 1 to 200 characters.
    fn title(&self) -> &str {
        &self.0.title
    }

    /// 1,000 characters at most.
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether it is done.
    fn completed(&self) -> bool {
        self.0.completed_at.is_some()
    }

    /// When it was completed; null while it is open.
    fn completed_at(&self) -> Option<DateTime> {
        self.0.completed_at.map(DateTime)
    }

    /// When it is to be done; null: at no certain time.
    fn due_at(&self) -> Option<DateTime> {
        self.0.due_at.map(DateTime)
    }

    /// How important it is.
    fn priority(&self) -> TaskPriority {
        self.0.priority.into()
    }

    /// Whether it is active or in the trash.
    pub(crate) async fn status(&self) -> ItemStatus {
        ItemStatus::of(self.0.deleted_at)
    }

    /// Counts up with every change, from 1; send it back as `version` to update only what you have seen.
    pub(crate) async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    pub(crate) async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last changed; going to the trash and coming back is no change.
    pub(crate) async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When it went to the trash; null while active.
    pub(crate) async fn deleted_at(&self) -> Option<DateTime> {
        self.0.deleted_at.map(DateTime)
    }

    /// The course that it stands in; null: in none.
    async fn course(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
        let course = CourseById(self.0.course_id?);
        Some(Loaders::of(ctx).one(course).await.map(Course::from))
    }

    /// The course that took it to the trash; null if it went alone, and while active.
    async fn trashed_with(&self, ctx: &Context<'_>) -> Option<Result<Course, Error>> {
        let course = CourseById(self.0.trashed_with?);
        Some(Loaders::of(ctx).one(course).await.map(Course::from))
    }

    /// Whose it is.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Loaders::of(ctx).one(ViewersUser).await
    }
}

impl Listed for Task {
    type Order = tasks::TaskOrder;

    fn cursor(&self, order: Self::Order) -> String {
        keyset::Order::from(order).cursor(&self.0.position(order))
    }
}

/// How important a task is.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "tasks::TaskPriority")]
pub(crate) enum TaskPriority {
    /// Can wait.
    Low,
    /// As most are.
    Normal,
    /// Comes first.
    High,
}

/// Which tasks a list holds. What is left out, or null, is not asked; `status` apart.
#[derive(InputObject)]
pub(crate) struct TaskFilter {
    /// Completed ones, or open ones.
    completed: Option<bool>,
    /// Those of one course.
    course_id: Option<ID>,
    /// Active ones if left out; null: those in the trash, too.
    #[graphql(default_with = "Some(ItemStatus::Active)")]
    status: Option<ItemStatus>,
    /// Any of these; an empty list finds nothing.
    priority: Option<Vec<TaskPriority>>,
    /// Text that the title contains, in upper or lower case.
    title_contains: Option<String>,
    /// In a course, or in none.
    has_course: Option<bool>,
    /// With a due date, or without.
    has_due_date: Option<bool>,
    /// Due at this moment or later.
    due_after: Option<DateTime>,
    /// Due before this moment.
    due_before: Option<DateTime>,
}

impl TaskFilter {
    fn checked(self) -> Result<tasks::TaskFilter, Error> {
        searchable("titleContains", self.title_contains.as_deref())?;
        Ok(tasks::TaskFilter {
            completed: self.completed,
            course_id: self.course_id.as_ref().map(known_id),
            status: StatusFilter::from(self.status),
            priority: self
                .priority
                .map(|priorities| priorities.into_iter().map(Into::into).collect()),
            title_contains: self.title_contains,
            has_course: self.has_course,
            has_due_date: self.has_due_date,
            due_after: self.due_after.map(|time| time.0),
            due_before: self.due_before.map(|time| time.0),
        })
    }
}

impl Default for TaskFilter {
    fn default() -> Self {
        TaskFilter {
            completed: None,
            course_id: None,
            status: Some(ItemStatus::Active),
            priority: None,
            title_contains: None,
            has_course: None,
            has_due_date: None,
            due_after: None,
            due_before: None,
        }
    }
}

/// How a list of tasks is sorted; ties by id, in the same direction.
#[derive(InputObject)]
pub(crate) struct TaskOrder {
    /// By what.
    field: TaskOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// What tasks sort by. Tasks without a due date come last, in either direction.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "TaskSortKey")]
pub(crate) enum TaskOrderField {
    /// When they were made.
    CreatedAt,
    /// When they last changed.
    UpdatedAt,
    /// When they are due; those without a due date last, in either direction.
    DueAt,
    /// How important they are; `DESC`: high first.
    Priority,
    /// The title, in Unicode's alphabetical order, the same on every server.
    Title,
}

/// A list of tasks as a caller asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TasksArguments {
    pub(crate) list: TaskList,
    slice: keyset::Slice,
    count: bool,
}

impl TasksArguments {
    pub(crate) fn new(
        filter: Option<TaskFilter>,
        order_by: Option<TaskOrder>,
        page: PageArguments,
        selected: &Selected<'_>,
    ) -> Result<Self, Error> {
        let order = order_by.map_or(
            tasks::TaskOrder {
                key: TaskSortKey::CreatedAt,
                descending: true,
            },
            |order| tasks::TaskOrder {
                key: order.field.into(),
                descending: order.direction.is_descending(),
            },
        );
        let list = TaskList {
            filter: filter.unwrap_or_default().checked()?,
            order,
        };
        Ok(TasksArguments {
            list,
            slice: page.slice(order.into())?,
            count: selected.total,
        })
    }

    /// The arguments of a field that is selected further down.
    pub(crate) fn of_field(field: &SelectionField<'_>) -> Result<Self, Error> {
        let mut given = Given::of(field)?;
        let (filter, order_by) = (given.take("filter")?, given.take("orderBy")?);
        let selected = Selected::of_connection(Some(*field));
        TasksArguments::new(filter, order_by, given.page()?, &selected)
    }

    pub(crate) async fn pages(
        &self,
        conn: &mut db::Connection,
        viewer: &Viewer,
        courses: Vec<Uuid>,
    ) -> Result<HashMap<Uuid, keyset::Page<tasks::Task>>, Error> {
        tasks::pages_of_courses(conn, viewer, courses, &self.list, &self.slice, self.count).await
    }
}

/// Queries of tasks.
#[derive(Default)]
pub(crate) struct TaskQuery;

#[Object]
impl TaskQuery {
    /// Your task with that id, active or in the trash; null if there is none.
    async fn task(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Task, Error>> {
        let found = async {
            let viewer = ctx.viewer()?;
            tasks::find(&mut ctx.connection().await?, viewer, known_id(&id)).await
        };
        Some(found.await.transpose()?.map(Task))
    }

    /// Your tasks; newest first if no order is given.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Active ones if left out.")] filter: Option<TaskFilter>,
        #[graphql(desc = "By `CREATED_AT`, newest first, if left out.")] order_by: Option<
            TaskOrder,
        >,
        #[graphql(desc = "The first so many: 1 to 100; 50 if `last` is left out too.")]
        first: Option<i32>,
        #[graphql(desc = "Only what stands behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many: 1 to 100. Not together with `first`.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Only what stands before this cursor.")] before: Option<String>,
        #[graphql(desc = "Passes over so many: 0 to 10,000. Goes with `first` alone.")]
        offset: Option<i32>,
    ) -> Result<Connection<Task>, Error> {
        let viewer = ctx.viewer()?;
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        let arguments = TasksArguments::new(filter, order_by, page, &Selected::of(ctx))?;
        let mut conn = ctx.connection().await?;
        let page = tasks::page(
            &mut conn,
            viewer,
            &arguments.list,
            &arguments.slice,
            arguments.count,
        )
        .await?;
        Ok(Connection::new(page, arguments.list.order, Task))
    }
}

/// A task to be made.
#[derive(InputObject)]
pub(crate) struct CreateTaskInput {
    /// Your own UUID; left out, the service makes one. One that another object of yours has, or had, is TAKEN.
    id: Option<ID>,
    /// The course that it goes into, which must be active; left out: none.
    course_id: Option<ID>,
    /// 1 to 200 characters, not only white space.
    title: String,
    /// 1,000 characters at most.
    description: Option<String>,
    /// When it is to be done.
    due_at: Option<DateTime>,
    /// How important it is.
    #[graphql(default_with = "Some(TaskPriority::Normal)")]
    priority: Option<TaskPriority>,
}

/// What to change of a task.
#[derive(InputObject)]
pub(crate) struct UpdateTaskInput {
    /// Which task.
    id: ID,
    /// The version that you have seen; left out: whichever it is.
    version: Option<i32>,
    /// Moves it to this course, which must be active; null: into none.
    course_id: MaybeUndefined<ID>,
    /// 1 to 200 characters; not null.
    title: MaybeUndefined<String>,
    /// 1,000 characters at most.
    description: MaybeUndefined<String>,
    /// Completes it, or opens it again; not null. One that is completed keeps the time at which it was.
    completed: MaybeUndefined<bool>,
    /// When it is to be done.
    due_at: MaybeUndefined<DateTime>,
    /// How important it is; not null.
    priority: MaybeUndefined<TaskPriority>,
}

/// What a mutation of a task answers.
#[derive(SimpleObject)]
pub(crate) struct TaskPayload {
    /// The task as it is now; null if nothing was done, but for a CONFLICT.
    task: Option<Task>,
    /// What was wrong with the input; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// What a mutation of several tasks answers.
#[derive(SimpleObject)]
pub(crate) struct TasksPayload {
    /// The tasks as they are now, in the order of the ids, each once; null if nothing was done.
    tasks: Option<Vec<Task>>,
    /// What was wrong with the input; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// Mutations of tasks.
#[derive(Default)]
pub(crate) struct TaskMutation;

#[Object]
impl TaskMutation {
    /// Makes a task.
    async fn create_task(
        &self,
        ctx: &Context<'_>,
        input: CreateTaskInput,
    ) -> Option<Result<TaskPayload, Error>> {
        Some(create_task(ctx, input).await)
    }

    /// Changes a task that is not in the trash.
    async fn update_task(
        &self,
        ctx: &Context<'_>,
        input: UpdateTaskInput,
    ) -> Option<Result<TaskPayload, Error>> {
        Some(update_task(ctx, input).await)
    }

    /// Completes tasks, all of them or none. Those that are completed stay as they are.
    async fn complete_tasks(
        &self,
        ctx: &Context<'_>,
        input: ItemIdsInput,
    ) -> Option<Result<TasksPayload, Error>> {
        Some(set_completed(ctx, input, true).await)
    }

    /// Opens tasks again, all of them or none. Those that are open stay as they are.
    async fn reopen_tasks(
        &self,
        ctx: &Context<'_>,
        input: ItemIdsInput,
    ) -> Option<Result<TasksPayload, Error>> {
        Some(set_completed(ctx, input, false).await)
    }
}

async fn create_task(ctx: &Context<'_>, input: CreateTaskInput) -> Result<TaskPayload, Error> {
    let viewer = ctx.viewer()?;
    let new = NewTask {
        id: input.id.map(|id| id.0),
        course_id: input.course_id.as_ref().map(known_id),
        title: input.title,
        description: input.description,
        due_at: input.due_at.map(|time| time.0),
        priority: input.priority.map(Into::into),
    };
    let made = outcome(tasks::create(&mut ctx.connection().await?, viewer, new).await)?;
    Ok(TaskPayload {
        task: made.value.map(Task),
        user_errors: made.user_errors,
    })
}

async fn update_task(ctx: &Context<'_>, input: UpdateTaskInput) -> Result<TaskPayload, Error> {
    let viewer = ctx.viewer()?;
    let changes = TaskChanges {
        id: known_id(&input.id),
        version: input.version,
        course_id: change(input.course_id, |id| known_id(&id)),
        title: change(input.title, |text| text),
        description: change(input.description, |text| text),
        completed: change(input.completed, |completed| completed),
        due_at: change(input.due_at, |time| time.0),
        priority: change(input.priority, Into::into),
    };
    let changed = outcome(tasks::update(&mut ctx.connection().await?, viewer, changes).await)?;
    let (task, user_errors) = match changed.value {
        Some(Updated::Done(task)) => (Some(task), changed.user_errors),
        Some(Updated::Conflict(task)) => (Some(task), vec![UserError::conflict()]),
        None => (None, changed.user_errors),
    };
    Ok(TaskPayload {
        task: task.map(Task),
        user_errors,
    })
}

async fn set_completed(
    ctx: &Context<'_>,
    input: ItemIdsInput,
    completed: bool,
) -> Result<TasksPayload, Error> {
    let viewer = ctx.viewer()?;
    let ids = input.known_ids();
    let done =
        outcome(tasks::set_completed(&mut ctx.connection().await?, viewer, &ids, completed).await)?;
    let tasks = done
        .value
        .map(|tasks| tasks.into_iter().map(Task).collect());
    Ok(TasksPayload {
        tasks,
        user_errors: done.user_errors,
    })
}
