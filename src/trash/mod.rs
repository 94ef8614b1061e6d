//! The trash: what goes in, comes back and is deleted for good, for courses, documents and tasks alike.
//!
//! A course takes its active documents and tasks along and brings them back; nothing active ever stands in a trashed
//! course. Every command takes all of its ids or none.
//!
//! The order of locks, here and wherever something is put into a course: courses, documents, tasks, each by id. The SQL
//! is in `store`; the sweep of what has lain here too long is in [`sweep`].

mod store;
pub mod sweep;

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

pub use store::{ItemKind, ItemRef};
pub(crate) use store::{ORDER, find_kinds, page};

use crate::{
    auth::Viewer,
    db::Connection,
    error::{Error, Failure, Refusal, RefusalCode},
    items,
    rules::Problems,
};
use store::Found;

/// Moves items to the trash. Those that are there already stay as they are. Answers them in the order of the ids.
///
/// # Errors
/// BLANK or TOO_LONG of `ids`; NOT_FOUND of each id that there is not.
pub async fn trash(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<ItemRef>, Failure> {
    check(ids)?;
    conn.begin().await?;
    let outcome = trash_at_once(conn, viewer, ids).await;
    conn.end(outcome).await
}

async fn trash_at_once(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<ItemRef>, Failure> {
    let found = store::lock(conn, viewer.user_id, ids.to_vec()).await?;
    refuse(ids, |id| {
        if found.contains_key(&id) {
            None
        } else {
            Some(missing())
        }
    })?;
    store::trash(conn, viewer.user_id, ids.to_vec()).await?;
    Ok(in_order(ids, &found))
}

/// Brings items back from the trash. Those that are active stay as they are. Answers them in the order of the ids.
///
/// # Errors
/// BLANK or TOO_LONG of `ids`; NOT_FOUND of each id that there is not; IN_TRASH of each whose course stays in the trash.
pub async fn restore(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<ItemRef>, Failure> {
    check(ids)?;
    conn.begin().await?;
    let outcome = restore_at_once(conn, viewer, ids).await;
    conn.end(outcome).await
}

async fn restore_at_once(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<ItemRef>, Failure> {
    let trashed_courses = store::lock_courses_of(conn, viewer.user_id, ids.to_vec()).await?;
    let found = store::lock(conn, viewer.user_id, ids.to_vec()).await?;
    let asked: HashSet<Uuid> = ids.iter().copied().collect();
    let stays_in_trash = |item: &Found| {
        let course = item.course_id.filter(|_| item.in_trash);
        course.is_some_and(|course| trashed_courses.contains(&course) && !asked.contains(&course))
    };
    refuse(ids, |id| match found.get(&id) {
        None => Some(missing()),
        Some(item) if stays_in_trash(item) => Some((
            RefusalCode::InTrash,
            "Its course is in the trash. Restore it first.",
        )),
        Some(_) => None,
    })?;
    store::restore(conn, viewer.user_id, ids.to_vec()).await?;
    Ok(in_order(ids, &found))
}

/// Deletes for good what is in the trash; a course with all that is in it. Answers the ids of everything deleted: first
/// those that were asked for, in their order.
///
/// # Errors
/// BLANK or TOO_LONG of `ids`; NOT_FOUND of each id that there is not; NOT_IN_TRASH of each that is active.
pub async fn delete(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, Failure> {
    check(ids)?;
    conn.begin().await?;
    let outcome = delete_at_once(conn, viewer, ids).await;
    conn.end(outcome).await
}

async fn delete_at_once(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, Failure> {
    let found = store::lock(conn, viewer.user_id, ids.to_vec()).await?;
    refuse(ids, |id| match found.get(&id) {
        None => Some(missing()),
        Some(item) if !item.in_trash => Some((
            RefusalCode::NotInTrash,
            "Only what is in the trash can be deleted for good.",
        )),
        Some(_) => None,
    })?;
    let gone = store::delete(conn, viewer.user_id, ids.to_vec()).await?;
    let asked: Vec<Uuid> = items::each_once(ids).map(|(_, id)| id).collect();
    let along = gone.into_iter().filter(|id| !asked.contains(id));
    Ok(asked.iter().copied().chain(along).collect())
}

/// Deletes for good all that is in the trash; answers the ids of everything deleted.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone.
pub async fn empty(conn: &mut Connection, viewer: &Viewer) -> Result<Vec<Uuid>, Error> {
    conn.begin().await?;
    let outcome = empty_at_once(conn, viewer).await;
    conn.end(outcome).await
}

async fn empty_at_once(conn: &mut Connection, viewer: &Viewer) -> Result<Vec<Uuid>, Error> {
    let ids = store::lock_all(conn, viewer.user_id).await?;
    store::delete(conn, viewer.user_id, ids).await
}

fn check(ids: &[Uuid]) -> Result<(), Failure> {
    let mut problems = Problems::default();
    problems.ids(ids.len());
    problems.finish()
}

fn missing() -> (RefusalCode, &'static str) {
    (RefusalCode::NotFound, "There is no such item.")
}

/// Refuses if the judgement of any id is against it, and names them all.
fn refuse(
    ids: &[Uuid],
    judge: impl Fn(Uuid) -> Option<(RefusalCode, &'static str)>,
) -> Result<(), Failure> {
    let refusals: Vec<Refusal> = items::each_once(ids)
        .filter_map(|(index, id)| {
            judge(id).map(|(code, message)| Refusal::of_id(index, code, message))
        })
        .collect();
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(Failure::Refused(refusals))
    }
}

fn in_order(ids: &[Uuid], found: &HashMap<Uuid, Found>) -> Vec<ItemRef> {
    items::each_once(ids)
        .filter_map(|(_, id)| {
            found.get(&id).map(|item| ItemRef {
                kind: item.kind,
                id,
            })
        })
        .collect()
}
