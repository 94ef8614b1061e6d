//! The settings: flags and environment, with `--help` as the reference. The only reader of the environment.
//!
//! A setting has one name everywhere: `--max-cost` is `SNAPNOTE_MAX_COST`. `.env.example` lists them all, and a test holds
//! it against this file.

mod identity;
mod storage;
mod streams;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
pub use identity::{MailConfig, ThrottleConfig};
use ipnet::IpNet;
pub use storage::StorageConfig;
pub use streams::StreamConfig;

/// A GraphQL API service for courses, documents and tasks, on PostgreSQL.
///
/// Without DATABASE_URL it starts a PostgreSQL of its own and keeps the data in its data folder.
#[derive(Parser, Debug)]
#[command(name = "snapnote", version)]
pub struct Config {
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where the data is.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where and how to serve.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Who may do what.
    #[command(flatten)]
    pub auth: AuthConfig,
    /// How often what may be tried.
    #[command(flatten)]
    pub throttle: ThrottleConfig,
    /// How mails are sent.
    #[command(flatten)]
    pub mail: MailConfig,
    /// Where pictures are kept.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// How many may listen.
    #[command(flatten)]
    pub streams: StreamConfig,
    /// How much one request may ask for.
    #[command(flatten)]
    pub limits: LimitsConfig,
    /// What is logged.
    #[command(flatten)]
    pub log: LogConfig,
}

impl Config {
    /// Reads `.env`, the environment and the flags; a flag wins over the environment, and that over `.env`.
    ///
    /// What clap finds wrong, `--help` and `--version` end the process here.
    ///
    /// # Errors
    /// A message that names what is wrong.
    pub fn read() -> Result<Config, String> {
        match dotenvy::dotenv() {
            Err(error) if !error.not_found() => return Err(unreadable(&error)),
            _ => {}
        }
        let config = Config::from_arg_matches(&command().get_matches());
        let config = config.unwrap_or_else(|error| error.exit());
        config.check()?;
        Ok(config)
    }

    /// What no setting can tell by itself.
    fn check(&self) -> Result<(), String> {
        let (kept, most) = (self.database.pool_kept, self.database.pool_max);
        if kept > most {
            return Err(format!(
                "SNAPNOTE_POOL_KEPT is {kept}, and SNAPNOTE_POOL_MAX is {most}: no more connections can be kept than there \
                 may be."
            ));
        }
        let (changes, audit) = (self.database.changes_days, self.auth.audit_days);
        if audit != 0 && audit <= changes {
            return Err(format!(
                "SNAPNOTE_AUDIT_DAYS is {audit}, and SNAPNOTE_CHANGES_DAYS is {changes}: the change feed is read from the \
                 audit log, which must be kept for a day longer at least."
            ));
        }
        Ok(())
    }
}

/// Every setting can stand before the subcommand and behind it.
fn command() -> clap::Command {
    Config::command().mut_args(|setting| setting.global(true))
}

/// Without the line itself: it may be the one with the secret.
fn unreadable(error: &dotenvy::Error) -> String {
    let why = match error {
        dotenvy::Error::LineParse(..) => {
            "a line of it is not NAME=value; a value with spaces or # needs quotes".to_owned()
        }
        error => error.to_string(),
    };
    format!(".env cannot be read: {why}. Mend it, or move it away.")
}

/// What the program does.
#[derive(Subcommand, Debug, Clone)]
pub enum Command {
    /// Serves the API (so it does if nothing is said).
    Serve {
        /// Applies pending migrations first, on a database that is not embedded, too.
        #[arg(long)]
        migrate: bool,
    },
    /// Brings the database's schema up to date, or takes it back.
    Migrate {
        /// What to do with the migrations.
        #[command(subcommand)]
        action: MigrateAction,
    },
    /// Prints the GraphQL schema.
    Schema,
    /// Fills the database with a believable semester, and prints how to sign in.
    Demo,
    /// What only an operator may do.
    Admin {
        /// What to do.
        #[command(subcommand)]
        action: AdminAction,
    },
}

/// What only an operator may do.
#[derive(Subcommand, Debug, Clone)]
pub enum AdminAction {
    /// Makes the user with this email address an admin.
    Grant {
        /// The email address. ASCII case does not matter.
        email: String,
    },
    /// Takes over the users of another system; docs/auth.md tells the format.
    ImportUsers {
        /// A file of one JSON object a line; `-`: standard input.
        file: PathBuf,
    },
    /// Lists the mails that wait to be sent, and those that were given up.
    Mails,
    /// Tries again to send the mails that were given up, but for those whose link is no longer good.
    RetryMails,
}

