//! The sweep of the dictionary: words that the item which brought them has lost, and that no other item has, are forgotten.
//!
//! Deleted items wait in a queue. The sweep first marks the words that these items brought as lost, in steps, so that a deletion costs
//! little whatever the item contains.
//!
//! It waits ten minutes, longer than any transaction takes: what had the word when it was lost has committed by then, and
//! whoever brings it after that takes it over.

use super::store;
use crate::{
    db::{Connection, Database, background::in_steps},
    error::{Code, Error},
};

/// Maximum words of one step.
const STEP: i64 = 500;

/// Marks the words of deleted items as lost. Then forgets all the words that were lost ten minutes ago and that no item has; returns how many were looked at. A step that
/// fails is tried again with half as many words, so that words before the one that fails are still dealt with.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached; the error of the first word that fails.
pub async fn sweep(database: &Database) -> Result<u64, Error> {
    in_steps(database, 1, async |conn| store::leave(conn, STEP).await).await?;
    let mut size = STEP;
    loop {
        let full = size.unsigned_abs();
        let step = async |conn: &mut Connection| store::sweep(conn, size).await;
        let swept = in_steps(database, full, step).await;
        match swept {
            Err(error) if size > 1 && error.code != Code::Unavailable => size /= 2,
            swept => return swept,
        }
    }
}
