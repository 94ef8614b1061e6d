//! From a connection string to a diesel connection that is ready for use. `postgres_connect` does everything up to the
//! tokio-postgres connection: parameters, TLS, time limits, and errors for operators. This module adds the settings of every
//! session of the service. `connection_manager`, `migrate` and the change feed's listener call it.

use std::{fmt, time::Duration};

use diesel::{ConnectionError, ConnectionResult, connection::CacheSize};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use postgres_connect::ParseError;
use tokio_postgres::{CancelToken, Client};

/// A database, how to connect to it, and how to set up its sessions. Cheap to clone. Its `Display` and `Debug` show no
/// password.
#[derive(Clone)]
pub struct Target {
    server: postgres_connect::Target,
    settings: SessionSettings,
}

/// The settings of every connection, regardless of the connection string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSettings {
    /// The time after which the server cancels a statement, in whole milliseconds. Zero means never. Takes precedence over
    /// the string's `options`.
    pub statement_timeout: Duration,
    /// How long opening a connection may take, including name resolution, TLS and authentication. A longer
    /// `connect_timeout` in the string takes precedence.
    pub connect_timeout: Duration,
    /// Whether statements stay prepared for their next use. If not, each is prepared under a new name every time and then
    /// forgotten. That saves server memory. It does not help with a pooler that assigns server connections per transaction and
    /// does not track prepared statements (PgBouncer before 1.21, or with `max_prepared_statements = 0`): diesel-async always
    /// names its statements, so it fails to connect through such a pooler.
    pub prepared_statements: bool,
}

impl Default for SessionSettings {
    fn default() -> Self {
        SessionSettings {
            statement_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            prepared_statements: true,
        }
    }
}

impl Target {
    /// Parses a connection string; see [`postgres_connect::Target::parse`]. Does not connect.
    ///
    /// # Errors
    /// If the string is invalid, or requests a protection that cannot be enforced.
    pub fn parse(text: &str) -> Result<Target, ParseError> {
        let server = postgres_connect::Target::parse(text)?.with_application_name("snapnote");
        let settings = SessionSettings::default();
        Ok(Target { server, settings }.with(settings))
    }

    /// The same database with other settings.
    #[must_use]
    pub fn with(self, settings: SessionSettings) -> Target {
        let server = self.server.with_connect_timeout(settings.connect_timeout);
        Target { server, settings }
    }

    /// The protection that the connection string requires; see [`postgres_connect::Target::tls`].
    pub(crate) fn tls(&self) -> &'static str {
        self.server.tls()
    }

    /// Opens a connection and sets up its session.
    ///
    /// # Errors
    /// One line for the operator: where, as which user, why, and what to do.
    pub async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let set_up = |client, connection| async {
            let set_up = self.set_up(client, connection).await;
            set_up.map_err(|error| explain_set_up(&error))
        };
        let connected = self.server.connect_and(set_up).await;
        connected.map_err(|error| ConnectionError::BadConnection(error.to_string()))
    }

    /// Asks the server to cancel the running statement of the token's connection, over a separate connection. Success does not
    /// mean that a statement was cancelled. A failure is logged.
    pub async fn cancel(&self, token: CancelToken) {
        if let Err(error) = self.server.cancel(token).await {
            tracing::warn!(%error, "sending a cancel request failed");
        }
    }

    async fn set_up(
        &self,
        client: Client,
        connection: postgres_connect::Connection,
    ) -> ConnectionResult<AsyncPgConnection> {
        // Spawns the task that does the I/O, and sets time zone and encoding.
        let mut connection =
            AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        if !self.settings.prepared_statements {
            connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        }
        // Not a startup parameter: poolers reject those that they do not know, and Neon drops them.
        let statement_timeout = self.settings.statement_timeout.as_millis();
        let set = format!("SET statement_timeout = {statement_timeout}");
        let outcome = connection.batch_execute(&set).await;
        outcome.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(formatter)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Target({self})")
    }
}

/// Why an open connection could not be prepared for use.
fn explain_set_up(error: &ConnectionError) -> String {
    let cause = format!("setting up the session failed: {error}");
    if !cause.contains("prepared statement") {
        return cause;
    }
    format!(
        "{cause}; a pooler mixes up prepared statements: use PgBouncer 1.21 or later with max_prepared_statements, or \
         pooling by session"
    )
}
