//! GraphQL responses over HTTP: their status, headers and JSON. All transports write the JSON of responses here, so that its size is limited.

use std::{
    borrow::Cow,
    io::{self, Write},
    sync::Arc,
};

use async_graphql::{Response as GraphQlResponse, Value};
use axum::{
    body::Bytes,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, ser::SerializeMap};

use super::{negotiate::MediaType, record::Record};
use crate::{
    error::{Code, Error},
    graphql::{Executed, ResponseBudget, error},
};

/// Initial capacity of the JSON buffer, in addition to the long values.
const INITIAL_CAPACITY: usize = 256;

/// A GraphQL response with its status and headers.
pub(super) struct Reply {
    pub(super) response: GraphQlResponse,
    /// Limits the size, and is held until the response has been sent.
    pub(super) budget: Option<ResponseBudget>,
    pub(super) status: StatusCode,
    /// Only the response of an executed request has `data`, which may be null.
    pub(super) executed: bool,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    /// The operation.
    pub(super) record: Option<Arc<Record>>,
}

impl Reply {
    /// The reply to an executed request. `rejection`: why the caller's credentials are rejected.
    pub(super) fn executed(executed: Executed, rejection: Option<&Error>) -> Self {
        let Executed { response, budget } = executed;
        let is_forbidden = rejection.is_some_and(|rejection| rejection.code == Code::Forbidden);
        let status = match status_of(&response) {
            StatusCode::OK if is_forbidden && has_no_data(&response) => StatusCode::FORBIDDEN,
            status => status,
        };
        let header = has_code(&response, Code::Unauthenticated).then(|| challenge(rejection));
        Reply {
            status,
            response,
            budget,
            executed: true,
            header,
            record: None,
        }
    }

    /// The reply to a request that was not executed.
    pub(super) fn not_executed(status: StatusCode, response: GraphQlResponse) -> Self {
        Reply {
            response,
            budget: None,
            status,
            executed: false,
            header: None,
            record: None,
        }
    }

    /// The reply of this operation.
    pub(super) fn of(self, record: &Arc<Record>) -> Self {
        Reply {
            record: Some(record.clone()),
            ..self
        }
    }

    pub(super) fn write(self, media_type: MediaType) -> Response {
        let executed = self.executed;
        let (budget, record) = (self.budget.as_ref(), self.record.as_deref());
        let body = to_json(&self.response, budget, record, |response, json| {
            serde_json::to_writer(json, &ResponseJson { response, executed })
        });
        let headers = headers(media_type);
        let own = self.header.map(|header| [header]);
        let retry_after = retry_after(&self.response);
        let retry_after = retry_after.map(|seconds| [(header::RETRY_AFTER, seconds.to_string())]);
        let body = held(body, self.budget);
        (self.status, headers, own, retry_after, body).into_response()
    }
}

/// A response of an executed request that has no errors, from its JSON.
pub(super) fn ok(media_type: MediaType, json: Vec<u8>) -> Response {
    (headers(media_type), json).into_response()
}