/// What to do with the migrations.
#[derive(Subcommand, Debug, Clone)]
pub enum MigrateAction {
    /// Applies what is not applied yet.
    Up,
    /// Takes back the newest migrations, WITH THE DATA in their tables.
    Down {
        /// How many.
        #[arg(default_value_t = 1)]
        count: usize,
    },
    /// Lists them.
    Status,
}

/// Where the data is.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// The PostgreSQL (14 or newer) to use, e.g. postgres://user:password@host/database?sslmode=verify-full. Not set: one
    /// of the service's own, in the data folder.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// The same database by an address without a pooler before it: by it processes tell each other at once that something has
    /// changed. Not set: subscribers learn of other processes' changes once a second. Needed only with DATABASE_URL.
    #[arg(long, env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub database_direct_url: Option<Secret>,
    /// Where the embedded PostgreSQL, the service's own key and pictures are kept.
    #[arg(long, env = "SNAPNOTE_DATA_DIR", default_value = ".snapnote")]
    pub data_dir: PathBuf,
    /// The folder of PostgreSQL's programs, for the embedded one. Not set: they are searched for.
    #[arg(long, env = "SNAPNOTE_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
    /// Connections that stay open when nobody needs them.
    #[arg(long, env = "SNAPNOTE_POOL_KEPT", default_value_t = 5)]
    pub pool_kept: usize,
    /// Maximum number of connections in the pool. Rate limits have two more of their own.
    #[arg(long, env = "SNAPNOTE_POOL_MAX", default_value = "15", value_parser = at_least_one)]
    pub pool_max: usize,
    /// How long a request waits for a connection before it is UNAVAILABLE.
    #[arg(long, env = "SNAPNOTE_POOL_WAIT", default_value = "5s")]
    pub pool_wait: Span,
    /// The age at which a connection is replaced.
    #[arg(long, env = "SNAPNOTE_POOL_LIFETIME", default_value = "5m")]
    pub pool_lifetime: Span,
    /// How long making a connection may take.
    #[arg(long, env = "SNAPNOTE_CONNECT_TIMEOUT", default_value = "10s")]
    pub connect_timeout: Span,
    /// After how long PostgreSQL gives a statement up.
    #[arg(long, env = "SNAPNOTE_STATEMENT_TIMEOUT", default_value = "30s")]
    pub statement_timeout: Span,
    /// Whether statements stay prepared. Set it to false behind a pooler that hands out connections by transaction and is
    /// short of memory for prepared statements; PgBouncer must be 1.21 or newer either way.
    #[arg(long, env = "SNAPNOTE_PREPARED_STATEMENTS", default_value_t = true, action = clap::ArgAction::Set)]
    pub prepared_statements: bool,
    /// Days after which what lies in the trash is deleted for good; 0: never.
    #[arg(long, env = "SNAPNOTE_TRASH_DAYS", default_value_t = 30)]
    pub trash_days: u32,
    /// Days that the change feed goes back, and for which a cursor of it is good. The audit log must be kept for longer.
    #[arg(long, env = "SNAPNOTE_CHANGES_DAYS", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub changes_days: u32,
}

/// Where and how to serve.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Server")]
pub struct ServerConfig {
    /// The address and port to listen on.
    #[arg(long, env = "SNAPNOTE_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Origins whose pages may call, separated by commas, e.g. https://app.example.com; *: any. None if not set.
    #[arg(long, env = "SNAPNOTE_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
    /// Whether GraphiQL is served at /graphiql.
    #[arg(long, env = "SNAPNOTE_GRAPHIQL", default_value_t = true, action = clap::ArgAction::Set)]
    pub graphiql: bool,
    /// The deadline of a whole request.
    #[arg(long, env = "SNAPNOTE_REQUEST_TIMEOUT", default_value = "10s")]
    pub request_timeout: Span,
    /// How long a request's head may take to come, a connection may idle between two requests, and a caller take nothing of
    /// an answer.
    #[arg(long, env = "SNAPNOTE_HEADER_TIMEOUT", default_value = "30s")]
    pub header_timeout: Span,
    /// How long a request's body may take to come.
    #[arg(long, env = "SNAPNOTE_BODY_TIMEOUT", default_value = "5s")]
    pub body_timeout: Span,
    /// How long requests in flight may go on when the service stops.
    #[arg(long, env = "SNAPNOTE_SHUTDOWN_TIMEOUT", default_value = "15s")]
    pub shutdown_timeout: Span,
    /// Networks of proxies, separated by commas, e.g. 10.0.0.0/8,::1/128: from these alone X-Forwarded-For is believed.
    #[arg(long, env = "SNAPNOTE_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Connections at a time.
    #[arg(long, env = "SNAPNOTE_MAX_CONNECTIONS", default_value = "10000", value_parser = at_least_one)]
    pub max_connections: usize,
}

