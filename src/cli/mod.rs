//! The program: what each command does, and how it ends.
//!
//! A failure is one message on standard error (what is wrong, where, and what to do about it) and exit code 1.

mod admin;
mod secret;

use std::{
    fmt,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use secret::secret;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    app::{App, AppSettings},
    auth::AuthSettings,
    auth::outside::{IssuerSettings, KeyAges},
    changes::LiveSettings,
    config::{Command, Config, DatabaseConfig, MigrateAction},
    db::{
        PoolSettings,
        connect::{SessionSettings, Target},
        embedded::{Embedded, Settings},
        migrate,
    },
    demo,
    error::Error,
    graphql,
    graphql::Limits,
    http::{EdgeSettings, UploadSettings, server::ServerSettings},
    mail::MailSettings,
    telemetry,
};

/// How often it is written down when sessions were last used.
const USAGE_INTERVAL: Duration = Duration::from_secs(60);

/// Runs the program.
pub fn run() -> ExitCode {
    let config = match Config::read() {
        Ok(config) => config,
        Err(message) => return fail(&message),
    };
    if let Err(message) = telemetry::start(&config.log) {
        return fail(&message);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("The service cannot start its threads: {error}.")),
    };
    match runtime.block_on(execute(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

fn fail(message: &str) -> ExitCode {
    // If nobody reads it, the exit code still says it.
    let _ = writeln!(io::stderr(), "snapnote: {message}");
    ExitCode::FAILURE
}

/// Writes to standard output. A reader that has read enough (`snapnote schema | head`) is no fault.
fn say(text: impl fmt::Display) -> Result<(), String> {
    let written = write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("Standard output cannot be written to: {error}."))
        }
        _ => Ok(()),
    }
}

/// What an operator reads of an error: its detail, which callers never see.
fn told(error: Error) -> String {
    if error.detail.is_empty() {
        error.message.into_owned()
    } else {
        error.detail
    }
}

async fn execute(config: Config) -> Result<(), String> {
    match config
        .command
        .clone()
        .unwrap_or(Command::Serve { migrate: false })
    {
        Command::Serve { migrate } => serve(&config, migrate).await,
        Command::Migrate { action } => {
            let place = Place::of(&config.database).await?;
            let outcome = migrate(&place.target, action).await;
            place.leave().await;
            outcome
        }
        Command::Schema => say(graphql::sdl()),
        Command::Demo => {
            let place = Place::of(&config.database).await?;
            let outcome = fill_demo(&config, &place).await;
            place.leave().await;
            outcome
        }
        Command::Admin { action } => admin::run(&config, action).await,
    }
}

/// Where the data is: a server of somebody's, or one of our own, which lives as long as this.
struct Place {
    target: Target,
    /// The same without a pooler before it, if there is such a way.
    direct: Option<Target>,
    embedded: Option<Embedded>,
}

impl Place {
    async fn of(config: &DatabaseConfig) -> Result<Place, String> {
        let (url, embedded) = match &config.database_url {
            Some(url) => (url.reveal().to_owned(), None),
            None => {
                let folder = config.data_dir.join("postgres");
                let settings = Settings {
                    folder,
                    binaries: config.pg_bin.clone(),
                    durable: true,
                };
                let embedded = Embedded::start(settings)
                    .await
                    .map_err(|error| error.to_string())?;
                (embedded.url(), Some(embedded))
            }
        };
        let session = SessionSettings {
            statement_timeout: config.statement_timeout.0,
            connect_timeout: config.connect_timeout.0,
            prepared_statements: config.prepared_statements,
        };
        let target = Target::parse(&url)
            .map_err(|error| format!("DATABASE_URL: {error}"))?
            .with(session);
        let direct = match &config.database_direct_url {
            _ if embedded.is_some() => Some(target.clone()),
            None => None,
            Some(url) => {
                let direct = Target::parse(url.reveal());
                let direct = direct.map_err(|error| format!("DATABASE_DIRECT_URL: {error}"))?;
                Some(direct.with(session))
            }
        };
        Ok(Place {
            target,
            direct,
            embedded,
        })
    }

