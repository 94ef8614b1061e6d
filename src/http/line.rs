//! A caller's connection below HTTP: it can be cut while something waits to be sent on it, and it can be given up so that
//! what was said last still arrives.
//!
//! The accept loop holds each connection as a [`Held`] stream, and puts its [`Line`] into every request that comes on it.
//! Nothing here knows what is said.

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

/// How long what still comes is read after the last word.
const LINGERING: Duration = Duration::from_secs(2);
/// Bytes of it at most.
const MOST_UNREAD: usize = 16 * 1024 * 1024;

/// What can be done to a connection by whoever answers on it. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Line(Arc<Wishes>);

#[derive(Default)]
struct Wishes {
    cut: Notify,
    lingers: AtomicBool,
}

impl Line {
    /// The connection that a request came on.
    pub(super) fn of(parts: &Parts) -> Line {
        parts.extensions.get::<Line>().cloned().unwrap_or_default()
    }

    /// Ends the connection, whatever waits to be sent: for a caller who takes nothing. One that has become a WebSocket is its
    /// own and is not touched.
    pub(super) fn cut(&self) {
        self.0.cut.notify_one();
    }

    /// Done when it is to be ended. One waits: the accept loop.
    pub(super) async fn is_cut(&self) {
        self.0.cut.notified().await;
    }

    /// What the caller still sends is read for a moment when the connection is given up. Bytes that nobody reads would make
    /// the system break it off, and with it what was said last and has not arrived.
    pub(super) fn linger(&self) {
        self.0.lingers.store(true, Ordering::Relaxed);
    }
}

type Socket = Pin<Box<TimeoutWriter<TcpStream>>>;

/// A connection as the accept loop holds it, until it is dropped.
pub(super) struct Held {
    /// `None` only while it is dropped.
    socket: Option<Socket>,
    line: Line,
}

impl Held {
    pub(super) fn new(socket: TimeoutWriter<TcpStream>, line: Line) -> Self {
        Held {
            socket: Some(Box::pin(socket)),
            line,
        }
    }

    fn socket(&mut self) -> Pin<&mut TimeoutWriter<TcpStream>> {
        let socket = self.socket.as_mut();
        socket.expect("it is there until it is dropped").as_mut()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.line.0.lingers.load(Ordering::Relaxed) {
            return;
        }
        if let (Some(socket), Ok(runtime)) =
            (self.socket.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(timeout(LINGERING, read_the_rest(socket)));
        }
    }
}

async fn read_the_rest(mut socket: Socket) -> io::Result<()> {
    // The other side sees the end behind the last word.
    socket.shutdown().await?;
    let (mut read, mut bytes) = (0, vec![0; 16 * 1024]);
    while read < MOST_UNREAD {
        match socket.read(&mut bytes).await? {
            0 => break,
            more => read += more,
        }
    }
    Ok(())
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket().poll_read(ctx, buffer)
    }
}

impl AsyncWrite for Held {
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
