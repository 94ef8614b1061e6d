//! Courses in the API: the object, its lists, its queries and its mutations.

use async_graphql::Context;

use super::{
    budget::ResponseBudget,
    connection::ItemObject as _,
    document::Document,
    item_api::{container_object, item_mutations, item_object, item_queries},
    loaders::{CountsOfCourse, Loaders},
    payload::payload,
    task::Task,
};
use crate::{
    courses::{self, CourseFilter, CourseOrder, CreateCourseInput, UpdateCourseInput},
    documents::{DocumentFilter, DocumentOrder},
    error::Error,
    tasks::{TaskFilter, TaskOrder},
};

container_object! {
    /// A course.
    Course(courses::Course)
}

item_object! {
    /// A course, which contains documents and tasks.
    impl Course {
        /// The course's name. 1–255 characters.
        fn name(&self) -> &str {
            &self.row.name
        }

        /// The course's description. Maximum 10,000 characters. Null if there is none.
        async fn description(&self, ctx: &Context<'_>) -> Result<Option<&str>, Error> {
            let description = self.row.description.as_deref();
            let bytes = description.map_or(0, str::len);
            ResponseBudget::of(ctx).write("description", bytes).await?;
            Ok(description)
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
            let (id, counted) = (CountsOfCourse(self.row.id), self.row.document_count);
            Loaders::of(ctx).count(id, counted, |counts| counts.documents).await
        }

        /// The number of active tasks in the course that are not completed.
        async fn open_task_count(&self, ctx: &Context<'_>) -> Result<i32, Error> {
            let (id, counted) = (CountsOfCourse(self.row.id), self.row.open_task_count);
            Loaders::of(ctx).count(id, counted, |counts| counts.open_tasks).await
        }
    }
    lists("The filter. By default, only active items. A `courseId` of another course matches nothing.") {
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
        #[doc = example!("course")]
        course;
        /// Your courses.
        #[doc = example!("courses")]
        courses(CourseFilter, CourseOrder, "The order: maximum 3 fields, each only once. An empty list means the default: `UPDATED_AT`, newest first.");
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
        /// `userErrors`: BLANK, INVALID, LIMIT_REACHED, TAKEN, TOO_LONG.
        #[doc = example!("create_course")]
        create_course(CreateCourseInput);
        /// Updates a course that is not in the trash.
        /// `userErrors`: BLANK, CONFLICT, INVALID, IN_TRASH, LIMIT_REACHED, NOT_FOUND, TOO_LONG.
        #[doc = example!("update_course")]
        update_course(UpdateCourseInput);
        CoursePayload;
    }
}