    async fn leave(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

async fn serve(config: &Config, migrate_first: bool) -> Result<(), String> {
    let listener = TcpListener::bind(config.server.listen)
        .await
        .map_err(|error| {
            format!(
                "{} cannot be listened on: {error}. Set SNAPNOTE_LISTEN to a free one.",
                config.server.listen
            )
        })?;
    // Known before anything is started, so that a stop while starting up stops it.
    let stop = stop_signal()?;
    let place = tokio::select! {
        place = Place::of(&config.database) => place?,
        () = stop_asked(stop.clone()) => return Ok(()),
    };
    let outcome = serve_at(config, &place, migrate_first, listener, stop_asked(stop)).await;
    place.leave().await;
    outcome
}

async fn serve_at(
    config: &Config,
    place: &Place,
    migrate_first: bool,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Result<(), String> {
    let secret = secret(config)?;
    if migrate_first {
        migrate::up(&place.target).await.map_err(told)?;
    }
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let app = app(config, place, secret, address).await?;
    say(format_args!("API       http://{address}/graphql\n"))?;
    if config.server.graphiql {
        say(format_args!("GraphiQL  http://{address}/graphiql\n"))?;
    }
    say(format_args!("Schema    http://{address}/schema.graphql\n"))?;
    app.serve(listener, stop).await;
    Ok(())
}

async fn refuse_old_schema(target: &Target) -> Result<(), String> {
    let states = migrate::status(target).await.map_err(told)?;
    let pending: Vec<String> = states
        .into_iter()
        .filter(|state| !state.applied)
        .map(|state| state.name)
        .collect();
    if pending.is_empty() {
        return Ok(());
    }
    Err(format!(
        "The database's schema is older than this program; not applied: {}. Run `snapnote migrate up` first, or start \
         with `snapnote serve --migrate`.",
        pending.join(", ")
    ))
}

async fn migrate(target: &Target, action: MigrateAction) -> Result<(), String> {
    match action {
        MigrateAction::Up => {
            for version in migrate::up(target).await.map_err(told)? {
                say(format_args!("applied {version}\n"))?;
            }
            say("The schema is up to date.\n")
        }
        MigrateAction::Down { count } => {
            for version in migrate::down(target, count).await.map_err(told)? {
                say(format_args!("took back {version}\n"))?;
            }
            Ok(())
        }
        MigrateAction::Status => {
            for state in migrate::status(target).await.map_err(told)? {
                let applied = if state.applied { "applied" } else { "pending" };
                say(format_args!("{applied} {}\n", state.name))?;
            }
            Ok(())
        }
    }
}

async fn fill_demo(config: &Config, place: &Place) -> Result<(), String> {
    let secret = secret(config)?;
    let app = app(config, place, secret.clone(), config.server.listen).await?;
    let report = demo::fill(app.database(), app.auth(), &secret)
        .await
        .map_err(told)?;
    say(report)
}

/// The service on a database whose schema is as it must be; the embedded one is brought up to date.
async fn app(
    config: &Config,
    place: &Place,
    secret: Vec<u8>,
    listening: SocketAddr,
) -> Result<App, String> {
    ensure_schema(place).await?;
    let settings = settings(config, place, secret, listening)?;
    App::new(place.target.clone(), settings)
}

async fn ensure_schema(place: &Place) -> Result<(), String> {
    if place.embedded.is_some() {
        migrate::up(&place.target).await.map_err(told)?;
        return Ok(());
    }
    refuse_old_schema(&place.target).await
}

fn pool(config: &DatabaseConfig) -> PoolSettings {
    PoolSettings {
        kept: config.pool_kept,
        max_connections: config.pool_max,
        wait: config.pool_wait.0,
        lifetime: config.pool_lifetime.0,
    }
}

fn settings(
    config: &Config,
    place: &Place,
    secret: Vec<u8>,
    listening: SocketAddr,
) -> Result<AppSettings, String> {
    let data_dir = &config.database.data_dir;
    let images = config
        .storage
        .settings(data_dir, listening, secret.clone())?;
    let issuers = match &config.auth.issuers {
        Some(issuers) => IssuerSettings::read(issuers.reveal())?,
        None => Vec::new(),
    };
    Ok(AppSettings {
        pool: pool(&config.database),
        auth: AuthSettings {
            secret,
            issuer: config.auth.jwt_issuer.clone(),
            audience: config.auth.jwt_audience.clone(),
            access_lifetime: config.auth.access_token_lifetime.0,
            refresh_grace: config.auth.refresh_grace.0,
            hashing_permits: config.auth.hashing_permits,
            usage_interval: USAGE_INTERVAL,
            throttle: config.throttle.settings(),
            issuers,
            key_ages: KeyAges::default(),
        },
        limits: Limits {
            tokens: config.limits.max_tokens,
            depth: config.limits.max_depth,
            aliases: config.limits.max_aliases,
            root_fields: config.limits.max_root_fields,
            cost: config.limits.max_cost,
            cached_documents: config.limits.cached_documents,
            ..Limits::default()
        },
        edge: EdgeSettings {
            request_timeout: config.server.request_timeout.0,
            body_timeout: config.server.body_timeout.0,
            max_body: config.limits.max_body,
            graphiql: config.server.graphiql,
            cors_origins: config.server.cors_origins.clone(),
            trusted_proxies: config.server.trusted_proxies.clone(),
            uploads: UploadSettings::default(),
            streams: config.streams.settings(),
        },
        server: ServerSettings {
            header_timeout: config.server.header_timeout.0,
            // Streams have a patience of their own.
            write_timeout: (config.server.header_timeout.0).max(2 * config.streams.heartbeat.0),
            max_connections: config.server.max_connections,
            shutdown_timeout: config.server.shutdown_timeout.0,
        },
        trash_days: config.database.trash_days,
        audit_days: config.auth.audit_days,
        live: LiveSettings::new(config.database.changes_days, place.direct.clone()),
        mail: MailSettings {
            idle: MailSettings::IDLE,
            smtp_url: config
                .mail
                .smtp_url
                .as_ref()
                .map(|url| url.reveal().to_owned()),
            from: config.mail.mail_from.clone(),
            app_url: config.mail.app_url.clone(),
            folder: data_dir.join("mails"),
        },
        images,
    })
}

type Stop = tokio::sync::watch::Receiver<bool>;

/// Watches for Ctrl-C and SIGTERM; the second one ends the process at once.
fn stop_signal() -> Result<Stop, String> {
    let wrong = |error: io::Error| format!("The service cannot watch for signals: {error}.");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(wrong)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(wrong)?;
    let (ask, asked) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        for round in 0..2 {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            if round == 1 {
                std::process::exit(130);
            }
            let _ = writeln!(
                io::stderr(),
                "snapnote: stopping; once more to stop at once"
            );
            let _ = ask.send(true);
        }
    });
    Ok(asked)
}

async fn stop_asked(mut stop: Stop) {
    // An error would mean that the watcher is gone, which ends only with the process.
    let _ = stop.wait_for(|asked| *asked).await;
}
