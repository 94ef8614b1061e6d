//! Tasks: things to do, in a course or in none.
//!
//! The commands are here, the columns, the inputs and their limits in [`model`], all the SQL in `store`.

pub mod model;
mod store;

use uuid::Uuid;

pub use model::{
    CreateTaskInput, Task, TaskFilter, TaskOrder, TaskOrderField, TaskPriority, UpdateTaskInput,
};

use crate::{
    auth::Viewer,
    db::Connection,
    error::Failure,
    items::{self, Item as _},
    rules::check_ids,
};

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
    let found = items::lock(conn, viewer.user_id, Task::KIND, ids.to_vec()).await?;
    let refusals = items::unusable("ids", items::each_once(ids), &found, Task::KIND.name());
    if !refusals.is_empty() {
        return Err(Failure::Refused(refusals));
    }
    store::set_completed(conn, viewer.user_id, ids.to_vec(), completed).await?;
    let mut tasks = items::find_by_id::<Task>(conn, viewer, ids.to_vec()).await?;
    Ok(items::each_once(ids)
        .filter_map(|(_, id)| tasks.remove(&id))
        .collect())
}
