//! The HTTP edge: the only module that knows HTTP. It knows no SQL and no rules of the product.
//!
//! - `graphql`: GraphQL over HTTP. `incoming`: a request that is being processed. `call` reads a request; `content`, `negotiate` and `bearer` its
//!   headers, which `fields` splits.
//! - `websocket` and `sse`: GraphQL over WebSocket and server-sent events. [`streams`] is what both share.
//! - `graphiql`: the GraphiQL page. `docs`: the documentation. `embedded`: how both send files that are in the program.
//! - `health`: `/healthz` and `/readyz`. `/schema.graphql` is served here.
//! - `mcp`: tools for agents.
//! - `export`: all data of the caller as a zip file.
//! - `images`: uploads and downloads of images that are stored in a local folder.
//! - [`server`]: the accept loop. `admission`: what it does when slots or file descriptors run out. `protocols`: HTTP/1.1 and HTTP/2
//!   (`http2_streams`). `client_connection`: a connection below HTTP.
//! - `slots`: limits the number of WebSockets and subscriptions, and for `requests` that of requests in progress.
//! - `rejection`: why a request was not run. `record`: reports each operation, in the log and in metrics. `metrics`: what is measured, and `/metrics`.
//! - `cost_limit`: limits what the operations of a user cost over time.
//! - `request_id`: the id of each request. `cors`: which pages may call. `forwarded`: the client's address.

mod admission;
mod bearer;
mod call;
mod client_connection;
mod content;
mod cors;
mod cost_limit;
#[cfg(feature = "docs")]
mod docs;
mod embedded;
mod export;
mod fields;
mod forwarded;
mod graphiql;
mod graphql;
mod health;
mod http2_streams;
mod images;
mod incoming;
mod mcp;
pub(crate) mod metrics;
mod negotiate;
mod protocols;
mod record;
mod rejection;
mod request_id;
mod requests;
mod response;
pub mod server;
mod slots;
mod sse;
pub mod streams;
mod websocket;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};
pub use cors::{LOCAL_ORIGINS, invalid_origin};
pub use images::UploadSettings;
use ipnet::IpNet;
pub use requests::RequestSettings;
use sha2::{Digest, Sha256};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use streams::{StreamSettings, Streams};

use crate::{
    auth::{Auth, Limit},
    db::{Database, background::JobStates},
    graphql::Api,
    images::Images,
    search::SearchIndexes,
    telemetry::Source,
};

