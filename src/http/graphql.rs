//! GraphQL over HTTP, by the draft of that name: one request in, one answer out.
//!
//! The library's own handler is not used: it runs mutations over GET, takes any content type, unlimited batches and bodies,
//! and ignores `Accept`. No cookie is read and only `application/json` is taken, so no other site's page can send anything
//! in a user's name.
//!
//! Statuses: what is no request is 400, 405, 406, 408, 413, 415 or 422, whatever the type of the answer. A document or
//! variables that are refused are 400 as `application/graphql-response+json` (the draft's newest edition would have 422 for
//! some; its audit suite still asks for 400) and 200 as `application/json`. What was executed is 200, its errors included,
//! unless nothing came of it: then RATE_LIMITED is 429, UNAVAILABLE 503, TIMEOUT 504 and INTERNAL 500. A bad token is 401;
//! a good one of an outside issuer whose address is another user's is 403.
//!
//! A subscription is answered as `text/event-stream` alone, and so is anything else that is asked for so: see `sse`. A
//! request to upgrade is `websocket`'s.
//!
//! One deadline holds for the whole request. Whatever is given up at it is cancelled at the database. A mutation runs to its
//! end, or to the deadline, even if the caller hangs up.

use std::{net::SocketAddr, panic::AssertUnwindSafe};

use async_graphql::{Response as Answer, Value};
use axum::{
    body::{Body, HttpBody},
    extract::{ConnectInfo, Extension, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use serde::{Serialize, ser::SerializeMap};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::{
    EdgeState,
    call::{self, NotACall, read_to_the_end},
    forwarded, graphiql,
    negotiate::{self, Events, MediaType},
    request_id::RequestId,
    sse, websocket,
};
use crate::{
    auth::{Client, Viewer},
    error::{Code, Error},
    graphql::{Admitted, Asker, Operation, error},
};

/// Answers `/graphql`.
pub(super) async fn handle(
    State(state): State<EdgeState>,
    Extension(request_id): Extension<RequestId>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, mut body) = request.into_parts();
    if parts.method == Method::GET && websocket::is_asked_for(&parts.headers) {
        return websocket::upgrade(&state, address, parts).await;
    }
    let mut response = respond(&state, &request_id, address, &parts, &mut body).await;
    if !body.is_end_stream() {
        let patience = state.settings.body_timeout;
        read_to_the_end(body, &mut response, patience).await;
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
        return not_allowed(
            "GET, POST",
            "Send a GraphQL request with POST, or a query with GET.",
        );
    }
    let is_page = parts.method == Method::GET && parts.uri.query().is_none_or(str::is_empty);
    if is_page && state.settings.graphiql && negotiate::prefers_html(&parts.headers) {
        return graphiql::page();
    }
    let media_type = match negotiate::answer_type(&parts.headers) {
        Some(media_type) => media_type,
        // What is no GraphQL request, or comes from nobody, is answered as JSON all the same.
        None if negotiate::events(&parts.headers) == Events::Preferred => MediaType::Json,
        None => {
            let message =
                "Accept application/graphql-response+json, application/json or text/event-stream.";
            return refusal(StatusCode::NOT_ACCEPTABLE, MediaType::Json, message);
        }
    };
    let deadline = Instant::now() + state.settings.request_timeout;
    // Resolvers are guarded where they run; this is for whatever else there is.
    let answer = AssertUnwindSafe(answer(state, request_id, address, deadline, parts, body))
        .catch_unwind()
        .await;
    let answer =
        answer.unwrap_or_else(|_| Err(Refused::Failed(Error::internal("the handler panicked"))));
    match answer {
        Ok(Reached::Stream(response)) => response,
        Ok(Reached::Reply(reply)) => reply.write(media_type),
        Err(refused) => refused.into_reply(media_type, request_id).write(media_type),
    }
}

/// What came of a request.
enum Reached {
    Reply(Reply),
    Stream(Response),
}

/// A request that was not run.
enum Refused {
    NotACall(NotACall),
    MutationByGet,
    /// A subscription whose events would not be taken.
    NoStream,
    /// No token was sent where one was, or it is no good.
    Token {
        error: Error,
        sent: bool,
    },
    /// By the gate.
    NotAdmitted(Box<Answer>),
    Failed(Error),
}

impl From<NotACall> for Refused {
    fn from(refused: NotACall) -> Self {
        Refused::NotACall(refused)
    }
}

async fn answer(
    state: &EdgeState,
    request_id: &RequestId,
    address: SocketAddr,
    deadline: Instant,
    parts: &Parts,
    body: &mut Body,
) -> Result<Reached, Refused> {
    let by_get = parts.method == Method::GET;
    let trusted = &state.settings.trusted_proxies;
    let address = forwarded::address(address.ip(), &parts.headers, trusted);
    let client = Client::new(Some(address), user_agent(&parts.headers));
    let viewer = viewer(state, &parts.headers, &client, deadline).await?;
    let patience = state
        .settings
        .body_timeout
        .min(deadline.saturating_duration_since(Instant::now()));
    let call = call::read(parts, body, state.settings.max_body, patience).await?;
    let events = negotiate::events(&parts.headers);
    let admitted = match state.api.admit(call) {
        Ok(admitted) => admitted,
        Err(refused) if events == Events::Preferred => {
            return Ok(Reached::Stream(sse::refusal(
                state, parts, refused, request_id,
            )));
        }
        Err(refused) => return Err(Refused::NotAdmitted(refused)),
    };
    if by_get && admitted.operation == Operation::Mutation {
        return Err(Refused::MutationByGet);
    }
    let is_subscription = admitted.operation == Operation::Subscription;
    if events == Events::Preferred || (is_subscription && events == Events::Accepted) {
        let asked = sse::Asked::of(parts, client, request_id.clone(), deadline);
        let stream = asked.answer(state, admitted);
        return stream.await.map(Reached::Stream).map_err(Refused::of_token);
    }
    if is_subscription {
        return Err(Refused::NoStream);
    }
    let asker = Asker { viewer, client };
    let answer = run(state, admitted, asker, request_id, deadline, ()).await;
    let status = status_of(&answer);
    Ok(Reached::Reply(Reply {
        answer,
        status,
        executed: true,
        headers: HeaderMap::new(),
    }))
}

/// Who sends the request; `None` for a visitor.
async fn viewer(
    state: &EdgeState,
    headers: &HeaderMap,
    client: &Client,
    deadline: Instant,
) -> Result<Option<Viewer>, Refused> {
    let Some(token) = bearer_token(headers)? else {
        return Ok(None);
    };
    match timeout_at(deadline, state.auth.viewer(token, client)).await {
        Ok(Ok(viewer)) => Ok(Some(viewer)),
        Ok(Err(error)) => Err(Refused::of_token(error)),
        Err(_) => Err(Refused::Failed(Error::timeout("reading the session"))),
    }
}

fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(header::AUTHORIZATION) {
            Err(Refused::no_bearer_token())
        } else {
            Ok(None)
        };
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or_else(Refused::no_bearer_token)?;
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty() {
        Ok(Some(token))
    } else {
        Err(Refused::no_bearer_token())
    }
}

