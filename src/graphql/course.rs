//! Courses in the API: the object, its lists, its queries and its mutations.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::{
    ahead::{Ahead, ChildrenAhead},
    context::ContextExt,
    document::{Document, DocumentFilter, DocumentOrder, DocumentsArguments},
    error::{UserError, outcome},
    loaders::{CountsOfCourse, DocumentsOfCourse, Loaders, TasksOfCourse, ViewersUser},
    node::ItemStatus,
    page::{Connection, Listed, OrderDirection, PageArguments, Selected, count},
    scalars::{DateTime, change, id_of, known_id},
    task::{Task, TaskFilter, TaskOrder, TasksArguments},
    user::User,
};
use crate::{
    courses::{self, CourseChanges, CourseColumns, CourseList, CourseSortKey, NewCourse},
    db::keyset,
    documents,
    error::Error,
    items::{StatusFilter, Updated},
    tasks,
};

/// A course with what was loaded along with it.
pub(crate) struct Course {
    pub(super) row: courses::Course,
    pub(super) documents: Ahead<DocumentsArguments, documents::Document>,
    pub(super) tasks: Ahead<TasksArguments, tasks::Task>,
}

impl Course {
    /// Its id and when it went to the trash.
    pub(crate) fn trashed(&self) -> (uuid::Uuid, Option<chrono::DateTime<chrono::Utc>>) {
        (self.row.id, self.row.deleted_at)
    }
}

impl From<courses::Course> for Course {
    fn from(row: courses::Course) -> Self {
        Course {
            row,
            documents: Ahead::default(),
            tasks: Ahead::default(),
        }
    }
}

/// A course: what documents and tasks stand in.
#[Object]
impl Course {
    /// A UUID, unique across all that you can see.
    pub(crate) async fn id(&self) -> ID {
        id_of(self.row.id)
    }

    /// 1 to 255 characters.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// 10,000 characters at most.
    fn description(&self) -> Option<&str> {
        self.row.description.as_deref()
    }

    /// `#RRGGBB`
    fn color(&self) -> Option<&str> {
        self.row.color.as_deref()
    }

    /// An emoji or the name of an icon; 50 characters at most.
    fn icon(&self) -> Option<&str> {
        self.row.icon.as_deref()
    }

    /// Whether it is active or in the trash.
    pub(crate) async fn status(&self) -> ItemStatus {
        ItemStatus::of(self.row.deleted_at)
    }

    /// Counts up with every change, from 1; send it back as `version` to update only what you have seen.
    pub(crate) async fn version(&self) -> i32 {
        self.row.version
    }

    /// When it was made.
    pub(crate) async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it last changed; going to the trash and coming back is no change.
    pub(crate) async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// When it went to the trash; null while active.
    pub(crate) async fn deleted_at(&self) -> Option<DateTime> {
        self.row.deleted_at.map(DateTime)
    }

    /// Whose it is.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Loaders::of(ctx).one(ViewersUser).await
    }

    /// Active documents in it.
    async fn document_count(&self, ctx: &Context<'_>) -> Result<i32, Error> {
        match self.row.document_count {
            Some(documents) => Ok(count(documents)),
            None => Ok(count(
                Loaders::of(ctx)
                    .one(CountsOfCourse(self.row.id))
                    .await?
                    .documents,
            )),
        }
    }

    /// Active tasks in it that are not completed.
    async fn open_task_count(&self, ctx: &Context<'_>) -> Result<i32, Error> {
        match self.row.open_task_count {
            Some(tasks) => Ok(count(tasks)),
            None => Ok(count(
                Loaders::of(ctx)
                    .one(CountsOfCourse(self.row.id))
                    .await?
                    .open_tasks,
            )),
        }
    }

    /// The documents in it; newest first if no order is given.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Active ones if left out. Its `courseId` must be this course's, or nothing is found."
        )]
        filter: Option<DocumentFilter>,
        #[graphql(desc = "By `CREATED_AT`, newest first, if left out.")] order_by: Option<
            DocumentOrder,
        >,
        #[graphql(desc = "The first so many: 1 to 100; 50 if `last` is left out too.")]
        first: Option<i32>,
        #[graphql(desc = "Only what stands behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many: 1 to 100. Not together with `first`.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Only what stands before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Document>, Error> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset: None,
        };
        let arguments = DocumentsArguments::new(filter, order_by, page, &Selected::of(ctx))?;
        let order = arguments.list.order;
        if let Some(page) = self.documents.take(&arguments) {
            return Ok(Connection::new(page, order, Document::from));
        }
        let key = DocumentsOfCourse {
            course: self.row.id,
            arguments: Arc::new(arguments),
        };
        Ok(Connection::new(
            Loaders::of(ctx).one(key).await?,
            order,
            Document::from,
        ))
    }

    /// The tasks in it; newest first if no order is given.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Active ones if left out. Its `courseId` must be this course's, or nothing is found."
        )]
        filter: Option<TaskFilter>,
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
    ) -> Result<Connection<Task>, Error> {
        let page = PageArguments {
            first,
            after,
            last,
            before,
            offset: None,
        };
        let arguments = TasksArguments::new(filter, order_by, page, &Selected::of(ctx))?;
        let order = arguments.list.order;
        if let Some(page) = self.tasks.take(&arguments) {
            return Ok(Connection::new(page, order, Task::from));
        }
        let key = TasksOfCourse {
            course: self.row.id,
            arguments: Arc::new(arguments),
        };
        Ok(Connection::new(
            Loaders::of(ctx).one(key).await?,
            order,
            Task::from,
        ))
    }
}