/// Settings of the HTTP edge.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// The deadline of a whole request.
    pub request_timeout: Duration,
    /// Maximum time to receive a request's body.
    pub body_timeout: Duration,
    /// Maximum bytes of a request's body.
    pub max_body: usize,
    /// Whether GraphiQL is served.
    pub graphiql: bool,
    /// Whether the documentation is served, if the program contains it.
    pub docs_site: bool,
    /// Origins whose pages may call. `*` allows any, and `:*` any port of a host. Default: none.
    pub cors_origins: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` is trusted. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether requests continue the trace in their `traceparent`. Default: no.
    pub trust_traceparent: bool,
    /// Queries and mutations in progress.
    pub requests: RequestSettings,
    /// The duration from which an operation is logged as slow.
    pub slow: Duration,
    /// Cost points of the operations of one user, or of the anonymous clients of one network.
    pub cost_limit: Limit,
    /// Uploads of images to a local folder.
    pub uploads: UploadSettings,
    /// WebSockets and subscriptions.
    pub streams: StreamSettings,
    /// How long `/readyz` reports a check of the database while no caller uses it.
    pub ready_age: Duration,
}

/// The state that all handlers share.
type EdgeState = Arc<Shared>;

struct Shared {
    api: Api,
    auth: Auth,
    images: Images,
    database: Database,
    search: SearchIndexes,
    jobs: JobStates,
    upload_slots: images::UploadSlots,
    exports: slots::Slots,
    requests: requests::Requests,
    cost_limits: cost_limit::CostLimits,
    settings: EdgeSettings,
    mutations: TaskTracker,
    streams: Arc<Streams>,
    origins: Arc<cors::Origins>,
    readiness: health::Readiness,
    schema_tag: String,
    metrics: Arc<metrics::EdgeMetrics>,
    stopping: CancellationToken,
}

/// The HTTP edge: its router, and the work that outlives a request.
pub struct Edge {
    /// All routes.
    pub router: Router,
    /// Mutations in flight. They may outlive their connections.
    pub(crate) mutations: TaskTracker,
    /// WebSockets and subscriptions.
    pub(crate) streams: Arc<Streams>,
    /// Canceled when the service begins to stop. It is not ready from then on, and each response closes its
    /// connection.
    pub(crate) stopping: CancellationToken,
    /// The measurements of requests, operations and streams.
    pub(crate) source: Arc<dyn Source>,
}

impl Edge {
    /// Builds the routes of this API.
    ///
    /// # Errors
    /// A message that names the invalid CORS origin.
    pub fn new(
        api: Api,
        auth: Auth,
        images: Images,
        database: Database,
        search: SearchIndexes,
        jobs: JobStates,
        settings: EdgeSettings,
    ) -> Result<Edge, String> {
        let mutations = TaskTracker::new();
        let streams = Arc::new(Streams::new(&settings.streams));
        let stopping = CancellationToken::new();
        let state = Arc::new(Shared {
            schema_tag: entity_tag(api.sdl()),
            origins: Arc::new(cors::Origins::new(&settings.cors_origins)?),
            api,
            auth,
            images,
            database,
            search,
            jobs,
            exports: export::slots(),
            upload_slots: images::UploadSlots::new(&settings.uploads),
            requests: requests::Requests::new(&settings.requests),
            cost_limits: cost_limit::CostLimits::new(settings.cost_limit),
            readiness: health::Readiness::new(settings.ready_age),
            settings,
            mutations: mutations.clone(),
            streams: streams.clone(),
            metrics: Arc::default(),
            stopping: stopping.clone(),
        });
        Ok(Edge {
            source: state.clone(),
            router: routes(state),
            mutations,
            streams,
            stopping,
        })
    }
}

fn routes(state: EdgeState) -> Router {
    let cors = cors::layer(state.origins.clone());
    let mut router = Router::new()
        .route("/graphql", any(graphql::handle))
        .route("/export", any(export::handle))
        .route("/schema.graphql", get(schema))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz));
    if state.settings.graphiql {
        router = router
            .merge(graphiql::router())
            .route("/", get(|| async { Redirect::temporary("/graphiql") }));
    }
    #[cfg(feature = "docs")]
    if state.settings.docs_site {
        router = router.merge(docs::router());
    }
    router = router.merge(mcp::router(&state));
    if state.images.are_served() {
        router = router.merge(images::router());
    }
    let common_headers = middleware::from_fn_with_state(state.clone(), common_headers);
    let request_ids = middleware::from_fn_with_state(state.clone(), request_id::set);
    router
        .with_state(state)
        .layer(cors)
        .layer(middleware::from_fn(cors::finish))
        .layer(common_headers)
        .layer(request_ids)
}

/// The entity tag of a text: the first 16 bytes of its SHA-256.
fn entity_tag(text: &str) -> String {
    let digest = Sha256::digest(text);
    let bytes = digest.iter().take(16);
    let digest = bytes.fold(0_u128, |digest, byte| digest << 8 | u128::from(*byte));
    format!("\"{digest:032x}\"")
}

async fn common_headers(State(state): State<EdgeState>, request: Request, next: Next) -> Response {
    // HTTP/2 has no such header, and the response to an upgrade has another.
    let may_close = request.version() < Version::HTTP_2;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if state.stopping.is_cancelled() && may_close && !headers.contains_key(header::UPGRADE) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Serves the schema, for tools that generate typed clients.
async fn schema(State(state): State<EdgeState>, headers: HeaderMap) -> Response {
    let tag = state.schema_tag.as_str();
    let response = if negotiate::is_cached(&headers, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        state.api.sdl().to_owned().into_response()
    };
    let headers = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache")];
    (headers, response).into_response()
}
