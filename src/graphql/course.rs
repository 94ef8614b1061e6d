//! Courses in the API: the object, its lists, its queries and its mutations.

use async_graphql::{Context, SimpleObject};

use super::{
    document::Document,
    error::UserError,
    item_api::{item_mutations, item_object, item_queries},
    loaders::{CountsOfCourse, Loaders},
    lookahead::{Lookahead, Preloaded},
    page::{Connection, ItemObject, PageArguments, Selected, count, list_of_course},
    task::Task,
};
use crate::{
    auth::Viewer,
    courses::{self, CourseFilter, CourseOrder, CreateCourseInput, UpdateCourseInput},
    db,
    documents::{self, DocumentFilter, DocumentOrder},
    error::Error,
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

    async fn preload(
        conn: &mut db::Connection,
        viewer: &Viewer,
        selected: &Selected<'_>,
        courses: &[&Self],
    ) -> Result<(), Error> {
        Lookahead::of(selected)?.load(conn, viewer, courses).await
    }
}

item_object! {
    /// A course: it contains documents and tasks.
    impl Course {
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
}

item_queries! {
    /// Queries of courses.
    CourseQuery for Course {
        /// Your course with this id, active or in the trash. Null if you have none.
        course;
        /// Your courses.
        courses(CourseFilter, CourseOrder, "By `UPDATED_AT`, newest first, by default.");
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

item_mutations! {
    /// Mutations of courses.
    CourseMutation for Course {
        /// Creates a course.
        create_course(CreateCourseInput);
        /// Updates a course that is not in the trash.
        update_course(UpdateCourseInput);
        CoursePayload { course };
    }
}
