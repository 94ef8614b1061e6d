//! The settings: flags, environment variables and `.env`. No other module reads the environment.
//!
//! `environment` reads them and reports unknown and invalid variables. Each setting has the same name as a flag and as a
//! variable: `--max-cost` is `SNAPNOTE_MAX_COST`. The doc comments here are the texts of `--help`, the reference for operators.
//! `.env.example` lists every setting, and a test compares both. `commands` has the commands, `secret_file` reads secrets from files.

#![expect(rustdoc::bare_urls, reason = "--help prints them as they are")]

mod auth;
mod commands;
mod database_source;
mod documents;
mod environment;
mod limits;
mod log;
mod mail;
mod observability;
mod quotas;
mod rate_limits;
mod secret_file;
mod server;
mod storage;
mod streams;
mod values;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::PathBuf,
};

pub use auth::AuthConfig;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
pub use commands::{
    AdminAction, BackupOptions, Command, MigrateAction, ReindexOptions, RestoreOptions,
};
use database_source::Situation;
pub use documents::DocumentsConfig;
use environment::Variables;
pub use limits::LimitsConfig;
pub use log::{LogConfig, format_of_problems};
pub use mail::MailConfig;
pub use observability::ObservabilityConfig;
pub use quotas::QuotaConfig;
pub use rate_limits::RateLimitConfig;
pub use server::ServerConfig;
pub use storage::StorageConfig;
pub use streams::StreamConfig;
pub use values::{Secret, Span};
use values::{at_least_one, max_lag};

use crate::http;

/// The version of the program and the commit that it was built from.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_COMMIT"), ")");

/// A GraphQL API service for courses, documents, tasks and tags, on PostgreSQL.
///
/// Without DATABASE_URL it can use an embedded database: a private PostgreSQL with its data in the data folder. It does so on a
/// terminal, under `cargo run`, and with --embedded.
///
/// A flag overrides its variable. An empty variable counts as not set. For each variable that can contain a secret, NAME_FILE can
/// name a file that contains the value.
#[derive(Parser, Debug)]
#[command(name = "snapnote", version = VERSION, after_help = commands::EXAMPLES)]
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
    /// Trusted documents and persisted queries.
    #[command(flatten)]
    pub documents: DocumentsConfig,
    /// How much each user may have.
    #[command(flatten)]
    pub quotas: QuotaConfig,
    /// Logging.
    #[command(flatten)]
    pub log: LogConfig,
    /// Metrics and traces.
    #[command(flatten)]
    pub observability: ObservabilityConfig,
    /// For `snapnote check`: what is wrong with the settings.
    #[arg(skip)]
    pub(crate) found: Found,
}

/// What `snapnote check` reports of the settings. Other commands do not start with wrong settings.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Messages for the operator.
    pub(crate) problems: Vec<String>,
    /// Whether all settings could be read. Otherwise all have their defaults.
    pub(crate) is_readable: bool,
    /// Whether a database is configured.
    pub(crate) has_database: bool,
}

impl Default for Found {
    fn default() -> Self {
        Found {
            problems: Vec::new(),
            is_readable: true,
            has_database: true,
        }
    }
}

impl Config {
    /// Reads the settings. Flags override the environment, which overrides `.env`. An empty variable counts as not set.
    ///
    /// Ends the process for `--help`, for `--version`, and for arguments that clap rejects.
    ///
    /// # Errors
    /// Messages for the operator: all problems of the settings, one per line of output.
    pub fn read() -> Result<Config, Vec<String>> {
        let given = std::env::var_os("SNAPNOTE_LOG");
        match dotenvy::dotenv() {
            Err(error) if !error.not_found() => return Err(vec![unreadable(&error)]),
            _ => {}
        }
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let variables = Variables::of_process();
        let mut config = match Config::parse_from(&arguments, &variables) {
            Ok(config) => config,
            Err(ReadError::Usage(error)) => log::exit(&error),
            Err(ReadError::Settings(problems)) => {
                return Config::unreadable(&arguments, problems);
            }
        };
        config.log.note_origin(given.as_deref());
        let situation = Situation {
            variables: &variables,
            on_terminal: io::stderr().is_terminal(),
        };
        let problems = config.problems(&situation);
        if matches!(config.command, Some(Command::Check { .. })) {
            let database = database_source::problem(&config.database, &situation);
            let mut config = config;
            config.found.problems = problems;
            config.found.has_database = database.is_none();
            return Ok(config);
        }
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }

    /// Only `snapnote check` runs with settings that could not be read, in order to report them.
    fn unreadable(arguments: &[OsString], problems: Vec<String>) -> Result<Config, Vec<String>> {
        match Config::parse_from(arguments, &Variables::from_iter([])) {
            Ok(mut config) if matches!(config.command, Some(Command::Check { .. })) => {
                config.found.problems = problems;
                config.found.is_readable = false;
                Ok(config)
            }
            _ => Err(problems),
        }
    }

    fn parse_from(arguments: &[OsString], variables: &Variables) -> Result<Config, ReadError> {
        let matches = environment::read(arguments, variables)?;
        Config::from_arg_matches(&matches).map_err(ReadError::Usage)
    }

    /// Everything that is wrong with the settings together.
    fn problems(&self, situation: &Situation<'_>) -> Vec<String> {
        let mut problems = self.contradictions();
        problems.extend(self.log.settings().err());
        problems.extend(self.observability.problems());
        let needs_no_database = matches!(
            self.command,
            Some(
                Command::Schema | Command::Healthcheck | Command::Completions { .. } | Command::Man
            )
        );
        if !needs_no_database {
            problems.extend(database_source::problem(&self.database, situation));
            problems.extend(database_source::invalid_addresses(&self.database));
        }
        let serves = matches!(
            self.command,
            None | Some(Command::Serve { .. } | Command::Check { .. })
        );
        if serves || matches!(self.command, Some(Command::Demo { .. })) {
            let has_url = self.database.database_url.is_some();
            problems.extend(self.auth.secret_problems(has_url));
        }
        if serves {
            problems.extend(self.storage.url_problem(self.server.listen));
            problems.extend(self.mail.problems());
            problems.extend(http::invalid_origin(&self.server.cors_origins));
            problems.extend(self.auth.issuers_problem());
        }
        problems
    }

