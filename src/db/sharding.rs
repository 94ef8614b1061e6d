//! Sharding: Citus distributes the items and the change log of users over several servers, by owner. `snapnote migrate shard` does
//! it once; `docs/scale.md` describes the result.
//!
//! Nearly all statements have one text for both layouts, because all of them name their owner. The others ask
//! `Connection::is_sharded`. The fact is read once, when a command starts, so
//! the service must be restarted after `migrate shard`.
//!
//! # What differs
//! - **The origin of changes.** Citus rejects functions with side effects in statements that write. So such a statement does not call
//!   `set_origin`. Its transaction sets the origin when it begins, and Citus passes that on (`begin`).
//! - **Statements about the rows of all owners** lock nothing: Citus locks rows of one server only. Background jobs find rows without
//!   a lock, and the statement that changes them checks them again.
//! - **Several owners at a time**: Citus sends a statement with one owner to that owner's server. Some others it rejects.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{connect::Target, sql::Origin};
use crate::error::Error;

/// `migrate shard` creates the table `owners`. On a server without Citus, it belongs to another program.
pub(super) const IS_SHARDED: &str = "SELECT to_regclass('owners') IS NOT NULL AND to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL";

/// Whether the database of a [`Target`] is sharded, as far as [`detect`] found out.
#[derive(Debug, Default)]
pub(super) struct Layout(AtomicBool);

impl Layout {
    pub(super) fn is_sharded(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Finds out whether the database is sharded. Copies of the target, also those that exist already, then know it.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub async fn detect(target: &Target) -> Result<bool, Error> {
    let client = target.open().await.map_err(Error::unavailable)?;
    let row = client.query_one(IS_SHARDED, &[]).await;
    let is_sharded: bool = row
        .and_then(|row| row.try_get(0))
        .map_err(|error| Error::unavailable(error.to_string()))?;
    target.layout().0.store(is_sharded, Ordering::Relaxed);
    Ok(is_sharded)
}

/// What begins a transaction on a sharded database, whose changes have this origin. Citus passes settings of a transaction on to the
/// other servers only if they are set with SET LOCAL.
///
/// Each text is sent by itself, because Citus would pass on the whole text for each setting.
pub(super) fn begin(origin: Option<&Origin>) -> Vec<String> {
    let origin = origin.map(|origin| {
        [
            ("snapnote.address", &origin.address),
            ("snapnote.program", &origin.program),
        ]
    });
    let known = origin.into_iter().flatten();
    let known = known.filter_map(|(name, value)| Some(set_local(name, value.as_ref()?)));
    let start = ["BEGIN", "SET LOCAL citus.propagate_set_commands TO local"];
    start.map(str::to_owned).into_iter().chain(known).collect()
}

/// Sets a setting for this transaction.
pub(super) fn set_local(name: &str, value: &str) -> String {
    format!("SET LOCAL {name} TO '{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_begins_with_the_origin_of_its_changes() {
        let origin = Origin {
            address: Some("10.0.0.1".to_owned()),
            program: Some("it's a '; DROP TABLE users; --".to_owned()),
        };
        let start = ["BEGIN", "SET LOCAL citus.propagate_set_commands TO local"];
        assert_eq!(begin(None), start);
        let settings = [
            "SET LOCAL snapnote.address TO '10.0.0.1'",
            "SET LOCAL snapnote.program TO 'it''s a ''; DROP TABLE users; --'",
        ];
        assert_eq!(begin(Some(&origin)), [start, settings].concat());
    }
}
