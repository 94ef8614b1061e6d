//! The accept loop: connections with time limits and a bound on their number, and an orderly end.
//!
//! axum's own loop sets no timeouts, so that a caller who sends a byte a minute, or never reads, would hold a connection for
//! ever.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::ConnectInfo, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use super::line::{Held, Line};

/// How connections are held.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// How long a request's head may take to come, and how long a connection may idle between two requests.
    pub header_timeout: Duration,
    /// How long a caller may take nothing of what is sent to them.
    pub write_timeout: Duration,
    /// Connections at a time; further ones wait to be accepted.
    pub max_connections: usize,
    /// How long requests in flight may go on when the service stops.
    pub shutdown_timeout: Duration,
}

/// How long a connection that has brought no request yet may still bring one when the service stops: browsers open some
/// in advance, and stopping does not wait for them.
const LAST_CHANCE: Duration = Duration::from_millis(300);

/// Serves until `stop` is done, then lets the requests in flight come to their end. Answers when all must have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &ServerSettings,
    stop: impl Future<Output = ()>,
) -> Instant {
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (connection, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let (stream, address) = match connection {
            Ok(connection) => connection,
            Err(error) => {
                // Out of file descriptors, mostly: others will be closed in a moment.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, stopping) = (router.clone(), stopping.clone());
        let settings = settings.clone();
        connections.spawn(async move {
            let _place = place;
            if let Err(error) = hold(stream, address, router, &settings, stopping).await {
                tracing::debug!(%error, %address, "a connection broke");
            }
        });
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    let deadline = Instant::now() + settings.shutdown_timeout;
    if timeout_at(deadline, connections.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    deadline
}

/// Answers one connection's requests, one after the other, until either side ends it, or it is cut.
async fn hold(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    settings: &ServerSettings,
    stopping: CancellationToken,
) -> hyper::Result<()> {
    let line = Line::default();
    tokio::select! {
        ended = answer(stream, address, router, settings, stopping, &line) => ended,
        () = line.is_cut() => Ok(()),
    }
}

async fn answer(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    settings: &ServerSettings,
    stopping: CancellationToken,
    line: &Line,
) -> hyper::Result<()> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps Nagle's delay");
    }
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(settings.write_timeout));
    let used = AtomicBool::new(false);
    let answer = |mut request: Request<Incoming>| {
        used.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(line.clone());
        router.clone().call(request)
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_headers(64)
        .serve_connection(
            TokioIo::new(Held::new(stream, line.clone())),
            service_fn(answer),
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = sleep(LAST_CHANCE) => {}
    }
    if used.load(Ordering::Relaxed) {
        connection.await
    } else {
        Ok(())
    }
}
