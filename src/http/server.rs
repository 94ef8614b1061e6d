//! The accept loop: connections with timeouts, a maximum number of connections, and graceful shutdown.
//!
//! axum's own loop sets no timeouts. With it, a client that sends one byte per minute, or never reads, would hold a connection forever.
//!
//! A stop resets no request. `App::serve` reports that the service is not ready and adds `Connection: close` to every response. After
//! `shutdown_delay`, the loop serves the connections that wait to be accepted and closes the listener. Connections without a request are
//! closed after `idle_grace`, the others after their response. Clients of HTTP/2 are told to send no more requests at once.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    client_connection::{ClientConnection, ClientStream},
    protocols::Connection,
};

/// Timeouts and limits of connections.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Maximum time to receive a request's head, and maximum idle time between two requests.
    pub header_timeout: Duration,
    /// How long a client may read nothing before it is disconnected.
    pub write_timeout: Duration,
    /// Maximum number of open connections. Further ones wait to be accepted.
    pub max_connections: usize,
    /// How long connections are still accepted after the signal to stop, while load balancers notice that the service is not ready.
    pub shutdown_delay: Duration,
    /// How long requests in flight may continue when the service stops.
    pub shutdown_timeout: Duration,
    /// When the service stops, how long a connection without a request may still send one. Closing it at once would reset a request
    /// that is on its way. At most half of `shutdown_timeout`.
    pub idle_grace: Duration,
}

impl ServerSettings {
    /// `idle_grace` of the program.
    pub const IDLE_GRACE: Duration = Duration::from_secs(1);

    /// Returns when the service stops, and clients have had some time to send requests that are on their way.
    pub(super) async fn idle_stop(&self, stopping: &CancellationToken) {
        stopping.cancelled().await;
        sleep(self.idle_grace.min(self.shutdown_timeout / 2)).await;
    }
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

    /// Closes the listener after it has served the connections that wait to be accepted. The operating system resets all others. The
    /// runtime may not have noticed the newest connections yet, so this asks the operating system itself.
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

/// Serves one connection until either side closes it or a handler aborts it.
async fn serve_connection(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    settings: ServerSettings,
    stopping: CancellationToken,
) -> hyper::Result<()> {
    let client = ClientConnection::default();
    let stream = with_write_timeout(stream, settings.write_timeout);
    let mut stream = ClientStream::new(stream, client.clone());
    let detected = tokio::select! {
        detected = timeout(settings.header_timeout, stream.starts_http2()) => detected,
        () = settings.idle_stop(&stopping) => return Ok(()),
    };
    // The client has sent nothing in time, or is gone.
    let Ok(Ok(is_http2)) = detected else {
        return Ok(());
    };
    let connection = Connection {
        address,
        router,
        settings,
        stopping,
        client,
    };
    match is_http2 {
        true => connection.serve_http2(stream).await,
        false => connection.serve_http1(stream).await,
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
