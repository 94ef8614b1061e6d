//! From a connection string to a connection: [`Target`].

use std::{fmt, future, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_postgres::{
    CancelToken, Client, Socket,
    config::{Config, Host},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    connection_string::{ConnectionString, ParseError},
    failure::explain,
    libpq, tls,
};

/// The I/O part of a connection. A task must poll it, and it ends when its [`Client`] is dropped.
pub type Connection =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// How long a connection attempt may take by default.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A database and how to connect to it. Cheap to clone. Its `Display` and `Debug` show host, database and user, but no
/// password.
#[derive(Clone)]
pub struct Target {
    config: Config,
    tls: MakeRustlsConnect,
    tls_name: &'static str,
    connect_timeout: Duration,
    libpq: Arc<[(&'static str, String)]>,
}

/// Why a connection could not be opened: where, as which user, the cause, and what to do. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot connect to {target}: {cause}")]
pub struct ConnectError {
    target: String,
    cause: String,
}

impl Target {
    /// Parses a `postgres://` or `postgresql://` URL, or a string of `key=value` pairs, and reads the certificate files
    /// that it names. Does not connect.
    ///
    /// The parameters have libpq's meaning, with these differences:
    /// - Without `sslrootcert`, `verify-full` trusts the system's certificate authorities.
    /// - `sslrootcert` with a mode weaker than `require` is an error, because the file would have no effect.
    /// - `host` is required.
    /// - TCP keepalive begins after a minute without traffic, unless `keepalives_idle`, `keepalives_interval` and
    ///   `keepalives_count` say otherwise. So an idle connection that is dead is closed within 90 seconds.
    /// - `prefer` falls back to plain text only if the server has no TLS, not if the handshake fails.
    ///
    /// # Errors
    /// If a parameter is unknown, invalid, contradicts another one, or requests a protection that cannot be enforced.
    pub fn parse(text: &str) -> Result<Target, ParseError> {
        let mut string = ConnectionString::parse(text)?;
        let mut config: Config = string.passed_on.parse().map_err(invalid)?;
        check_hosts(&mut config)?;
        if let Some(name) = string.take("fallback_application_name")
            && config.get_application_name().is_none()
        {
            config.application_name(name);
        }
        set_keepalive(&mut config, &mut string)?;
        if let Some(milliseconds) = string.take("tcp_user_timeout") {
            let milliseconds = number("tcp_user_timeout", &milliseconds)?;
            config.tcp_user_timeout(Duration::from_millis(milliseconds.into()));
        }
        let before = string.clone();
        let protection = tls::read(&mut string, &config)?;
        let libpq = libpq::environment(&before, &config, protection.name);
        config.ssl_mode(protection.mode);
        Ok(Target {
            config,
            tls: protection.connect,
            tls_name: protection.name,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            libpq: libpq.into(),
        })
    }

    /// Sets `application_name`, unless the connection string sets it.
    #[must_use]
    pub fn with_application_name(mut self, name: &str) -> Target {
        if self.config.get_application_name().is_none() {
            self.config.application_name(name);
        }
        self
    }

    /// Limits how long an attempt may take, including name resolution, TLS, authentication and set-up (default 10 s). A
    /// longer `connect_timeout` in the connection string takes precedence.
    #[must_use]
    pub fn with_connect_timeout(self, connect_timeout: Duration) -> Target {
        Target {
            connect_timeout,
            ..self
        }
    }

    /// The protection that the connection string requires, as the value of `sslmode` that means it: `disable`, `prefer`,
    /// `require`, `verify-ca` or `verify-full`. Connections through Unix sockets have `disable`.
    #[must_use]
    pub fn tls(&self) -> &'static str {
        self.tls_name
    }

    /// The same parameters as environment variables of libpq, for programs such as pg_dump. One of them can be the password.
    #[must_use]
    pub fn libpq_environment(&self) -> &[(&'static str, String)] {
        &self.libpq
    }

    /// Whether all hosts are on this machine: Unix sockets or loopback addresses.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.config.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => {
                let address = name.parse::<std::net::IpAddr>();
                name == "localhost" || address.is_ok_and(|address| address.is_loopback())
            }
        })
    }

    /// Opens a connection.
    ///
    /// Several hosts are tried in turn, as are several addresses of one host. The first that accepts is used.
    ///
    /// # Errors
    /// If no host accepts within the time limit. With several hosts, the cause is that of the last one.
    pub async fn connect(&self) -> Result<(Client, Connection), ConnectError> {
        self.connect_and(|client, connection| future::ready(Ok((client, connection))))
            .await
    }

    /// Opens a connection and prepares it with `set_up`, both within the time limit.
    ///
    /// # Errors
    /// As [`Self::connect`], or with the cause that `set_up` returns.
    pub async fn connect_and<T, F>(
        &self,
        set_up: impl FnOnce(Client, Connection) -> F,
    ) -> Result<T, ConnectError>
    where
        F: Future<Output = Result<T, String>>,
    {
        let limit = self.time_limit();
        let attempt = async {
            let (client, connection) = self.open().await?;
            set_up(client, connection).await
        };
        let outcome = timeout(limit, attempt).await.unwrap_or_else(|_| {
            let seconds = limit.as_secs_f32();
            Err(format!(
                "no response within {seconds} s; check the address and any firewall"
            ))
        });
        outcome.map_err(|cause| self.error(cause))
    }

    /// Asks the server to cancel the running statement of the token's connection. Uses a separate connection with the
    /// same protection and time limit. Success does not mean that a statement was cancelled: the server does not report it.
    ///
    /// # Errors
    /// If the request could not be sent.
    pub async fn cancel(&self, token: CancelToken) -> Result<(), ConnectError> {
        match timeout(self.time_limit(), token.cancel_query(self.tls.clone())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.error(explain(&error))),
            Err(_) => Err(self.error("no response".to_owned())),
        }
    }

    async fn open(&self) -> Result<(Client, Connection), String> {
        let mut config = self.config.clone();
        if config.get_connect_timeout().is_none() {
            // An address that never responds must leave time for the next one: of another host, or of the same name.
            let shares = u32::try_from(config.get_hosts().len() + 1).unwrap_or(u32::MAX);
            config.connect_timeout(self.connect_timeout / shares);
        }
        let opened = config.connect(self.tls.clone()).await;
        opened.map_err(|error| explain(&error))
    }

    fn time_limit(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        let requested = self
            .config
            .get_connect_timeout()
            .map(|limit| limit.saturating_mul(hosts));
        self.connect_timeout.max(requested.unwrap_or_default())
    }

    fn error(&self, cause: String) -> ConnectError {
        let target = self.to_string();
        ConnectError { target, cause }
    }
}