/// Who may do what.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Authentication")]
pub struct AuthConfig {
    /// The key of access tokens: 32 bytes at least. With DATABASE_URL it must be set; without, one is made and kept in the
    /// data folder.
    #[arg(long, env = "SNAPNOTE_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<Secret>,
    /// The issuer (iss) of access tokens.
    #[arg(long, env = "SNAPNOTE_JWT_ISSUER", default_value = "snapnote")]
    pub jwt_issuer: String,
    /// The audience (aud) of access tokens.
    #[arg(long, env = "SNAPNOTE_JWT_AUDIENCE", default_value = "snapnote")]
    pub jwt_audience: String,
    /// How long an access token is good.
    #[arg(long, env = "SNAPNOTE_ACCESS_TOKEN_LIFETIME", default_value = "15m")]
    pub access_token_lifetime: Span,
    /// How long after its exchange a refresh token still gets the same successor (1s–10m): for lost replies and several tabs.
    /// After that, using it ends the session.
    #[arg(long, env = "SNAPNOTE_REFRESH_GRACE", default_value = "60s", value_parser = grace)]
    pub refresh_grace: Span,
    /// Passwords that are hashed at a time; more let sign-ins slow everybody else down.
    #[arg(long, env = "SNAPNOTE_HASHING_PERMITS", default_value = "1", value_parser = at_least_one)]
    pub hashing_permits: usize,
    /// Outside issuers whose tokens are taken: the path of a TOML file, or the TOML itself (docs/auth.md).
    #[arg(long, env = "SNAPNOTE_ISSUERS", hide_env_values = true)]
    pub issuers: Option<Secret>,
    /// Days for which the audit log is kept; 0: for ever.
    #[arg(long, env = "SNAPNOTE_AUDIT_DAYS", default_value_t = 365)]
    pub audit_days: u32,
}

/// How much one request may ask for.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Limits")]
pub struct LimitsConfig {
    /// Bytes of a request's body.
    #[arg(long, env = "SNAPNOTE_MAX_BODY", default_value = "1048576", value_parser = at_least_one)]
    pub max_body: usize,
    /// Tokens of a GraphQL document.
    #[arg(long, env = "SNAPNOTE_MAX_TOKENS", default_value = "4000", value_parser = at_least_one)]
    pub max_tokens: usize,
    /// Fields within fields; GraphiQL's introspection needs 15.
    #[arg(long, env = "SNAPNOTE_MAX_DEPTH", default_value = "15", value_parser = at_least_one)]
    pub max_depth: usize,
    /// Fields with an alias.
    #[arg(long, env = "SNAPNOTE_MAX_ALIASES", default_value_t = 100)]
    pub max_aliases: usize,
    /// Fields of an operation's root.
    #[arg(long, env = "SNAPNOTE_MAX_ROOT_FIELDS", default_value = "50", value_parser = at_least_one)]
    pub max_root_fields: usize,
    /// Points of cost: one for each object that could be loaded, page size times children.
    #[arg(long, env = "SNAPNOTE_MAX_COST", default_value_t = 10_000)]
    pub max_cost: u64,
    /// Documents that are remembered, parsed and validated.
    #[arg(long, env = "SNAPNOTE_CACHED_DOCUMENTS", default_value = "1000", value_parser = at_least_one)]
    pub cached_documents: usize,
}

/// What is logged.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Log")]
pub struct LogConfig {
    /// What is logged: a level (error, warn, info, debug, trace), or directives such as warn,snapnote=debug.
    #[arg(long, env = "SNAPNOTE_LOG", default_value = "info")]
    pub log: String,
    /// How it is written.
    #[arg(long, env = "SNAPNOTE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for machines.
    Json,
}

/// Text that no message and no log ever shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Secret(text.to_owned()))
    }
}

/// A length of time as people write it: `500ms`, `10s`, `5m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit_at = text
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err("write a time as 500ms, 10s, 5m or 2h".to_owned()),
        };
        let number: u64 = number
            .parse()
            .map_err(|_| "write a time as 500ms, 10s, 5m or 2h".to_owned())?;
        match number.checked_mul(milliseconds) {
            Some(0) => Err("it must be longer than 0".to_owned()),
            Some(time) if time <= 30 * 24 * 3_600_000 => Ok(Span(Duration::from_millis(time))),
            _ => Err("it must be 30 days at most".to_owned()),
        }
    }
}

/// A network, or an address as a network of one.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(address);
    network.ok_or_else(|| "write a network as 10.0.0.0/8 or 2001:db8::/32".to_owned())
}

/// Long enough for a client to try again, and too short for a thief to go on beside the owner.
fn grace(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    let bounds = Duration::from_secs(1)..=Duration::from_secs(600);
    if bounds.contains(&span.0) {
        Ok(span)
    } else {
        Err("it must be between 1s and 10m".to_owned())
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it must be a whole number of 1 or more".to_owned()),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests;
