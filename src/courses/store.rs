//! All the SQL of courses. Every statement is scoped to one owner.

use std::{collections::HashMap, sync::LazyLock};

use uuid::Uuid;

use super::model::{
    Course, CourseCounts, CourseFilter, CourseOrder, CreateCourseInput, UpdateCourseInput,
};
use crate::{
    auth::{UserId, Viewer},
    db::{
        Columns, Connection, Statement,
        current::{self, Source},
        sql::SET_ORIGIN,
    },
    error::Error,
    items::{
        Changes, ItemKind, Listed, NewId, Written,
        store::{Conditions, id_is_free, set_title},
        titles,
    },
};

const COLUMNS: &str = Course::COLUMNS;

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let id_is_free = id_is_free::<Course>("$7");
    format!(
        "WITH written AS (
            INSERT INTO courses (user_id, id, name, description, color, icon, name_folded)
            SELECT $1, $2, $3, $4, $5, $6, $8 WHERE {SET_ORIGIN} AND {id_is_free}
            ON CONFLICT (user_id, id) DO NOTHING
            RETURNING {COLUMNS}, 0::bigint, 0::bigint
        )
        SELECT NULL, written.* FROM (VALUES (1)) AS one LEFT JOIN written ON true"
    )
});

pub(super) fn insert(
    owner: UserId,
    id: NewId,
    input: &CreateCourseInput,
) -> Statement<Written<Course>> {
    Statement::write(INSERT.as_str(), owner)
        .bind(id.id)
        .bind(input.name.as_str())
        .bind(input.description.clone())
        .bind(input.color.clone())
        .bind(input.icon.clone())
        .bind(id.chosen)
        .bind(titles::fold(&input.name))
}

/// One text for all updates, so that it is prepared once.
static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let name = set_title(ItemKind::Course, ["$4", "$5", "$12"]);
    format!(
        "UPDATE courses SET
            {name},
            description = CASE WHEN $6 THEN $7 ELSE description END,
            color = CASE WHEN $8 THEN $9 ELSE color END,
            icon = CASE WHEN $10 THEN $11 ELSE icon END
        WHERE {SET_ORIGIN}
            AND user_id = $1 AND id = $2 AND status = 'active' AND ($3 IS NULL OR version = $3)
        RETURNING NULL, {COLUMNS}, NULL::bigint, NULL::bigint"
    )
});

/// Updates a course, if it is active and has that version.
pub(super) fn update(owner: UserId, input: &UpdateCourseInput) -> Statement<Written<Course>> {
    Statement::write(UPDATE.as_str(), owner)
        .bind(input.id)
        .bind(input.version)
        .bind_change(&input.name)
        .bind_change(&input.description)
        .bind_change(&input.color)
        .bind_change(&input.icon)
        .bind(input.name.value().map(|name| titles::fold(name)))
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
