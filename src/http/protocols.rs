//! Serves the requests of one connection: HTTP/1.1, or HTTP/2 with prior knowledge (h2c), which proxies use.
//!
//! A connection of HTTP/2 carries the requests of many users if a proxy opened it. So a handler controls only its own stream. If the client
//! does not read a response, only its stream is reset. A connection is closed only if it is idle, or if the client does not answer pings.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    admission::Ticket,
    client_connection::{ClientConnection, ClientStream},
    http2_streams::{Http2Streams, Operations, Stream},
    server::ServerSettings,
};

/// Maximum number of header fields of a request of HTTP/1.1.
const MAX_HEADERS: usize = 64;
/// Maximum bytes of the header fields of a request of HTTP/2.
const MAX_HEADER_LIST: u32 = 16 * 1024;
/// Maximum number of open streams on a connection, and of its operations that run.
const MAX_STREAMS: u32 = 100;
/// Maximum number of streams that the client has reset before the service accepted them.
const MAX_PENDING_RESETS: usize = 20;
/// Maximum number of streams that the service has reset because of the client's errors.
const MAX_ERROR_RESETS: usize = 100;

/// How long a connection that has to leave the reserve may take to send its last response.
const LEAVE_GRACE: Duration = Duration::from_secs(1);

/// A connection, and what serves it.
pub(super) struct Connection {
    pub(super) address: SocketAddr,
    pub(super) router: Router,
    pub(super) settings: ServerSettings,
    pub(super) stopping: CancellationToken,
    pub(super) client: ClientConnection,
    pub(super) ticket: Ticket,
}

impl Connection {
    /// Passes a request to the router. `client` is what its handler controls.
    fn respond(
        &self,
        mut request: Request<Incoming>,
        client: ClientConnection,
    ) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        request.extensions_mut().insert(ConnectInfo(self.address));
        request.extensions_mut().insert(client);
        self.ticket.clone().serve(self.router.clone(), request)
    }

    /// Serves one request after the other, until either side closes the connection or a handler aborts it.
    pub(super) async fn serve_http1(self, stream: ClientStream) -> hyper::Result<()> {
        let used = AtomicBool::new(false);
        let respond = |request| {
            used.store(true, Ordering::Relaxed);
            self.respond(request, self.client.clone())
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.settings.header_timeout)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service_fn(respond))
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // A request that has arrived is served even if the connection has to leave.
            biased;
            ended = connection.as_mut() => return ended,
            () = self.client.aborted() => return Ok(()),
            () = self.ticket.must_leave() => {
                // A request that waited is rejected.
                let grace = if used.load(Ordering::Relaxed) { LEAVE_GRACE } else { Duration::ZERO };
                return timeout(grace, connection).await.unwrap_or(Ok(()));
            }
            () = self.settings.idle_stop(&self.stopping) => {}
        }
        // Browsers open connections in advance. hyper would wait for the first request on them.
        if !used.load(Ordering::Relaxed) {
            return Ok(());
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended,
            () = self.client.aborted() => Ok(()),
        }
    }

    /// Serves requests at the same time, until either side closes the connection or it is idle.
    pub(super) async fn serve_http2(self, stream: ClientStream) -> hyper::Result<()> {
        let streams = Http2Streams::new(self.settings.write_timeout);
        let operations = Operations::new(MAX_STREAMS as usize);
        let respond = |mut request: Request<Incoming>| {
            request.extensions_mut().insert(operations.clone());
            let Stream { control, unsent } = streams.next();
            let response = self.respond(request, control);
            async move {
                let response = response.await?;
                Ok::<_, Infallible>(response.map(|body| unsent.track(body)))
            }
        };
        let period = self.settings.header_timeout;
        let connection = http2_settings(streams.clone(), period)
            .serve_connection(TokioIo::new(stream), service_fn(respond));
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.ticket.must_leave() => {
                connection.as_mut().graceful_shutdown();
                return timeout(LEAVE_GRACE, connection).await.unwrap_or(Ok(()));
            }
            () = self.stopping.cancelled() => {}
            () = streams.idle(period) => {}
        }
        // Tells the client to open no more streams, and serves those on their way. The client may never acknowledge it.
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            // The end of the last response is sent before the connection is closed.
            biased;
            ended = connection => ended,
            () = streams.idle(self.settings.grace()) => Ok(()),
        }
    }
}

/// The limits of a connection of HTTP/2. A client that does not respond to a ping within this period is disconnected.
fn http2_settings(streams: Http2Streams, period: Duration) -> http2::Builder<Http2Streams> {
    let mut settings = http2::Builder::new(streams);
    settings
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .keep_alive_interval(period)
        .keep_alive_timeout(period);
    settings
}
