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
    items::{Create, InsertItems, Listed, Update, UpdateItems, Written, store::Conditions},
};

impl Create for CreateCourseInput {
    type Item = Course;

    fn insert(insert: InsertItems<'_, Self>) -> Statement<Written<Course>> {
        insert
            .title(|course| &course.name)
            .value("description", |course| course.description.clone())
            .value("color", |course| course.color.clone())
            .value("icon", |course| course.icon.clone())
            .returning(&["0::bigint", "0::bigint"])
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
            .returning(&["NULL::bigint", "NULL::bigint"])
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

    fn conditions(filter: &CourseFilter, conditions: &mut Conditions<'_, Self::PageRow>) {
        let CourseFilter {
            status,
            name_contains: _,
        } = filter;
        conditions.status(*status);
    }

    fn on_demand(column: &str, statement: &mut Statement<Self::PageRow>, source: Source) {
        let counted = match column {
            "document_count" => DOCUMENTS_OF_COURSE,
            _ => OPEN_TASKS_OF_COURSE,
        };
        count_of(statement, source, counted);
    }
}
