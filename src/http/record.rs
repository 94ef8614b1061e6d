//! A GraphQL operation from its start to its end: the one place that reports operations, in the log and in metrics.
//!
//! Each operation has a [`Record`], over any transport. It reports the operation when its last reference is dropped: after the
//! response has been written, after the last event of a subscription, and also if the client disconnects in between. The
//! report is one event, `operation`, without anything that the caller sent except the name of its operation. An operation that
//! takes long is reported as a warning, `slow operation`, instead.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_graphql::Response as GraphQlResponse;
use axum::{body::HttpBody, response::Response};
use parking_lot::Mutex;
use tracing::Span;
use uuid::Uuid;

use super::{
    EdgeState, metrics::EdgeMetrics, request_id::RequestId, response::codes,
    streams::live_auth::LiveAuth,
};
use crate::{
    db::metrics::milliseconds,
    error::Code,
    graphql::{Admitted, Executed},
    telemetry::{
        OperationLabel, TraceContext, traces,
        work::{self, Work},
    },
};

/// The status of a request whose client disconnected before its response, as in the logs of nginx.
pub(super) const CLIENT_GONE: u16 = 499;
/// The error code of such an operation in metrics.
const CANCELED: &str = "CANCELED";

/// How the client and the service exchange an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Http,
    Sse,
    WebSocket,
    Mcp,
}

impl Transport {
    fn as_str(self) -> &'static str {
        match self {
            Transport::Http => "http",
            Transport::Sse => "sse",
            Transport::WebSocket => "websocket",
            Transport::Mcp => "mcp",
        }
    }
}

/// An operation in progress.
pub(super) struct Record {
    metrics: Arc<EdgeMetrics>,
    slow: Duration,
    began: Instant,
    id: RequestId,
    work: Arc<Work>,
    facts: Mutex<Facts>,
    /// The size of all responses in bytes.
    bytes: AtomicU64,
}

/// What is known of the operation so far.
struct Facts {
    transport: Transport,
    label: Option<Arc<OperationLabel>>,
    user: Option<Uuid>,
    address: Option<IpAddr>,
    status: Option<u16>,
    /// The trace that it belongs to.
    trace: Option<TraceContext>,
    /// The codes of its errors, each once.
    codes: Vec<&'static str>,
}

impl Record {
    /// An operation begins.
    pub(super) fn begin(state: &EdgeState, transport: Transport, id: &RequestId) -> Arc<Record> {
        Arc::new(Record {
            metrics: state.metrics.clone(),
            slow: state.settings.slow,
            began: Instant::now(),
            id: id.clone(),
            work: Work::new(id.trace()),
            facts: Mutex::new(Facts {
                transport,
                label: None,
                user: None,
                address: None,
                status: None,
                trace: id.trace(),
                codes: Vec::new(),
            }),
            bytes: AtomicU64::new(0),
        })
    }

    /// A future whose statements count as those of this operation.
    pub(super) fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        work::run(self.work.clone(), future)
    }

    /// The sender is known.
    pub(super) fn identify(&self, sender: &LiveAuth) {
        let mut facts = self.facts.lock();
        facts.user = sender.viewer().map(|viewer| viewer.user_id.0);
        facts.address = sender.address();
    }

    /// The document is valid.
    pub(super) fn name(&self, admitted: &Admitted) {
        self.facts.lock().label = Some(admitted.label().clone());
    }

    /// The operation is executed. Returns its span, for traces.
    pub(super) fn execute(&self, admitted: &Admitted) -> Span {
        let label = admitted.label();
        let span = tracing::trace_span!(
            "graphql.execute",
            otel.name = format!("{} {}", label.kind, label.name).trim_end(),
            graphql.operation.type = label.kind,
            graphql.operation.name = &*label.name,
        );
        // Over WebSocket, an operation begins a trace of its own.
        if let Some(trace) = traces::of(&span) {
            self.facts.lock().trace = Some(trace);
        }
        span
    }

    /// The responses of this operation are events.
    pub(super) fn streams_events(&self) {
        self.facts.lock().transport = Transport::Sse;
    }

    /// Notes the errors of a response.
    pub(super) fn note_errors(&self, response: &GraphQlResponse) {
        if response.errors.is_empty() {
            return;
        }
        for code in codes(response) {
            self.note_error(Code::named(code).unwrap_or(Code::Internal));
        }
    }

    pub(super) fn note_error(&self, code: Code) {
        let codes = &mut self.facts.lock().codes;
        if !codes.contains(&code.as_str()) {
            codes.push(code.as_str());
        }
    }

    /// Adds to the size of the responses.
    pub(super) fn add_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The response over HTTP is complete, or begins if it is a stream.
    pub(super) fn respond(&self, response: &Response) {
        self.facts.lock().status = Some(response.status().as_u16());
        let size = response.body().size_hint().exact().unwrap_or_default();
        self.bytes.fetch_add(size, Ordering::Relaxed);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.began.elapsed();
        let facts = self.facts.get_mut();
        let has_status = matches!(facts.transport, Transport::Http | Transport::Mcp);
        if has_status && facts.status.is_none() {
            facts.status = Some(CLIENT_GONE);
            facts.codes.push(CANCELED);
        }
        let code = facts.codes.first().copied().unwrap_or_default();
        let label = facts.label.as_deref();
        let is_signed_in = facts.user.is_some();
        let operations = &self.metrics.operations;
        operations.observe(label, is_signed_in, code, duration);
        // Clients decide how long a subscription lasts.
        let is_subscription = label.is_some_and(|label| label.kind == "subscription");
        self.report(duration, duration >= self.slow && !is_subscription);
    }
}

impl Record {
    /// Logs the operation.
    fn report(&self, duration: Duration, is_slow: bool) {
        // The level of a tracing event must be a constant.
        macro_rules! report {
            ($level:ident, $message:literal) => {
                if tracing::enabled!(target: TARGET, tracing::Level::$level) {
                    let facts = self.facts.lock();
                    let label = facts.label.as_deref();
                    let name = label.map(|label| &*label.name).filter(|name| !name.is_empty());
                    let codes = (!facts.codes.is_empty()).then(|| facts.codes.join(","));
                    tracing::event!(
                        target: TARGET,
                        parent: None,
                        tracing::Level::$level,
                        operation_type = label.map(|label| display(label.kind)),
                        operation = name.map(display),
                        status = facts.status,
                        codes = codes.map(display),
                        duration_ms = milliseconds(duration),
                        db_ms = milliseconds(self.work.database_time()),
                        statements = self.work.statements(),
                        bytes = self.bytes.load(Ordering::Relaxed),
                        user_id = facts.user.map(display),
                        address = facts.address.map(display),
                        document = label.map(|label| display(&*label.hash)),
                        transport = facts.transport.as_str(),
                        request_id = self.id.as_str(),
                        trace_id = facts.trace.map(|trace| display(trace.trace_id())),
                        $message
                    );
                }
            };
        }
        match is_slow {
            true => report!(WARN, "slow operation"),
            false => report!(INFO, "operation"),
        }
    }
}

/// The target of the events, by which `SNAPNOTE_LOG` can turn them off.
const TARGET: &str = "snapnote::operation";

/// A response, and the operation that it belongs to. The operation has not ended before the response has been written.
pub(super) struct Recorded {
    pub(super) executed: Executed,
    pub(super) record: Option<Arc<Record>>,
}

impl From<GraphQlResponse> for Recorded {
    /// Of no operation.
    fn from(response: GraphQlResponse) -> Recorded {
        Recorded {
            executed: response.into(),
            record: None,
        }
    }
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.executed.fmt(formatter)
    }
}
