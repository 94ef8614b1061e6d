//! Courses in the API: the object, its lists, its queries and its mutations.

use async_graphql::Context;

use super::{
    connection::{ItemObject, count},
    document::Document,
    item_api::{item_mutations, item_object, item_queries},
    loaders::{CountsOfCourse, Loaders},
    lookahead::{Lookahead, Preloaded},
    payload::payload,
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
        lookahead: &Lookahead,
        courses: &[&Self],
    ) -> Result<(), Error> {
        lookahead.load(conn, viewer, courses).await
    }
}

item_object! {
    /// A course, which contains documents and tasks.
    impl Course {
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
    }
    lists {
        /// The documents in the course.
        documents(Document, DocumentFilter, DocumentOrder);
        /// The tasks in the course.
        tasks(Task, TaskFilter, TaskOrder);
    }
}

item_queries! {
    /// Queries of courses.
    CourseQuery for Course {
        /// Your course with this id, active or in the trash. Null if you have none.
        course;
        /// Your courses.
        courses(CourseFilter, CourseOrder, "The order: 1–3 fields, each only once (default: `UPDATED_AT`, newest first).");
    }
}

payload! {
    /// The result of creating or updating a course.
    CoursePayload {
        /// The course after the mutation. Null if the mutation failed. On CONFLICT, the current version.
        course: Course
    }
}

item_mutations! {
    /// Mutations of courses.
    CourseMutation for Course {
        /// Creates a course.
        create_course(CreateCourseInput);
        /// Updates a course that is not in the trash.
        update_course(UpdateCourseInput);
        CoursePayload;
    }
}
