//! The accept loop: connections with timeouts, a maximum number of connections, and graceful shutdown.
//!
//! axum's own loop sets no timeouts. With it, a client that sends one byte per minute, or never reads, would hold a connection forever.
//!
//! A stop resets no request. `App::serve` reports that the service is not ready and adds `Connection: close` to every
//! response. After `shutdown_delay`, the loop serves the connections that wait to be accepted and closes the listener.
//! Connections without a request are closed after `idle_grace`, the others after their response.

use std::{
    io,
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
    /// How long connections are still accepted after the signal to stop, while load balancers notice that the service
    /// is not ready.
    pub shutdown_delay: Duration,
    /// How long requests in flight may continue when the service stops.
    pub shutdown_timeout: Duration,
    /// When the service stops, how long a connection without a request may still send one. Closing it at once would
    /// reset a request that is on its way. At most half of `shutdown_timeout`.
    pub idle_grace: Duration,
}

impl ServerSettings {
    /// `idle_grace` of the program.
    pub const IDLE_GRACE: Duration = Duration::from_secs(1);
}

/// Serves until `stop` completes, then waits for the requests in flight. Returns the deadline of the shutdown.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &ServerSettings,
    stop: impl Future<Output = ()>,
) -> Instant {
    let acceptor = Acceptor {
        router,
        settings: settings.clone(),
        slots: Arc::new(Semaphore::new(settings.max_connections)),
        connections: TaskTracker::new(),
        stopping: CancellationToken::new(),
    };
    let mut stop = std::pin::pin!(stop);
    loop {
        let slot = acceptor.slots.clone().acquire_owned();
        let (slot, connection) = tokio::select! {
            accepted = async { (slot.await, listener.accept().await) } => accepted,
            () = &mut stop => break,
        };
        match connection {
            Ok((stream, address)) => acceptor.serve(stream, address, slot),
            Err(error) => {
                // Usually the process is out of file descriptors. Wait until other connections are closed.
                tracing::warn!(%error, "accepting a connection failed; retrying");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    if let Err(error) = acceptor.close(listener) {
        tracing::debug!(%error, "serving the last connections failed");
    }
    acceptor.stopping.cancel();
    let deadline = Instant::now() + settings.shutdown_timeout;
    wait_until_closed(&acceptor.connections, deadline).await;
    deadline
}

/// Serves accepted connections.
struct Acceptor {
    router: Router,
    settings: ServerSettings,
    slots: Arc<Semaphore>,
    connections: TaskTracker,
    stopping: CancellationToken,
}

impl Acceptor {
    /// Serves a connection in a task of its own, which holds the slot.
    fn serve(&self, stream: TcpStream, address: SocketAddr, slot: impl Send + 'static) {
        let (settings, stopping) = (self.settings.clone(), self.stopping.clone());
        let served = serve_connection(stream, address, self.router.clone(), settings, stopping);
        self.connections.spawn(async move {
            let _slot = slot;
            if let Err(error) = served.await {
                tracing::debug!(%error, %address, "a connection failed");
            }
        });
    }

    /// Closes the listener after it has served the connections that wait to be accepted. The operating system resets
    /// all others. The runtime may not have noticed the newest connections yet, so this asks the operating system
    /// itself.
    fn close(&self, listener: TcpListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        while let Ok(slot) = self.slots.clone().try_acquire_owned() {
            let (stream, address) = match listener.accept() {
                Ok(accepted) => accepted,
                // This client has gone.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            self.serve(TcpStream::from_std(stream)?, address, slot);
        }
        Ok(())
    }
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
    let idle_grace = settings.idle_grace.min(settings.shutdown_timeout / 2);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = async { stopping.cancelled().await; sleep(idle_grace).await } => {}
    }
    // Browsers open connections in advance. hyper would wait for the first request on them.
    if !used.load(Ordering::Relaxed) {
        return Ok(());
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}
