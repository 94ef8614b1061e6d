//! A client connection below HTTP.
//!
//! A handler can abort its connection while a response waits to be sent. Only this layer can disconnect a client that does not read, because
//! hyper does not poll a response body while written bytes wait. A handler can also let a connection linger, so that its last message arrives
//! before the connection closes.
//!
//! The accept loop wraps each connection in a [`ClientStream`] and adds its [`ClientConnection`] to the extensions of every request.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::http::request::Parts;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tokio_io_timeout::TimeoutWriter;

use super::admission::Descriptor;

/// How long a lingering connection is read.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// Maximum bytes that are read from a lingering connection.
const MAX_UNREAD: usize = 16 * 1024 * 1024;

/// A handler's control over the connection of its request. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct ClientConnection(Arc<Control>);

#[derive(Default)]
struct Control {
    abort: Notify,
    linger: AtomicBool,
}

impl ClientConnection {
    /// The connection on which a request arrived.
    pub(super) fn of(parts: &Parts) -> ClientConnection {
        parts
            .extensions
            .get::<ClientConnection>()
            .cloned()
            .unwrap_or_default()
    }

    /// Disconnects a client that does not read, and drops what waits to be sent. Has no effect after an upgrade to WebSocket.
    pub(super) fn abort(&self) {
        self.0.abort.notify_one();
    }

    /// Returns when the connection must be closed. Only the accept loop may wait for this.
    pub(super) async fn aborted(&self) {
        self.0.abort.notified().await;
    }

    /// When the connection is dropped, reads what the client still sends for a moment. Unread bytes would make the operating system reset
    /// the connection and lose the last message that was sent.
    pub(super) fn linger(&self) {
        self.0.linger.store(true, Ordering::Relaxed);
    }
}

type Socket = Pin<Box<TimeoutWriter<TcpStream>>>;

/// The byte stream of a client connection.
pub(super) struct ClientStream {
    /// `None` only during `drop`.
    socket: Option<Socket>,
    connection: ClientConnection,
    descriptor: Descriptor,
}

impl ClientStream {
    pub(super) fn new(
        socket: TimeoutWriter<TcpStream>,
        connection: ClientConnection,
        descriptor: Descriptor,
    ) -> Self {
        ClientStream {
            socket: Some(Box::pin(socket)),
            connection,
            descriptor,
        }
    }

    fn socket(&mut self) -> Pin<&mut TimeoutWriter<TcpStream>> {
        let socket = self.socket.as_mut();
        socket.expect("the socket exists until drop").as_mut()
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if !self.connection.0.linger.load(Ordering::Relaxed) {
            return;
        }
        if let (Some(socket), Ok(runtime)) =
            (self.socket.take(), tokio::runtime::Handle::try_current())
        {
            let descriptor = self.descriptor.clone();
            runtime.spawn(async move {
                let _ = timeout(LINGER_TIME, drain_socket(socket)).await;
                drop(descriptor);
            });
        }
    }
}

async fn drain_socket(mut socket: Socket) -> io::Result<()> {
    // The client sees the end of the stream after the last message.
    socket.shutdown().await?;
    let (mut read, mut bytes) = (0, vec![0; 16 * 1024]);
    while read < MAX_UNREAD {
        match socket.read(&mut bytes).await? {
            0 => break,
            more => read += more,
        }
    }
    Ok(())
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket().poll_read(ctx, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.socket().poll_write(ctx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket().poll_write_vectored(ctx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        let socket = self.socket.as_ref();
        socket.is_some_and(|socket| socket.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_flush(ctx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_shutdown(ctx)
    }
}
