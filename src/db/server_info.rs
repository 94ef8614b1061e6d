//! What the log says about the database at start.

use super::{Database, Statement};
use crate::error::Error;

/// A database server, as a session sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerInfo {
    /// The version of PostgreSQL.
    pub(crate) version: String,
    /// Whether the server's side of the connection is encrypted. With a pooler, this is the connection to the pooler.
    pub(crate) encrypted: bool,
}

/// Asks the server.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached.
pub(crate) async fn server_info(database: &Database) -> Result<ServerInfo, Error> {
    let statement = Statement::<(String, bool)>::new(
        "SELECT current_setting('server_version'),
            COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)",
    );
    let row = database.connection().await?.row(statement).await?;
    let (version, encrypted) = row.ok_or_else(|| Error::internal("the server returned no row"))?;
    Ok(ServerInfo { version, encrypted })
}
