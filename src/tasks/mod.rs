//! Tasks: things to do, in a course or in none.
//!
//! The rules are here, the columns and inputs in [`model`], all the SQL in `store`.

pub mod model;
mod store;

use std::collections::HashMap;

use uuid::Uuid;

pub use model::{
    CreateTaskInput, Task, TaskFilter, TaskOrder, TaskOrderField, TaskPriority, UpdateTaskInput,
};

use crate::{
    auth::{UserId, Viewer},
    db::{Connection, Statement},
    error::{Error, Failure, Refusal, RefusalCode},
    items::{self, NewId, Written, find_all},
    rules::{Problems, check_ids},
};

const MAX_TITLE: usize = 200;
const MAX_DESCRIPTION: usize = 1_000;

/// Completes or reopens tasks, all of them or none. Tasks that are in that state already stay unchanged. Returns the tasks in
/// the order of the ids, without duplicates.
///
/// # Errors
/// BLANK or TOO_LONG for `ids`; NOT_FOUND or IN_TRASH for each id that cannot be changed.
pub async fn set_completed(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
    completed: bool,
) -> Result<Vec<Task>, Failure> {
    check_ids(ids)?;
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
        let (code, message) = match in_trash.get(&id) {
            None => (RefusalCode::NotFound, "There is no task with this id."),
            Some(true) => (
                RefusalCode::InTrash,
                "The task is in the trash. Restore it first.",
            ),
            Some(false) => continue,
        };
        refusals.push(Refusal::of_id(index, code, message));
    }
    if !refusals.is_empty() {
        return Err(Failure::Refused(refusals));
    }
    store::set_completed(conn, viewer.user_id, ids.to_vec(), completed).await?;
    let mut tasks: HashMap<Uuid, Task> = find_all::<Task>(conn, viewer, ids.to_vec())
        .await?
        .into_iter()
        .map(|task| (task.id, task))
        .collect();
    Ok(items::each_once(ids)
        .filter_map(|(_, id)| tasks.remove(&id))
        .collect())
}

impl items::Create for CreateTaskInput {
    type Item = Task;

    fn check(&self, problems: &mut Problems) {
        problems.text("title", &self.title, MAX_TITLE);
        problems.optional_text("description", self.description.as_ref(), MAX_DESCRIPTION);
        if self.priority.is_none() {
            problems.must_not_be_null("priority");
        }
    }

    fn insert(&self, owner: UserId, id: NewId) -> Statement<Written<Task>> {
        store::insert(owner, id, self)
    }
}

impl items::Update for UpdateTaskInput {
    type Item = Task;

    fn check(&self, problems: &mut Problems) {
        problems.changed_text("title", &self.title, MAX_TITLE);
        problems.optional_text("description", self.description.value(), MAX_DESCRIPTION);
        problems.not_null("completed", &self.completed);
        problems.not_null("priority", &self.priority);
    }

    async fn update(
        &self,
        _conn: &mut Connection,
        viewer: &Viewer,
    ) -> Result<Statement<Written<Task>>, Error> {
        Ok(store::update(viewer.user_id, self))
    }
}
