//! GraphQL over HTTP, by the draft of that name: one request, one response.
//!
//! The handler of async-graphql-axum is not used: it runs mutations over GET, accepts any content type, unlimited batches and bodies, and
//! ignores `Accept`. This handler reads no cookies and accepts only `application/json`, so pages of other sites cannot send requests in a
//! user's name.
//!
//! Statuses:
//! - A request that is not a GraphQL request is 400, 405, 406, 408, 413, 415 or 422, whatever the media type of the response.
//! - Invalid documents and variables are 400 as `application/graphql-response+json`. They are 200 as `application/json`, as older clients
//!   expect. (The draft's newest edition requires 422 for some of these; its audit suite still expects 400.)
//! - The hash of a persisted query without its document is 200, as clients of automatic persisted queries expect.
//! - An executed request is 200, even with errors. If it has no data at all, UNAUTHENTICATED is 401, RATE_LIMITED is 429, UNAVAILABLE 503
//!   with `Retry-After`, TIMEOUT 504 and INTERNAL 500.
//! - If too many requests are in progress, a request is 503 or 429 with `Retry-After`, if possible before its body is read (`requests`).
//!
//! A token that is not accepted does not stop a request. Only fields that need a user fail, so that a client with an expired token can still
//! refresh its session or sign in. Every response with UNAUTHENTICATED has `WWW-Authenticate`. If a token is valid, but its provider has
//! not verified the email address of another user, the error is FORBIDDEN, and 403 without data.
//!
//! Subscriptions, and requests that prefer `text/event-stream`, are handled by `sse`. Upgrade requests are handled by `websocket`.
//!
//! Each request has one deadline. Statements that still run at the deadline are canceled. A mutation runs to its end or the deadline, even
//! if the client disconnects.

use std::{borrow::Cow, net::SocketAddr, panic::AssertUnwindSafe};

