//! From a connection string to a diesel connection that is ready for use. `postgres_connect` does everything up to the
//! tokio-postgres connection: parameters, TLS, time limits, and errors for operators. This module adds the settings of every
//! session of the service. `connection_manager`, `migrate` and the change feed's listener call it.

use std::{fmt, sync::Arc, time::Duration};

use diesel::{ConnectionError, ConnectionResult, connection::CacheSize};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use parking_lot::Mutex;
use postgres_connect::ParseError;
use tokio::task::AbortHandle;
use tokio_postgres::{CancelToken, Client};

use super::{
    failure::{Kind, POOLER_REMEDY, kind_of},
    pooler::Pooler,
    sharding::Layout,
    shared_reads::MAX_STATEMENT,
};

/// A database, how to connect to it, and how to set up its sessions. Cheap to clone. Its `Display` and `Debug` show no
/// password.
#[derive(Clone)]
pub struct Target {
    server: postgres_connect::Target,
    settings: SessionSettings,
    /// What is known about a pooler in between. All copies share it.
    pooler: Arc<Pooler>,
    /// Whether the database is sharded. All copies share it.
    layout: Arc<Layout>,
    /// The server that connections must lead to; `None` if any may be used.
    only_server: Option<Arc<OnlyServer>>,
}

/// A server since its last start. Connections to others fail.
#[derive(Debug, Default)]
pub(super) struct OnlyServer(Mutex<Option<String>>);

impl OnlyServer {
    /// `started`: when the server was started, in seconds since 1970 as PostgreSQL writes them.
    pub(super) fn set(&self, started: &str) {
        *self.0.lock() = Some(started.replace('\'', ""));
    }

    /// SQL that fails on another server.
    fn check(&self) -> Option<String> {
        let started = self.0.lock().clone()?;
        // PostgreSQL would evaluate a constant part of the expression even on the right server.
        Some(format!(
            "SELECT (CASE WHEN extract(epoch FROM pg_postmaster_start_time())::text = '{started}' THEN '1'
                ELSE 'another server, or restarted ' || pg_postmaster_start_time() END)::int"
        ))
    }
}