/// For example "database `notes` at db.example.com:5432 as `ada`".
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.config.get_user();
        match self.config.get_dbname().or(user) {
            Some(database) => write!(formatter, "database `{database}` at ")?,
            None => formatter.write_str("the database named after the user at ")?,
        }
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let or = if index == 0 { "" } else { " or " };
            let port = ports.get(index).or(ports.first()).unwrap_or(&5432);
            match host {
                Host::Tcp(name) if name.contains(':') => write!(formatter, "{or}[{name}]:{port}")?,
                Host::Tcp(name) => write!(formatter, "{or}{name}:{port}")?,
                Host::Unix(folder) => {
                    let socket = folder.join(format!(".s.PGSQL.{port}"));
                    write!(formatter, "{or}{}", socket.display())?;
                }
            }
        }
        match user {
            Some(user) => write!(formatter, " as `{user}`"),
            None => formatter.write_str(" as the operating system's user"),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Target({self})")
    }
}

fn invalid(error: tokio_postgres::Error) -> ParseError {
    // The source names only the parameter, or the position in the text.
    let problem = error
        .into_source()
        .map_or_else(String::new, |source| source.to_string());
    ParseError::new(problem)
}

/// How long an idle connection waits before its first keepalive probe, in seconds.
const KEEPALIVE_IDLE: u32 = 60;
/// The time between two probes, in seconds.
const KEEPALIVE_INTERVAL: u32 = 10;
/// How many probes may get no response.
const KEEPALIVE_COUNT: u32 = 3;

fn set_keepalive(config: &mut Config, string: &mut ConnectionString) -> Result<(), ParseError> {
    let mut setting = |name: &str, default: u32| {
        let given = string.take(name).map(|value| number(name, &value));
        // As in libpq, zero means the default.
        let given = given.transpose()?.filter(|given| *given > 0);
        Ok(given.unwrap_or(default))
    };
    let idle = setting("keepalives_idle", KEEPALIVE_IDLE)?;
    let interval = setting("keepalives_interval", KEEPALIVE_INTERVAL)?;
    let count = setting("keepalives_count", KEEPALIVE_COUNT)?;
    config.keepalives_idle(Duration::from_secs(idle.into()));
    config.keepalives_interval(Duration::from_secs(interval.into()));
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(count);
    }
    Ok(())
}

fn check_hosts(config: &mut Config) -> Result<(), ParseError> {
    if config.get_hosts().is_empty() {
        // The name that the certificate is checked against. Like libpq, use the address.
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    let hosts = config.get_hosts();
    if hosts.is_empty() {
        return Err(ParseError::of(
            "host",
            "is missing; for a local server use host=/var/run/postgresql",
        ));
    }
    let is_invalid = |host: &Host| matches!(host, Host::Tcp(name) if name.is_empty() || name.contains(['@', '/']));
    if hosts.iter().any(is_invalid) {
        return Err(ParseError::of(
            "host",
            "must be a name, an address or an absolute path",
        ));
    }
    let matches_hosts = |count: usize, max: usize| count == hosts.len() || count <= max;
    if !matches_hosts(config.get_ports().len(), 1)
        || !matches_hosts(config.get_hostaddrs().len(), 0)
    {
        return Err(ParseError::of(
            "host",
            "the number of ports and addresses must equal the number of hosts; one port for all hosts also works",
        ));
    }
    Ok(())
}

fn number(parameter: &str, value: &str) -> Result<u32, ParseError> {
    value
        .parse()
        .map_err(|_| ParseError::of(parameter, "must be an integer"))
}

#[cfg(test)]
mod tests;
