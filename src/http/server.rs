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
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{Router, extract::ConnectInfo, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    admission::{self, Accepted, Admission, Ticket},
    client_connection::{ClientConnection, ClientStream},
};

/// File descriptors that the server needs beyond those of its connections: the listener, the reserve and a spare one.
pub(crate) const OWN_DESCRIPTORS: usize = admission::RESERVE + 2;

/// Timeouts and limits of connections.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Maximum time to receive a request's head, and maximum idle time between two requests.
    pub header_timeout: Duration,
    /// How long a client may read nothing before it is disconnected.
    pub write_timeout: Duration,
    /// Maximum number of open connections. On a few further ones, health checks are answered and other requests wait.
    pub max_connections: usize,
    /// Maximum number of file descriptors of client connections, including those that became WebSockets.
    pub max_open: usize,
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

/// How long a connection that has to leave the reserve may take to send its last response.
const LEAVE_GRACE: Duration = Duration::from_secs(1);

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
        connections: TaskTracker::new(),
        stopping: CancellationToken::new(),
    };
    let mut admission = Admission::new(settings.max_connections, settings.max_open);
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = admission.accept(&listener) => acceptor.serve(accepted),
            () = &mut stop => break,
        }
    }
    if let Err(error) = acceptor.close(listener, &admission) {
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
    connections: TaskTracker,
    stopping: CancellationToken,
}

impl Acceptor {
    /// Serves a connection in a task of its own.
    fn serve(&self, (stream, address, ticket): Accepted) {
        let served = serve_connection(
            stream,
            address,
            self.router.clone(),
            self.settings.clone(),
            self.stopping.clone(),
            ticket.clone(),
        );
        self.connections.spawn(async move {
            if let Err(error) = served.await {
                tracing::debug!(%error, %address, "a connection failed");
            }
            // The stream is closed. Until then it counted.
            drop(ticket);
        });
    }

    /// Closes the listener after it has served the connections that wait to be accepted. The operating system resets
    /// all others. The runtime may not have noticed the newest connections yet, so this asks the operating system
    /// itself.
    fn close(&self, listener: TcpListener, admission: &Admission) -> io::Result<()> {
        let listener = listener.into_std()?;
        while let Some(accepted) = admission.accept_waiting(&listener)? {
            self.serve(accepted);
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
    ticket: Ticket,
) -> hyper::Result<()> {
    let connection = ClientConnection::default();
    tokio::select! {
        ended = serve_requests(stream, address, router, &settings, stopping, &connection, ticket) => ended,
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
    ticket: Ticket,
) -> hyper::Result<()> {
    let stream = with_write_timeout(stream, settings.write_timeout);
    let used = AtomicBool::new(false);
    let respond = |mut request: Request<Incoming>| {
        used.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(client.clone());
        ticket.clone().serve(router.clone(), request)
    };
    let stream = TokioIo::new(ClientStream::new(
        stream,
        client.clone(),
        ticket.descriptor(),
    ));
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
        () = ticket.must_leave() => {
            // A request that waited is rejected.
            let grace = if used.load(Ordering::Relaxed) { LEAVE_GRACE } else { Duration::ZERO };
            return timeout(grace, connection).await.unwrap_or(Ok(()));
        }
        () = async { stopping.cancelled().await; sleep(idle_grace).await } => {}
    }
    // Browsers open connections in advance. hyper would wait for the first request on them.
    if !used.load(Ordering::Relaxed) {
        return Ok(());
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}