    /// Settings that contradict each other.
    fn contradictions(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let (kept, max) = (self.database.pool_kept, self.database.pool_max);
        if kept > max {
            problems.push(format!(
                "SNAPNOTE_POOL_KEPT is {kept}, but the maximum is SNAPNOTE_POOL_MAX ({max}). Lower the first or raise the \
                 second."
            ));
        }
        problems.extend(self.rate_limits.cost_problem(self.limits.max_cost));
        let (changes, audit) = (self.database.changes_days, self.auth.audit_days);
        if audit != 0 && audit <= changes {
            problems.push(format!(
                "SNAPNOTE_AUDIT_DAYS is {audit}, but it must be at least one more than SNAPNOTE_CHANGES_DAYS ({changes}), \
                 because the change feed is read from the audit log. Raise the first (0 keeps the log forever) or lower \
                 the second."
            ));
        }
        problems
    }
}

/// Why the settings cannot be used.
#[derive(Debug)]
enum ReadError {
    /// What clap prints: the help, the version, or an error in the arguments.
    Usage(clap::Error),
    /// Messages about settings.
    Settings(Vec<String>),
}

/// The program's arguments. Settings are global, so that they can come before or after the subcommand.
pub(crate) fn command() -> clap::Command {
    Config::command().mut_args(|setting| setting.global(true))
}

/// Whether the environment asks for output without colors (https://no-color.org).
pub(crate) fn is_color_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
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

/// The database, the pool and retention.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// The database (PostgreSQL 14 or newer), e.g. postgres://user:password@host/database?sslmode=verify-full. Required, except
    /// with the embedded database.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// Whether to use the embedded database: a private PostgreSQL in the data folder. If unset, it is used without DATABASE_URL
    /// on a terminal and under `cargo run`.
    #[arg(long, env = "SNAPNOTE_EMBEDDED", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub embedded: Option<bool>,
    /// The same database at an address without a pooler, where processes receive notifications of each other's changes. If unset,
    /// they use DATABASE_URL, and poll once a second if a pooler in transaction mode is there.
    #[arg(long, env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub database_direct_url: Option<Secret>,
    /// A read replica: a streaming standby of the database, without a pooler. Queries read items from it if it shows the user's changes.
    #[arg(long, env = "DATABASE_READ_URL", hide_env_values = true)]
    pub database_read_url: Option<Secret>,
    /// How far the read replica may be behind the primary before queries use the primary (minimum 100ms).
    #[arg(long, env = "SNAPNOTE_READ_MAX_LAG", default_value = "5s", value_parser = max_lag)]
    pub read_max_lag: Span,
    /// The folder of the embedded PostgreSQL, the generated signing key, images and emails.
    #[arg(long, env = "SNAPNOTE_DATA_DIR", default_value = ".snapnote")]
    pub data_dir: PathBuf,
    /// The folder of PostgreSQL's programs, for the embedded server. If unset, the service searches PATH and the usual folders.
    #[arg(long, env = "SNAPNOTE_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
    /// Database connections that stay open between requests. They close after 4 minutes without use. Maximum: SNAPNOTE_POOL_MAX.
    #[arg(long, env = "SNAPNOTE_POOL_KEPT", default_value_t = 5)]
    pub pool_kept: usize,
    /// Maximum connections in the pool. Rate limits use two more, and a read replica as many again.
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
    /// Maximum run time of a statement. PostgreSQL cancels statements that take longer. Behind a pooler in transaction mode, it takes
    /// effect as the role's default, which `snapnote migrate up` sets.
    #[arg(long, env = "SNAPNOTE_STATEMENT_TIMEOUT", default_value = "30s")]
    pub statement_timeout: Span,
    /// Whether prepared statements are kept for their next use. Set it to false to save memory of the server or the pooler.
    /// PgBouncer in transaction mode must be 1.21 or newer either way.
    #[arg(long, env = "SNAPNOTE_PREPARED_STATEMENTS", default_value_t = true, action = clap::ArgAction::Set)]
    pub prepared_statements: bool,
    /// Whether short reads share a quarter of the connections (maximum 4) instead of leasing one. Needs
    /// SNAPNOTE_PREPARED_STATEMENTS and a maximum of at least 4 connections.
    #[arg(long, env = "SNAPNOTE_SHARED_READS", default_value_t = true, action = clap::ArgAction::Set)]
    pub shared_reads: bool,
    /// Days that items stay in the trash before they are deleted permanently (0 keeps them forever).
    #[arg(long, env = "SNAPNOTE_TRASH_DAYS", default_value_t = 30)]
    pub trash_days: u32,
    /// Days that the change feed goes back and that its cursors are valid (1–36500). SNAPNOTE_AUDIT_DAYS must be greater.
    #[arg(long, env = "SNAPNOTE_CHANGES_DAYS", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub changes_days: u32,
    /// Maximum memory of the search indexes of a process, in MiB (8–65536). An index takes about half the size of its user's
    /// texts, and at most half of this memory. Rarely used indexes are dropped first.
    #[arg(long, env = "SNAPNOTE_SEARCH_MEMORY", default_value = "128", value_parser = clap::value_parser!(u64).range(8..=65_536))]
    pub search_memory: u64,
}

#[cfg(test)]
mod tests;