/// The token that is sent, if one is.
pub(super) fn bearer_of(headers: &HeaderMap) -> Option<&str> {
    bearer_token(headers).ok().flatten()
}

pub(super) fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT)?.to_str().ok()
}

/// Runs a query or a mutation. A mutation runs to its end though nobody waits for it any longer; `held` is held until then.
pub(super) async fn run(
    state: &EdgeState,
    admitted: Admitted,
    asker: Asker,
    request_id: &RequestId,
    deadline: Instant,
    held: impl Send + 'static,
) -> Answer {
    let is_mutation = admitted.operation == Operation::Mutation;
    let (api, id) = (state.api.clone(), request_id.clone());
    let work = async move {
        let _held = held;
        match timeout_at(deadline, api.execute(admitted, asker, id.as_str())).await {
            Ok(answer) => answer,
            Err(_) => {
                let mut answer = error::refused(Error::timeout("the request passed its deadline"));
                error::finish(&mut answer, id.as_str());
                answer
            }
        }
    };
    if !is_mutation {
        return work.await;
    }
    // On a task of its own: the server drops this future when the caller hangs up.
    let work = state.mutations.spawn(work.in_current_span());
    work.await.unwrap_or_else(|panic| {
        let mut answer = error::refused(Error::internal(panic));
        error::finish(&mut answer, request_id.as_str());
        answer
    })
}

/// 200, unless nothing at all came of it for a reason that another try could mend.
fn status_of(answer: &Answer) -> StatusCode {
    let nothing = match &answer.data {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(|value| *value == Value::Null),
        _ => false,
    };
    if !nothing {
        return StatusCode::OK;
    }
    let codes =
        answer
            .errors
            .iter()
            .filter_map(|error| match error.extensions.as_ref()?.get("code")? {
                Value::String(code) => Some(code.as_str()),
                _ => None,
            });
    let statuses = codes.filter_map(|code| match code {
        "RATE_LIMITED" => Some(StatusCode::TOO_MANY_REQUESTS),
        "UNAVAILABLE" => Some(StatusCode::SERVICE_UNAVAILABLE),
        "TIMEOUT" => Some(StatusCode::GATEWAY_TIMEOUT),
        "INTERNAL" => Some(StatusCode::INTERNAL_SERVER_ERROR),
        _ => None,
    });
    statuses.max().unwrap_or(StatusCode::OK)
}

