//! Rows that are long past: revocations, sessions, mailed tokens, mails that were given up, and rate limits.
//!
//! Each kind of row is a background job of its own, so that a table that fails holds up no other.

mod store;

use crate::db::{
    Database,
    background::{Periodic, Sweeper},
};

/// The clean-ups of these rows, one for each kind.
pub(crate) fn cleanups(database: &Database) -> Vec<Periodic> {
    let periodic = |cleanup| Sweeper::new(cleanup).periodic(database);
    store::CLEANUPS.map(periodic).into()
}
