//! All the SQL of courses. Every statement is scoped to one owner.

use super::model::{Course, CourseFilter, CourseOrder, CreateCourseInput, UpdateCourseInput};
use crate::{
    db::Statement,
    items::{Create, InsertItems, Listed, Update, UpdateItems, Written, contents},
};

impl Create for CreateCourseInput {
    type Item = Course;

    fn insert(insert: InsertItems<'_, Self>) -> Statement<Written<Course>> {
        insert
            .title(|course| &course.name)
            .value("description", |course| course.description.clone())
            .value("color", |course| course.color.clone())
            .value("icon", |course| course.icon.clone())
            .returning(&contents::EMPTY)
    }
}

impl Update for UpdateCourseInput {
    type Item = Course;
    type Stored = ();

    fn update(update: UpdateItems<'_, Self>, (): &()) -> Statement<Written<Course>> {
        update
            .title(|course| &course.name)
            .change("description", |course| &course.description)
            .change("color", |course| &course.color)
            .change("icon", |course| &course.icon)
            .returning(&contents::NOT_COUNTED)
    }
}

impl Listed for Course {
    type Filter = CourseFilter;
    type OrderBy = CourseOrder;
}
