//! GraphQL over server-sent events, in the distinct connections mode of graphql-sse: one operation a response, `next` events
//! with its answers, and a `complete` event behind them.
//!
//! An event's id is the cursor behind it. Whoever comes back with `Last-Event-ID`, as browsers do by themselves, goes on
//! there, whatever cursor the operation names. Every few seconds a comment says that the connection lives.
//!
//! When a token expires or what it stands for is revoked, UNAUTHENTICATED comes as `next`, and `complete`. When the service
//! stops, the response breaks off without `complete`, so that clients come back.
//!
//! An operation runs on a task of its own, one output ahead of the connection; a caller who takes nothing for two heartbeats
//! is cut off.

use std::{convert::Infallible, sync::Arc};

use async_graphql::Response as Answer;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    EdgeState,
    graphql::{Written, bearer_of},
    request_id::RequestId,
    streams::{
        operation::{self, Output},
        standing::{RECHECK, Standing, says_no},
    },
};
use crate::{
    auth::{Auth, Client},
    error::Error,
    graphql::Admitted,
};

static LAST_EVENT_ID: &str = "last-event-id";

/// A request to be answered so.
pub(super) struct Asked {
    client: Client,
    token: Option<Arc<str>>,
    last_event_id: Option<String>,
    id: RequestId,
    deadline: Instant,
}

impl Asked {
    pub(super) fn of(
        headers: &HeaderMap,
        client: Client,
        id: RequestId,
        deadline: Instant,
    ) -> Self {
        let last = headers.get(LAST_EVENT_ID);
        let last = last.and_then(|value| value.to_str().ok());
        Asked {
            client,
            token: bearer_of(headers).map(Arc::from),
            last_event_id: last.filter(|id| !id.is_empty()).map(str::to_owned),
            id,
            deadline,
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
        let standing = Standing::of(&state.auth, self.token, self.client).await?;
        let run = operation::Run {
            id: self.id,
            deadline: self.deadline,
            turn: None,
        };
        let outputs = run.of_admitted(state, &standing, admitted, self.last_event_id);
        Ok(respond(state, outputs, Some((standing, revocations))))
    }
}

/// A request that the gate did not admit: by the protocol that is an answer like another.
pub(super) fn refusal(state: &EdgeState, refused: Box<Answer>, id: &RequestId) -> Response {
    let output = operation::not_admitted(refused, id);
    respond(state, stream::iter([output]).boxed(), None)
}

fn respond(
    state: &EdgeState,
    outputs: BoxStream<'static, Output>,
    asker: Option<(Standing, watch::Receiver<()>)>,
) -> Response {
    let (sender, mut receiver) = mpsc::channel(1);
    let (standing, revocations) = asker.unzip();
    let sending = Sending {
        auth: state.auth.clone(),
        recheck: standing.as_ref().and_then(Standing::good_for).map(after),
        standing,
        revocations,
        stopping: state.streams.stopping().clone(),
        heartbeat: state.settings.streams.heartbeat,
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
    stopping: CancellationToken,
    heartbeat: std::time::Duration,
    sender: mpsc::Sender<Bytes>,
}

enum Happened {
    Said(Option<Output>),
    Quiet,
    Recheck,
    /// The caller has gone, or the service stops.
    Over,
}

impl Sending {
    async fn run(mut self, mut outputs: BoxStream<'static, Output>) {
        // The caller sees at once that it is answered.
        let mut chunk = Some(Bytes::from_static(b":\n\n"));
        let mut is_listening = false;
        loop {
            if let Some(chunk) = chunk.take()
                && !self.send(chunk).await
            {
                return;
            }
            let happened = self.next(&mut outputs, is_listening).await;
            chunk = match happened {
                Happened::Said(Some(Output::Listening)) => {
                    is_listening = true;
                    None
                }
                Happened::Said(Some(Output::SignedOut)) => return self.sign_out().await,
                Happened::Said(Some(output)) => Some(event(&output)),
                Happened::Said(None) => {
                    self.send(complete()).await;
                    return;
                }
                Happened::Quiet => Some(Bytes::from_static(b":\n\n")),
                Happened::Recheck if self.may_go_on().await => None,
                Happened::Recheck => return self.sign_out().await,
                Happened::Over => return,
            };
        }
    }

    async fn next(
        &mut self,
        outputs: &mut BoxStream<'static, Output>,
        is_listening: bool,
    ) -> Happened {
        let quiet = after(self.heartbeat);
        let recheck = self.recheck.unwrap_or(quiet + RECHECK);
        tokio::select! {
            output = outputs.next() => Happened::Said(output),
            () = sleep_until(quiet) => Happened::Quiet,
            () = sleep_until(recheck) => Happened::Recheck,
            () = news(&mut self.revocations) => Happened::Recheck,
            // One answer that is due soon is waited for.
            () = self.stopping.cancelled(), if is_listening => Happened::Over,
            () = self.sender.closed() => Happened::Over,
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
        match standing.again(&self.auth).await {
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
                self.recheck = Some(after(std::time::Duration::from_secs(1)));
                true
            }
        }
    }

    async fn sign_out(self) {
        if self.send(event(&operation::signed_out())).await {
            self.send(complete()).await;
        }
    }

    /// Whether the connection has taken it.
    async fn send(&self, chunk: Bytes) -> bool {
        let sent = timeout(2 * self.heartbeat, self.sender.send(chunk)).await;
        matches!(sent, Ok(Ok(())))
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

fn after(time: std::time::Duration) -> Instant {
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

fn complete() -> Bytes {
    Bytes::from_static(b"event: complete\ndata: \n\n")
}