use async_graphql::Response as GraphQlResponse;
use axum::{
    body::{Body, HttpBody},
    extract::{ConnectInfo, Extension, Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::{
    EdgeState,
    bearer::Bearer,
    call::{self, InvalidCall, drain},
    fields, forwarded, graphiql,
    http2_streams::{OperationPermit, Operations},
    negotiate::{self, Events, MediaType},
    request_id::RequestId,
    response::{self, Reply, bad_request, challenge, has_code, status_of},
    sse,
    streams::live_auth::LiveAuth,
    websocket,
};
use crate::{
    auth::Client,
    error::{Code, Error},
    graphql::{Admitted, Caller, Executed, Operation, error},
};

/// Handles `/graphql`.
pub(super) async fn handle(
    State(state): State<EdgeState>,
    Extension(request_id): Extension<RequestId>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, mut body) = request.into_parts();
    if parts.method == Method::GET && websocket::is_upgrade(&parts.headers) {
        return websocket::upgrade(&state, address, parts).await;
    }
    let mut response = respond(&state, &request_id, address, &parts, &mut body).await;
    if !body.is_end_stream() {
        drain(body, &mut response, state.settings.body_timeout).await;
    }
    response
}

async fn respond(
    state: &EdgeState,
    request_id: &RequestId,
    address: SocketAddr,
    parts: &Parts,
    body: &mut Body,
) -> Response {
    if !matches!(parts.method, Method::GET | Method::POST) {
        let message = "Send GraphQL requests with POST, or queries with GET.";
        return not_allowed("GET, POST", message);
    }
    let is_page = parts.method == Method::GET && parts.uri.query().is_none_or(str::is_empty);
    if is_page && state.settings.graphiql && negotiate::prefers_html(&parts.headers) {
        return graphiql::page();
    }
    let media_type = match negotiate::response_type(&parts.headers) {
        Some(media_type) => media_type,
        // Invalid requests and invalid tokens get a JSON response even if the client accepts only events.
        None if negotiate::events(&parts.headers) == Events::Preferred => MediaType::Json,
        None => {
            let message = "Accept `application/graphql-response+json`, `application/json` or `text/event-stream`.";
            return bad_request(StatusCode::NOT_ACCEPTABLE, MediaType::Json, message);
        }
    };
    let deadline = Instant::now() + state.settings.request_timeout;
    // Panics of resolvers are caught where these run; this catches all others.
    let outcome = AssertUnwindSafe(process(state, request_id, address, deadline, parts, body))
        .catch_unwind()
        .await;
    let panicked = |_| Err(Rejection::Failed(Error::internal("the handler panicked")));
    match outcome.unwrap_or_else(panicked) {
        Ok(Outcome::Stream(response)) => response,
        Ok(Outcome::Reply(reply)) => reply.write(media_type),
        Ok(Outcome::Json(json)) => response::ok(media_type, json),
        Err(rejection) => rejection
            .into_reply(media_type, request_id)
            .write(media_type),
    }
}

/// The outcome of a request that was run.
enum Outcome {
    Reply(Reply),
    /// The JSON of a response without errors.
    Json(Vec<u8>),
    Stream(Response),
}

/// Why a request was not run.
enum Rejection {
    InvalidCall(InvalidCall),
    MutationByGet,
    /// A subscription from a client that does not accept events.
    EventsNotAccepted,
    /// A subscription whose caller's credentials are rejected.
    InvalidToken(Error),
    /// By the gate.
    NotAdmitted(Box<GraphQlResponse>),
    Failed(Error),
}

impl From<InvalidCall> for Rejection {
    fn from(invalid: InvalidCall) -> Self {
        Rejection::InvalidCall(invalid)
    }
}

async fn process(
    state: &EdgeState,
    id: &RequestId,
    address: SocketAddr,
    deadline: Instant,
    parts: &Parts,
    body: &mut Body,
) -> Result<Outcome, Rejection> {
    let permit = permit(state, parts).map_err(Rejection::Failed)?;
    // Subscribed before the session is read, so that no later revocation is missed.
    let revocations = state.auth.revocations();
    let live_auth = authenticate(state, address, parts, deadline).await?;
    let remaining = deadline.saturating_duration_since(Instant::now());
    let timeout = state.settings.body_timeout.min(remaining);
    let call = call::read(parts, body, state.settings.max_body, timeout).await?;
    let events = negotiate::events(&parts.headers);
    let admitted = match state.api.admit(call) {
        Ok(admitted) => admitted,
        Err(response) if events == Events::Preferred => {
            let stream = sse::not_admitted(state, parts, response, id);
            return Ok(Outcome::Stream(stream));
        }
        Err(response) => return Err(Rejection::NotAdmitted(response)),
    };
    if parts.method == Method::GET && admitted.operation == Operation::Mutation {
        return Err(Rejection::MutationByGet);
    }
    let is_subscription = admitted.operation == Operation::Subscription;
    if events == Events::Preferred || (is_subscription && events == Events::Accepted) {
        let request = sse::EventStreamRequest::new(parts, live_auth, revocations, id, deadline);
        let stream = request.respond(state, admitted, permit);
        return stream.map(Outcome::Stream).map_err(Rejection::of_token);
    }
    if is_subscription {
        return Err(Rejection::EventsNotAccepted);
    }
    let caller = live_auth.caller();
    if let Some(json) = run_plan(state, &admitted, &caller, deadline).await {
        return Ok(Outcome::Json(json));
    }
    let executed = run(state, admitted, caller, id, deadline, permit).await;
    let reply = Reply::executed(executed, live_auth.rejection());
    Ok(Outcome::Reply(reply))
}

/// Executes a query by its plan. `None` if [`run`] must execute the request, or reject it.
async fn run_plan(
    state: &EdgeState,
    admitted: &Admitted,
    caller: &Caller,
    deadline: Instant,
) -> Option<Vec<u8>> {
    let _slot = state.requests.begin(caller.holder()).ok()?;
    let planned = timeout_at(deadline, state.api.execute_plan(admitted, caller));
    planned.await.ok()?
}

/// Permits a request, unless too many are in progress.
fn permit(state: &EdgeState, parts: &Parts) -> Result<OperationPermit, Error> {
    state.requests.check(None)?;
    Operations::permit(parts)
}

/// Identifies the client, unless it has too many requests in progress.
async fn authenticate(
    state: &EdgeState,
    address: SocketAddr,
    parts: &Parts,
    deadline: Instant,
) -> Result<LiveAuth, Rejection> {
    let client = client(state, address, parts);
    let bearer = Bearer::in_headers(&parts.headers);
    let live_auth = LiveAuth::of_request(&state.auth, bearer, client, deadline).await;
    let checked = state.requests.check(live_auth.holder().as_ref());
    checked.map_err(Rejection::Failed)?;
    Ok(live_auth)
}

/// The address and the program from which a request comes.
pub(super) fn client(state: &EdgeState, peer: SocketAddr, parts: &Parts) -> Client {
    let headers = &parts.headers;
    let trusted = &state.settings.trusted_proxies;
    let address = forwarded::address(peer.ip(), headers, trusted);
    Client {
        is_local: forwarded::is_local(peer.ip(), parts.version, headers),
        ..Client::new(Some(address), fields::text(headers, header::USER_AGENT))
    }
}

/// Runs a query or a mutation, unless too many are in progress. A mutation runs to its end even if the client disconnects. `guard` is dropped when the operation has ended.
pub(super) async fn run(
    state: &EdgeState,
    admitted: Admitted,
    caller: Caller,
    request_id: &RequestId,
    deadline: Instant,
    guard: impl Send + 'static,
) -> Executed {
    let slot = match state.requests.begin(caller.holder()) {
        Ok(slot) => slot,
        Err(error) => return failure(error, request_id),
    };
    let is_mutation = admitted.operation == Operation::Mutation;
    let cost = admitted.reported_cost;
    let (api, id) = (state.api.clone(), request_id.clone());
    let work = async move {
        let _held = (guard, slot);
        match timeout_at(deadline, api.execute(admitted, caller, id.as_str())).await {
            Ok(executed) => executed,
            Err(_) => failure(Error::timeout("the request passed its deadline"), &id),
        }
    };
    let mut executed = if is_mutation {
        // A separate task, because the server drops this future when the client disconnects.
        let work = state.mutations.spawn(work.in_current_span());
        work.await
            .unwrap_or_else(|panic| failure(Error::internal(panic), request_id))
    } else {
        work.await
    };
    if let Some(cost) = cost {
        cost.report(&mut executed.response);
    }
    executed
}

fn failure(error: Error, id: &RequestId) -> Executed {
    let mut response = error::error_response(error);
    error::finish(&mut response, id.as_str());
    response.into()
}

impl Rejection {
    fn of_token(error: Error) -> Self {
        match error.code {
            Code::Unauthenticated => Rejection::InvalidToken(error),
            _ => Rejection::Failed(error),
        }
    }

    fn into_reply(self, media_type: MediaType, request_id: &RequestId) -> Reply {
        let header = match &self {
            Rejection::MutationByGet => Some((header::ALLOW, HeaderValue::from_static("POST"))),
            Rejection::InvalidToken(error) => Some(challenge(Some(error))),
            _ => None,
        };
        let (status, mut response) = self.into_response(media_type);
        error::finish(&mut response, request_id.as_str());
        Reply {
            header,
            ..Reply::not_executed(status, response)
        }
    }

    fn into_response(self, media_type: MediaType) -> (StatusCode, GraphQlResponse) {
        let invalid = |message: Cow<'static, str>| {
            error::error_response(Error::new(Code::BadRequest, message))
        };
        match self {
            Rejection::InvalidCall(InvalidCall { status, message }) => (status, invalid(message)),
            Rejection::MutationByGet => {
                let message = "Mutations are not allowed over GET. Use POST.";
                (StatusCode::METHOD_NOT_ALLOWED, invalid(message.into()))
            }
            Rejection::EventsNotAccepted => {
                let message = "Subscriptions need WebSocket (`graphql-transport-ws`) or `Accept: text/event-stream`.";
                (StatusCode::NOT_ACCEPTABLE, invalid(message.into()))
            }
            Rejection::InvalidToken(error) => {
                (StatusCode::UNAUTHORIZED, error::error_response(error))
            }
            Rejection::NotAdmitted(response) => match media_type {
                MediaType::GraphQl if !has_code(&response, Code::PersistedQueryNotSupported) => {
                    (StatusCode::BAD_REQUEST, *response)
                }
                MediaType::GraphQl | MediaType::Json => (StatusCode::OK, *response),
            },
            Rejection::Failed(error) if error.code == Code::Forbidden => {
                (StatusCode::FORBIDDEN, error::error_response(error))
            }
            Rejection::Failed(error) => {
                let response = error::error_response(error);
                (status_of(&response), response)
            }
        }
    }
}

pub(super) fn not_allowed(allowed: &'static str, message: &'static str) -> Response {
    let response = bad_request(StatusCode::METHOD_NOT_ALLOWED, MediaType::Json, message);
    ([(header::ALLOW, allowed)], response).into_response()
}
