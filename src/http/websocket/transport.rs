//! A WebSocket with a queue of outgoing messages, read and written in one place. It does not interpret messages.
//!
//! A client that breaks RFC 6455 gets a close frame first, and its remaining bytes are read for a moment. Unread bytes would turn the close
//! frame into a TCP reset.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{Sink, Stream};
use tokio::time::timeout;
use tungstenite::{Error as SocketError, error::ProtocolError};

use super::{super::client_connection::ClientConnection, messages::Close};
use crate::graphql::ResponseBudget;

/// Maximum number of queued messages. While the queue is full, nothing is read.
const MAX_QUEUED: usize = 16;

/// How long the client may take to respond to a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// An open WebSocket.
pub(super) struct Transport {
    socket: WebSocket,
    connection: ClientConnection,
    queue: VecDeque<(Message, Option<ResponseBudget>)>,
    /// Whether written bytes have not been flushed yet.
    unsent: bool,
    /// The budgets of the responses among them.
    unsent_budgets: Vec<ResponseBudget>,
    /// Whether the client accepted no more bytes at the last attempt.
    is_blocked: bool,
    /// Whether the client sent an invalid frame, so that nothing more can be read.
    is_unreadable: bool,
}

pub(super) enum TransportEvent {
    Received(Message),
    /// The queue has been sent.
    Sent,
    /// The queue has been sent after the client had read nothing for a while. The client is alive.
    Unblocked,
    /// The client broke RFC 6455. The socket must close with this frame.
    ProtocolError(Close),
    /// The connection is closed.
    Closed,
}

impl Transport {
    pub(super) fn new(socket: WebSocket, connection: ClientConnection) -> Self {
        Transport {
            socket,
            connection,
            queue: VecDeque::new(),
            unsent: false,
            unsent_budgets: Vec::new(),
            is_blocked: false,
            is_unreadable: false,
        }
    }

    pub(super) fn push(&mut self, message: Message) {
        self.push_response(message, None);
    }

    /// Pushes a response with its budget, which is dropped when the client has accepted the message. The socket copies messages, so
    /// their bytes cannot hold it.
    pub(super) fn push_response(&mut self, message: Message, budget: Option<ResponseBudget>) {
        self.queue.push_back((message, budget));
    }

    /// Whether nothing waits to be sent.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.unsent
    }

    /// Writes the queue, and reads if `reads` is true. Cancel-safe.
    pub(super) async fn next_event(&mut self, reads: bool) -> TransportEvent {
        poll_fn(|ctx| self.poll(ctx, reads)).await
    }

    fn poll(&mut self, ctx: &mut Context<'_>, reads: bool) -> Poll<TransportEvent> {
        match self.poll_write(ctx) {
            Poll::Ready(Ok(true)) if std::mem::take(&mut self.is_blocked) => {
                return Poll::Ready(TransportEvent::Unblocked);
            }
            Poll::Ready(Ok(true)) => return Poll::Ready(TransportEvent::Sent),
            Poll::Ready(Err(_)) => return Poll::Ready(TransportEvent::Closed),
            Poll::Ready(Ok(false)) => {}
            Poll::Pending => self.is_blocked = true,
        }
        if !reads || self.is_unreadable || self.queue.len() >= MAX_QUEUED {
            return Poll::Pending;
        }
        match Pin::new(&mut self.socket).poll_next(ctx) {
            Poll::Ready(Some(Ok(message))) => Poll::Ready(TransportEvent::Received(message)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(self.failed(error)),
            Poll::Ready(None) => Poll::Ready(TransportEvent::Closed),
            Poll::Pending => Poll::Pending,
        }
    }

    fn failed(&mut self, error: axum::Error) -> TransportEvent {
        tracing::debug!(%error, "a WebSocket failed");
        match close_for(error) {
            Some(close) => {
                self.is_unreadable = true;
                self.connection.linger();
                TransportEvent::ProtocolError(close)
            }
            None => TransportEvent::Closed,
        }
    }

    /// Writes the queue. Returns true if it has been sent completely, false if there was nothing to send.
    fn poll_write(&mut self, ctx: &mut Context<'_>) -> Poll<Result<bool, axum::Error>> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.queue.is_empty() {
            match socket.as_mut().poll_ready(ctx) {
                Poll::Ready(Ok(())) => {}
                other => return other.map_ok(|()| false),
            }
            if let Some((message, budget)) = self.queue.pop_front() {
                socket.as_mut().start_send(message)?;
                self.unsent = true;
                self.unsent_budgets.extend(budget);
            }
        }
        if !self.unsent {
            return Poll::Ready(Ok(false));
        }
        match socket.poll_flush(ctx) {
            Poll::Ready(Ok(())) => {
                self.unsent = false;
                self.unsent_budgets.clear();
                Poll::Ready(Ok(true))
            }
            other => other.map_ok(|()| false),
        }
    }

    /// Sends the queue and a close frame, unless the client closed first, and waits a while for the client's close frame.
    pub(super) async fn close(mut self, close: Close) {
        if close != Close::BY_CLIENT {
            self.push(Message::Close(Some(CloseFrame {
                code: close.code,
                reason: close.reason.into_owned().into(),
            })));
        }
        let ended = async {
            while !matches!(self.next_event(true).await, TransportEvent::Closed) {
                if self.is_unreadable && self.is_idle() {
                    return;
                }
            }
        };
        // After the timeout, dropping the socket disconnects the client.
        let _ = timeout(CLOSE_TIMEOUT, ended).await;
    }
}

/// The close frame for a client that broke RFC 6455. `None` if the connection itself failed.
fn close_for(error: axum::Error) -> Option<Close> {
    let error = error.into_inner().downcast::<SocketError>().ok()?;
    match *error {
        SocketError::Capacity(_) => Some(Close::TOO_BIG),
        SocketError::Utf8(_) => Some(Close::BAD_TEXT),
        SocketError::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::SendAfterClosing
            | ProtocolError::ReceivedAfterClosing,
        ) => None,
        SocketError::Protocol(_) => Some(Close::BAD_FRAME),
        _ => None,
    }
}
