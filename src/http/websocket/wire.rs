//! A WebSocket with a queue of what is to be sent, read and written in one place at one time. It says nothing of what the
//! messages mean.

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
use tungstenite::{Error as Broken, error::ProtocolError};

use super::{super::line::Line, messages::Close};

/// Messages that may wait to be sent; while there are so many, nothing more is read.
const MOST_WAITING: usize = 16;

/// How long the other side may take to answer a close frame.
const CLOSING: Duration = Duration::from_secs(5);

/// A socket on the wire.
pub(super) struct Wire {
    socket: WebSocket,
    line: Line,
    waiting: VecDeque<Message>,
    /// Whether something was written that has not gone out yet.
    unsent: bool,
    /// Whether the other side took nothing more when it was last tried.
    is_blocked: bool,
    /// Whether nothing more can be read, since what came was no frame.
    is_broken: bool,
}

/// What happens on the wire.
pub(super) enum Traffic {
    Received(Message),
    /// All that waited has gone out.
    Sent,
    /// So it has, after the other side had taken nothing for a while: it is there.
    Progress,
    /// What came is no message of the protocol below; how it is to be closed.
    Breach(Close),
    /// The connection is no more.
    Gone,
}

impl Wire {
    pub(super) fn new(socket: WebSocket, line: Line) -> Self {
        Wire {
            socket,
            line,
            waiting: VecDeque::new(),
            unsent: false,
            is_blocked: false,
            is_broken: false,
        }
    }

    pub(super) fn push(&mut self, message: Message) {
        self.waiting.push_back(message);
    }

    /// Whether nothing waits to go out: then more can be asked for.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.unsent
    }

    /// Writes what waits, and reads if `reads`. Can be dropped at any time without losing anything.
    pub(super) async fn traffic(&mut self, reads: bool) -> Traffic {
        poll_fn(|ctx| self.poll(ctx, reads)).await
    }

    fn poll(&mut self, ctx: &mut Context<'_>, reads: bool) -> Poll<Traffic> {
        match self.poll_write(ctx) {
            Poll::Ready(Ok(true)) if std::mem::take(&mut self.is_blocked) => {
                return Poll::Ready(Traffic::Progress);
            }
            Poll::Ready(Ok(true)) => return Poll::Ready(Traffic::Sent),
            Poll::Ready(Err(_)) => return Poll::Ready(Traffic::Gone),
            Poll::Ready(Ok(false)) => {}
            Poll::Pending => self.is_blocked = true,
        }
        if !reads || self.is_broken || self.waiting.len() >= MOST_WAITING {
            return Poll::Pending;
        }
        match Pin::new(&mut self.socket).poll_next(ctx) {
            Poll::Ready(Some(Ok(message))) => Poll::Ready(Traffic::Received(message)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(self.broken(error)),
            Poll::Ready(None) => Poll::Ready(Traffic::Gone),
            Poll::Pending => Poll::Pending,
        }
    }

    fn broken(&mut self, error: axum::Error) -> Traffic {
        tracing::debug!(%error, "a socket broke");
        match breach(error) {
            Some(close) => {
                self.is_broken = true;
                // The rest of what is no message would be in the way of the close frame.
                self.line.linger();
                Traffic::Breach(close)
            }
            None => Traffic::Gone,
        }
    }

    /// Whether something has gone out, and nothing is left.
    fn poll_write(&mut self, ctx: &mut Context<'_>) -> Poll<Result<bool, axum::Error>> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.waiting.is_empty() {
            match socket.as_mut().poll_ready(ctx) {
                Poll::Ready(Ok(())) => {}
                other => return other.map_ok(|()| false),
            }
            if let Some(message) = self.waiting.pop_front() {
                socket.as_mut().start_send(message)?;
                self.unsent = true;
            }
        }
        if !self.unsent {
            return Poll::Ready(Ok(false));
        }
        match socket.poll_flush(ctx) {
            Poll::Ready(Ok(())) => {
                self.unsent = false;
                Poll::Ready(Ok(true))
            }
            other => other.map_ok(|()| false),
        }
    }

    /// Sends what waits and a close frame, unless the other side closed first, and waits a while for the other side's.
    pub(super) async fn close(mut self, close: Close) {
        if close.code != Close::ANSWERED {
            self.push(Message::Close(Some(CloseFrame {
                code: close.code,
                reason: close.reason.into(),
            })));
        }
        let ended = async {
            while !matches!(self.traffic(true).await, Traffic::Gone) {
                if self.is_broken && self.is_idle() {
                    return;
                }
            }
        };
        // Whoever cannot be told is cut off.
        let _ = timeout(CLOSING, ended).await;
    }
}

/// How a breach of RFC 6455 is closed; `None` for a connection that has broken off.
fn breach(error: axum::Error) -> Option<Close> {
    let error = error.into_inner().downcast::<Broken>().ok()?;
    match *error {
        Broken::Capacity(_) => Some(Close::too_big()),
        Broken::Utf8(_) => Some(Close::bad_text()),
        Broken::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::SendAfterClosing
            | ProtocolError::ReceivedAfterClosing,
        ) => None,
        Broken::Protocol(_) => Some(Close::bad_frame()),
        _ => None,
    }
}
