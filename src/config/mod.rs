//! The settings: flags, environment variables and `.env`. No other module reads the environment.
//!
//! Each setting has the same name as a flag and as a variable: `--max-cost` is `SNAPNOTE_MAX_COST`. The doc comments here are
//! the texts of `--help`, the reference for operators. `.env.example` lists every setting, and a test compares it with this
//! module.

#![expect(rustdoc::bare_urls, reason = "--help prints them as they are")]

mod mail;
mod rate_limits;
mod storage;
mod streams;
mod values;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
pub use mail::MailConfig;
pub use rate_limits::RateLimitConfig;
pub use storage::StorageConfig;
pub use streams::StreamConfig;
pub use values::{Secret, Span};
use values::{at_least_one, delay, grace, network};

/// A GraphQL API service for courses, documents and tasks, on PostgreSQL.
///
/// Without DATABASE_URL it starts a private PostgreSQL and keeps the data in its data folder.
#[derive(Parser, Debug)]
#[command(name = "snapnote", version)]
pub struct Config {
    /// The command to run (default: serve).
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The database, the pool and retention.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// The HTTP server.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Tokens, passwords, external identity providers and the audit log.
    #[command(flatten)]
    pub auth: AuthConfig,
    /// Rate limits.
    #[command(flatten)]
    pub rate_limits: RateLimitConfig,
    /// Mail delivery.
    #[command(flatten)]
    pub mail: MailConfig,
    /// Image storage.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// WebSockets and subscriptions.
    #[command(flatten)]
    pub streams: StreamConfig,
    /// Limits of one request.
    #[command(flatten)]
    pub limits: LimitsConfig,
    /// Logging.
    #[command(flatten)]
    pub log: LogConfig,
}

impl Config {
    /// Reads the settings. Flags override the environment, and the environment overrides `.env`.
    ///
    /// Ends the process for `--help`, for `--version`, and for arguments that clap rejects.
    ///
    /// # Errors
    /// A message for the operator, if `.env` cannot be read or two settings contradict each other.
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

    /// Checks settings that depend on each other.
    fn check(&self) -> Result<(), String> {
        let (kept, max) = (self.database.pool_kept, self.database.pool_max);
        if kept > max {
            return Err(format!(
                "SNAPNOTE_POOL_KEPT is {kept}, but the maximum is SNAPNOTE_POOL_MAX ({max}). Lower the first or raise the \
                 second."
            ));
        }
        let (changes, audit) = (self.database.changes_days, self.auth.audit_days);
        if audit != 0 && audit <= changes {
            return Err(format!(
                "SNAPNOTE_AUDIT_DAYS is {audit}, but it must be at least one more than SNAPNOTE_CHANGES_DAYS ({changes}), \
                 because the change feed is read from the audit log. Raise the first (0 keeps the log forever) or lower \
                 the second."
            ));
        }
        Ok(())
    }
}

/// Global arguments, so that settings can come before or after the subcommand.
fn command() -> clap::Command {
    Config::command().mut_args(|setting| setting.global(true))
}

/// The message for a `.env` that cannot be read. It does not quote the line, which may contain a secret.
fn unreadable(error: &dotenvy::Error) -> String {
    let why = match error {
        dotenvy::Error::LineParse(..) => {
            "a line is not NAME=value (values with spaces or # need quotes)".to_owned()
        }
        error => error.to_string(),
    };
    format!(".env cannot be read: {why}. Correct or remove the file.")
}

/// The program's commands.
#[derive(Subcommand, Debug, Clone)]
pub enum Command {
    /// Serve the API (the default command).
    Serve {
        /// Apply pending migrations first, even if the database is not embedded.
        #[arg(long)]
        migrate: bool,
    },
    /// Apply, revert or list database migrations.
    Migrate {
        /// What to do.
        #[command(subcommand)]
        action: MigrateAction,
    },
    /// Print the GraphQL schema.
    Schema,
    /// Add three demo users with a semester of data, and print how to sign in.
    Demo,
    /// Manage admins, imports and emails.
    Admin {
        /// What to do.
        #[command(subcommand)]
        action: AdminAction,
    },
}

/// The commands of `snapnote admin`.
#[derive(Subcommand, Debug, Clone)]
pub enum AdminAction {
    /// Make the user with this email address an admin.
    Grant {
        /// The email address. ASCII case does not matter.
        email: String,
    },
    /// Import the users of another system (file format: docs/auth.md).
    ImportUsers {
        /// A file with one JSON object per line, or `-` for standard input.
        file: PathBuf,
    },
    /// List the emails that are waiting or were given up.
    Mails,
    /// Retry the emails that were given up, except those whose link has expired.
    RetryMails,
}

