//! The clean-up of the trash: deletes permanently what has been there too long. It marks the items, per owner, and leaves
//! the deletion to `pending`: an owner whose items cannot be deleted keeps no other's from it. The log says that the service
//! did it.

use super::store;
use crate::{
    auth::UserId,
    db::{Connection, Database},
    error::Error,
    pending::{self, Operation},
};

/// Items that one transaction marks.
const STEP: i64 = 1_000;

/// Marks everything that has been in the trash for that many days as deleted, and wakes the job that deletes it; answers
/// how many items were marked, what is in marked courses not counted.
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

/// Marks an owner's old items, a bounded number per transaction.
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

/// Marks nothing if another transaction holds the owner's trash: the next run finds the items.
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