/// An answer and how it is sent.
struct Reply {
    answer: Answer,
    status: StatusCode,
    /// Only what was executed has `data`, be it null.
    executed: bool,
    headers: HeaderMap,
}

impl Refused {
    fn of_token(error: Error) -> Self {
        match error.code {
            Code::Unauthenticated => Refused::Token { error, sent: true },
            _ => Refused::Failed(error),
        }
    }

    fn no_bearer_token() -> Self {
        let message = "Send the access token as Authorization: Bearer <token>.";
        Refused::Token {
            error: Error::unauthenticated(message),
            sent: false,
        }
    }

    fn into_reply(self, media_type: MediaType, request_id: &RequestId) -> Reply {
        let mut headers = HeaderMap::new();
        let (status, mut answer) = match self {
            Refused::NotACall(NotACall { status, message }) => (
                status,
                error::refused(Error::new(Code::BadRequest, message)),
            ),
            Refused::MutationByGet => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
                let message = "Mutations are taken by POST alone.";
                (
                    StatusCode::METHOD_NOT_ALLOWED,
                    error::refused(Error::new(Code::BadRequest, message)),
                )
            }
            Refused::NoStream => {
                let message = "Subscriptions are answered over WebSocket (graphql-transport-ws), or as text/event-stream.";
                let answer = error::refused(Error::new(Code::BadRequest, message));
                (StatusCode::NOT_ACCEPTABLE, answer)
            }
            Refused::Token { error, sent } => {
                let challenge = if sent {
                    "Bearer error=\"invalid_token\""
                } else {
                    "Bearer"
                };
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static(challenge),
                );
                (StatusCode::UNAUTHORIZED, error::refused(error))
            }
            Refused::NotAdmitted(answer) => match media_type {
                MediaType::GraphQl => (StatusCode::BAD_REQUEST, *answer),
                MediaType::Json => (StatusCode::OK, *answer),
            },
            Refused::Failed(error) if error.code == Code::Forbidden => {
                (StatusCode::FORBIDDEN, error::refused(error))
            }
            Refused::Failed(error) => {
                let answer = error::refused(error);
                (status_of(&answer), answer)
            }
        };
        error::finish(&mut answer, request_id.as_str());
        Reply {
            answer,
            status,
            executed: false,
            headers,
        }
    }
}

impl Reply {
    fn write(self, media_type: MediaType) -> Response {
        let body = Written {
            answer: &self.answer,
            executed: self.executed,
        };
        let body = serde_json::to_vec(&body)
            .unwrap_or_else(|_| b"{\"errors\":[{\"message\":\"INTERNAL\"}]}".to_vec());
        let mut response = (self.status, self.headers, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, media_type.header());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::VARY,
            HeaderValue::from_static("Accept, Authorization"),
        );
        if let Some(seconds) = retry_after(&self.answer) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Seconds until all that failed for a while can be tried again; `None` if nothing did.
fn retry_after(answer: &Answer) -> Option<u64> {
    let waits = answer.errors.iter().filter_map(|error| {
        match error.extensions.as_ref()?.get("retryAfterMs")? {
            Value::Number(milliseconds) => milliseconds.as_u64(),
            _ => None,
        }
    });
    Some(waits.max()?.div_ceil(1000).max(1))
}

/// An answer as JSON: `data` for what was executed, and only then.
pub(super) struct Written<'a> {
    answer: &'a Answer,
    executed: bool,
}

impl<'a> Written<'a> {
    pub(super) fn executed(answer: &'a Answer) -> Self {
        Written {
            answer,
            executed: true,
        }
    }

    pub(super) fn not_executed(answer: &'a Answer) -> Self {
        Written {
            answer,
            executed: false,
        }
    }
}

impl Serialize for Written<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.answer.errors.is_empty() {
            map.serialize_entry("errors", &self.answer.errors)?;
        }
        if self.executed {
            map.serialize_entry("data", &self.answer.data)?;
        }
        map.end()
    }
}

pub(super) fn refusal(
    status: StatusCode,
    media_type: MediaType,
    message: &'static str,
) -> Response {
    let mut answer = error::refused(Error::new(Code::BadRequest, message));
    error::finish(&mut answer, "");
    Reply {
        answer,
        status,
        executed: false,
        headers: HeaderMap::new(),
    }
    .write(media_type)
}

fn not_allowed(allowed: &'static str, message: &'static str) -> Response {
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, MediaType::Json, message);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
