//! GraphQL over server-sent events, in the distinct connections mode of graphql-sse: one operation per response, its outputs as `next` events,
//! then a `complete` event.
//!
//! The id of an event is its cursor. A client that reconnects with `Last-Event-ID` resumes after that cursor, whatever `after` the operation
//! has, because clients of event streams reconnect with their original request. A comment is sent every few seconds to show that the
//! connection is alive.
//!
//! When a subscription's token expires or its session is revoked, the client gets UNAUTHENTICATED as `next`, and the
//! stream ends. When the service stops, event streams just end. Both are without `complete`, so that clients reconnect.
//! Queries and mutations still get their response.
//!
//! An operation runs in its own task, one output ahead of the connection, unless that output is large. A client that reads nothing for two heartbeats is disconnected. So is
//! one that does not read the last events when the service stops: data that waits on such a connection would never be sent.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_graphql::Response as GraphQlResponse;
use axum::{
    body::{Body, Bytes},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    EdgeState,
    client_connection::ClientConnection,
    fields,
    http2_streams::OperationPermit,
    record::{Record, Recorded},
    request_id::RequestId,
    response::{self, ResponseJson, held, to_json},
    streams::{
        live_auth::{AccessEnd, LiveAuth, RECHECK, RETRY, denies_access},
        operation::{self, Output},
    },
};
use crate::{
    auth::Auth,
    changes::parse_cursor,
    db::activity::Activity,
    error::Error,
    graphql::{Admitted, Executed, Operation},
};

/// How long the last events may take to be sent when the service stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A request whose response is an event stream.
pub(super) struct EventStreamRequest {
    live_auth: LiveAuth,
    /// Those that happen after the client was authenticated.
    revocations: watch::Receiver<()>,
    last_event_id: Option<String>,
    id: RequestId,
    record: Arc<Record>,
    deadline: Instant,
    connection: ClientConnection,
}

impl EventStreamRequest {
    pub(super) fn new(
        parts: &Parts,
        live_auth: LiveAuth,
        revocations: watch::Receiver<()>,
        id: &RequestId,
        record: &Arc<Record>,
        deadline: Instant,
    ) -> Self {
        let last = fields::text(&parts.headers, "last-event-id");
        EventStreamRequest {
            live_auth,
            revocations,
            last_event_id: last.filter(|id| !id.is_empty()).map(str::to_owned),
            id: id.clone(),
            record: record.clone(),
            deadline,
            connection: ClientConnection::of(parts),
        }
    }

    /// Runs the operation and streams its outputs. A query or mutation holds `permit` until it has ended.
    ///
    /// # Errors
    /// Why the credentials are rejected, for a subscription.
    pub(super) fn respond(
        self,
        state: &EdgeState,
        admitted: Admitted,
        permit: OperationPermit,
    ) -> Result<Response, Error> {
        if admitted.operation == Operation::Subscription {
            if let Some(rejection) = self.live_auth.rejection() {
                return Err(rejection.clone());
            }
            if self.has_invalid_cursor() {
                let message = "`Last-Event-ID` must be the id of an event, which is a cursor of the change feed.";
                let output =
                    operation::failed(Error::bad_input(message), &self.id, Some(&self.record));
                let outputs = operation::single(output);
                return Ok(stream_events(state, self.connection, outputs, None));
            }
        }
        let run = operation::Run {
            id: self.id,
            record: self.record,
            deadline: self.deadline,
            slot: permit,
        };
        let outputs = run.start(state, &self.live_auth, admitted, self.last_event_id);
        // The response starts before the operation has run, so this cannot depend on its outcome.
        let rejection = self.live_auth.rejection();
        let challenge = rejection.map(|rejection| [response::challenge(Some(rejection))]);
        let auth = Some((self.live_auth, self.revocations));
        let stream = stream_events(state, self.connection, outputs, auth);
        Ok((challenge, stream).into_response())
    }

    fn has_invalid_cursor(&self) -> bool {
        let last = self.last_event_id.as_deref();
        last.is_some_and(|last| parse_cursor(last).is_err())
    }
}

