//! Look-ups by key, which a function can make on a leased connection or on a shared one.

use super::{Connection, Database, Load, Statement, shared_reads::SharedRow};
use crate::error::Error;

/// Where a look-up by key reads: `&mut Connection`, in its transaction if there is one, or `&Database`, on a shared connection
/// ([`Database::shared_reads`]) if the statement's text is a [`SharedText`](super::SharedText).
pub(crate) trait Reader: Send {
    /// Sends a statement that an index bounds, and reads all its rows.
    ///
    /// # Errors
    /// As [`Database::connection`] and [`Connection::rows`].
    fn read<R: Load>(
        self,
        statement: Statement<R>,
    ) -> impl Future<Output = Result<Vec<R>, Error>> + Send;
}

impl Reader for &mut Connection {
    fn read<R: Load>(
        self,
        statement: Statement<R>,
    ) -> impl Future<Output = Result<Vec<R>, Error>> + Send {
        self.rows(statement)
    }
}

impl Reader for &Database {
    async fn read<R: Load>(self, statement: Statement<R>) -> Result<Vec<R>, Error> {
        match self.read_shared(&statement).await {
            Some(rows) => Ok(rows),
            None => self.connection().await?.rows(statement).await,
        }
    }
}

impl Database {
    /// The rows of a statement on a shared connection. `None` if the pool must be used.
    async fn read_shared<R: Load>(&self, statement: &Statement<R>) -> Option<Vec<R>> {
        let shared = self.shared_reads()?;
        let (text, values) = statement.shared()?;
        let rows = shared.rows(text, values).await.ok()?.into_iter();
        // If a row does not fit, the pool finds that out again and reports it.
        rows.map(|row| R::from_shared(&SharedRow(row)).ok())
            .collect()
    }
}
