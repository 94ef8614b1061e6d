//! Courses in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::{
    context::ContextExt,
    document::Document,
    error::{UserError, outcome, update_outcome},
    loaders::{CountsOfCourse, Loaders, ViewersUser},
    lookahead::{Lookahead, Preloaded},
    node::find,
    page::{Connection, ItemObject, ListArguments, PageArguments, Selected, count, list_of_course},
    task::Task,
    user::User,
};
use crate::{
    courses::{self, CourseFilter, CourseOrder, CreateCourseInput, UpdateCourseInput},
    documents::{self, DocumentFilter, DocumentOrder},
    error::Error,
    items::{self, ItemStatus},
    scalars::{DateTime, ObjectId, id_of},
    tasks::{self, TaskFilter, TaskOrder},
};

/// A course, with the lists that lookahead has loaded for it.
pub(crate) struct Course {
    pub(super) row: courses::Course,
    pub(super) documents: Preloaded<documents::Document>,
    pub(super) tasks: Preloaded<tasks::Task>,
}

impl From<courses::Course> for Course {
    fn from(row: courses::Course) -> Self {
        Course {
            row,
            documents: Preloaded::default(),
            tasks: Preloaded::default(),
        }
    }
}

impl ItemObject for Course {
    type Row = courses::Course;

    fn row(&self) -> &Self::Row {
        &self.row
    }
}

/// A course: it contains documents and tasks.
#[Object]
impl Course {
    /// A UUID, unique among all objects that you can see.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.row.id)
    }

    /// 1–255 characters.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// Maximum 10,000 characters.
    fn description(&self) -> Option<&str> {
        self.row.description.as_deref()
    }

    /// `#RRGGBB`
    fn color(&self) -> Option<&str> {
        self.row.color.as_deref()
    }

    /// An emoji or the name of an icon. Maximum 50 characters.
    fn icon(&self) -> Option<&str> {
        self.row.icon.as_deref()
    }

    /// Whether it is active or in the trash.
    pub(crate) async fn status(&self) -> ItemStatus {
        ItemStatus::of(self.row.deleted_at)
    }

    /// Counts the changes, from 1. Pass it as `version` to update only what you have seen.
    pub(crate) async fn version(&self) -> i32 {
        self.row.version
    }

    /// When it was created.
    pub(crate) async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it last changed. Moving it to the trash and restoring it are not changes.
    pub(crate) async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// When it was moved to the trash. Null while it is active.
    pub(crate) async fn deleted_at(&self) -> Option<DateTime> {
        self.row.deleted_at.map(DateTime)
    }

    /// The owner: always you.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Loaders::of(ctx).one(ViewersUser).await
    }

    /// The number of active documents in it.
    async fn document_count(&self, ctx: &Context<'_>) -> Result<i32, Error> {
        if let Some(documents) = self.row.document_count {
            return Ok(count(documents));
        }
        let counts = Loaders::of(ctx).one(CountsOfCourse(self.row.id)).await?;
        Ok(count(counts.documents))
    }

    /// The number of active tasks in it that are not completed.
    async fn open_task_count(&self, ctx: &Context<'_>) -> Result<i32, Error> {
        if let Some(tasks) = self.row.open_task_count {
            return Ok(count(tasks));
        }
        let counts = Loaders::of(ctx).one(CountsOfCourse(self.row.id)).await?;
        Ok(count(counts.open_tasks))
    }

    /// The documents in it.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Active items by default. A `courseId` of another course matches nothing."
        )]
        filter: Option<DocumentFilter>,
        #[graphql(desc = "By `CREATED_AT`, newest first, by default.")] order_by: Option<
            DocumentOrder,
        >,
        #[graphql(desc = "Return the first *n* items (1–100, default 50).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last *n* items (1–100). Cannot be combined with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Document>, Error> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset: None,
        };
        list_of_course(ctx, self.row.id, &self.documents, filter, order_by, &page).await
    }

    /// The tasks in it.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Active items by default. A `courseId` of another course matches nothing."
        )]
        filter: Option<TaskFilter>,
        #[graphql(desc = "By `CREATED_AT`, newest first, by default.")] order_by: Option<TaskOrder>,
        #[graphql(desc = "Return the first *n* items (1–100, default 50).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last *n* items (1–100). Cannot be combined with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Task>, Error> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset: None,
        };
        list_of_course(ctx, self.row.id, &self.tasks, filter, order_by, &page).await
    }
}

/// Queries of courses.
#[derive(Default)]
pub(crate) struct CourseQuery;

#[Object]
impl CourseQuery {
    /// Your course with this id, active or in the trash. Null if you have none.
    async fn course(&self, ctx: &Context<'_>, id: ObjectId) -> Option<Result<Course, Error>> {
        find(ctx, id.0).await.transpose()
    }

    /// Your courses.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn courses(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Active items by default.")] filter: Option<CourseFilter>,
        #[graphql(desc = "By `UPDATED_AT`, newest first, by default.")] order_by: Option<
            CourseOrder,
        >,
        #[graphql(desc = "Return the first *n* items (1–100, default 50).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last *n* items (1–100). Cannot be combined with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Number of items to skip (0–10,000). Can only be combined with `first`.")]
        offset: Option<i32>,
    ) -> Result<Connection<Course>, Error> {
        let viewer = ctx.viewer()?;
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        };
        let selected = Selected::of(ctx);
        let arguments: ListArguments<courses::Course> =
            ListArguments::new(filter, order_by, &page, &selected)?;
        let lookahead = Lookahead::of(&selected)?;
        let mut conn = ctx.connection().await?;
        let page = arguments.page(&mut conn, viewer).await?;
        let connection = Connection::new(page, &arguments.list.order(), Course::from);
        lookahead.load(&mut conn, viewer, &connection.all()).await?;
        Ok(connection)
    }
}

/// The result of a mutation of a course.
#[derive(SimpleObject)]
pub(crate) struct CoursePayload {
    /// The course after the mutation. Null if the mutation failed. On CONFLICT, the current version.
    pub(super) course: Option<Course>,
    /// What was wrong with the input. If this is not empty, nothing was changed.
    pub(super) user_errors: Vec<UserError>,
}

/// Mutations of courses.
#[derive(Default)]
pub(crate) struct CourseMutation;

#[Object]
impl CourseMutation {
    /// Creates a course.
    async fn create_course(
        &self,
        ctx: &Context<'_>,
        input: CreateCourseInput,
    ) -> Option<Result<CoursePayload, Error>> {
        Some(create(ctx, &input).await)
    }

    /// Updates a course that is not in the trash.
    async fn update_course(
        &self,
        ctx: &Context<'_>,
        input: UpdateCourseInput,
    ) -> Option<Result<CoursePayload, Error>> {
        Some(update(ctx, &input).await)
    }
}

async fn create(ctx: &Context<'_>, input: &CreateCourseInput) -> Result<CoursePayload, Error> {
    let viewer = ctx.viewer()?;
    let created = outcome(items::create(&mut ctx.connection().await?, viewer, input).await)?;
    Ok(CoursePayload {
        course: created.value.map(Course::from),
        user_errors: created.user_errors,
    })
}

async fn update(ctx: &Context<'_>, input: &UpdateCourseInput) -> Result<CoursePayload, Error> {
    let viewer = ctx.viewer()?;
    let updated = items::update(&mut ctx.connection().await?, viewer, input).await;
    let updated = update_outcome(updated)?;
    Ok(CoursePayload {
        course: updated.value.map(Course::from),
        user_errors: updated.user_errors,
    })
}