/// The commands of `snapnote migrate`.
#[derive(Subcommand, Debug, Clone)]
pub enum MigrateAction {
    /// Apply all pending migrations.
    Up,
    /// Revert the newest migrations. DELETES THE DATA in their tables.
    Down {
        /// How many migrations to revert.
        #[arg(default_value_t = 1)]
        count: usize,
    },
    /// List all migrations and whether they are applied.
    Status,
}

/// The database, the pool and retention.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// The database (PostgreSQL 14 or newer), e.g. postgres://user:password@host/database?sslmode=verify-full. If unset, the
    /// service starts a private PostgreSQL in the data folder.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// The same database at an address without a pooler. Processes use it to notify each other of changes immediately. If
    /// unset, they poll for other processes' changes once a second. Only needed with DATABASE_URL.
    #[arg(long, env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub database_direct_url: Option<Secret>,
    /// The folder of the embedded PostgreSQL, the generated signing key, images and emails.
    #[arg(long, env = "SNAPNOTE_DATA_DIR", default_value = ".snapnote")]
    pub data_dir: PathBuf,
    /// The folder of PostgreSQL's programs, for the embedded server. If unset, the service searches PATH and the usual folders.
    #[arg(long, env = "SNAPNOTE_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
    /// Database connections that stay open while idle. Maximum: SNAPNOTE_POOL_MAX.
    #[arg(long, env = "SNAPNOTE_POOL_KEPT", default_value_t = 5)]
    pub pool_kept: usize,
    /// Maximum connections in the pool. Rate limits use two more.
    #[arg(long, env = "SNAPNOTE_POOL_MAX", default_value = "15", value_parser = at_least_one)]
    pub pool_max: usize,
    /// How long a request waits for a connection before it fails with UNAVAILABLE.
    #[arg(long, env = "SNAPNOTE_POOL_WAIT", default_value = "5s")]
    pub pool_wait: Span,
    /// Age at which a database connection is replaced.
    #[arg(long, env = "SNAPNOTE_POOL_LIFETIME", default_value = "5m")]
    pub pool_lifetime: Span,
    /// Maximum time to open a database connection.
    #[arg(long, env = "SNAPNOTE_CONNECT_TIMEOUT", default_value = "10s")]
    pub connect_timeout: Span,
    /// Maximum run time of a statement. PostgreSQL cancels statements that take longer.
    #[arg(long, env = "SNAPNOTE_STATEMENT_TIMEOUT", default_value = "30s")]
    pub statement_timeout: Span,
    /// Whether prepared statements are kept for their next use. Set it to false to save memory of the server or the pooler.
    /// PgBouncer in transaction mode must be 1.21 or newer either way.
    #[arg(long, env = "SNAPNOTE_PREPARED_STATEMENTS", default_value_t = true, action = clap::ArgAction::Set)]
    pub prepared_statements: bool,
    /// Days that items stay in the trash before they are deleted permanently (0 keeps them forever).
    #[arg(long, env = "SNAPNOTE_TRASH_DAYS", default_value_t = 30)]
    pub trash_days: u32,
    /// Days that the change feed goes back and that its cursors are valid (1–36500). SNAPNOTE_AUDIT_DAYS must be greater.
    #[arg(long, env = "SNAPNOTE_CHANGES_DAYS", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub changes_days: u32,
}

/// The HTTP server.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Server")]
pub struct ServerConfig {
    /// Address and port to listen on.
    #[arg(long, env = "SNAPNOTE_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Origins whose pages may call the API, separated by commas, e.g. https://app.example.com. * allows any origin, and :* any
    /// port, e.g. http://localhost:*. If unset, none may, but with the embedded database http://localhost:*, http://127.0.0.1:*
    /// and http://[::1]:* may.
    #[arg(long, env = "SNAPNOTE_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
    /// Whether GraphiQL is served at /graphiql.
    #[arg(long, env = "SNAPNOTE_GRAPHIQL", default_value_t = true, action = clap::ArgAction::Set)]
    pub graphiql: bool,
    /// Maximum time for a whole request.
    #[arg(long, env = "SNAPNOTE_REQUEST_TIMEOUT", default_value = "10s")]
    pub request_timeout: Span,
    /// Maximum time to receive a request's headers. Also how long a connection may be idle between two requests, and how long
    /// a client may not read its response.
    #[arg(long, env = "SNAPNOTE_HEADER_TIMEOUT", default_value = "30s")]
    pub header_timeout: Span,
    /// Maximum time to receive a request's body.
    #[arg(long, env = "SNAPNOTE_BODY_TIMEOUT", default_value = "5s")]
    pub body_timeout: Span,
    /// How long connections are still accepted at shutdown, while `/readyz` already returns 503. Load balancers need a few seconds to
    /// notice.
    #[arg(long, env = "SNAPNOTE_SHUTDOWN_DELAY", default_value = "0s", value_parser = delay)]
    pub shutdown_delay: Span,
    /// How long running requests may take to finish at shutdown.
    #[arg(long, env = "SNAPNOTE_SHUTDOWN_TIMEOUT", default_value = "15s")]
    pub shutdown_timeout: Span,
    /// Networks of proxies, separated by commas, e.g. 10.0.0.0/8,::1/128. X-Forwarded-For is trusted only from these.
    #[arg(long, env = "SNAPNOTE_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Maximum client connections at the same time.
    #[arg(long, env = "SNAPNOTE_MAX_CONNECTIONS", default_value = "10000", value_parser = at_least_one)]
    pub max_connections: usize,
}

