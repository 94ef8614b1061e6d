//! What lives as long as the process, put together: the one place where every part meets the others.

mod jobs;

use std::{future::Future, sync::Arc};

use tokio::{
    net::TcpListener,
    time::{Duration, Instant, timeout_at},
};

use crate::{
    audit::Audit,
    auth::{Auth, AuthSettings, limiter_pool},
    changes::{Live, LiveSettings},
    db::{Database, PoolSettings, background::JobStates, connect::Target},
    graphql::{Api, Limits, Services},
    http::{Edge, EdgeSettings, server, server::ServerSettings},
    images::{ImageSettings, Images},
    mail::{MailSettings, Mailer},
};

/// How long pending writes and deliveries of mails may take when the service stops, even if requests used all the time.
const WRITING_DOWN: Duration = Duration::from_secs(3);

/// Everything that a service is made of but its database's address.
#[derive(Clone)]
pub struct AppSettings {
    /// The pool of connections.
    pub pool: PoolSettings,
    /// Tokens and passwords.
    pub auth: AuthSettings,
    /// How much one request may ask for.
    pub limits: Limits,
    /// The HTTP edge.
    pub edge: EdgeSettings,
    /// The accept loop.
    pub server: ServerSettings,
    /// Days after which the trash is emptied; 0: never.
    pub trash_days: u32,
    /// Days for which the audit log is kept; 0: for ever.
    pub audit_days: u32,
    /// How far the change feed goes back, and how it goes on live.
    pub live: LiveSettings,
    /// How mails are sent.
    pub mail: MailSettings,
    /// Where pictures are kept.
    pub images: ImageSettings,
}

/// The service, ready to serve.
pub struct App {
    database: Database,
    /// The rate limiter's own connections, which nothing else can hold.
    limiter: Database,
    auth: Auth,
    mailer: Mailer,
    images: Images,
    live: Live,
    edge: Edge,
    job_states: JobStates,
    settings: AppSettings,
}

impl App {
    /// Puts the service together. Connects to nothing yet.
    ///
    /// # Errors
    /// A message that names the setting that is wrong.
    pub fn new(target: Target, settings: AppSettings) -> Result<App, String> {
        let limiter = Database::new(target.clone(), &limiter_pool(&settings.pool));
        let database = Database::new(target, &settings.pool);
        let auth = Auth::new(database.clone(), limiter.clone(), settings.auth.clone())?;
        let images = Images::new(database.clone(), &settings.images)?;
        let live = Live::new(database.clone(), settings.live.clone());
        let services = Services {
            database: database.clone(),
            auth: auth.clone(),
            audit: Audit::new(settings.audit_days),
            images: images.clone(),
            live: live.clone(),
        };
        let mailer = mailer(&database, &auth, &settings.mail)?;
        let api = Api::new(services, settings.limits.clone());
        let job_states = JobStates::default();
        let edge = Edge::new(
            api,
            auth.clone(),
            images.clone(),
            database.clone(),
            job_states.clone(),
            settings.edge.clone(),
        )?;
        Ok(App {
            database,
            limiter,
            auth,
            mailer,
            images,
            live,
            edge,
            job_states,
            settings,
        })
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Signing in and knowing who is signed in.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Pictures.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The change feed.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Serves until `stop` is done; then finishes what is in flight, and stops everything.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let jobs = self.start_jobs();
        let streams = self.edge.streams.clone();
        let mutations = self.edge.mutations.clone();
        let stop = async {
            stop.await;
            streams.stop();
        };
        let deadline = server::serve(listener, self.edge.router, &self.settings.server, stop).await;
        if timeout_at(deadline, streams.ended()).await.is_err() {
            tracing::warn!("some WebSockets did not close in time and were cut off");
        }
        mutations.close();
        if timeout_at(deadline, mutations.wait()).await.is_err() {
            tracing::warn!("some mutations did not end in time and were given up");
        }
        jobs.stop().await;
        let soon = Instant::now() + WRITING_DOWN;
        let (noted, ()) = tokio::join!(
            timeout_at(deadline.max(soon), self.auth.finish()),
            self.mailer.finish(soon),
        );
        if noted.is_err() {
            tracing::warn!("what was still to be written down did not end in time");
        }
        self.limiter.close().await;
        self.database.close().await;
    }
}

/// The worker that sends what `auth` puts into the outbox, with the tokens that `auth` makes.
fn mailer(database: &Database, auth: &Auth, settings: &MailSettings) -> Result<Mailer, String> {
    let tokens = auth.clone();
    let token_of = Arc::new(move |id| tokens.mailed_token(id));
    Mailer::new(database.clone(), settings, token_of, auth.mail_waits())
}
