//! GraphQL over server-sent events, in the distinct connections mode of graphql-sse: one operation a response, `next` events
//! with its answers, and a `complete` event behind them.
//!
//! An event's id is the cursor behind it. Whoever comes back with `Last-Event-ID` goes on there, whatever cursor
//! the operation names. Every few seconds a comment says that the connection lives.
//!
//! When a token expires or what it stands for is revoked, UNAUTHENTICATED comes as `next`, and `complete`, in place of further
//! events; what is answered once is answered. When the service stops, the events break off without `complete`, so that
//! clients come back.
//!
//! An operation runs on a task of its own, one output ahead of the connection; a caller who takes nothing for two heartbeats
//! is cut off, and so is one of events who takes nothing when the service stops: the connection is cut, since what waits on
//! it would never end.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_graphql::Response as Answer;
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    EdgeState,
    graphql::{Written, bearer_of},
    line::Line,
    request_id::RequestId,
    streams::{
        operation::{self, Output},
        standing::{RECHECK, RETRY, Standing, says_no},
    },
};
use crate::{
    auth::{Auth, Client},
    changes::parse_cursor,
    error::Error,
    graphql::{Admitted, Operation},
};

static LAST_EVENT_ID: &str = "last-event-id";

/// How long the last events may take to go out when the service stops.
const LEAVING: Duration = Duration::from_secs(2);

/// A request to be answered so.
pub(super) struct Asked {
    client: Client,
    token: Option<Arc<str>>,
    last_event_id: Option<String>,
    id: RequestId,
    deadline: Instant,
    line: Line,
}

impl Asked {
    pub(super) fn of(parts: &Parts, client: Client, id: RequestId, deadline: Instant) -> Self {
        let last = parts.headers.get(LAST_EVENT_ID);
        let last = last.and_then(|value| value.to_str().ok());
        Asked {
            client,
            token: bearer_of(&parts.headers).map(Arc::from),
            last_event_id: last.filter(|id| !id.is_empty()).map(str::to_owned),
            id,
            deadline,
            line: Line::of(parts),
        }
    }

    /// Runs the operation, and answers with what it says.
    ///
    /// # Errors
    /// As [`Auth::viewer`].
    pub(super) async fn answer(
        self,
        state: &EdgeState,
        admitted: Admitted,
    ) -> Result<Response, Error> {
        let revocations = state.auth.revocations();
        let is_lost = admitted.operation == Operation::Subscription && self.has_bad_place();
        let standing = Standing::of(&state.auth, self.token, self.client);
        let late = |_| Error::timeout("reading the session");
        let standing = timeout_at(self.deadline, standing).await.map_err(late)??;
        if is_lost {
            let message = "Last-Event-ID must be the id of an event: a cursor of the changes.";
            let outputs = operation::failing(Error::bad_input(message), &self.id);
            return Ok(respond(state, self.line, outputs, None));
        }
        let run = operation::Run {
            id: self.id,
            deadline: self.deadline,
            turn: None,
        };
        let outputs = run.of_admitted(state, &standing, admitted, self.last_event_id);
        let asker = Some((standing, revocations));
        Ok(respond(state, self.line, outputs, asker))
    }

    /// Whether the caller comes back to what is no place of the feed.
    fn has_bad_place(&self) -> bool {
        let last = self.last_event_id.as_deref();
        last.is_some_and(|last| parse_cursor(last).is_err())
    }
}

/// A request that the gate did not admit: by the protocol that is an answer like another.
pub(super) fn refusal(
    state: &EdgeState,
    parts: &Parts,
    refused: Box<Answer>,
    id: &RequestId,
) -> Response {
    let outputs = operation::only(operation::not_admitted(refused, id));
    respond(state, Line::of(parts), outputs, None)
}

