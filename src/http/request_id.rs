//! Request ids. Each request has the id that the client sends as `X-Request-Id`, if it is valid, or a new one.
//!
//! The id is in the response and, through the request's tracing span, in every log line of the request. The query string is not logged,
//! because it can hold the values of variables.
//!
//! A request also has the id of the trace that it belongs to. If traces are exported, the request is a span of the caller's trace
//! (`traceparent`) if callers are trusted, and otherwise of a new one, and the response names the span (`traceresponse`). If they are not
//! exported, the caller's trace is only logged and passed on.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, Span, field};
use uuid::Uuid;

use super::{EdgeState, fields, metrics::ActiveRequest};
use crate::telemetry::{TraceContext, traces};

static NAME: HeaderName = HeaderName::from_static("x-request-id");
/// Names the span of a response, by the draft of the W3C's Trace Context level 3.
static TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");
const MAX_LENGTH: usize = 64;

/// The id of a request, and the trace that it belongs to.
#[derive(Debug, Clone)]
pub(super) struct RequestId {
    id: Arc<str>,
    trace: Option<TraceContext>,
}

impl RequestId {
    /// A new id.
    pub(super) fn new() -> Self {
        RequestId::from(&*Uuid::now_v7().to_string())
    }

    fn of(headers: &HeaderMap) -> Self {
        let given = fields::text(headers, &NAME).filter(|id| is_valid(id));
        given.map_or_else(RequestId::new, RequestId::from)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.id
    }

    pub(super) fn trace(&self) -> Option<TraceContext> {
        self.trace
    }
}

impl From<&str> for RequestId {
    fn from(id: &str) -> RequestId {
        RequestId {
            id: id.into(),
            trace: None,
        }
    }
}

fn is_valid(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_LENGTH).contains(&id.len()) && id.bytes().all(is_allowed)
}

/// Middleware that adds the id and the span to the request, and the id to the response. It also counts the request.
pub(super) async fn set(
    State(state): State<EdgeState>,
    mut request: Request,
    next: Next,
) -> Response {
    let active = state.metrics.begin(&request);
    let mut id = RequestId::of(request.headers());
    let span = tracing::error_span!(
        "request",
        id = id.as_str(),
        method = request.method().as_str(),
        path = request.uri().path(),
        trace_id = field::Empty,
    );
    let (exported, trace) = exported(&state, &span, &request, &active);
    if let Some(trace) = trace {
        span.record("trace_id", field::display(trace.trace_id()));
        id.trace = Some(trace);
    }
    request.extensions_mut().insert(id.clone());
    let running = next.run(request).instrument(exported.clone());
    let mut response = running.instrument(span.clone()).await;
    let status = response.status().as_u16();
    exported.record("http.response.status_code", status);
    let took = active.respond(status);
    tracing::debug!(parent: &span, status, ?took, "request finished");
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(NAME.clone(), value);
    }
    let named = traces::of(&exported).map(|trace| HeaderValue::from_str(&trace.to_string()));
    if let Some(Ok(value)) = named {
        response.headers_mut().insert(TRACE_RESPONSE.clone(), value);
    }
    response
}

/// The span of a request for traces, which is usually disabled, and the trace that the request belongs to.
fn exported(
    state: &EdgeState,
    parent: &Span,
    request: &Request,
    active: &ActiveRequest<'_>,
) -> (Span, Option<TraceContext>) {
    let is_trusted = state.settings.trust_traceparent;
    let header = fields::text(request.headers(), "traceparent");
    let caller = header.and_then(TraceContext::parse);
    let span = tracing::trace_span!(
        parent: parent,
        "http.server",
        otel.kind = "server",
        otel.name = active.name(),
        http.request.method = request.method().as_str(),
        url.path = request.uri().path(),
        http.response.status_code = field::Empty,
    );
    if let Some(caller) = caller {
        traces::set_caller(&span, caller, is_trusted);
    }
    // Other services must not record what a client wants, either.
    let caller = caller.map(|caller| {
        if is_trusted {
            caller
        } else {
            caller.unsampled()
        }
    });
    let trace = traces::of(&span).or(caller);
    (span, trace)
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
