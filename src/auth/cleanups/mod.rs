//! Deletes outdated rows: revocations, sessions, mailed tokens, dead mails and rate limits.
//!
//! Each kind of row has its own background job, so that one failing table does not delay the others.

mod store;

use crate::db::{
    Database,
    background::{Periodic, Sweeper},
};

/// The clean-up jobs, one for each kind of row.
pub(crate) fn cleanups(database: &Database) -> Vec<Periodic> {
    let periodic = |cleanup| Sweeper::new(cleanup).periodic(database);
    store::CLEANUPS.map(periodic).into()
}
