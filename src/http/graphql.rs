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
//! - An unknown hash of a persisted query without its document is 200, as clients of automatic persisted queries expect.
//! - An executed request is 200, even with errors. If it has no data at all, UNAUTHENTICATED is 401, RATE_LIMITED is 429, UNAVAILABLE 503
//!   with `Retry-After`, TIMEOUT 504 and INTERNAL 500.
//! - If the caller has used up its cost points, an operation is 429 with `Retry-After`, and does not run (`cost_limit`).
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

use std::net::SocketAddr;

use axum::{
    body::{Body, HttpBody},
    extract::{ConnectInfo, Extension, Request, State},
    http::{Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::{
    EdgeState,
    call::drain,
    cost_limit::Taken,
    fields, forwarded, graphiql,
    incoming::{Incoming, Outcome, authenticate, permit},
    negotiate::{self, Events, MediaType},
    record::{Record, Transport},
    rejection::Rejection,
    request_id::RequestId,
    response::bad_request,
    streams::live_auth::LiveAuth,
    websocket,
};
use crate::{
    auth::Client,
    error::Error,
    graphql::{Admitted, Call, Caller, Executed, Operation, error},
    telemetry::work,
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
        return Box::pin(websocket::upgrade(&state, address, parts)).await;
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
    respond_with(state, request_id, address, parts, body, media_type).await
}

/// The response to a request that accepts this media type.
async fn respond_with(
    state: &EdgeState,
    request_id: &RequestId,
    address: SocketAddr,
    parts: &Parts,
    body: &mut Body,
    media_type: MediaType,
) -> Response {
    let deadline = Instant::now() + state.settings.request_timeout;
    let record = Record::begin(state, Transport::Http, request_id);
    let request = Incoming {
        state,
        id: request_id,
        record: &record,
        deadline,
        parts,
    };
    let mut taken = None;
    let outcome = request.run(process(&request, address, body, &mut taken));
    let outcome = outcome.await;
    request.finish(media_type, outcome, taken)
}

/// The response to the call of a tool. Its caller has been authenticated.
pub(super) async fn respond_to_agent(
    state: &EdgeState,
    request_id: &RequestId,
    parts: &Parts,
    live_auth: &LiveAuth,
    call: Call,
) -> Response {
    let record = Record::begin(state, Transport::Mcp, request_id);
    record.identify(live_auth);
    let request = Incoming {
        state,
        id: request_id,
        record: &record,
        deadline: Instant::now() + state.settings.request_timeout,
        parts,
    };
    let mut taken = None;
    let outcome = request.run(async {
        let permit = permit(state, parts).map_err(Rejection::Failed)?;
        let admitted = request.admit(live_auth.holder(), call, &mut taken)?;
        Ok(request.execute(live_auth, admitted, permit).await)
    });
    let outcome = outcome.await;
    request.finish(MediaType::GraphQl, outcome, taken)
}

/// `taken`: what an admitted operation found in the bucket of its caller.
async fn process(
    request: &Incoming<'_>,
    address: SocketAddr,
    body: &mut Body,
    taken: &mut Option<Taken>,
) -> Result<Outcome, Rejection> {
    let (state, parts) = (request.state, request.parts);
    let permit = permit(state, parts).map_err(Rejection::Failed)?;
    // Subscribed before the session is read, so that no later revocation is missed.
    let revocations = state.auth.revocations();
    let live_auth = authenticate(request, address).await?;
    let call = request.read(body).await?;
    let events = negotiate::events(&parts.headers);
    let admitted = match request.admit(live_auth.holder(), call, taken) {
        Err(Rejection::NotAdmitted(response)) if events == Events::Preferred => {
            return Ok(Outcome::Stream(request.not_admitted(response)));
        }
        admitted => admitted?,
    };
    let is_subscription = admitted.operation == Operation::Subscription;
    if events == Events::Preferred || (is_subscription && events == Events::Accepted) {
        let stream = request.stream(live_auth, revocations, admitted, permit);
        return stream.map(Outcome::Stream).map_err(Rejection::of_token);
    }
    if is_subscription {
        return Err(Rejection::EventsNotAccepted);
    }
    Ok(request.execute(&live_auth, admitted, permit).await)
}

/// Executes a query by its plan. `None` if [`run`] must execute the request, or reject it.
pub(super) async fn run_plan(
    state: &EdgeState,
    admitted: &Admitted,
    caller: &Caller,
    deadline: Instant,
) -> Option<Vec<u8>> {
    let _slot = state.requests.begin(caller.holder()).ok()?;
    let planned = timeout_at(deadline, state.api.execute_plan(admitted, caller));
    planned.await.ok()?
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
        // A separate task, because the server drops this future when the client disconnects. On the heap, because a task moves its
        // future several times.
        let work = work::inherited(Box::pin(work)).in_current_span();
        let work = state.mutations.spawn(work);
        work.await
            .unwrap_or_else(|panic| failure(Error::of_task(panic), request_id))
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

pub(super) fn not_allowed(allowed: &'static str, message: &'static str) -> Response {
    let response = bad_request(StatusCode::METHOD_NOT_ALLOWED, MediaType::Json, message);
    ([(header::ALLOW, allowed)], response).into_response()
}
