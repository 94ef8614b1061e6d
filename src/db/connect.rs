//! From a connection string to a connection, with TLS, within a bounded time.
//!
//! It understands what libpq does, as far as a service needs it, without libpq. It never falls short in silence of a
//! protection that the string asks for, reads none of libpq's environment variables and files in home folders, and shows
//! no password: neither in [`Target`]'s texts nor in an error. Read on in `connect/connection_string.rs` for which
//! parameters there are, in `connect/tls.rs` for what is verified, in `connect/failure.rs` for what an operator reads
//! when it fails, and in `pool.rs` for who calls this.

use std::{fmt, path::Path, time::Duration};

use diesel::{ConnectionError, ConnectionResult, connection::CacheSize};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use tokio::time::timeout;
use tokio_postgres::{
    CancelToken, Client, Socket,
    config::{Config, Host},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use self::connection_string::TargetError;
use self::{
    connection_string::ConnectionString,
    failure::{explain, explain_setup},
    tls::Tls,
};

mod connection_string;
mod failure;
mod tls;

/// What moves the bytes of a connection.
type Driver =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Where the database is and how to speak to it. Cheap to clone; its texts show host, database and user, no password.
#[derive(Clone)]
pub struct Target {
    config: Config,
    tls: MakeRustlsConnect,
    settings: SessionSettings,
}

/// What holds for every connection, whatever the connection string says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSettings {
    /// After how long the server gives a statement up, in whole milliseconds; zero: never. Takes precedence over one in
    /// the string's `options`.
    pub statement_timeout: Duration,
    /// How long a connection may take to be made, name look-up, TLS and authentication included. A longer
    /// `connect_timeout` in the string takes precedence.
    pub connect_timeout: Duration,
    /// Whether statements stay prepared for their next use. If not, each is prepared under a new name every time, and
    /// then forgotten. That spares the server's memory, but it does not make up for a pooler that hands out server
    /// connections by transaction and does not track prepared statements (PgBouncer before 1.21, or with
    /// `max_prepared_statements = 0`): diesel-async never sends a statement without a name, and with such a pooler it
    /// fails as early as at connecting.
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
    /// Reads a `postgres://` or `postgresql://` URL, or a string of `key=value` pairs; and the files of certificates
    /// that it names. Connects nowhere.
    ///
    /// The parameters are libpq's. What differs: without `sslrootcert`, `verify-full` trusts the system's authorities;
    /// `sslrootcert` with a weaker mode than `require` is an error, since it would not be looked at; `host` must be
    /// given; `prefer` falls back to plain text only if the server has no TLS, not if the handshake fails.
    ///
    /// # Errors
    /// Parameters that are unknown, wrong, contradictory, or that cannot be honoured though they protect something.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        let mut string = ConnectionString::parse(text)?;
        let mut config: Config = string.handed_on.parse().map_err(not_understood)?;
        check_hosts(&mut config)?;
        if config.get_application_name().is_none() {
            let name = string.take("fallback_application_name");
            config.application_name(name.as_deref().unwrap_or("snapnote"));
        }
        if let Some(count) = string.take("keepalives_count") {
            config.keepalives_retries(number("keepalives_count", &count)?);
        }
        if let Some(milliseconds) = string.take("tcp_user_timeout") {
            let milliseconds = number("tcp_user_timeout", &milliseconds)?;
            config.tcp_user_timeout(Duration::from_millis(milliseconds.into()));
        }
        let only_sockets = config
            .get_hosts()
            .iter()
            .all(|host| matches!(host, Host::Unix(_)));
        let Tls { mode, connector } = Tls::read(&mut string, &config, only_sockets)?;
        config.ssl_mode(mode);
        Ok(Target {
            config,
            tls: connector,
            settings: SessionSettings::default(),
        })
    }

    /// The same place with other settings.
    #[must_use]
    pub fn with(self, settings: SessionSettings) -> Target {
        Target { settings, ..self }
    }

    /// Opens a connection and sets its session up.
    ///
    /// Several hosts are tried in turn, as are several addresses of one; the first that lets us in is taken.
    ///
    /// # Errors
    /// One line for the operator: where, as whom, why, and what to do. With several hosts the cause is the last one's.
    pub async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let limit = self.time_limit();
        let outcome = timeout(limit, self.open()).await.unwrap_or_else(|_| {
            let seconds = limit.as_secs_f32();
            Err(format!("no answer within {seconds} s; check the address, and that no firewall stands between"))
        });
        outcome.map_err(|cause| {
            ConnectionError::BadConnection(format!("cannot connect to {self}: {cause}"))
        })
    }

    /// Asks the server to cancel what the token's connection is doing, over a connection of its own that is secured like
    /// it. Takes no longer than connecting may. Whether something was cancelled cannot be known; a failure is traced.
    pub async fn cancel(&self, token: CancelToken) {
        match timeout(self.time_limit(), token.cancel_query(self.tls.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(
                "could not cancel a statement at {self}: {}",
                explain(&error)
            ),
            Err(_) => tracing::warn!("could not cancel a statement at {self}: no answer"),
        }
    }

    async fn open(&self) -> Result<AsyncPgConnection, String> {
        let mut config = self.config.clone();
        if config.get_connect_timeout().is_none() {
            // An address that swallows packets must leave time for the next: of a host, or of a name with several.
            let shares = u32::try_from(config.get_hosts().len() + 1).unwrap_or(u32::MAX);
            config.connect_timeout(self.settings.connect_timeout / shares);
        }
        let (client, driver) = config
            .connect(self.tls.clone())
            .await
            .map_err(|error| explain(&error))?;
        self.set_up(client, driver)
            .await
            .map_err(|error| explain_setup(&error))
    }

    async fn set_up(&self, client: Client, driver: Driver) -> ConnectionResult<AsyncPgConnection> {
        // Spawns the task that moves the bytes, and sets time zone and encoding.
        let mut connection =
            AsyncPgConnection::try_from_client_and_connection(client, driver).await?;
        if !self.settings.prepared_statements {
            connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        }
        // Not among the startup parameters: poolers refuse those that they do not know, and Neon drops them.
        let statement_timeout = self.settings.statement_timeout.as_millis();
        let set = format!("SET statement_timeout = {statement_timeout}");
        let outcome = connection.batch_execute(&set).await;
        outcome.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    fn time_limit(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        let asked_for = self
            .config
            .get_connect_timeout()
            .map(|limit| limit.saturating_mul(hosts));
        self.settings
            .connect_timeout
            .max(asked_for.unwrap_or_default())
    }
}

/// As in "database `notes` at db.example.com:5432 as `ada`".
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.config.get_user();
        match self.config.get_dbname().or(user) {
            Some(database) => write!(formatter, "database `{database}` at ")?,
            None => formatter.write_str("the database named like the user at ")?,
        }
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let or = if index == 0 { "" } else { " or " };
            let port = ports.get(index).or(ports.first()).unwrap_or(&5432);
            match host {
                Host::Tcp(name) if name.contains(':') => write!(formatter, "{or}[{name}]:{port}")?,
                Host::Tcp(name) => write!(formatter, "{or}{name}:{port}")?,
                Host::Unix(folder) => write!(formatter, "{or}{}", socket(folder, *port))?,
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

fn socket(folder: &Path, port: u16) -> String {
    folder
        .join(format!(".s.PGSQL.{port}"))
        .display()
        .to_string()
}

fn not_understood(error: tokio_postgres::Error) -> TargetError {
    // Its sources name the parameter alone, or where the text stops making sense.
    let problem = error
        .into_source()
        .map_or_else(String::new, |source| source.to_string());
    TargetError::new(problem)
}

fn check_hosts(config: &mut Config) -> Result<(), TargetError> {
    if config.get_hosts().is_empty() {
        // The name that a certificate is checked against; libpq takes the address for it, too.
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    let hosts = config.get_hosts();
    if hosts.is_empty() {
        return Err(TargetError::of(
            "host",
            "is missing: for a local server write host=/var/run/postgresql",
        ));
    }
    let no_name = |host: &Host| matches!(host, Host::Tcp(name) if name.is_empty() || name.contains(['@', '/']));
    if hosts.iter().any(no_name) {
        return Err(TargetError::of(
            "host",
            "is empty, or no name, address or absolute path",
        ));
    }
    let fits = |count: usize, most: usize| count == hosts.len() || count <= most;
    if !fits(config.get_ports().len(), 1) || !fits(config.get_hostaddrs().len(), 0) {
        return Err(TargetError::of(
            "host",
            "there must be as many ports and addresses as hosts, or one port for all",
        ));
    }
    Ok(())
}

fn number(parameter: &str, value: &str) -> Result<u32, TargetError> {
    value
        .parse()
        .map_err(|_| TargetError::of(parameter, "must be a whole number"))
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;

    #[test]
    fn a_target_shows_where_it_is_but_no_password() {
        for (text, shown) in [
            (
                "postgres://ada:geheim@db.example/notes",
                "database `notes` at db.example:5432 as `ada`",
            ),
            (
                "postgresql://ada@[::1]:6000",
                "database `ada` at [::1]:6000 as `ada`",
            ),
            (
                "postgres://a,b:5433/notes?user=ada&password=geheim",
                "database `notes` at a:5432 or b:5433 as `ada`",
            ),
            (
                "postgres://ada@%2Frun%2Fpg:5433/notes",
                "database `notes` at /run/pg/.s.PGSQL.5433 as `ada`",
            ),
            (
                "postgres:///notes?host=/run/pg&port=5433",
                "database `notes` at /run/pg/.s.PGSQL.5433 as the operating system's user",
            ),
            (
                " host=/run/pg user=ada password='ge heim\\'' dbname = 'my notes' \n",
                "database `my notes` at /run/pg/.s.PGSQL.5432 as `ada`",
            ),
            (
                "hostaddr=10.0.0.7 user=ada",
                "database `ada` at 10.0.0.7:5432 as `ada`",
            ),
            (
                "host=h",
                "the database named like the user at h:5432 as the operating system's user",
            ),
            (
                "postgres://ada:ge%40heim@ep-cool-pooler.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
                "database `neondb` at ep-cool-pooler.aws.neon.tech:5432 as `ada`",
            ),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!(target.to_string(), shown);
            assert_eq!(format!("{target:?}"), format!("Target({shown})"));
        }
    }

    #[test]
    fn parameters_have_the_meaning_that_they_have_in_libpq() {
        let config = |text: &str| Target::parse(text).expect(text).config;
        assert_eq!(config("host=h").get_application_name(), Some("snapnote"));
        assert_eq!(
            config("postgres://h?application_name=&fallback_application_name=a+b%20c")
                .get_application_name(),
            Some("a+b c")
        );
        assert_eq!(
            config("host=h fallback_application_name=b application_name=a").get_application_name(),
            Some("a")
        );
        assert_eq!(
            config("postgres://h?options=endpoint%3Dep-1").get_options(),
            Some("endpoint=ep-1")
        );
        assert_eq!(
            config("host=h tcp_user_timeout=1500").get_tcp_user_timeout(),
            Some(&Duration::from_millis(1500))
        );
        assert_eq!(
            config("host=h keepalives_count=7 keepalives_idle=9").get_keepalives_retries(),
            Some(7)
        );
        assert_eq!(
            config("postgres://u:ge%40+heim@h").get_password(),
            Some("ge@+heim".as_bytes())
        );
        assert_eq!(config("host=h").get_ssl_mode(), SslMode::Prefer);
        assert_eq!(
            config("host=h sslmode=allow").get_ssl_mode(),
            SslMode::Prefer
        );
        assert_eq!(
            config("postgres://h?ssl=true").get_ssl_mode(),
            SslMode::Require
        );
        assert_eq!(
            config("host=/run/pg sslmode=verify-full").get_ssl_mode(),
            SslMode::Disable
        );
        assert_eq!(
            config("host=/run/pg,h sslmode=require").get_ssl_mode(),
            SslMode::Require
        );
        let harmless = "postgres://h/?gssencmode=prefer&client_encoding=UTF8&sslcrl=&pgbouncer=true&schema=public&";
        assert_eq!(config(harmless), config("postgres://h/"));
    }

    #[test]
    fn what_cannot_be_understood_or_honoured_is_refused_by_name() {
        for (text, error) in [
            ("", "`host`: is missing"),
            ("postgres:///notes", "`host`: is missing"),
            (
                "mysql://u:geheim@h/d",
                "neither a URL that starts with postgres://",
            ),
            ("postgres://u@:5433/notes", "`host`: is empty"),
            ("host=a,b port=1,2,3", "`host`: there must be as many ports"),
            (
                "host=a hostaddr=::1,::2",
                "`host`: there must be as many ports",
            ),
            ("postgres://h:geheim", "invalid value for option `port`"),
            ("postgres://u:ge@heim@h/d", "`password`: percent-encode"),
            ("postgres://u:ge/heim@h/d", "`password`: percent-encode"),
            (
                "postgres://h/d?user=u&password=ge@heim",
                "`password`: percent-encode",
            ),
            (
                "host=h password=ge heim",
                "`password`: what follows it is no parameter",
            ),
            (
                "host=h password=ge heim=x",
                "`password`: what follows it is no parameter",
            ),
            (
                "host=h password='geheim",
                "`password`: its value begins with a quote",
            ),
            ("postgres://h?sslmode", "`sslmode`: has no value"),
            (
                "postgres://h?ssl_mode=require",
                "`ssl_mode`: there is no such parameter",
            ),
            (
                "host=h sslmode=verify",
                "`sslmode`: `verify` is none of disable, allow",
            ),
            (
                "host=h sslmode=verify-ca",
                "`sslmode`: verify-ca needs sslrootcert=<file>",
            ),
            (
                "host=h sslrootcert=ca.pem",
                "`sslrootcert`: is looked at only with",
            ),
            (
                "host=h sslmode=require sslrootcert=system",
                "`sslrootcert`: system needs sslmode=verify-full",
            ),
            (
                "host=h sslmode=require sslrootcert=/no/ca.pem",
                "`sslrootcert`: /no/ca.pem: ",
            ),
            (
                "host=h sslcert=c.pem",
                "`sslcert`: goes together with sslkey",
            ),
            (
                "host=h sslcert=/no/c.pem sslkey=/no/c.key",
                "`sslcert`: /no/c.pem: ",
            ),
            ("host=h sslsni=yes", "`sslsni`: must be 0 or 1"),
            (
                "host=h ssl_min_protocol_version=TLSv1.4",
                "`ssl_min_protocol_version`: must be",
            ),
            (
                "host=h sslnegotiation=direct",
                "`sslnegotiation`: direct needs",
            ),
            (
                "host=h sslmode=disable channel_binding=require",
                "`channel_binding`: require needs TLS",
            ),
            (
                "host=/run/pg channel_binding=require",
                "`channel_binding`: require needs TLS",
            ),
            (
                "host=h channel_binding=always",
                "invalid value for option `channel_binding`",
            ),
            (
                "host=h tcp_user_timeout=1s",
                "`tcp_user_timeout`: must be a whole number",
            ),
            ("host=h gssencmode=require", "`gssencmode`: "),
            ("host=h require_auth=scram-sha-256", "`require_auth`: "),
            ("host=h sslcrl=revoked.pem", "`sslcrl`: "),
            ("service=notes", "`service`: "),
        ] {
            let refusal = Target::parse(text).expect_err(text).to_string();
            assert!(refusal.starts_with(error), "{text}: {refusal}");
            assert!(!refusal.contains("heim"), "{refusal}");
        }
    }

    #[test]
    fn a_longer_time_limit_in_the_string_takes_precedence() {
        let limit = |text: &str| Target::parse(text).expect(text).time_limit().as_secs();
        assert_eq!(limit("host=h"), 10);
        assert_eq!(limit("host=h connect_timeout=3"), 10);
        assert_eq!(limit("host=h connect_timeout=15"), 15);
        assert_eq!(limit("host=a,b connect_timeout=15"), 30);
        assert_eq!(limit("host=h connect_timeout=0"), 10);
    }
}