fn headers(media_type: MediaType) -> [(HeaderName, &'static str); 3] {
    [
        (header::CONTENT_TYPE, media_type.content_type()),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept, Authorization"),
    ]
}

/// A response with one error, for a request that is not a GraphQL request.
pub(super) fn bad_request(
    status: StatusCode,
    media_type: MediaType,
    message: impl Into<Cow<'static, str>>,
) -> Response {
    rejected(status, media_type, Error::new(Code::BadRequest, message))
}

/// The same with another error.
pub(super) fn rejected(status: StatusCode, media_type: MediaType, error: Error) -> Response {
    let mut response = error::error_response(error);
    error::finish(&mut response, "");
    Reply::not_executed(status, response).write(media_type)
}

/// 200, unless the response has no data at all and an error with a status of its own.
pub(super) fn status_of(response: &GraphQlResponse) -> StatusCode {
    if !has_no_data(response) {
        return StatusCode::OK;
    }
    let statuses = codes(response).filter_map(|code| match code {
        "UNAUTHENTICATED" => Some(StatusCode::UNAUTHORIZED),
        "RATE_LIMITED" => Some(StatusCode::TOO_MANY_REQUESTS),
        "UNAVAILABLE" => Some(StatusCode::SERVICE_UNAVAILABLE),
        "TIMEOUT" => Some(StatusCode::GATEWAY_TIMEOUT),
        "INTERNAL" => Some(StatusCode::INTERNAL_SERVER_ERROR),
        _ => None,
    });
    statuses.max().unwrap_or(StatusCode::OK)
}

fn has_no_data(response: &GraphQlResponse) -> bool {
    match &response.data {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(|value| *value == Value::Null),
        _ => false,
    }
}

/// Whether an error of the response has this code.
pub(super) fn has_code(response: &GraphQlResponse, code: Code) -> bool {
    codes(response).any(|known| known == code.as_str())
}

pub(super) fn codes(response: &GraphQlResponse) -> impl Iterator<Item = &str> {
    response
        .errors
        .iter()
        .filter_map(|error| match error.extensions.as_ref()?.get("code")? {
            Value::String(code) => Some(code.as_str()),
            _ => None,
        })
}

/// Asks a client for a token, and says why the one it sent is rejected (RFC 6750, section 3).
pub(super) fn challenge(rejection: Option<&Error>) -> (HeaderName, HeaderValue) {
    let challenge = match rejection {
        None => HeaderValue::from_static("Bearer"),
        Some(rejection) => {
            let reason = &rejection.message;
            let full = format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"");
            let is_allowed = reason.is_ascii() && !reason.contains(['"', '\\']);
            let full = HeaderValue::try_from(full).ok().filter(|_| is_allowed);
            full.unwrap_or(HeaderValue::from_static("Bearer error=\"invalid_token\""))
        }
    };
    (header::WWW_AUTHENTICATE, challenge)
}

/// Seconds after which everything that failed can be retried. `None` if no error says so.
pub(super) fn retry_after(response: &GraphQlResponse) -> Option<u64> {
    let waits = response.errors.iter().filter_map(|error| {
        match error.extensions.as_ref()?.get("retryAfterMs")? {
            Value::Number(milliseconds) => milliseconds.as_u64(),
            _ => None,
        }
    });
    Some(waits.max()?.div_ceil(1000).max(1))
}

/// Collects JSON up to a maximum size.
pub(super) struct LimitedJson {
    bytes: Vec<u8>,
    max: usize,
}

impl Write for LimitedJson {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.max - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The JSON that `write` makes of a response. If it has more bytes than the budget allows, that of a response with an error instead.
/// Notes the errors in the record of the operation.
pub(super) fn to_json(
    response: &GraphQlResponse,
    budget: Option<&ResponseBudget>,
    record: Option<&Record>,
    write: impl Fn(&GraphQlResponse, &mut LimitedJson) -> serde_json::Result<()>,
) -> Vec<u8> {
    let limited = |response: &GraphQlResponse, expected: usize, max| {
        let bytes = Vec::with_capacity(INITIAL_CAPACITY + expected);
        let mut json = LimitedJson { bytes, max };
        write(response, &mut json).map(|()| json.bytes)
    };
    let (expected, max) = budget.map_or((0, usize::MAX), ResponseBudget::sizes);
    if let Some(record) = record {
        record.note_errors(response);
    }
    limited(response, expected, max).unwrap_or_else(|error| {
        let error = match budget {
            Some(budget) if error.is_io() => budget.too_large(),
            _ => Error::internal(error),
        };
        if let Some(record) = record {
            record.note_error(error.code);
        }
        let mut failed = error::error_response(error);
        error::finish(&mut failed, "");
        limited(&failed, 0, usize::MAX).unwrap_or_default()
    })
}

/// The bytes of a response. As long as they are in memory, a large response holds its budget.
pub(super) fn held(bytes: Vec<u8>, budget: Option<ResponseBudget>) -> Bytes {
    struct Held {
        bytes: Vec<u8>,
        _budget: ResponseBudget,
    }

    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }

    match budget.filter(ResponseBudget::is_large) {
        Some(_budget) => Bytes::from_owner(Held { bytes, _budget }),
        None => bytes.into(),
    }
}

/// Serializes a GraphQL response.
pub(super) struct ResponseJson<'a> {
    pub(super) response: &'a GraphQlResponse,
    /// Only the response of an executed request has `data`.
    pub(super) executed: bool,
}

impl Serialize for ResponseJson<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.response.errors.is_empty() {
            map.serialize_entry("errors", &self.response.errors)?;
        }
        if self.executed {
            map.serialize_entry("data", &self.response.data)?;
        }
        if !self.response.extensions.is_empty() {
            map.serialize_entry("extensions", &self.response.extensions)?;
        }
        map.end()
    }
}