/// The settings of every connection, regardless of the connection string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSettings {
    /// The time after which the server cancels a statement, in whole milliseconds. Zero means never. Takes precedence over
    /// the string's `options`. Behind a pooler in transaction mode, only the role's default counts (`migrate` sets it).
    pub statement_timeout: Duration,
    /// How long opening a connection may take, including name resolution, TLS and authentication. A longer
    /// `connect_timeout` in the string takes precedence.
    pub connect_timeout: Duration,
    /// Whether statements stay prepared for their next use. If not, each is prepared under a new name every time and then
    /// forgotten. That saves server memory. It does not help with a pooler in transaction mode that
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
        let target = Target {
            server,
            settings,
            pooler: Arc::default(),
            layout: Arc::default(),
            only_server: None,
        };
        Ok(target.with(settings))
    }

    /// The same database with other settings.
    #[must_use]
    pub fn with(self, settings: SessionSettings) -> Target {
        Target {
            server: self.server.with_connect_timeout(settings.connect_timeout),
            settings,
            ..self
        }
    }

    /// The same database on this server only.
    #[must_use]
    pub(super) fn only_on(self, server: Arc<OnlyServer>) -> Target {
        Target {
            only_server: Some(server),
            ..self
        }
    }

    /// The server that connections must lead to.
    pub(super) fn only_server(&self) -> Option<&OnlyServer> {
        self.only_server.as_deref()
    }

    pub(super) fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    pub(super) fn pooler(&self) -> &Pooler {
        &self.pooler
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether the database is sharded, as far as `sharding::detect` found out.
    pub(crate) fn is_sharded(&self) -> bool {
        self.layout.is_sharded()
    }

    /// Whether a pooler in transaction mode is in between, as far as `pooler::check` found out.
    pub(crate) fn is_pooled(&self) -> bool {
        self.pooler.is_in_transaction_mode()
    }

    /// The protection that the connection string requires; see [`postgres_connect::Target::tls`].
    pub(crate) fn tls(&self) -> &'static str {
        self.server.tls()
    }

    /// The connection string as environment variables of pg_dump and psql. One of them can be the password.
    pub(crate) fn libpq_environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = self.server.libpq_environment().to_vec();
        // Not the service's own name, so that a backup is not taken for a process of the service.
        variables.push(("PGAPPNAME", "snapnote backup".to_owned()));
        variables
    }

    /// Whether the address names this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.server.is_local()
    }

    /// Opens a connection and sets up its session.
    ///
    /// # Errors
    /// One line for the operator: where, as which user, why, and what to do.
    pub async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        // A pooler in transaction mode would leave the setting to other sessions, and give this one another's.
        let sets_timeout = !self.pooler.is_in_transaction_mode();
        self.connect_and_set_up(sets_timeout).await
    }

    /// As [`Target::connect`], but keeps the server's `statement_timeout`. For connections through a pooler that may be in
    /// transaction mode: a setting of the session would leak.
    ///
    /// # Errors
    /// As [`Target::connect`].
    pub async fn connect_without_timeout(&self) -> ConnectionResult<AsyncPgConnection> {
        self.connect_and_set_up(false).await
    }

    /// Opens a connection without any set-up.
    ///
    /// # Errors
    /// As [`Target::connect`].
    pub(super) async fn open(&self) -> ConnectionResult<Client> {
        let opened = self.server.connect().await;
        let (client, connection) =
            opened.map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
        // The task ends when the client is dropped.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Opens a connection for shared reads, with the settings of [`Target::connect`] but a `statement_timeout` of at most
    /// [`MAX_STATEMENT`]. Its I/O runs on a task of its own, which drops `held` when the connection is closed.
    ///
    /// # Errors
    /// As [`Target::connect`].
    pub(super) async fn connect_shared(
        &self,
        held: impl Send + 'static,
    ) -> ConnectionResult<(Client, AbortHandle)> {
        let mut settings = "SET TIME ZONE 'UTC'".to_owned();
        if !self.pooler.is_in_transaction_mode() {
            let timeout = self.settings.statement_timeout;
            let timeout = if timeout.is_zero() {
                MAX_STATEMENT
            } else {
                timeout.min(MAX_STATEMENT)
            };
            settings += &format!("; SET statement_timeout = {}", timeout.as_millis());
        }
        if let Some(check) = self.only_server().and_then(OnlyServer::check) {
            settings += &format!("; {check}");
        }
        let set_up = |client: Client, connection: postgres_connect::Connection| async move {
            let io = tokio::spawn(async move {
                // Callers get the errors of their statements.
                let _ = connection.await;
                drop(held);
            });
            let set = client.batch_execute(&settings).await;
            set.map_err(|error| format!("setting up the session failed: {error}"))?;
            Ok((client, io.abort_handle()))
        };
        let connected = self.server.connect_and(set_up).await;
        connected.map_err(|error| ConnectionError::BadConnection(error.to_string()))
    }

    async fn connect_and_set_up(&self, sets_timeout: bool) -> ConnectionResult<AsyncPgConnection> {
        let set_up = |client, connection| async move {
            let set_up = self.set_up(client, connection, sets_timeout).await;
            set_up.map_err(|error| self.explain_set_up(&error))
        };
        let connected = self.server.connect_and(set_up).await;
        connected.map_err(|error| ConnectionError::BadConnection(error.to_string()))
    }

    /// Asks the server to cancel the running statement of the token's connection, over a separate connection. Success does not
    /// mean that a statement was canceled. A failure is logged.
    pub async fn cancel(&self, token: CancelToken) {
        if let Err(error) = self.server.cancel(token).await {
            tracing::warn!(%error, "sending a cancel request failed");
        }
    }

    async fn set_up(
        &self,
        client: Client,
        connection: postgres_connect::Connection,
        sets_timeout: bool,
    ) -> ConnectionResult<AsyncPgConnection> {
        // Spawns the task that does the I/O, and sets time zone and encoding.
        let mut connection =
            AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        if !self.settings.prepared_statements {
            connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        }
        if let Some(check) = self.only_server().and_then(OnlyServer::check) {
            let outcome = connection.batch_execute(&check).await;
            outcome.map_err(ConnectionError::CouldntSetupConfiguration)?;
        }
        if !sets_timeout {
            return Ok(connection);
        }
        // Not a startup parameter: poolers reject those that they do not know, and Neon drops them.
        let statement_timeout = self.settings.statement_timeout.as_millis();
        let set = format!("SET statement_timeout = {statement_timeout}");
        let outcome = connection.batch_execute(&set).await;
        outcome.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// Why an open connection could not be prepared for use.
    fn explain_set_up(&self, error: &ConnectionError) -> String {
        let cause = format!("setting up the session failed: {error}");
        match error {
            ConnectionError::CouldntSetupConfiguration(error)
                if kind_of(error) == Kind::MixedUp =>
            {
                self.pooler.suspect();
                format!("{cause}; {POOLER_REMEDY}")
            }
            _ => cause,
        }
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
