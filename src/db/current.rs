//! What readers see while operations are pending.
//!
//! A command on many rows commits a few: the course that goes to the trash, the items that are to be deleted. The rest
//! follows in the background (`pending`). Until then a row in a table may disagree with what its owner was told, and the
//! views `current_…` tell how it is to be read. They cannot use the indexes that the orders of lists have, so a list reads
//! the tables, together with whether an operation of its owner is pending; only if one is, it reads again, from the views.

use super::{Connection, Load, Statement};
use crate::error::Error;

/// Which relations a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The tables: wrong for an owner with pending operations.
    Tables,
    /// The views: right for everyone.
    Views,
}

impl Source {
    /// What the name of a table of items begins with, as a relation of this source.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Source::Tables => "",
            Source::Views => "current_",
        }
    }
}

/// Reads from the tables and, if the first row tells that an operation of the owner is pending, again from the views. The
/// statement must return at least one row.
pub(crate) async fn read<R: Load>(
    conn: &mut Connection,
    statement: impl Fn(Source) -> Statement<R>,
    is_pending: impl Fn(&R) -> bool,
) -> Result<Vec<R>, Error> {
    let rows = conn.rows(statement(Source::Tables)).await?;
    if rows.first().is_some_and(is_pending) {
        // If the process that left it has ended, this one continues.
        conn.wake_pending();
        return conn.rows(statement(Source::Views)).await;
    }
    Ok(rows)
}
