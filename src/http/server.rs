//! The accept loop: connections with time limits and a bound on their number, and an orderly end.
//!
//! axum's own loop sets no timeouts, so that a caller who sends a byte a minute would hold a connection for ever.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tower::ServiceBuilder;

/// How connections are held.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// How long a request's head may take to come, and how long a connection may idle between two requests.
    pub header_timeout: Duration,
    /// Connections at a time; further ones wait to be accepted.
    pub max_connections: usize,
    /// How long requests in flight may go on when the service stops.
    pub shutdown_timeout: Duration,
}

/// Serves until `stop` is done, then lets the requests in flight come to their end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &ServerSettings,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
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
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let connection = graceful.watch(connection_of(stream, address, &router, settings));
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, %address, "a connection broke");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(settings.shutdown_timeout, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time and were cut off");
    }
}

type Connection = http1::Connection<TokioIo<TcpStream>, TowerToHyperService<ServiceWithAddress>>;
type ServiceWithAddress = axum::middleware::AddExtension<Router, ConnectInfo<SocketAddr>>;

fn connection_of(
    stream: TcpStream,
    address: SocketAddr,
    router: &Router,
    settings: &ServerSettings,
) -> Connection {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps Nagle's delay");
    }
    let service = ServiceBuilder::new()
        .layer(axum::Extension(ConnectInfo(address)))
        .service(router.clone());
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}
