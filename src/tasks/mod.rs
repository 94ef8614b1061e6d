//! Tasks: what is to be done, in a course or beside them all.
//!
//! The rules are here, the rows in [`model`], all the SQL in `store`.

pub mod model;
mod store;

use std::collections::HashMap;

use uuid::Uuid;

pub use model::{
    NewTask, Task, TaskChanges, TaskFilter, TaskList, TaskOrder, TaskPriority, TaskSortKey,
};
use store::{Changed, Inserted};

use crate::{
    auth::Viewer,
    db::{Connection, keyset},
    error::{Error, Failure, Refusal, RefusalCode},
    items::{self, ATTEMPTS, NewId, Updated},
    rules::{Change, Problems},
};

const MOST_TITLE: usize = 200;
const MOST_DESCRIPTION: usize = 1_000;

/// Makes a task, in an active course or in none. One with the caller's own id that is there already comes back as it is.
///
/// # Errors
/// What is wrong with the input; NOT_FOUND or IN_TRASH of the course; TAKEN if another of the caller's objects has the
/// id, or had it.
pub async fn create(conn: &mut Connection, viewer: &Viewer, new: NewTask) -> Result<Task, Failure> {
    let mut problems = Problems::default();
    let id = NewId::of(new.id.as_deref(), &mut problems);
    problems.text("title", &new.title, MOST_TITLE);
    if let Some(description) = &new.description {
        problems.optional_text("description", description, MOST_DESCRIPTION);
    }
    if new.priority.is_none() {
        problems.must_not_be_null("priority");
    }
    problems.finish()?;
    let course_status = match store::insert(conn, viewer.user_id, id, &new).await? {
        Inserted::Task(task) => return Ok(task),
        Inserted::Nothing { course_status } => course_status,
    };
    if id.own
        && let Some(task) = find(conn, viewer, id.id).await?
    {
        return Ok(task);
    }
    let refusal = new
        .course_id
        .and_then(|_| items::cannot_take(course_status.as_deref()));
    Err(refusal.unwrap_or_else(items::taken))
}

/// Changes a task. With a `version`, only if it is still at it.
///
/// # Errors
/// What is wrong with the input; NOT_FOUND or IN_TRASH, of the task or of the course that it would go into.
pub async fn update(
    conn: &mut Connection,
    viewer: &Viewer,
    changes: TaskChanges,
) -> Result<Updated<Task>, Failure> {
    check(&changes)?;
    for _ in 0..ATTEMPTS {
        let Changed {
            task,
            course_status,
        } = store::update(conn, viewer.user_id, &changes).await?;
        if let Some(task) = task {
            return Ok(Updated::Done(task));
        }
        let Some(task) = find(conn, viewer, changes.id).await? else {
            return Err(items::not_found("id", "task"));
        };
        if task.deleted_at.is_some() {
            return Err(items::in_trash("id", "task"));
        }
        if changes
            .version
            .is_some_and(|version| version != task.version)
        {
            return Ok(Updated::Conflict(task));
        }
        if changes.course_id.value().is_some()
            && let Some(refusal) = items::cannot_take(course_status.as_deref())
        {
            return Err(refusal);
        }
    }
    Err(Error::unavailable("a task kept changing while it was updated").into())
}

/// Marks tasks as completed, or as open again: all of them or none. Those that are so already stay as they are.
/// Answers them in the order of the ids, each once.
///
/// # Errors
/// BLANK or TOO_LONG of `ids`; NOT_FOUND or IN_TRASH of each id that it is true of.
pub async fn set_completed(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
    completed: bool,
) -> Result<Vec<Task>, Failure> {
    let mut problems = Problems::default();
    problems.ids(ids.len());
    problems.finish()?;
    conn.transaction(async |conn| set_all_completed(conn, viewer, ids, completed).await)
        .await
}

async fn set_all_completed(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
    completed: bool,
) -> Result<Vec<Task>, Failure> {
    let in_trash = store::lock(conn, viewer.user_id, ids.to_vec()).await?;
    let mut refusals = Vec::new();
    for (index, id) in items::each_once(ids) {
        match in_trash.get(&id) {
            None => refusals.push(Refusal::of_id(
                index,
                RefusalCode::NotFound,
                "There is no such task.",
            )),
            Some(true) => refusals.push(Refusal::of_id(
                index,
                RefusalCode::InTrash,
                "The task is in the trash.",
            )),
            Some(false) => {}
        }
    }
    if !refusals.is_empty() {
        return Err(Failure::Refused(refusals));
    }
    store::set_completed(conn, viewer.user_id, ids.to_vec(), completed).await?;
    let mut tasks: HashMap<Uuid, Task> = find_all(conn, viewer, ids.to_vec())
        .await?
        .into_iter()
        .map(|task| (task.id, task))
        .collect();
    Ok(items::each_once(ids)
        .filter_map(|(_, id)| tasks.remove(&id))
        .collect())
}

/// The viewer's task with that id, active or in the trash.
pub async fn find(conn: &mut Connection, viewer: &Viewer, id: Uuid) -> Result<Option<Task>, Error> {
    Ok(find_all(conn, viewer, vec![id]).await?.pop())
}

/// The viewer's tasks with these ids, in no order; those that are not there are left out.
pub async fn find_all(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<Vec<Task>, Error> {
    store::find_all(conn, viewer.user_id, ids).await
}

/// One page of the viewer's tasks.
pub(crate) async fn page(
    conn: &mut Connection,
    viewer: &Viewer,
    list: &TaskList,
    slice: &keyset::Slice,
    count: bool,
) -> Result<keyset::Page<Task>, Error> {
    keyset::page(conn, viewer.user_id.0, list, slice, count).await
}

/// One page of tasks for each of these courses of the viewer's.
pub(crate) async fn pages_of_courses(
    conn: &mut Connection,
    viewer: &Viewer,
    courses: Vec<Uuid>,
    list: &TaskList,
    slice: &keyset::Slice,
    count: bool,
) -> Result<HashMap<Uuid, keyset::Page<Task>>, Error> {
    keyset::pages_of_courses(conn, viewer.user_id.0, courses, list, slice, count).await
}

fn check(changes: &TaskChanges) -> Result<(), Failure> {
    let mut problems = Problems::default();
    problems.changed_text("title", &changes.title, MOST_TITLE);
    if let Change::Set(description) = &changes.description {
        problems.optional_text("description", description, MOST_DESCRIPTION);
    }
    if changes.completed == Change::Clear {
        problems.must_not_be_null("completed");
    }
    if changes.priority == Change::Clear {
        problems.must_not_be_null("priority");
    }
    problems.finish()
}
