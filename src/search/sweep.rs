//! The sweep of the dictionary. Each word belongs to one item that has it. A word that its item no longer has is lost; the
//! sweep assigns it to another item, or deletes it if no item has it.
//!
//! Deleted items wait in a queue. The sweep first marks their words as lost, in steps, so that a deletion is cheap whatever
//! the item contains.
//!
//! The sweep waits ten minutes, longer than any transaction takes. By then, all items that had the word when it was lost
//! are committed, and any item that gets the word later takes it over.

use super::store;
use crate::{
    db::{Connection, Database, background::in_steps},
    error::{Code, Error},
};

/// Maximum number of words per step.
const STEP: i64 = 500;

/// Marks the words of deleted items as lost, then sweeps the words that were lost ten minutes ago. Returns the number of swept
/// words. A step that fails is repeated with half as many words, so that the words before the failing one are swept.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached. Otherwise the error of the first word that fails.
pub async fn sweep(database: &Database) -> Result<u64, Error> {
    in_steps(database, 1, async |conn| store::mark_lost(conn, STEP).await).await?;
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
