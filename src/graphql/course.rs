//! Courses in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, ID, Object};

use super::{
    connection::{Connection, ItemObject, count},
    context::ContextExt,
    document::Document,
    list::{ListArguments, list_of_course},
    loaders::{CountsOfCourse, Loaders, ViewersUser},
    lookahead::{Lookahead, Preloaded},
    node::find,
    page::PageArguments,
    payload::{payload, respond, respond_to_update},
    selection::Selected,
    task::Task,
    user::User,
};
use crate::{
    courses::{self, CourseFilter, CourseOrder, CreateCourseInput, UpdateCourseInput},
    documents::{self, DocumentFilter, DocumentOrder},
    error::Error,
    items::ItemStatus,
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

/// A course, which contains documents and tasks.
#[Object]
impl Course {
    /// A UUID, unique among all objects that you can see.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.row.id)
    }

    /// The course's name. 1–255 characters.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// The course's description. Maximum 10,000 characters. Null if there is none.
    fn description(&self) -> Option<&str> {
        self.row.description.as_deref()
    }

    /// The course's color: `#RRGGBB`. Null if there is none.
    fn color(&self) -> Option<&str> {
        self.row.color.as_deref()
    }

    /// The course's icon: an emoji or the name of an icon. Maximum 50 characters. Null if there is none.
    fn icon(&self) -> Option<&str> {
        self.row.icon.as_deref()
    }

    /// Whether the course is active or in the trash.
    pub(crate) async fn status(&self) -> ItemStatus {
        ItemStatus::of(self.row.deleted_at)
    }

    /// The course's version: 1 at first, and 1 more after each change. Pass it to an update as `version`, so that the update
    /// overwrites no change that you have not seen.
    pub(crate) async fn version(&self) -> i32 {
        self.row.version
    }

    /// When the course was created.
    pub(crate) async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When the course last changed. Moving it to the trash or restoring it does not count.
    pub(crate) async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// When the course was moved to the trash. Null while it is active.
    pub(crate) async fn deleted_at(&self) -> Option<DateTime> {
        self.row.deleted_at.map(DateTime)
    }

    /// The course's owner, who is always you.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Loaders::of(ctx).get(ViewersUser).await
    }

    /// The number of active documents in the course.
    async fn document_count(&self, ctx: &Context<'_>) -> Result<i32, Error> {
        if let Some(documents) = self.row.document_count {
            return Ok(count(documents));
        }
        let counts = Loaders::of(ctx).get(CountsOfCourse(self.row.id)).await?;
        Ok(count(counts.documents))
    }

    /// The number of active tasks in the course that are not completed.
    async fn open_task_count(&self, ctx: &Context<'_>) -> Result<i32, Error> {
        if let Some(tasks) = self.row.open_task_count {
            return Ok(count(tasks));
        }
        let counts = Loaders::of(ctx).get(CountsOfCourse(self.row.id)).await?;
        Ok(count(counts.open_tasks))
    }

    /// The documents in the course.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The filter. By default, only active items. A `courseId` of another course matches nothing."
        )]
        filter: Option<DocumentFilter>,
        #[graphql(desc = "The order (default: `CREATED_AT`, newest first).")] order_by: Option<
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

    /// The tasks in the course.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The filter. By default, only active items. A `courseId` of another course matches nothing."
        )]
        filter: Option<TaskFilter>,
        #[graphql(desc = "The order (default: `CREATED_AT`, newest first).")] order_by: Option<
            TaskOrder,
        >,
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
    async fn course(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The course's id.")] id: ObjectId,
    ) -> Option<Result<Course, Error>> {
        find(ctx, id.0).await.transpose()
    }

    /// Your courses.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn courses(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter. By default, only active items.")] filter: Option<
            CourseFilter,
        >,
        #[graphql(desc = "The order (default: `UPDATED_AT`, newest first).")] order_by: Option<
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

payload! {
    /// The result of a mutation of a course.
    CoursePayload {
        /// The course after the mutation. Null if the mutation failed. On CONFLICT, the current version.
        course: Course
    }
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
        #[graphql(desc = "The course to create.")] input: CreateCourseInput,
    ) -> Option<Result<CoursePayload, Error>> {
        Some(create(ctx, &input).await)
    }

    /// Updates a course that is not in the trash.
    async fn update_course(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The course's id and its new values.")] input: UpdateCourseInput,
    ) -> Option<Result<CoursePayload, Error>> {
        Some(update(ctx, &input).await)
    }
}

async fn create(ctx: &Context<'_>, input: &CreateCourseInput) -> Result<CoursePayload, Error> {
    let viewer = ctx.viewer()?;
    respond(courses::create(&mut ctx.connection().await?, viewer, input).await)
}

async fn update(ctx: &Context<'_>, input: &UpdateCourseInput) -> Result<CoursePayload, Error> {
    let viewer = ctx.viewer()?;
    respond_to_update(courses::update(&mut ctx.connection().await?, viewer, input).await)
}