/// Tokens, passwords, external identity providers and the audit log.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Authentication")]
pub struct AuthConfig {
    /// The signing key of access tokens. Minimum 32 bytes. Required with DATABASE_URL; otherwise a key is generated and kept
    /// in the data folder.
    #[arg(long, env = "SNAPNOTE_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<Secret>,
    /// The issuer (iss) of access tokens.
    #[arg(long, env = "SNAPNOTE_JWT_ISSUER", default_value = "snapnote")]
    pub jwt_issuer: String,
    /// The audience (aud) of access tokens.
    #[arg(long, env = "SNAPNOTE_JWT_AUDIENCE", default_value = "snapnote")]
    pub jwt_audience: String,
    /// Lifetime of access tokens.
    #[arg(long, env = "SNAPNOTE_ACCESS_TOKEN_LIFETIME", default_value = "15m")]
    pub access_token_lifetime: Span,
    /// How long an exchanged refresh token still returns the same successor (1s–10m), for lost responses and several tabs. After
    /// that, using it ends the session.
    #[arg(long, env = "SNAPNOTE_REFRESH_GRACE", default_value = "60s", value_parser = grace)]
    pub refresh_grace: Span,
    /// Maximum passwords hashed at the same time. Higher values let sign-ins slow down other requests.
    #[arg(long, env = "SNAPNOTE_HASHING_PERMITS", default_value = "1", value_parser = at_least_one)]
    pub hashing_permits: usize,
    /// External identity providers whose tokens are accepted: the path of a TOML file, or the TOML itself (docs/auth.md).
    #[arg(long, env = "SNAPNOTE_ISSUERS", hide_env_values = true)]
    pub issuers: Option<Secret>,
    /// Days that the audit log is kept (0 keeps it forever).
    #[arg(long, env = "SNAPNOTE_AUDIT_DAYS", default_value_t = 365)]
    pub audit_days: u32,
}

/// Limits of one request.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Request limits")]
pub struct LimitsConfig {
    /// Maximum size of a request's body, in bytes.
    #[arg(long, env = "SNAPNOTE_MAX_BODY", default_value = "1048576", value_parser = at_least_one)]
    pub max_body: usize,
    /// Maximum lexical tokens in a GraphQL document.
    #[arg(long, env = "SNAPNOTE_MAX_TOKENS", default_value = "4000", value_parser = at_least_one)]
    pub max_tokens: usize,
    /// Maximum nesting depth of fields. GraphiQL's introspection needs 15.
    #[arg(long, env = "SNAPNOTE_MAX_DEPTH", default_value = "15", value_parser = at_least_one)]
    pub max_depth: usize,
    /// Maximum fields with an alias.
    #[arg(long, env = "SNAPNOTE_MAX_ALIASES", default_value_t = 100)]
    pub max_aliases: usize,
    /// Maximum root fields of an operation.
    #[arg(long, env = "SNAPNOTE_MAX_ROOT_FIELDS", default_value = "50", value_parser = at_least_one)]
    pub max_root_fields: usize,
    /// Maximum cost in points: one per object that the request could load. A list costs its page size times its children.
    #[arg(long, env = "SNAPNOTE_MAX_COST", default_value_t = 10_000)]
    pub max_cost: u64,
    /// Maximum parsed and validated GraphQL documents kept in memory.
    #[arg(long, env = "SNAPNOTE_CACHED_DOCUMENTS", default_value = "1000", value_parser = at_least_one)]
    pub cached_documents: usize,
}

/// Logging.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Log")]
pub struct LogConfig {
    /// The level (error, warn, info, debug, trace), or directives such as warn,snapnote=debug.
    #[arg(long, env = "SNAPNOTE_LOG", default_value = "info")]
    pub log: String,
    /// The format of log lines.
    #[arg(long, env = "SNAPNOTE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Human-readable text.
    Text,
    /// One JSON object per line.
    Json,
}

#[cfg(test)]
mod tests;
