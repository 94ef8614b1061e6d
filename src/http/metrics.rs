//! What is measured of requests, operations and streams; and `/metrics`, on a listener of its own.

use std::{
    fmt,
    future::pending,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, header},
    response::IntoResponse,
    routing::get,
};

use tokio::net::TcpListener;

use super::{
    Shared, negotiate,
    record::CLIENT_GONE,
    server::{self, ServerSettings},
};
use crate::telemetry::{Exposition, Format, Metrics, OperationMetrics, Series, Source};

/// Maximum number of connections of clients that read metrics.
const MAX_CONNECTIONS: usize = 16;
/// How long such a client may be silent, also between two scrapes. Silent clients must not keep others from a connection.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of combinations of a method, a route and a status.
const MAX_SERIES: usize = 256;

/// The measurements of the HTTP edge.
pub(super) struct EdgeMetrics {
    pub(super) operations: OperationMetrics,
    requests: Series<RequestKey>,
    active: AtomicUsize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RequestKey {
    method: &'static str,
    route: &'static str,
    status: u16,
}

impl Default for EdgeMetrics {
    fn default() -> Self {
        EdgeMetrics {
            operations: OperationMetrics::default(),
            requests: Series::new(MAX_SERIES),
            active: AtomicUsize::new(0),
        }
    }
}

/// A request in progress. It counts when it is dropped.
pub(super) struct ActiveRequest<'a> {
    metrics: &'a EdgeMetrics,
    began: Instant,
    key: RequestKey,
}

impl EdgeMetrics {
    pub(super) fn begin(&self, request: &Request) -> ActiveRequest<'_> {
        self.active.fetch_add(1, Ordering::Relaxed);
        ActiveRequest {
            metrics: self,
            began: Instant::now(),
            key: RequestKey {
                method: method(request.method()),
                route: request
                    .extensions()
                    .get::<MatchedPath>()
                    .map_or("", |path| route(path.as_str())),
                status: CLIENT_GONE,
            },
        }
    }
}

impl ActiveRequest<'_> {
    /// The method and the route, e.g. `GET /images/{name}`. Unlike a path, it has few values.
    pub(super) fn name(&self) -> String {
        let RequestKey { method, route, .. } = self.key;
        format!("{method} {route}").trim_end().to_owned()
    }

    /// The response begins. Returns how long it took.
    pub(super) fn respond(mut self, status: u16) -> Duration {
        self.key.status = status;
        self.began.elapsed()
    }
}

impl Drop for ActiveRequest<'_> {
    fn drop(&mut self) {
        self.metrics.active.fetch_sub(1, Ordering::Relaxed);
        let series = self.metrics.requests.of(self.key);
        series.observe(self.began.elapsed());
    }
}

/// Clients can invent methods.
fn method(method: &Method) -> &'static str {
    let known = ["GET", "POST", "OPTIONS", "PUT", "HEAD", "DELETE", "PATCH"];
    let known = known.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("_OTHER")
}

/// The routes of the service, as constants. The files of GraphiQL count as its page, and those of the documentation as `/docs`.
fn route(path: &str) -> &'static str {
    const KNOWN: [&str; 8] = [
        "/graphql",
        "/export",
        "/schema.graphql",
        "/healthz",
        "/readyz",
        "/uploads/{id}",
        "/images/{name}",
        "/thumbnails/{name}",
    ];
    match path {
        "/" => "/graphiql",
        _ if path.starts_with("/graphiql") => "/graphiql",
        _ if path.starts_with("/docs") => "/docs",
        _ => KNOWN
            .into_iter()
            .find(|known| *known == path)
            .unwrap_or("other"),
    }
}

impl Source for Shared {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let requests = self.metrics.requests.all().map(|(key, histogram)| {
            let status = key.map(|key| key.status.to_string());
            let labels = [
                (
                    "http_request_method",
                    key.map_or("other", |key| key.method).to_owned(),
                ),
                (
                    "http_route",
                    key.map_or("other", |key| key.route).to_owned(),
                ),
                ("http_response_status_code", status.unwrap_or_default()),
            ];
            (labels, histogram)
        });
        let help = "Time until responses began, by method, route and status. Status 499: the client disconnected before.";
        to.histograms("http_server_request_duration_seconds", help, requests)?;
        let help = "Requests whose responses have not begun.";
        let active = self.metrics.active.load(Ordering::Relaxed);
        to.gauge("http_server_active_requests", help, active)?;
        self.metrics.operations.write(to)?;
        let help = "Queries and mutations in progress.";
        to.gauge(
            "snapnote_operations_in_progress",
            help,
            self.requests.in_progress(),
        )?;
        let help = "Open WebSockets.";
        to.gauge("snapnote_websockets", help, self.streams.sockets.in_use())?;
        let help = "Running subscriptions, over WebSocket and server-sent events.";
        let subscriptions = self.streams.subscriptions.in_use();
        to.gauge("snapnote_subscriptions", help, subscriptions)
    }
}

/// Serves metrics as long as the process runs. Few clients read them.
pub(crate) async fn serve(listener: TcpListener, metrics: Metrics) {
    let router = Router::new()
        .route("/metrics", get(scrape))
        .with_state(metrics);
    let settings = ServerSettings {
        header_timeout: TIMEOUT,
        write_timeout: TIMEOUT,
        max_connections: MAX_CONNECTIONS,
        max_open: MAX_CONNECTIONS,
        shutdown_delay: Duration::ZERO,
        shutdown_timeout: Duration::ZERO,
        idle_grace: Duration::ZERO,
    };
    server::serve(listener, router, &settings, pending()).await;
}

async fn scrape(State(metrics): State<Metrics>, headers: HeaderMap) -> impl IntoResponse {
    let format = match negotiate::prefers_open_metrics(&headers) {
        true => Format::OpenMetrics,
        false => Format::Prometheus,
    };
    let headers = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, metrics.render(format))
}
