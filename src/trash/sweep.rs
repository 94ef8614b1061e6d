//! The clean-up of the trash: permanently deletes items that have been there too long. It marks the items, owner by owner, and
//! `pending` deletes them, so an owner whose items cannot be deleted does not delay other owners. The audit log names the
//! service as the actor.

use super::store;
use crate::{
    auth::UserId,
    db::{Connection, Database},
    error::Error,
    pending::{self, Operation},
};

/// Maximum number of items that a transaction marks.
const STEP: i64 = 1_000;

/// Marks all items that have been in the trash for `days` as deleted, and wakes the job that deletes them. Returns the number of
/// marked items, without the contents of marked courses.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub async fn sweep(database: &Database, days: u32) -> Result<u64, Error> {
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    let (mut marked, mut last) = (0, None);
    loop {
        let mut conn = database.connection().await?;
        let owners = store::owners_of_old(&mut conn, days, last).await?;
        let Some(newest) = owners.last().copied() else {
            return Ok(marked);
        };
        for owner in owners {
            match mark_all(&mut conn, owner, days).await {
                Ok(items) => marked += items,
                Err(error) => tracing::error!(
                    user = %owner.0,
                    error = error.log_text(),
                    "marking old items in the trash failed; retrying in the next run"
                ),
            }
        }
        conn.wake_pending();
        last = Some(newest);
    }
}

/// Marks an owner's old items, up to [`STEP`] per transaction.
async fn mark_all(conn: &mut Connection, owner: UserId, days: i32) -> Result<u64, Error> {
    let mut marked = 0;
    loop {
        let items = mark(conn, owner, days).await?;
        marked += items;
        if items < STEP.unsigned_abs() {
            return Ok(marked);
        }
    }
}

/// Marks nothing if another transaction has locked the owner's trash. The next run finds the items.
async fn mark(conn: &mut Connection, owner: UserId, days: i32) -> Result<u64, Error> {
    conn.transaction(async |conn| {
        if !pending::lock_owner_if_free(conn, owner).await? {
            return Ok(0);
        }
        let old = store::old(conn, owner, days, STEP).await?;
        pending::add_items(conn, owner, Operation::Remove, &old, None).await
    })
    .await
}
