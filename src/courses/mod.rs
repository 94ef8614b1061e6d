//! Courses: they contain documents and tasks.
//!
//! The columns, the inputs and their limits are in [`model`], all the SQL in `store`.

pub mod model;
mod store;

pub use model::{
    Course, CourseFilter, CourseOrder, CourseOrderField, CreateCourseInput, UpdateCourseInput,
};
