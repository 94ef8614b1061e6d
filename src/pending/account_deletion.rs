//! Deletes everything that belongs to a deleted user in steps, then the user.

mod store;

use super::Step;
use crate::{auth::UserId, db::Connection, error::Error};

/// Deletes `size` rows of a user in the caller's transaction.
pub(super) async fn step(conn: &mut Connection, user: UserId, size: i64) -> Result<Step, Error> {
    match store::delete_rows(conn, user, size).await? {
        0 => Ok(Step::Emptied),
        rows => Ok(Step::Rows(rows)),
    }
}

/// Deletes the user's row after everything else. Uses its own transaction: it waits for requests that are still
/// inserting rows, and these may wait for locks of a step.
pub(super) async fn finish(conn: &mut Connection, user: UserId) -> Result<Step, Error> {
    let is_gone = conn.transaction(async |conn| store::delete_user(conn, user).await);
    Ok(match is_gone.await? {
        true => Step::Rows(1),
        false => Step::Blocked,
    })
}
