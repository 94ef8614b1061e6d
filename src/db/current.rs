//! Reads lists while operations are pending.
//!
//! A command on many rows commits a few of them: the course that is trashed, the items that will be deleted. A background
//! job changes the rest (`pending`). Until then, a row of a table may contradict the response that its owner got; the views
//! `current_…` show it as it will be. The views cannot use the indexes for the orders of lists. So a list reads the tables
//! and whether an operation of its owner is pending. Only then it reads again, from the views.

use super::{Connection, Load, Statement};
use crate::error::Error;

/// The relations that a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The tables. They may be outdated for an owner with pending operations.
    Tables,
    /// The views. They are always current.
    Views,
}

impl Source {
    /// The prefix of the relation for a table of items.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Source::Tables => "",
            Source::Views => "current_",
        }
    }
}

/// A condition, as ` AND …`, of statements that find items by their ids. All items meet it, and no index has its column.
///
/// PostgreSQL may plan a statement once for all owners, and then for an average one. If an index of an order has all columns that the
/// statement needs, it estimates that reading all the owner's entries costs less than looking up items by their ids. For an owner with
/// 100,000 items, it then reads 100,000 entries, and searches the array of ids for each.
pub(crate) const READS_ROWS: &str = " AND version > 0";

/// Reads the tables. If the first row shows that an operation of the owner is pending, reads the views. The statement must
/// return at least one row.
pub(crate) async fn read<R: Load>(
    conn: &mut Connection,
    statement: impl Fn(Source) -> Statement<R>,
    is_pending: impl Fn(&R) -> bool,
) -> Result<Vec<R>, Error> {
    let rows = conn.rows(statement(Source::Tables)).await?;
    if rows.first().is_some_and(is_pending) {
        // The process that should finish the operation may have ended.
        conn.wake_pending();
        return conn.rows(statement(Source::Views)).await;
    }
    Ok(rows)
}
