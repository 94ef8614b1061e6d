//! Creates the parts of the service that live as long as the process, and connects them.

mod jobs;

use std::{future::Future, sync::Arc};

use tokio::{
    net::TcpListener,
    time::{Duration, Instant, sleep, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use uuid::Uuid;

use crate::{
    audit::Audit,
    auth::{Auth, AuthSettings, rate_limiter_pool},
    changes::{Live, LiveSettings},
    db::{
        Database, PoolSettings, background::JobStates, connect::Target, metrics::Pools,
        replica::ReplicaSettings,
    },
    graphql::{Api, Limits, Services, documents::DocumentSettings, plan},
    http::{self, Edge, EdgeSettings, server, server::ServerSettings},
    images::{ImageSettings, Images},
    items::Quotas,
    mail::{MailSettings, Mailer},
    search::SearchIndexes,
    telemetry::{Metrics, Process, Source},
};

/// How long pending writes and mail deliveries may take at shutdown, even if requests used the whole timeout.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// All settings of the service except its database's address.
#[derive(Clone)]
pub struct AppSettings {
    /// The connection pool.
    pub pool: PoolSettings,
    /// The read replica, if there is one.
    pub replica: Option<ReplicaSettings>,
    /// Tokens and passwords.
    pub auth: AuthSettings,
    /// Limits per request.
    pub limits: Limits,
    /// Whether queries run with plans.
    pub query_plans: plan::Mode,
    /// Trusted documents and persisted queries.
    pub documents: DocumentSettings,
    /// Maximum size of a response in bytes.
    pub max_response: usize,
    /// The HTTP interface.
    pub edge: EdgeSettings,
    /// The HTTP server.
    pub server: ServerSettings,
    /// Days that items stay in the trash before they are deleted. 0 for no limit.
    pub trash_days: u32,
    /// Days that entries of the audit log are kept. 0 for no limit.
    pub audit_days: u32,
    /// The change feed.
    pub live: LiveSettings,
    /// The memory that the indexes of the search may take, in bytes.
    pub search_bytes: u64,
    /// How mails are sent.
    pub mail: MailSettings,
    /// Where images are stored.
    pub images: ImageSettings,
    /// How much each user may have.
    pub quotas: Quotas,
}

/// The service, ready to serve.
pub struct App {
    database: Database,
    /// The rate limiter's own pool.
    rate_limiter_database: Database,
    auth: Auth,
    mailer: Mailer,
    images: Images,
    live: Live,
    search: SearchIndexes,
    edge: Edge,
    job_states: JobStates,
    settings: AppSettings,
    metrics_listener: Option<TcpListener>,
}

impl App {
    /// Creates the service. Does not connect to anything yet.
    ///
    /// # Errors
    /// A message that names the invalid settings and trusted documents.
    pub fn new(target: Target, settings: AppSettings) -> Result<App, String> {
        let rate_limiter_database =
            Database::new(target.clone(), &rate_limiter_pool(&settings.pool));
        let replica = settings.replica.clone();
        let database = Database::with_replica(target, &settings.pool, replica);
        let services = services(&database, &rate_limiter_database, &settings)?;
        let Services {
            auth,
            images,
            search,
            live,
            ..
        } = services.clone();
        let mailer = mailer(&database, &auth, &settings.mail)?;
        let api = Api::new(
            services,
            settings.limits.clone(),
            settings.max_response,
            settings.query_plans,
            &settings.documents,
        )?;
        let job_states = JobStates::default();
        let edge = Edge::new(
            api,
            auth.clone(),
            images.clone(),
            database.clone(),
            search.clone(),
            job_states.clone(),
            settings.edge.clone(),
        )?;
        Ok(App {
            database,
            rate_limiter_database,
            auth,
            mailer,
            images,
            live,
            search,
            edge,
            job_states,
            settings,
            metrics_listener: None,
        })
    }

    /// Has [`App::serve`] serve metrics on a listener of their own.
    #[must_use]
    pub fn with_metrics_on(self, listener: Option<TcpListener>) -> App {
        App {
            metrics_listener: listener,
            ..self
        }
    }

    /// All metrics of the process.
    pub fn metrics(&self) -> Metrics {
        let mut pools = vec![self.database.clone(), self.rate_limiter_database.clone()];
        let replica = self.database.replica();
        pools.extend(replica.map(|replica| replica.database().clone()));
        let sources: [Arc<dyn Source>; 7] = [
            self.edge.source.clone(),
            Arc::new(Pools(pools)),
            Arc::new(self.live.clone()),
            self.mailer.metrics().clone(),
            self.auth.hashing_queue(),
            Arc::new(self.job_states.clone()),
            Arc::new(Process::new(
                env!("CARGO_PKG_VERSION"),
                env!("BUILD_COMMIT"),
            )),
        ];
        let replica = replica.map(|replica| replica.clone() as Arc<dyn Source>);
        Metrics::new(sources.into_iter().chain(replica))
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Authentication.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Images.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The change feed.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The indexes of the search.
    pub fn search(&self) -> &SearchIndexes {
        &self.search
    }

    /// The HTTP edge.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Serves until `stop` completes. Then finishes the requests in progress and stops everything.
    pub async fn serve(mut self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let jobs = self.start_jobs();
        let _metrics = self.metrics_listener.take().map(|listener| {
            let serving = http::metrics::serve(listener, self.metrics());
            AbortOnDropHandle::new(tokio::spawn(serving))
        });
        let streams = self.edge.streams.clone();
        let mutations = self.edge.mutations.clone();
        let stopping = self.edge.stopping.clone();
        let delay = self.settings.server.shutdown_delay;
        let stop = async {
            stop.await;
            stopping.cancel();
            // Streams end after the delay: their clients reconnect at once, and must reach another process.
            sleep(delay).await;
            streams.stop();
        };
        let deadline = server::serve(listener, self.edge.router, &self.settings.server, stop).await;
        if timeout_at(deadline, streams.ended()).await.is_err() {
            tracing::warn!("WebSockets cut off at shutdown: they did not close in time");
        }
        mutations.close();
        if timeout_at(deadline, mutations.wait()).await.is_err() {
            tracing::warn!("mutations aborted at shutdown: they did not end in time");
        }
        jobs.stop().await;
        let soon = Instant::now() + FLUSH_TIMEOUT;
        let (noted, ()) = tokio::join!(
            timeout_at(deadline.max(soon), self.auth.finish()),
            self.mailer.finish(soon),
        );
        if noted.is_err() {
            tracing::warn!("pending writes aborted at shutdown: they did not end in time");
        }
        self.rate_limiter_database.close().await;
        if let Some(replica) = self.database.replica() {
            replica.database().close().await;
        }
        self.database.close().await;
    }
}

/// What all requests share.
fn services(
    database: &Database,
    rate_limiter_database: &Database,
    settings: &AppSettings,
) -> Result<Services, String> {
    let for_limits = rate_limiter_database.clone();
    let auth = Auth::new(database.clone(), for_limits, settings.auth.clone())?;
    let images = Images::new(database.clone(), &settings.images, settings.quotas)?;
    let live = Live::new(database.clone(), settings.live.clone(), auth.revoked());
    let search = SearchIndexes::new(database.clone(), live.feed().clone(), settings.search_bytes);
    Ok(Services {
        database: database.clone(),
        reads: database.clone(),
        auth,
        audit: Audit::new(settings.audit_days),
        images,
        quotas: settings.quotas,
        search,
        live,
    })
}

/// The worker that sends the mails that `auth` adds to the outbox. `auth` derives their tokens.
fn mailer(database: &Database, auth: &Auth, settings: &MailSettings) -> Result<Mailer, String> {
    let tokens = auth.clone();
    let token_of = Arc::new(move |id: Uuid, hash: &[u8]| tokens.mailed_token(id, hash));
    Mailer::new(database.clone(), settings, token_of, auth.mail_queued())
}
