//! Deleting a user who has left: everything that is theirs, in steps, then the user.

mod store;

use super::Step;
use crate::{auth::UserId, db::Connection, error::Error};

/// Deletes `size` rows of a user, in the caller's transaction.
pub(super) async fn step(conn: &mut Connection, user: UserId, size: i64) -> Result<Step, Error> {
    match store::delete_rows(conn, user, size).await? {
        0 => Ok(Step::Emptied),
        rows => Ok(Step::Rows(rows)),
    }
}

/// Deletes the row of a user of whom nothing else is left. A transaction of its own: it waits for requests that are still
/// inserting something, which may wait for what a step holds.
pub(super) async fn finish(conn: &mut Connection, user: UserId) -> Result<Step, Error> {
    let is_gone = conn.transaction(async |conn| store::delete_user(conn, user).await);
    Ok(match is_gone.await? {
        true => Step::Rows(1),
        false => Step::Blocked,
    })
}