fn respond(
    state: &EdgeState,
    line: Line,
    outputs: BoxStream<'static, Output>,
    asker: Option<(Standing, watch::Receiver<()>)>,
) -> Response {
    let (sender, mut receiver) = mpsc::channel(1);
    let (standing, revocations) = asker.unzip();
    let heartbeat = state.settings.streams.heartbeat;
    let sending = Sending {
        auth: state.auth.clone(),
        recheck: standing.as_ref().and_then(Standing::good_for).map(after),
        standing,
        revocations,
        is_listening: false,
        stopping: state.streams.stopping().clone(),
        heartbeat,
        beat: after(heartbeat),
        patience: state.settings.request_timeout.min(heartbeat),
        line,
        sender,
    };
    tokio::spawn(sending.run(outputs));
    let chunks = stream::poll_fn(move |ctx| receiver.poll_recv(ctx));
    let body = Body::from_stream(chunks.map(Ok::<Bytes, Infallible>));
    let mut response = body.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store, no-transform"),
        (header::VARY, "Accept, Authorization"),
        // Proxies that collect answers hold events back.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// What sends the events of one response.
struct Sending {
    auth: Auth,
    standing: Option<Standing>,
    revocations: Option<watch::Receiver<()>>,
    /// When the token is looked at again.
    recheck: Option<Instant>,
    /// Whether it is a subscription, which has begun.
    is_listening: bool,
    stopping: CancellationToken,
    heartbeat: Duration,
    /// When something is sent, if nothing is to be said until then.
    beat: Instant,
    /// How long it may take to look at a token.
    patience: Duration,
    line: Line,
    sender: mpsc::Sender<Bytes>,
}

enum Happened {
    Said(Option<Output>),
    Quiet,
    Recheck,
    Over(End),
}

/// How a response ends.
enum End {
    /// All is said.
    Complete,
    /// The caller has gone.
    Gone,
    /// The caller has taken nothing for too long.
    Blocked,
    /// The service stops.
    Stopping,
}

impl Sending {
    async fn run(mut self, outputs: BoxStream<'static, Output>) {
        let end = self.send_all(outputs).await.err();
        let Sending { line, sender, .. } = self;
        match end.unwrap_or(End::Complete) {
            End::Complete | End::Gone => {}
            End::Blocked => line.cut(),
            End::Stopping => {
                drop(sender);
                sleep(LEAVING).await;
                line.cut();
            }
        }
    }

    async fn send_all(&mut self, mut outputs: BoxStream<'static, Output>) -> Result<(), End> {
        // The caller sees at once that it is answered.
        self.send(comment()).await?;
        loop {
            match self.next(&mut outputs).await {
                Happened::Said(Some(Output::Listening)) => self.is_listening = true,
                Happened::Said(Some(Output::SignedOut)) => return self.sign_out().await,
                Happened::Said(Some(output)) => self.send(event(&output)).await?,
                Happened::Said(None) => return self.send(complete()).await,
                Happened::Quiet => self.send(comment()).await?,
                Happened::Recheck if self.may_go_on().await => {}
                Happened::Recheck => return self.sign_out().await,
                Happened::Over(end) => return Err(end),
            }
        }
    }

    async fn next(&mut self, outputs: &mut BoxStream<'static, Output>) -> Happened {
        // What is to have one answer has it, though the service stops or the asker signs out; it has its deadline.
        let goes_on = self.is_listening;
        let recheck = self.recheck.unwrap_or(self.beat + RECHECK);
        tokio::select! {
            // Whoever may hear no more hears no more, however much there is to say.
            biased;
            () = self.sender.closed() => Happened::Over(End::Gone),
            () = self.stopping.cancelled(), if goes_on => Happened::Over(End::Stopping),
            () = news(&mut self.revocations), if goes_on => Happened::Recheck,
            () = sleep_until(recheck), if goes_on => Happened::Recheck,
            output = outputs.next() => Happened::Said(output),
            () = sleep_until(self.beat) => Happened::Quiet,
        }
    }

    /// Whether whoever asked still may. If that cannot be known, it is asked again soon.
    async fn may_go_on(&mut self) -> bool {
        let Some(standing) = self.standing.clone() else {
            return true;
        };
        if standing.has_expired() {
            return false;
        }
        let late = |_| Error::timeout("reading a stream's session");
        let standing = timeout(self.patience, standing.again(&self.auth));
        match standing.await.map_err(late).flatten() {
            Ok(standing) => {
                self.recheck = standing.good_for().map(after);
                true
            }
            Err(error) if says_no(&error) => false,
            Err(error) => {
                tracing::warn!(
                    error = error.log_text(),
                    "a stream's token could not be looked at"
                );
                self.recheck = Some(after(RETRY));
                true
            }
        }
    }

    async fn sign_out(&mut self) -> Result<(), End> {
        self.send(event(&operation::signed_out())).await?;
        self.send(complete()).await
    }

    /// Done when the connection has taken it.
    async fn send(&mut self, chunk: Bytes) -> Result<(), End> {
        let sent = timeout(2 * self.heartbeat, self.sender.send(chunk));
        tokio::select! {
            biased;
            sent = sent => match sent {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(End::Gone),
                Err(_) => return Err(End::Blocked),
            },
            () = self.stopping.cancelled(), if self.is_listening => return Err(End::Stopping),
        }
        self.beat = after(self.heartbeat);
        Ok(())
    }
}

async fn news(revocations: &mut Option<watch::Receiver<()>>) {
    if let Some(revocations) = revocations
        && revocations.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

fn after(time: Duration) -> Instant {
    Instant::now() + time
}

/// An output as an event.
fn event(output: &Output) -> Bytes {
    let (answer, cursor) = match output {
        Output::Next { answer, cursor } => (Written::executed(answer), cursor.as_deref()),
        Output::Failed(answer) => (Written::not_executed(answer), None),
        Output::Listening | Output::SignedOut => return Bytes::new(),
    };
    let mut text = String::from("event: next\n");
    // A cursor is one line; another would be taken for a field.
    if let Some(cursor) = cursor.filter(|cursor| !cursor.contains(['\n', '\r', '\0'])) {
        text.push_str("id: ");
        text.push_str(cursor);
        text.push('\n');
    }
    // JSON has no line break outside of strings, and within them they are escaped.
    text.push_str("data: ");
    text.push_str(&serde_json::to_string(&answer).unwrap_or_default());
    text.push_str("\n\n");
    Bytes::from(text)
}

fn comment() -> Bytes {
    Bytes::from_static(b":\n\n")
}

fn complete() -> Bytes {
    Bytes::from_static(b"event: complete\ndata: \n\n")
}
