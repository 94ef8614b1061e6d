//! All the SQL of courses. Every statement is scoped to one owner.

use super::model::{Course, CourseFilter, CourseOrder, CreateCourseInput, UpdateCourseInput};
use crate::{
    auth::{UserId, Viewer},
    db::{Connection, Statement, current::Source},
    error::Error,
    items::{
        Create, Item as _, Listed, NewId, Update, UpdateTarget, Written,
        commands::store::{InsertItem, UpdateItem},
        contents,
        store::Conditions,
    },
};

impl Create for CreateCourseInput {
    type Item = Course;

    fn insert(&self, owner: UserId, id: NewId) -> Statement<Written<Course>> {
        InsertItem::<Course>::new(owner, id)
            .title(&self.name)
            .value("description", self.description.clone())
            .value("color", self.color.clone())
            .value("icon", self.icon.clone())
            .returning(&["0::bigint", "0::bigint"])
    }
}

impl Update for UpdateCourseInput {
    type Item = Course;

    fn target(&self) -> UpdateTarget {
        self.target
    }

    async fn update(
        &self,
        _conn: &mut Connection,
        viewer: &Viewer,
    ) -> Result<Statement<Written<Course>>, Error> {
        let update = UpdateItem::<Course>::new(viewer.user_id, self.target)
            .title(&self.name)
            .change("description", &self.description)
            .change("color", &self.color)
            .change("icon", &self.icon)
            .returning(&["NULL::bigint", "NULL::bigint"]);
        Ok(update)
    }
}

impl Listed for Course {
    type Filter = CourseFilter;
    type OrderBy = CourseOrder;

    fn title_part(filter: &CourseFilter) -> Option<&str> {
        filter.name_contains.as_deref()
    }

    fn conditions(filter: &CourseFilter, _conditions: &mut Conditions<'_, Self::PageRow>) {
        let CourseFilter {
            name_contains: _,
            shared: _,
            and: _,
            or: _,
            not: _,
        } = filter;
    }

    fn on_demand(column: &str, statement: &mut Statement<Self::PageRow>, source: Source) {
        contents::write_count(statement, Course::KIND, column, source);
    }
}
