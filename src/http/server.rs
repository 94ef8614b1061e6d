//! The accept loop: connections with timeouts, a maximum number of connections, and graceful shutdown.
//!
//! axum's own loop sets no timeouts. With it, a client that sends one byte per minute, or never reads, would hold a connection forever.

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

use super::client_connection::{ClientConnection, ClientStream};

/// Timeouts and limits of connections.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Maximum time to receive a request's head, and maximum idle time between two requests.
    pub header_timeout: Duration,
    /// How long a client may read nothing before it is disconnected.
    pub write_timeout: Duration,
    /// Maximum number of open connections. Further ones wait to be accepted.
    pub max_connections: usize,
    /// How long requests in flight may continue when the service stops.
    pub shutdown_timeout: Duration,
}

/// When the service stops, how long a connection without any request yet may still send one. Browsers open connections in advance, and
/// shutdown does not wait for these.
const UNUSED_GRACE: Duration = Duration::from_millis(300);

/// Serves until `stop` completes, then waits for the requests in flight. Returns the deadline of the shutdown.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &ServerSettings,
    stop: impl Future<Output = ()>,
) -> Instant {
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    let slots = Arc::new(Semaphore::new(settings.max_connections));
    let mut stop = std::pin::pin!(stop);
    loop {
        let slot = slots.clone().acquire_owned();
        let (slot, connection) = tokio::select! {
            accepted = async { (slot.await, listener.accept().await) } => accepted,
            () = &mut stop => break,
        };
        let (stream, address) = match connection {
            Ok(connection) => connection,
            Err(error) => {
                // Usually the process is out of file descriptors. Wait until other connections are closed.
                tracing::warn!(%error, "accepting a connection failed; retrying");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let settings = settings.clone();
        let served = serve_connection(stream, address, router.clone(), settings, stopping.clone());
        connections.spawn(async move {
            let _slot = slot;
            if let Err(error) = served.await {
                tracing::debug!(%error, %address, "a connection failed");
            }
        });
    }
    drop(listener);
    stopping.cancel();
    let deadline = Instant::now() + settings.shutdown_timeout;
    wait_until_closed(&connections, deadline).await;
    deadline
}

async fn wait_until_closed(connections: &TaskTracker, deadline: Instant) {
    connections.close();
    if timeout_at(deadline, connections.wait()).await.is_err() {
        tracing::warn!("shutdown timeout reached; requests in flight were cancelled");
    }
}

fn with_write_timeout(stream: TcpStream, timeout: Duration) -> TimeoutWriter<TcpStream> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY failed");
    }
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(timeout));
    stream
}

/// Serves the requests of one connection, one after the other, until either side closes it or a handler aborts it.
async fn serve_connection(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    settings: ServerSettings,
    stopping: CancellationToken,
) -> hyper::Result<()> {
    let connection = ClientConnection::default();
    tokio::select! {
        ended = serve_requests(stream, address, router, &settings, stopping, &connection) => ended,
        () = connection.aborted() => Ok(()),
    }
}

async fn serve_requests(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    settings: &ServerSettings,
    stopping: CancellationToken,
    client: &ClientConnection,
) -> hyper::Result<()> {
    let stream = with_write_timeout(stream, settings.write_timeout);
    let used = AtomicBool::new(false);
    let respond = |mut request: Request<Incoming>| {
        used.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(client.clone());
        router.clone().call(request)
    };
    let stream = TokioIo::new(ClientStream::new(stream, client.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_headers(64)
        .serve_connection(stream, service_fn(respond))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = sleep(UNUSED_GRACE) => {}
    }
    if used.load(Ordering::Relaxed) {
        connection.await
    } else {
        Ok(())
    }
}
