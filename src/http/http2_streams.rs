//! The streams of one HTTP/2 connection: each is one request and its response.
//!
//! - [`Http2Streams`] runs them. It can abort a single stream, and knows when there are none.
//! - [`Unsent`] notices a client that does not read. HTTP/2 has its own flow control: a client can accept bytes of the connection, such as
//!   pings, but no bytes of any response. The timeout of the socket does not see that.
//! - [`Operations`] bounds what runs for a connection. A mutation outlives its stream, so the maximum number of streams does not.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::request::Parts,
};
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
#[derive(Clone, Default)]
pub(super) struct Http2Streams {
    /// The control of the stream that hyper is about to start: it calls the service, then the executor, without a pause.
    next: Arc<Mutex<Option<ClientConnection>>>,
    open: watch::Sender<usize>,
}

impl Http2Streams {
    /// The control of the stream whose request has just arrived. Aborting it resets the stream.
    pub(super) fn next(&self) -> ClientConnection {
        let control = ClientConnection::default();
        *self.next.lock() = Some(control.clone());
        control
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
    fn execute(&self, stream: F) {
        let control = self.next.lock().take().unwrap_or_default();
        let open = OpenStream::new(self.open.clone());
        tokio::spawn(async move {
            let _open = open;
            tokio::select! {
                () = stream => {}
                () = control.aborted() => {}
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

/// The parts of responses that wait for the client to read. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Unsent {
    waiting: watch::Sender<Waiting>,
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
        TrackedBody { body, unsent: self }
    }

    /// Returns when parts have waited for this time, and nothing was sent meanwhile.
    pub(super) async fn stalled(&self, limit: Duration) {
        let mut waiting = self.waiting.subscribe();
        loop {
            let since = match waiting.wait_for(|waiting| waiting.parts > 0).await {
                Ok(waiting) => waiting.since,
                Err(_) => return,
            };
            sleep_until(since + limit).await;
            let now = *waiting.borrow_and_update();
            if now.parts > 0 && now.since + limit <= Instant::now() {
                return;
            }
        }
    }

    /// Returns when no part waits.
    pub(super) async fn sent(&self) {
        let mut waiting = self.waiting.subscribe();
        let _ = waiting.wait_for(|waiting| waiting.parts == 0).await;
    }

    fn add(&self) {
        self.waiting.send_modify(|waiting| {
            if waiting.parts == 0 {
                waiting.since = Instant::now();
            }
            waiting.parts += 1;
        });
    }

    fn progress(&self) {
        self.waiting
            .send_modify(|waiting| waiting.since = Instant::now());
    }

    fn remove(&self) {
        self.waiting.send_modify(|waiting| waiting.parts -= 1);
    }
}

/// A body of a response. hyper holds one part of it until the client's flow control lets it be sent.
pub(super) struct TrackedBody {
    body: Body,
    unsent: Unsent,
}

impl HttpBody for TrackedBody {
    type Data = Part;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(ctx));
        let part = |bytes| Part::new(bytes, self.unsent.clone());
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
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
