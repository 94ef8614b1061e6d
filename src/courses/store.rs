//! All the SQL of courses. Every statement is scoped to one owner.

use std::collections::HashMap;

use uuid::Uuid;

use super::model::{
    Course, CourseCounts, CourseFilter, CourseOrder, CreateCourseInput, UpdateCourseInput,
};
use crate::{
    auth::{UserId, Viewer},
    db::{
        Connection, Statement,
        current::{self, Source},
    },
    error::Error,
    items::{
        Create, Listed, NewId, Update, UpdateTarget, Written,
        commands::store::{InsertItem, UpdateItem},
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

/// What counts of a course are over; `listed` is the course.
const DOCUMENTS_OF_COURSE: &str =
    "documents WHERE user_id = listed.user_id AND course_id = listed.id AND status = 'active'";
const OPEN_TASKS_OF_COURSE: &str = "tasks WHERE user_id = listed.user_id AND course_id = listed.id AND status = 'active' AND completed_at IS NULL";

fn count_of<R>(statement: &mut Statement<R>, source: Source, what: &str) {
    statement.sql("(SELECT count(*) FROM ").sql(source.prefix());
    statement.sql(what).sql(")");
}

type CountsRow = (Uuid, CourseCounts, bool);

fn counts_statement(owner: UserId, ids: &[Uuid], source: Source) -> Statement<CountsRow> {
    let mut statement = Statement::new("SELECT listed.id, ");
    count_of(&mut statement, source, DOCUMENTS_OF_COURSE);
    statement.sql(", ");
    count_of(&mut statement, source, OPEN_TASKS_OF_COURSE);
    statement.sql(", EXISTS (SELECT FROM pending_operations WHERE user_id = ");
    statement.value(owner).sql(") FROM unnest(");
    statement
        .value(ids.to_vec())
        .sql(") AS given (id) CROSS JOIN LATERAL (SELECT given.id, ");
    statement.value(owner).sql(" AS user_id) AS listed");
    statement
}

/// What is in each of these courses; nothing for courses that are not the viewer's.
pub(crate) async fn counts(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, CourseCounts>, Error> {
    let statement = |source| counts_statement(viewer.user_id, &ids, source);
    let rows = current::read(conn, statement, |(_, _, pending)| *pending).await?;
    let counts = rows.into_iter();
    Ok(counts.map(|(course, counts, _)| (course, counts)).collect())
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
        let counted = match column {
            "document_count" => DOCUMENTS_OF_COURSE,
            _ => OPEN_TASKS_OF_COURSE,
        };
        count_of(statement, source, counted);
    }
}
