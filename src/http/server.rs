//! The accept loop: connections with timeouts, a maximum number of connections, and graceful shutdown.
//!
//! axum's own loop sets no timeouts. With it, a client that sends one byte per minute, or never reads, would hold a connection forever.
//!
//! A stop resets no request. `App::serve` reports that the service is not ready and adds `Connection: close` to every
//! response. After `shutdown_delay`, the loop serves the connections that wait to be accepted and closes the listener.
//! Connections without a request are closed after `idle_grace`, the others after their response.
//! Clients of HTTP/2 are told to send no more requests at once.

use std::{io, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    admission::{self, Accepted, Admission},
    client_connection::{ClientConnection, ClientStream},
    protocols::Connection,
};

/// File descriptors that the server needs beyond those of its connections: the listener, the reserve and a spare one.
pub(crate) const OWN_DESCRIPTORS: usize = admission::RESERVE + 2;

/// Timeouts and limits of connections.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Maximum time to receive a request's head, and maximum idle time between two requests.
    pub header_timeout: Duration,
    /// How long a client may read nothing before it is disconnected. With HTTP/2, its stream is reset instead.
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

    /// How long a connection may still send requests that are on their way, after it was told to send no more.
    pub(super) fn grace(&self) -> Duration {
        self.idle_grace.min(self.shutdown_timeout / 2)
    }

    /// Returns when the service stops, and clients have had some time to send requests that are on their way.
    pub(super) async fn idle_stop(&self, stopping: &CancellationToken) {
        stopping.cancelled().await;
        sleep(self.grace()).await;
    }
}

/// Serves until `stop` completes, then waits for the requests in flight. Returns the deadline of the shutdown.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &ServerSettings,
    stop: impl Future<Output = ()>,
) -> Instant {
    let connections = Connections {
        router,
        settings: settings.clone(),
        open: TaskTracker::new(),
        stopping: CancellationToken::new(),
    };
    let mut admission = Admission::new(settings.max_connections, settings.max_open);
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, address) = tokio::select! {
            accepted = admission.accept(&listener) => accepted,
            () = &mut stop => break,
        };
        // Not within `select!`: a stop would drop the connection, and the client would see a reset.
        let ticket = admission.admit().await;
        connections.serve((stream, address, ticket));
    }
    if let Err(error) = connections.close(listener, &admission) {
        tracing::debug!(%error, "serving the last connections failed");
    }
    connections.stopping.cancel();
    let deadline = Instant::now() + settings.shutdown_timeout;
    wait_until_closed(&connections.open, deadline).await;
    deadline
}

/// Serves accepted connections.
struct Connections {
    router: Router,
    settings: ServerSettings,
    open: TaskTracker,
    stopping: CancellationToken,
}

impl Connections {
    /// Serves a connection in a task of its own.
    fn serve(&self, (stream, address, ticket): Accepted) {
        let connection = Connection {
            address,
            router: self.router.clone(),
            settings: self.settings.clone(),
            stopping: self.stopping.clone(),
            client: ClientConnection::default(),
            ticket: ticket.clone(),
        };
        self.open.spawn(async move {
            if let Err(error) = serve_connection(stream, connection).await {
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
        tracing::warn!("shutdown timeout reached; requests in flight were canceled");
    }
}

/// How long the runtime may take to notice what the client of a new connection has sent already.
const ARRIVAL_TIME: Duration = Duration::from_millis(10);

/// Serves one connection until either side closes it or a handler aborts it.
async fn serve_connection(stream: TcpStream, connection: Connection) -> hyper::Result<()> {
    let Connection {
        settings, ticket, ..
    } = &connection;
    let stream = with_write_timeout(stream, settings.write_timeout);
    let client = connection.client.clone();
    let mut stream = ClientStream::new(stream, client, ticket.descriptor());
    let detected = tokio::select! {
        detected = timeout(settings.header_timeout, stream.starts_http2()) => detected,
        () = async { ticket.must_leave().await; sleep(ARRIVAL_TIME).await } => return Ok(()),
        () = settings.idle_stop(&connection.stopping) => return Ok(()),
    };
    match detected {
        Ok(Ok(true)) => connection.serve_http2(stream).await,
        Ok(Ok(false)) => connection.serve_http1(stream).await,
        // The client has sent nothing in time, or is gone.
        Ok(Err(_)) | Err(_) => Ok(()),
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