/// Responds to a request that the gate rejected. The protocol treats this as an ordinary response.
pub(super) fn not_admitted(
    state: &EdgeState,
    parts: &Parts,
    response: Box<GraphQlResponse>,
    id: &RequestId,
    record: &Record,
) -> Response {
    let output = operation::not_admitted(response, id, Some(record));
    let outputs = operation::single(output);
    stream_events(state, ClientConnection::of(parts), outputs, None)
}

fn stream_events(
    state: &EdgeState,
    connection: ClientConnection,
    outputs: BoxStream<'static, Output>,
    auth: Option<(LiveAuth, watch::Receiver<()>)>,
) -> Response {
    let (sender, mut receiver) = mpsc::channel(1);
    let (live_auth, revocations) = auth.unzip();
    let heartbeat = state.settings.streams.heartbeat;
    let event_sender = EventSender {
        auth: state.auth.clone(),
        activity: state.database.activity().clone(),
        recheck: live_auth.as_ref().and_then(LiveAuth::valid_for).map(after),
        has_failed: false,
        live_auth,
        revocations,
        is_subscription: false,
        stopping: state.streams.stopping.clone(),
        heartbeat,
        next_heartbeat: after(heartbeat),
        auth_timeout: state.settings.request_timeout.min(heartbeat),
        connection,
        sender,
    };
    tokio::spawn(event_sender.run(outputs));
    let chunks = stream::poll_fn(move |ctx| receiver.poll_recv(ctx));
    let body = Body::from_stream(chunks.map(Ok::<Bytes, Infallible>));
    let headers = [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-store, no-transform"),
        ("vary", "Accept, Authorization"),
        // Proxies that buffer responses would delay events.
        ("x-accel-buffering", "no"),
    ];
    (headers, body).into_response()
}

/// Sends the events of one response.
struct EventSender {
    auth: Auth,
    activity: Arc<Activity>,
    live_auth: Option<LiveAuth>,
    revocations: Option<watch::Receiver<()>>,
    /// When the client is authenticated again.
    recheck: Option<Instant>,
    /// Whether the last attempt failed because of an outage.
    has_failed: bool,
    /// Whether the operation is a subscription that has started.
    is_subscription: bool,
    stopping: CancellationToken,
    heartbeat: Duration,
    /// When a comment is sent unless an event is sent before.
    next_heartbeat: Instant,
    /// Maximum duration of an authentication.
    auth_timeout: Duration,
    connection: ClientConnection,
    sender: mpsc::Sender<Bytes>,
}

enum SenderEvent {
    Output(Option<Output>),
    Heartbeat,
    Recheck(Recheck),
    End(End),
}

/// Why the client is authenticated again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recheck {
    Revoked,
    Time,
}

/// Why a response ends before its operation is complete.
enum End {
    Disconnected,
    /// The client has read nothing for too long.
    Blocked,
    /// The service stops.
    Stopping,
}

impl EventSender {
    async fn run(mut self, outputs: BoxStream<'static, Output>) {
        let end = self.send_all(outputs).await.err();
        let EventSender {
            connection, sender, ..
        } = self;
        match end {
            None | Some(End::Disconnected) => {}
            Some(End::Blocked) => connection.abort(),
            Some(End::Stopping) => {
                drop(sender);
                sleep(STOP_GRACE).await;
                connection.abort();
            }
        }
    }

    async fn send_all(&mut self, mut outputs: BoxStream<'static, Output>) -> Result<(), End> {
        // The client sees at once that the response has started.
        self.send(comment()).await?;
        loop {
            match self.next(&mut outputs).await {
                SenderEvent::Output(Some(Output::Subscribed)) => self.is_subscription = true,
                SenderEvent::Output(Some(Output::SignedOut(end))) => {
                    return self.sign_out(end).await;
                }
                SenderEvent::Output(Some(output)) => self.send(event(&output)).await?,
                SenderEvent::Output(None) => return self.send(complete()).await,
                SenderEvent::Heartbeat => self.send(comment()).await?,
                SenderEvent::Recheck(why) => {
                    if let Some(end) = self.recheck(why).await {
                        return self.sign_out(end).await;
                    }
                }
                SenderEvent::End(end) => return Err(end),
            }
        }
    }

