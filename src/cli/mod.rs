//! The commands of the program `snapnote`.
//!
//! A command that fails prints one message to standard error and exits with code 1. The message says what is wrong, where, and
//! what to do. `config::commands` has the other exit codes, which `--help` shows.

mod admin;
mod backup;
mod banner;
mod check;
mod confirmation;
mod database_server;
mod descriptors;
mod healthcheck;
mod manual;
mod migrations;
mod progress;
mod reindex;
mod secret;
mod settings;
mod signals;
mod start_event;
mod unfinished;

use std::{
    fmt,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
};

use database_server::DatabaseServer;
use secret::secrets;
use serde::Serialize;
use settings::settings;
use signals::shutdown_requested;
use tokio::net::{TcpListener, TcpSocket};

use crate::{
    app::App,
    auth::keys::Secrets,
    config::{Command, Config, format_of_problems},
    db::{migrate, pooler},
    demo,
    email_address::EmailAddress,
    error::Error,
    graphql,
    telemetry::{self, LogFormat, LogSettings, json_message, traces::Traces},
};

/// Runs the program.
pub fn run() -> ExitCode {
    let config = match Config::read() {
        Ok(config) => config,
        Err(problems) => {
            let format = format_of_problems();
            problems
                .iter()
                .for_each(|problem| say(format, "ERROR", problem));
            return ExitCode::FAILURE;
        }
    };
    let format = config.log.log_format;
    let fail = |failure: Failure| {
        say(format, "ERROR", &failure.message);
        ExitCode::from(failure.code)
    };
    let traces = match start_log(&config) {
        Ok(traces) => traces,
        Err(message) => return fail(message.into()),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("The service cannot start threads: {error}.").into()),
    };
    let outcome = runtime.block_on(execute(&config));
    if let Some(traces) = traces {
        traces.finish();
    }
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(failure),
    }
}

/// Starts the log, and traces if the service runs.
fn start_log(config: &Config) -> Result<Option<Traces>, String> {
    let log = match (config.log.settings(), &config.command) {
        // `check` reports it as a finding.
        (Err(_), Some(Command::Check { .. })) => LogSettings {
            filter: config.log.log.clone(),
            format: config.log.log_format,
        },
        (settings, _) => settings?,
    };
    let serves = matches!(config.command, None | Some(Command::Serve { .. }));
    let traces = config.observability.traces().filter(|_| serves);
    telemetry::log::start(&log, traces.as_ref())
}

/// Writes a message to standard error, whatever the filter of the log.
fn say(format: LogFormat, level: &str, message: &str) {
    let line = match format {
        LogFormat::Text => format!("snapnote: {message}"),
        LogFormat::Json => json_message(level, message, &[]),
    };
    // If standard error is closed, the exit code still reports a failure.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes to standard output. A reader that closes the pipe early (`snapnote schema | head`) is not an error.
fn print(text: impl fmt::Display) -> Outcome {
    let written = write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("Writing to standard output failed: {error}.").into())
        }
        _ => Ok(()),
    }
}

/// Writes JSON to standard output.
fn print_json(value: &impl Serialize) -> Outcome {
    let json = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    print(format_args!("{json}\n"))
}

/// Why a command failed: a message for the operator, and the exit code.
struct Failure {
    message: String,
    code: u8,
}

type Outcome<T = ()> = Result<T, Failure>;

/// The email address that an operator typed.
fn email_address(typed: &str) -> Result<EmailAddress, String> {
    EmailAddress::parse(typed).map_err(|invalid| format!("The email address {}", invalid.reason()))
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure { message, code: 1 }
    }
}

impl From<Error> for Failure {
    /// Shows the detail of the error, which clients never see.
    fn from(error: Error) -> Self {
        match error.detail.is_empty() {
            true => error.message.into_owned().into(),
            false => error.detail.into(),
        }
    }
}

async fn execute(config: &Config) -> Outcome {
    let command = config.command.clone();
    match command.unwrap_or(Command::Serve { migrate: false }) {
        Command::Serve { migrate } => serve(config, migrate).await,
        Command::Migrate { action } => {
            on_database(config, async |database| {
                migrations::run(&database.target, action).await
            })
            .await
        }
        Command::Backup(options) => {
            on_database(config, async |database| {
                backup::backup(config, database, &options).await
            })
            .await
        }
        Command::Restore(options) => {
            on_database(config, async |database| {
                backup::restore(config, database, &options).await
            })
            .await
        }
        Command::Check { json } => check::run(config, json).await,
        Command::Schema => print(graphql::sdl()),
        Command::Healthcheck => healthcheck::run(banner::shown_address(config.server.listen)).await,
        Command::Completions { shell } => print(manual::completions(shell)),
        Command::Man => print(manual::page()?),
        Command::Demo { json } => {
            on_database(config, async |database| {
                fill_demo(config, database, json).await
            })
            .await
        }
        Command::Reindex(options) => {
            on_database(config, async |database| {
                reindex::run(config, database, options).await
            })
            .await
        }
        Command::Admin { action } => admin::run(config, action).await,
    }
}

