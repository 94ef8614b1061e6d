//! The sweep of the dictionary: words that the item which brought them has lost, and that no other item has, are forgotten.
//!
//! It waits ten minutes, longer than any transaction takes: what had the word when it was lost has committed by then, and
//! whoever brings it after that takes it over.

use super::store;
use crate::{
    db::{Database, background::in_steps},
    error::{Code, Error},
};

/// Maximum words of one step.
const STEP: i64 = 500;

/// Forgets all the words that were lost ten minutes ago and that no item has; returns how many were looked at. A step that
/// fails is tried again with half as many words, so that words before the one that fails are still dealt with.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached; the error of the first word that fails.
pub async fn sweep(database: &Database) -> Result<u64, Error> {
    let mut size = STEP;
    loop {
        let full = size.unsigned_abs();
        let swept = in_steps(database, full, |conn| Box::pin(store::sweep(conn, size))).await;
        match swept {
            Err(error) if size > 1 && error.code != Code::Unavailable => size /= 2,
            swept => return swept,
        }
    }
}