    async fn next(&mut self, outputs: &mut BoxStream<'static, Output>) -> SenderEvent {
        // Queries and mutations get their response even if the service stops or the client signs out. They have a deadline of their own.
        let is_subscription = self.is_subscription;
        let recheck = self.recheck.unwrap_or(self.next_heartbeat + RECHECK);
        tokio::select! {
            // Revocations come before events, so that a busy stream ends as soon as an idle one.
            biased;
            () = self.sender.closed() => SenderEvent::End(End::Disconnected),
            () = self.stopping.cancelled(), if is_subscription => SenderEvent::End(End::Stopping),
            () = revoked(&mut self.revocations), if is_subscription => SenderEvent::Recheck(Recheck::Revoked),
            () = sleep_until(recheck), if is_subscription => SenderEvent::Recheck(Recheck::Time),
            output = outputs.next() => SenderEvent::Output(output),
            () = sleep_until(self.next_heartbeat) => SenderEvent::Heartbeat,
        }
    }

    /// Authenticates the client again. Returns why its access has ended, if it has. If that is unknown because of an
    /// outage, retries soon. Without a revocation, an idle process sends no statement.
    async fn recheck(&mut self, why: Recheck) -> Option<AccessEnd> {
        let live_auth = self.live_auth.clone()?;
        if live_auth.has_expired() {
            return Some(AccessEnd::TokenExpired);
        }
        if why == Recheck::Time && !self.has_failed && !self.activity.is_in_use() {
            self.recheck = live_auth.valid_for().map(after);
            return None;
        }
        let deadline = after(self.auth_timeout);
        match live_auth.recheck(&self.auth, deadline).await {
            Ok(live_auth) => {
                self.recheck = live_auth.valid_for().map(after);
                self.has_failed = false;
                None
            }
            Err(error) if denies_access(&error) => Some(live_auth.access_end()),
            Err(error) => {
                tracing::warn!(
                    error = error.log_text(),
                    "authenticating an event stream again failed; retrying"
                );
                self.recheck = Some(after(RETRY));
                self.has_failed = true;
                None
            }
        }
    }

    /// Ends the stream without `complete`, so that graphql-sse reconnects and asks its application for the token again.
    async fn sign_out(&mut self, end: AccessEnd) -> Result<(), End> {
        self.send(event(&operation::signed_out(end))).await
    }

    /// Returns when the connection has accepted the chunk.
    async fn send(&mut self, chunk: Bytes) -> Result<(), End> {
        let sent = timeout(2 * self.heartbeat, self.sender.send(chunk));
        tokio::select! {
            biased;
            sent = sent => match sent {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(End::Disconnected),
                Err(_) => return Err(End::Blocked),
            },
            () = self.stopping.cancelled(), if self.is_subscription => return Err(End::Stopping),
        }
        self.next_heartbeat = after(self.heartbeat);
        Ok(())
    }
}

/// Returns when the process learns of a revocation.
async fn revoked(revocations: &mut Option<watch::Receiver<()>>) {
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

/// Formats an output as an event.
fn event(output: &Output) -> Bytes {
    let executed = matches!(output, Output::Next { .. });
    let (response, budget, record, cursor) = match output {
        Output::Next { executed, cursor } => {
            let Recorded { executed, record } = &**executed;
            let Executed { response, budget } = executed;
            let cursor = cursor.as_deref();
            (response, budget.as_ref(), record.as_deref(), cursor)
        }
        Output::Failed(response) => (&**response, None, None, None),
        Output::Subscribed | Output::SignedOut(_) => return Bytes::new(),
    };
    let mut text = String::from("event: next\n");
    // An id is one line. A second line would be read as another field.
    if let Some(cursor) = cursor.filter(|cursor| !cursor.contains(['\n', '\r', '\0'])) {
        text.push_str("id: ");
        text.push_str(cursor);
        text.push('\n');
    }
    // Compact JSON has no line breaks: those within strings are escaped.
    text.push_str("data: ");
    let mut bytes = text.into_bytes();
    bytes.extend(to_json(response, budget, record, |response, json| {
        serde_json::to_writer(json, &ResponseJson { response, executed })
    }));
    bytes.extend(b"\n\n");
    if let Some(record) = record {
        record.add_bytes(bytes.len());
    }
    held(bytes, budget.cloned())
}

fn comment() -> Bytes {
    Bytes::from_static(b":\n\n")
}

fn complete() -> Bytes {
    Bytes::from_static(b"event: complete\ndata: \n\n")
}
