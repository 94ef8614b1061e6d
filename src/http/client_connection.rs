//! A client connection below HTTP.
//!
//! A handler can abort its connection while a response waits to be sent. Only this layer can disconnect a client that does not read, because
//! hyper does not poll a response body while written bytes wait. A handler can also let a connection linger, so that its last message arrives
//! before the connection closes.
//!
//! The accept loop wraps each connection in a [`ClientStream`] and adds a [`ClientConnection`] to the extensions of every request. With HTTP/2,
//! a request controls only its own stream.

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
    /// Whether the response to a handshake is about to be written.
    handshake: AtomicBool,
}

/// What a connection of HTTP/2 starts with (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Names of fields in the response to a handshake, as RFC 6455 spells them.
const HANDSHAKE_NAMES: [&str; 2] = ["Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"];

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

    /// Spells the names of fields in the response to a WebSocket handshake as RFC 6455 does. hyper writes them in lower case, and some
    /// clients compare the case.
    pub(super) fn spell_handshake(&self) {
        self.0.handshake.store(true, Ordering::Relaxed);
    }

    /// The bytes to write instead of these, if they are the response to a handshake. They have the same length.
    fn spelled(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if !self.0.handshake.load(Ordering::Relaxed) {
            return None;
        }
        let start = find(bytes, b"HTTP/1.1 101 ")?;
        let mut spelled = bytes.to_vec();
        for name in HANDSHAKE_NAMES {
            let lower = format!("\r\n{}: ", name.to_ascii_lowercase());
            if let Some(at) = find(&spelled[start..], lower.as_bytes()) {
                let at = start + at + 2;
                spelled[at..at + name.len()].copy_from_slice(name.as_bytes());
            }
        }
        Some(spelled)
    }

    /// When the connection is dropped, reads what the client still sends for a moment. Unread bytes would make the operating system reset
    /// the connection and lose the last message that was sent.
    pub(super) fn linger(&self) {
        self.0.linger.store(true, Ordering::Relaxed);
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

type Socket = Pin<Box<TimeoutWriter<TcpStream>>>;

/// The byte stream of a client connection.
pub(super) struct ClientStream {
    /// `None` only during `drop`.
    socket: Option<Socket>,
    connection: ClientConnection,
    descriptor: Descriptor,
    /// Bytes that were read to detect the protocol, and are read again.
    start: Vec<u8>,
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
            start: Vec::new(),
        }
    }

    /// Reads until it is known whether the connection starts as HTTP/2. What was read is read again.
    pub(super) async fn starts_http2(&mut self) -> io::Result<bool> {
        let mut start = [0; HTTP2_PREFACE.len()];
        let mut length = 0;
        while length < start.len() && HTTP2_PREFACE.starts_with(&start[..length]) {
            match self.socket().read(&mut start[length..]).await? {
                0 => break,
                read => length += read,
            }
        }
        self.start = start[..length].to_vec();
        Ok(self.start == HTTP2_PREFACE)
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
        if self.start.is_empty() {
            return self.socket().poll_read(ctx, buffer);
        }
        let length = self.start.len().min(buffer.remaining());
        buffer.put_slice(&self.start[..length]);
        self.start.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(spelled) = self.connection.spelled(bytes) else {
            return self.socket().poll_write(ctx, bytes);
        };
        let written = std::task::ready!(self.socket().poll_write(ctx, &spelled))?;
        let handshake = &self.connection.0.handshake;
        handshake.store(false, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.connection.0.handshake.load(Ordering::Relaxed) {
            // hyper writes the head of a response at once.
            let first = bytes.iter().find(|bytes| !bytes.is_empty());
            return self.poll_write(ctx, first.map_or(&[], |bytes| &**bytes));
        }
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