impl Listed for Course {
    type Order = courses::CourseOrder;

    fn cursor(&self, order: Self::Order) -> String {
        keyset::Order::from(order).cursor(&self.row.position(order))
    }
}

/// Which courses a list holds.
#[derive(InputObject, Default)]
pub(crate) struct CourseFilter {
    /// Active ones if left out; null: those in the trash, too.
    #[graphql(default_with = "Some(ItemStatus::Active)")]
    status: Option<ItemStatus>,
    /// Text that the name contains, in upper or lower case.
    name_contains: Option<String>,
}

/// How a list of courses is sorted; ties by id, in the same direction.
#[derive(InputObject)]
pub(crate) struct CourseOrder {
    /// By what.
    field: CourseOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// What courses sort by.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "CourseSortKey")]
pub(crate) enum CourseOrderField {
    /// When they last changed.
    UpdatedAt,
    /// When they were made.
    CreatedAt,
    /// The name, in Unicode's alphabetical order, the same on every server.
    Name,
}

/// Queries of courses.
#[derive(Default)]
pub(crate) struct CourseQuery;

#[Object]
impl CourseQuery {
    /// Your course with that id, active or in the trash; null if there is none.
    async fn course(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Course, Error>> {
        let found = async {
            let viewer = ctx.viewer()?;
            courses::find(&mut ctx.connection().await?, viewer, known_id(&id)).await
        };
        Some(found.await.transpose()?.map(Course::from))
    }

    /// Your courses; last changed first if no order is given.
    #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
    async fn courses(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Active ones if left out.")] filter: Option<CourseFilter>,
        #[graphql(desc = "By `UPDATED_AT`, newest first, if left out.")] order_by: Option<
            CourseOrder,
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
    ) -> Result<Connection<Course>, Error> {
        let viewer = ctx.viewer()?;
        let selected = Selected::of(ctx);
        let list = course_list(filter, order_by, &selected)?;
        let order = list.order;
        let slice = PageArguments {
            first,
            after,
            last,
            before,
            offset,
        }
        .slice(order.into())?;
        let ahead = ChildrenAhead::of(&selected)?;
        let mut conn = ctx.connection().await?;
        let page = courses::page(&mut conn, viewer, &list, &slice, selected.total).await?;
        let connection = Connection::new(page, order, Course::from);
        ahead
            .load(&mut conn, viewer, connection.nodes_now())
            .await?;
        Ok(connection)
    }
}

/// Text to look for must be text that the database can hold.
///
/// # Errors
/// BAD_USER_INPUT if it contains U+0000.
pub(crate) fn searchable(argument: &str, text: Option<&str>) -> Result<(), Error> {
    if text.is_some_and(|text| text.contains('\0')) {
        return Err(Error::bad_input(format!(
            "{argument} must not contain the character U+0000."
        )));
    }
    Ok(())
}

fn course_list(
    filter: Option<CourseFilter>,
    order_by: Option<CourseOrder>,
    selected: &Selected<'_>,
) -> Result<CourseList, Error> {
    let filter = filter.unwrap_or(CourseFilter {
        status: Some(ItemStatus::Active),
        name_contains: None,
    });
    searchable("nameContains", filter.name_contains.as_deref())?;
    let order = order_by.map_or(
        courses::CourseOrder {
            key: CourseSortKey::UpdatedAt,
            descending: true,
        },
        |order| courses::CourseOrder {
            key: order.field.into(),
            descending: order.direction.is_descending(),
        },
    );
    let filter = courses::CourseFilter {
        status: StatusFilter::from(filter.status),
        name_contains: filter.name_contains,
    };
    let columns = CourseColumns {
        document_count: selected.has("documentCount"),
        open_task_count: selected.has("openTaskCount"),
    };
    Ok(CourseList {
        filter,
        order,
        columns,
    })
}

/// An `id` of your own (a UUID) makes the creation safe to repeat: the second time, the object that is there comes back,
/// as it is. So in every create.
#[derive(InputObject)]
pub(crate) struct CreateCourseInput {
    /// Your own UUID; left out, the service makes one. One that another object of yours has, or had, is TAKEN.
    id: Option<ID>,
    /// 1 to 255 characters, not only white space.
    name: String,
    /// 10,000 characters at most.
    description: Option<String>,
    /// `#RRGGBB`
    color: Option<String>,
    /// An emoji or the name of an icon; 50 characters at most.
    icon: Option<String>,
}

/// With a `version`, the update is made only if the item is still at it: otherwise CONFLICT. A field left out stays as it
/// is; null clears it where it can be null. So in every update.
#[derive(InputObject)]
pub(crate) struct UpdateCourseInput {
    /// Which course.
    id: ID,
    /// The version that you have seen; left out: whichever it is.
    version: Option<i32>,
    /// 1 to 255 characters; not null.
    name: MaybeUndefined<String>,
    /// 10,000 characters at most.
    description: MaybeUndefined<String>,
    /// `#RRGGBB`
    color: MaybeUndefined<String>,
    /// 50 characters at most.
    icon: MaybeUndefined<String>,
}

/// What a mutation of a course answers.
#[derive(SimpleObject)]
pub(crate) struct CoursePayload {
    /// The course as it is now; null if nothing was done, but for a CONFLICT.
    course: Option<Course>,
    /// What was wrong with the input; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// Mutations of courses.
#[derive(Default)]
pub(crate) struct CourseMutation;

#[Object]
impl CourseMutation {
    /// Makes a course.
    async fn create_course(
        &self,
        ctx: &Context<'_>,
        input: CreateCourseInput,
    ) -> Option<Result<CoursePayload, Error>> {
        Some(create_course(ctx, input).await)
    }

