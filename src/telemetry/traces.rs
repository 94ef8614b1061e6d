//! Traces: the spans of requests, sent to an OpenTelemetry collector over OTLP (HTTP with protobuf).
//!
//! Spans for traces have the level TRACE. Without a collector, nothing enables them, and a disabled span costs a comparison. The
//! span `request`, which gives log lines their request id, is not one of them.
//!
//! The SDK reads its further settings itself, from the variables that OpenTelemetry defines for all programs, for example
//! `OTEL_TRACES_SAMPLER` and `OTEL_RESOURCE_ATTRIBUTES`.
//!
//! # Design decision
//! A caller's `traceparent` says which trace a request belongs to, and whether it is recorded. Any client can send it, and proxies pass
//! it on by default. A client that chooses the flag, or an id that a ratio selects, would have all of its requests recorded, whatever
//! the sampler. So a request continues its caller's trace only if the operator says that callers are trusted. Otherwise it begins a
//! trace, whose first span has a link to the caller's.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::{
    KeyValue,
    trace::{
        SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
    },
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter, registry::LookupSpan};

use super::TraceContext;

/// Where spans are sent.
///
/// Not `Debug`: header fields contain credentials.
#[derive(Clone)]
pub struct TraceSettings {
    /// The URL to which spans are sent.
    pub endpoint: String,
    /// Header fields of requests to the collector, with percent-encoded values.
    pub headers: Vec<(String, String)>,
    /// The name of the service.
    pub service: String,
    /// The version of the program.
    pub version: &'static str,
}

/// The exporter of spans. It sends them in batches, on a thread of its own.
pub struct Traces(SdkTracerProvider);

/// Whether spans are exported.
static IS_ON: AtomicBool = AtomicBool::new(false);

impl Traces {
    /// Creates an exporter. Does not connect to the collector yet. Must not be called by asynchronous code.
    ///
    /// # Errors
    /// A message that names the setting.
    pub(super) fn new(settings: &TraceSettings) -> Result<Traces, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&settings.endpoint)
            .with_headers(settings.headers.iter().cloned().collect())
            .build()
            .map_err(|error| {
                format!("The collector of spans cannot be used (OTEL_EXPORTER_OTLP_…): {error}.")
            })?;
        let resource = Resource::builder()
            .with_service_name(settings.service.clone())
            .with_attribute(KeyValue::new("service.version", settings.version))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        IS_ON.store(true, Ordering::Relaxed);
        Ok(Traces(provider))
    }

    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("snapnote"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(filter::filter_fn(is_exported))
    }

    /// Sends the remaining spans. Must not be called by asynchronous code.
    pub fn finish(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "sending the last spans failed");
        }
    }
}

/// Only spans, since events have details that are meant for the log.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let is_own = target.starts_with("snapnote") || target.starts_with("graphql_gate");
    metadata.is_span() && *metadata.level() == Level::TRACE && is_own
}

/// Makes a span a part of its caller's trace, or links it to that trace if the caller is not trusted.
pub(crate) fn set_caller(span: &Span, caller: TraceContext, is_trusted: bool) {
    if !IS_ON.load(Ordering::Relaxed) {
        return;
    }
    let flags = TraceFlags::default().with_sampled(caller.is_sampled);
    let parent = SpanContext::new(
        TraceId::from(caller.trace_id),
        SpanId::from(caller.span_id),
        flags,
        true,
        TraceState::default(),
    );
    if !is_trusted {
        return span.add_link(parent);
    }
    let context = opentelemetry::Context::new().with_remote_span_context(parent);
    // Fails only if the span is disabled or has begun.
    let _ = span.set_parent(context);
}

/// The current span as the parent of further ones. `None` if spans are not exported.
pub(crate) fn current() -> Option<TraceContext> {
    of(&Span::current())
}

/// A span as the parent of further ones. `None` if spans are not exported.
pub(crate) fn of(span: &Span) -> Option<TraceContext> {
    if !IS_ON.load(Ordering::Relaxed) {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| TraceContext {
        trace_id: u128::from_be_bytes(span.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(span.span_id().to_bytes()),
        is_sampled: span.is_sampled(),
    })
}
