//! Courses: what they are and what can be done with them. Documents and tasks stand in them; the trash is in `trash`.
//!
//! The rules are here, the rows in [`model`], all the SQL in `store`.

pub mod model;
mod store;

use std::collections::HashMap;

use uuid::Uuid;

pub use model::{
    Course, CourseChanges, CourseFilter, CourseList, CourseOrder, CourseSortKey, NewCourse,
};
pub(crate) use model::{CourseColumns, CourseCounts};

use crate::{
    auth::Viewer,
    db::{Connection, keyset},
    error::{Error, Failure, RefusalCode},
    items::{self, ATTEMPTS, NewId, Updated},
    rules::{Change, Problems},
};

const MOST_NAME: usize = 255;
const MOST_DESCRIPTION: usize = 10_000;
const MOST_ICON: usize = 50;

/// Makes a course. One with the caller's own id that is there already comes back as it is.
///
/// # Errors
/// What is wrong with the input; TAKEN if another of the caller's objects has the id, or had it.
pub async fn create(
    conn: &mut Connection,
    viewer: &Viewer,
    new: NewCourse,
) -> Result<Course, Failure> {
    let mut problems = Problems::default();
    let id = NewId::of(new.id.as_deref(), &mut problems);
    problems.text("name", &new.name, MOST_NAME);
    check_optional(
        &mut problems,
        "description",
        new.description.as_deref(),
        MOST_DESCRIPTION,
    );
    check_color(&mut problems, new.color.as_deref());
    check_optional(&mut problems, "icon", new.icon.as_deref(), MOST_ICON);
    problems.finish()?;
    if let Some(course) = store::insert(conn, viewer.user_id, id, &new).await? {
        return Ok(course);
    }
    find(conn, viewer, id.id).await?.ok_or_else(items::taken)
}

/// Changes a course. With a `version`, only if it is still at it.
///
/// # Errors
/// What is wrong with the input; NOT_FOUND, IN_TRASH.
pub async fn update(
    conn: &mut Connection,
    viewer: &Viewer,
    changes: CourseChanges,
) -> Result<Updated<Course>, Failure> {
    let mut problems = Problems::default();
    problems.changed_text("name", &changes.name, MOST_NAME);
    check_optional(
        &mut problems,
        "description",
        set(&changes.description),
        MOST_DESCRIPTION,
    );
    check_color(&mut problems, set(&changes.color));
    check_optional(&mut problems, "icon", set(&changes.icon), MOST_ICON);
    problems.finish()?;
    for _ in 0..ATTEMPTS {
        if let Some(course) = store::update(conn, viewer.user_id, &changes).await? {
            return Ok(Updated::Done(course));
        }
        let Some(course) = find(conn, viewer, changes.id).await? else {
            return Err(items::not_found("id", "course"));
        };
        if course.deleted_at.is_some() {
            return Err(items::in_trash("id", "course"));
        }
        if changes
            .version
            .is_some_and(|version| version != course.version)
        {
            return Ok(Updated::Conflict(course));
        }
    }
    Err(Error::unavailable("a course kept changing while it was updated").into())
}

/// The viewer's course with that id, active or in the trash.
pub async fn find(
    conn: &mut Connection,
    viewer: &Viewer,
    id: Uuid,
) -> Result<Option<Course>, Error> {
    Ok(find_all(conn, viewer, vec![id]).await?.pop())
}

/// The viewer's courses with these ids, in no order; those that are not there are left out.
pub async fn find_all(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<Vec<Course>, Error> {
    store::find_all(conn, viewer.user_id, ids).await
}

/// One page of the viewer's courses.
pub(crate) async fn page(
    conn: &mut Connection,
    viewer: &Viewer,
    list: &CourseList,
    slice: &keyset::Slice,
    count: bool,
) -> Result<keyset::Page<Course>, Error> {
    keyset::page(conn, viewer.user_id.0, list, slice, count).await
}

/// What stands in each of these courses; one that is not the viewer's has nothing in it.
pub(crate) async fn counts(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, CourseCounts>, Error> {
    store::counts(conn, viewer.user_id, ids).await
}

fn set(change: &Change<String>) -> Option<&str> {
    change.value().map(String::as_str)
}

fn check_optional(problems: &mut Problems, field: &str, value: Option<&str>, most: usize) {
    if let Some(value) = value {
        problems.optional_text(field, value, most);
    }
}

fn check_color(problems: &mut Problems, color: Option<&str>) {
    let Some(color) = color else { return };
    let digits = color.strip_prefix('#').unwrap_or_default();
    if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        problems.add(
            "color",
            RefusalCode::Invalid,
            "color must be of the form #RRGGBB.",
        );
    }
}