/// Starts the database, runs a command on it, and stops it.
async fn on_database(
    config: &Config,
    command: impl AsyncFnOnce(&DatabaseServer) -> Outcome,
) -> Outcome {
    let database = DatabaseServer::start(&config.database).await?;
    let outcome = command(&database).await;
    database.stop().await;
    outcome
}

/// Maximum number of connections that wait to be accepted, for example after a restart. Clients beyond it retry after a second.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Lets a restarted service use its address while the system still keeps connections of the previous process.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Refuses huge pages, which make the resident memory a third larger and only password hashing faster (docs/benchmarks.md). The
/// allocator does not ask for them (`no_thp`), but some systems give them unasked. Where refusing is forbidden, the process takes more memory.
#[cfg(target_os = "linux")]
fn refuse_huge_pages() {
    let _ = nix::sys::prctl::set_thp_disable(true);
}

async fn serve(config: &Config, migrate_first: bool) -> Outcome {
    #[cfg(target_os = "linux")]
    refuse_huge_pages();
    let max_open = descriptors::for_clients(config)?;
    let listener = listen(config.server.listen).map_err(|error| {
        format!(
            "Listening on {} failed: {error}. Set SNAPNOTE_LISTEN to a free address.",
            config.server.listen
        )
    })?;
    let metrics_listener = match config.observability.metrics_listen {
        Some(address) => Some(listen(address).map_err(|error| {
            format!("Listening on {address} failed: {error}. Set SNAPNOTE_METRICS_LISTEN to a free address.")
        })?),
        None => None,
    };
    // Installed before the database starts, so that a signal during start-up is not lost.
    let shutdown = signals::shutdown(config.log.log_format)?;
    signals::reread_log_filter(config.log.clone())?;
    let database = tokio::select! {
        database = DatabaseServer::start(&config.database) => database?,
        () = shutdown_requested(shutdown.clone()) => return Ok(()),
    };
    let outcome = serve_on(
        config,
        &database,
        migrate_first,
        (listener, metrics_listener),
        max_open,
        shutdown_requested(shutdown),
    )
    .await;
    database.stop().await;
    outcome
}

async fn serve_on(
    config: &Config,
    database: &DatabaseServer,
    migrate_first: bool,
    (listener, metrics_listener): (TcpListener, Option<TcpListener>),
    max_open: usize,
    shutdown: impl Future<Output = ()>,
) -> Outcome {
    let secrets = secrets(config)?;
    ensure_schema(database, migrate_first).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let app = app(config, database, secrets, address, max_open)?;
    start_event::log(config, database, &app, address, max_open).await?;
    let metrics = metrics_listener.as_ref().map(TcpListener::local_addr);
    let metrics = metrics.transpose().map_err(|error| error.to_string())?;
    print(banner::of(config, address, metrics))?;
    let app = app.with_metrics_on(metrics_listener);
    app.serve(listener, shutdown).await;
    Ok(())
}

async fn fill_demo(config: &Config, database: &DatabaseServer, json: bool) -> Outcome {
    let secrets = secrets(config)?;
    ensure_schema(database, false).await?;
    // It does not serve clients.
    let app = app(config, database, secrets.clone(), config.server.listen, 0)?;
    let bar = progress::count(json, "users", Some(demo::USERS));
    let report = demo::fill(app.database(), app.auth(), &secrets, || bar.inc(1)).await?;
    bar.finish_and_clear();
    match json {
        true => print_json(&report),
        false => print(report),
    }
}

/// The service, on a database with a schema that fits.
fn app(
    config: &Config,
    database: &DatabaseServer,
    secrets: Secrets,
    listening: SocketAddr,
    max_open: usize,
) -> Outcome<App> {
    let settings = settings(config, database, secrets, listening, max_open)?;
    Ok(App::new(database.target.clone(), settings)?)
}

/// Fails if this program cannot work on the database. Applies migrations to an embedded database, and to another one only if
/// `migrates`. Otherwise only reads.
async fn ensure_schema(database: &DatabaseServer, migrates: bool) -> Outcome {
    let is_embedded = database.embedded.is_some();
    if !is_embedded {
        pooler::check(&database.target).await?;
    }
    if is_embedded || migrates {
        migrate::up(&database.target).await?;
    }
    migrations::require_fitting_schema(&database.target).await?;
    if database.read.is_some() && database.target.is_sharded() {
        let message = "The database is sharded, so DATABASE_READ_URL cannot be used: items are on other servers. Unset it.";
        return Err(message.to_owned().into());
    }
    Ok(())
}
