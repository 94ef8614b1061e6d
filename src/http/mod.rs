//! The HTTP edge: the only module that knows HTTP. It knows no SQL and no rules of the product.
//!
//! - `graphql`: GraphQL over HTTP. `call` reads a request, `negotiate` its headers, `bearer` its token.
//! - `websocket` and `sse`: GraphQL over WebSocket and server-sent events. [`streams`] is what both share.
//! - `graphiql`: the GraphiQL page. `health`: `/healthz` and `/readyz`. `/schema.graphql` is served here.
//! - `images`: uploads and downloads of images that are stored in a local folder.
//! - [`server`]: the accept loop. `client_connection`: a connection below HTTP.
//! - `request_id`: the id of each request. `cors`: which pages may call. `forwarded`: the client's address.

mod bearer;
mod call;
mod client_connection;
mod cors;
mod forwarded;
mod graphiql;
mod graphql;
mod health;
mod images;
mod negotiate;
mod request_id;
mod response;
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
    /// Origins whose pages may call; `*` allows any. Default: none.
    pub cors_origins: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` is trusted. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Uploads of images to a local folder.
    pub uploads: UploadSettings,
    /// WebSockets and subscriptions.
    pub streams: StreamSettings,
}

/// The state that all handlers share.
#[derive(Clone)]
struct EdgeState {
    api: Api,
    auth: Auth,
    images: Images,
    database: Database,
    jobs: JobStates,
    upload_slots: images::UploadSlots,
    settings: Arc<EdgeSettings>,
    mutations: TaskTracker,
    streams: Streams,
    readiness: health::Readiness,
    schema_tag: HeaderValue,
}

/// The HTTP edge: its router, and the work that outlives a request.
pub struct Edge {
    /// All routes.
    pub(crate) router: Router,
    /// Mutations in flight. They may outlive their connections.
    pub(crate) mutations: TaskTracker,
    /// WebSockets and subscriptions.
    pub(crate) streams: Streams,
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
            upload_slots: images::UploadSlots::new(&settings.uploads),
            settings: Arc::new(settings),
            mutations: mutations.clone(),
            streams: streams.clone(),
            readiness: health::Readiness::default(),
        };
        Ok(Edge {
            router: routes(state)?,
            mutations,
            streams,
        })
    }
}

fn routes(state: EdgeState) -> Result<Router, String> {
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
    Ok(router
        .with_state(state)
        .layer(tower::util::option_layer(cors))
        .layer(middleware::from_fn(common_headers))
        .layer(middleware::from_fn(request_id::set)))
}

/// Formats the first 16 bytes of a text's SHA-256 in hexadecimal.
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

/// Serves the schema, for tools that generate typed clients.
async fn schema(State(state): State<EdgeState>, headers: HeaderMap) -> Response {
    let tag = state.schema_tag.to_str().unwrap_or_default();
    let mut response = if negotiate::is_cached(&headers, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            state.api.sdl().to_owned(),
        )
            .into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, state.schema_tag.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
