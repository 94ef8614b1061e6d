//! The streams of one HTTP/2 connection: each is one request and its response.
//!
//! - [`Http2Streams`] runs them. It can abort a single stream, and knows when there are none.
//! - [`Unsent`] notices a client that does not read a response. HTTP/2 has its own flow control for each stream: a client can read some
//!   responses and leave others in the memory of the service. The timeout of the socket does not see that.
//! - [`Operations`] bounds what runs for a connection. A mutation outlives its stream, so the maximum number of streams does not.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::request::Parts,
};
use futures_util::task::AtomicWaker;
use hyper::{
    body::{Buf, Frame, SizeHint},
    rt::Executor,
};
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep_until, timeout},
};

use super::client_connection::ClientConnection;
use crate::error::Error;

/// Runs the streams of a connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Http2Streams {
    /// The stream that hyper is about to start: it calls the service, then the executor, without a pause.
    next: Arc<Mutex<Option<Stream>>>,
    open: watch::Sender<usize>,
    read_timeout: Duration,
}

/// What can end a stream, except its response. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Stream {
    /// What the handler controls. Aborting it resets the stream.
    pub(super) control: ClientConnection,
    /// The parts of the response. If the client does not read them, the stream is reset.
    pub(super) unsent: Unsent,
}

impl Http2Streams {
    /// `read_timeout`: how long a client may read nothing of a response that waits for it.
    pub(super) fn new(read_timeout: Duration) -> Self {
        Http2Streams {
            next: Arc::default(),
            open: watch::Sender::default(),
            read_timeout,
        }
    }

    /// The stream whose request has just arrived.
    pub(super) fn next(&self) -> Stream {
        let stream = Stream::default();
        *self.next.lock() = Some(stream.clone());
        stream
    }

    /// Returns when there has been no stream for this time.
    pub(super) async fn idle(&self, time: Duration) {
        let mut open = self.open.subscribe();
        loop {
            // The channel stays open, because this holds its sender.
            let _ = open.wait_for(|open| *open == 0).await;
            if timeout(time, open.wait_for(|open| *open > 0))
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Http2Streams {
    fn execute(&self, response: F) {
        let stream = self.next.lock().take().unwrap_or_default();
        let open = OpenStream::new(self.open.clone());
        let read_timeout = self.read_timeout;
        tokio::spawn(async move {
            let _open = open;
            // Dropping the response resets its stream.
            tokio::select! {
                () = response => {}
                () = stream.control.aborted() => {}
                () = stream.unsent.stalled(read_timeout) => {}
            }
        });
    }
}

/// Counts as open until it is dropped.
struct OpenStream(watch::Sender<usize>);

impl OpenStream {
    fn new(open: watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open += 1);
        OpenStream(open)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// The parts of one response that wait for the client to read. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Unsent(Arc<ResponseParts>);

#[derive(Default)]
struct ResponseParts {
    waiting: Mutex<Waiting>,
    /// Wakes the task of the stream when no part waits.
    sent: AtomicWaker,
}

#[derive(Clone, Copy)]
struct Waiting {
    parts: usize,
    /// When a byte was last sent, or the first part began to wait.
    since: Instant,
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting {
            parts: 0,
            since: Instant::now(),
        }
    }
}

impl Unsent {
    /// A body whose parts are known to wait until they are sent.
    pub(super) fn track(self, body: Body) -> TrackedBody {
        TrackedBody {
            body,
            ended: false,
            unsent: self,
        }
    }

    /// Returns when parts have waited for this time, and nothing was sent meanwhile.
    async fn stalled(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            let waiting = *self.0.waiting.lock();
            let since = match waiting.parts {
                // No part that begins to wait from now on is due before the pause ends.
                0 => now,
                _ => waiting.since,
            };
            if since + limit <= now {
                return;
            }
            sleep_until(since + limit).await;
        }
    }

    fn is_sent(&self) -> bool {
        self.0.waiting.lock().parts == 0
    }

    fn poll_sent(&self, ctx: &mut Context<'_>) -> Poll<()> {
        self.0.sent.register(ctx.waker());
        match self.is_sent() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn add(&self) {
        let mut waiting = self.0.waiting.lock();
        if waiting.parts == 0 {
            waiting.since = Instant::now();
        }
        waiting.parts += 1;
    }

    fn progress(&self) {
        self.0.waiting.lock().since = Instant::now();
    }

    fn remove(&self) {
        let mut waiting = self.0.waiting.lock();
        waiting.parts -= 1;
        if waiting.parts == 0 {
            drop(waiting);
            self.0.sent.wake();
        }
    }
}

/// The body of a response. It ends when all of its parts are sent: hyper's task ends with the body, and only while it runs can the stream be
/// reset, which drops the parts.
pub(super) struct TrackedBody {
    body: Body,
    /// Whether `body` has ended.
    ended: bool,
    unsent: Unsent,
}

impl HttpBody for TrackedBody {
    type Data = Part;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, axum::Error>>> {
        if !self.ended {
            if let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(ctx)) {
                let part = |bytes| Part::new(bytes, self.unsent.clone());
                return Poll::Ready(Some(frame.map(|frame| frame.map_data(part))));
            }
            self.ended = true;
        }
        self.unsent.poll_sent(ctx).map(|()| None)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.unsent.is_sent()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A part of a response. It waits until all of its bytes are sent, or it is dropped.
pub(super) struct Part {
    bytes: Bytes,
    unsent: Unsent,
}

impl Part {
    fn new(bytes: Bytes, unsent: Unsent) -> Self {
        unsent.add();
        Part { bytes, unsent }
    }
}

impl Buf for Part {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.unsent.progress();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.unsent.remove();
    }
}

/// Limits the operations that run for a connection, also those whose stream is reset. An extension of each request. Cheap to clone.
#[derive(Clone)]
pub(super) struct Operations(Arc<Semaphore>);

/// To be held until an operation has ended. `None`: the connection has no limit, because it carries one request at a time.
pub(super) type OperationPermit = Option<OwnedSemaphorePermit>;

impl Operations {
    pub(super) fn new(max: usize) -> Self {
        Operations(Arc::new(Semaphore::new(max)))
    }

    /// Permits the operation of a request.
    ///
    /// # Errors
    /// UNAVAILABLE if too many run for its connection.
    pub(super) fn permit(parts: &Parts) -> Result<OperationPermit, Error> {
        let Some(Operations(running)) = parts.extensions.get() else {
            return Ok(None);
        };
        match running.clone().try_acquire_owned() {
            Ok(permit) => Ok(Some(permit)),
            // Without a detail, it is not logged: a client could fill the log.
            Err(_) => Err(Error::unavailable("")),
        }
    }
}
