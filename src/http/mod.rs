//! The HTTP edge: the only module that knows HTTP.
//!
//! - `graphql`: GraphQL over HTTP; `call` reads a request, `negotiate` its headers.
//! - `websocket` and `sse`: operations that go on; [`streams`] is what they have in common.
//! - `graphiql`: the page to explore in. `health`: `/healthz` and `/readyz`. `/schema.graphql` is here.
//! - `images`: pictures that are kept in a local folder.
//! - [`server`]: the accept loop; `line`: a connection below HTTP. `request_id`: the id in every answer. `cors`: which pages may call.
//!   `forwarded`: where a request comes from.

mod call;
mod cors;
mod forwarded;
mod graphiql;
mod graphql;
mod health;
mod images;
mod line;
mod negotiate;
mod request_id;
pub mod server;
mod sse;
pub mod streams;
mod websocket;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get},
};
pub use images::UploadSettings;
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;

use streams::{StreamSettings, Streams};

use crate::{
    auth::Auth,
    db::{Database, background::JobStates},
    graphql::Api,
    images::Images,
};

/// What the edge allows.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// The deadline of a whole request.
    pub request_timeout: Duration,
    /// How long a request's body may take to come.
    pub body_timeout: Duration,
    /// Bytes of a body at most.
    pub max_body: usize,
    /// Whether GraphiQL is served.
    pub graphiql: bool,
    /// Origins whose pages may call; `*`: any. None by default.
    pub cors_origins: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` is believed. None by default.
    pub trusted_proxies: Vec<IpNet>,
    /// How pictures are taken in, where they are kept in a local folder.
    pub uploads: UploadSettings,
    /// WebSockets and subscriptions.
    pub streams: StreamSettings,
}

/// What every handler can ask.
#[derive(Clone)]
struct EdgeState {
    api: Api,
    auth: Auth,
    images: Images,
    database: Database,
    jobs: JobStates,
    uploads: images::Places,
    settings: Arc<EdgeSettings>,
    mutations: TaskTracker,
    streams: Streams,
    readiness: health::Readiness,
    schema_tag: HeaderValue,
}

/// The edge: its router, and the mutations that run on it.
pub struct Edge {
    /// All routes.
    pub(crate) router: Router,
    /// Mutations in flight, which outlive their connections.
    pub(crate) mutations: TaskTracker,
    /// What outlives a request.
    pub(crate) streams: Streams,
}

impl Edge {
    /// The edge over that API.
    ///
    /// # Errors
    /// A message that names the origin that is none.
    pub fn new(
        api: Api,
        auth: Auth,
        images: Images,
        database: Database,
        jobs: JobStates,
        settings: EdgeSettings,
    ) -> Result<Edge, String> {
        let mutations = TaskTracker::new();
        let streams = Streams::new(&settings.streams);
        let tag = format!("\"{:x}\"", ShortDigest(api.sdl()));
        let state = EdgeState {
            schema_tag: HeaderValue::from_str(&tag).map_err(|error| error.to_string())?,
            api,
            auth,
            images,
            database,
            jobs,
            uploads: images::Places::new(settings.uploads.most, settings.uploads.patience),
            settings: Arc::new(settings),
            mutations: mutations.clone(),
            streams: streams.clone(),
            readiness: health::Readiness::default(),
        };
        let cors = cors::layer(&state.settings.cors_origins)?;
        let mut router = Router::new()
            .route("/graphql", any(graphql::handle))
            .route("/schema.graphql", get(schema))
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz));
        if state.settings.graphiql {
            router = router
                .merge(graphiql::router())
                .route("/", get(|| async { Redirect::temporary("/graphiql") }));
        }
        if state.images.are_served() {
            router = router.merge(images::router());
        }
        let router = router
            .with_state(state)
            .layer(tower::util::option_layer(cors))
            .layer(middleware::from_fn(common_headers))
            .layer(middleware::from_fn(request_id::set));
        Ok(Edge {
            router,
            mutations,
            streams,
        })
    }
}

/// The first bytes of a SHA-256, in hexadecimal.
struct ShortDigest<'a>(&'a str);

impl std::fmt::LowerHex for ShortDigest<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Sha256::digest(self.0.as_bytes())
            .iter()
            .take(16)
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

async fn common_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// The schema, for tools that generate typed clients.
async fn schema(State(state): State<EdgeState>, headers: HeaderMap) -> Response {
    let tags = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let tag = state.schema_tag.to_str().unwrap_or_default();
    let known = tags
        .split(',')
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*");
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            state.api.sdl().to_owned(),
        )
            .into_response()
    };
    response
        .headers_mut()
        .insert(header::ETAG, state.schema_tag.clone());
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
