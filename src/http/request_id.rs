//! Request ids. Each request has the id that the client sends as `X-Request-Id`, if it is valid, or a new one.
//!
//! The id is in the response and, through the request's tracing span, in every log line of the request. The query string is not logged,
//! because it can hold the values of variables.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

use super::fields;

static NAME: HeaderName = HeaderName::from_static("x-request-id");
const MAX_LENGTH: usize = 64;

/// The id of a request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    /// A new id.
    pub(super) fn new() -> Self {
        RequestId(Uuid::now_v7().to_string().into())
    }

    fn of(headers: &HeaderMap) -> Self {
        let given = fields::text(headers, &NAME).filter(|id| is_valid(id));
        given.map_or_else(RequestId::new, |id| RequestId(id.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_valid(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_LENGTH).contains(&id.len()) && id.bytes().all(is_allowed)
}

/// Middleware that adds the id and the span to the request, and the id to the response.
pub(super) async fn set(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let span = tracing::error_span!(
        "request",
        id = id.as_str(),
        method = request.method().as_str(),
        path = request.uri().path(),
    );
    request.extensions_mut().insert(id.clone());
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    tracing::debug!(parent: &span, status = response.status().as_u16(), took = ?started.elapsed(), "request finished");
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(NAME.clone(), value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_id_is_kept() {
        let of = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(NAME.clone(), id.parse().expect("a header's value"));
            RequestId::of(&headers).as_str().to_owned()
        };
        assert_eq!(of("abc-1.2_3"), "abc-1.2_3");
        for bad in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_ne!(of(bad), bad);
        }
    }
}