    /// Changes a course that is not in the trash.
    async fn update_course(
        &self,
        ctx: &Context<'_>,
        input: UpdateCourseInput,
    ) -> Option<Result<CoursePayload, Error>> {
        Some(update_course(ctx, input).await)
    }
}

async fn create_course(
    ctx: &Context<'_>,
    input: CreateCourseInput,
) -> Result<CoursePayload, Error> {
    let viewer = ctx.viewer()?;
    let new = NewCourse {
        id: input.id.map(|id| id.0),
        name: input.name,
        description: input.description,
        color: input.color,
        icon: input.icon,
    };
    let made = outcome(courses::create(&mut ctx.connection().await?, viewer, new).await)?;
    Ok(CoursePayload {
        course: made.value.map(Course::from),
        user_errors: made.user_errors,
    })
}

async fn update_course(
    ctx: &Context<'_>,
    input: UpdateCourseInput,
) -> Result<CoursePayload, Error> {
    let viewer = ctx.viewer()?;
    let text = |field: MaybeUndefined<String>| change(field, |text| text);
    let changes = CourseChanges {
        id: known_id(&input.id),
        version: input.version,
        name: text(input.name),
        description: text(input.description),
        color: text(input.color),
        icon: text(input.icon),
    };
    let changed = outcome(courses::update(&mut ctx.connection().await?, viewer, changes).await)?;
    let (course, user_errors) = match changed.value {
        Some(Updated::Done(course)) => (Some(course), changed.user_errors),
        Some(Updated::Conflict(course)) => (Some(course), vec![UserError::conflict()]),
        None => (None, changed.user_errors),
    };
    Ok(CoursePayload {
        course: course.map(Course::from),
        user_errors,
    })
}
