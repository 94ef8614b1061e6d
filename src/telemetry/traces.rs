//! Traces: the spans of requests, sent to an OpenTelemetry collector over OTLP (HTTP with protobuf).
//!
//! Spans for traces have the level TRACE. Without a collector, nothing enables them, and a disabled span costs a comparison. The
//! span `request`, which gives log lines their request id, is not one of them.
//!
//! The SDK reads its further settings itself, from the variables that OpenTelemetry defines for all programs, for example
//! `OTEL_TRACES_SAMPLER` and `OTEL_EXPORTER_OTLP_HEADERS`.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::{
    KeyValue,
    trace::{
        SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
    },
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter, registry::LookupSpan};

use super::TraceContext;

/// Where spans are sent.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// The collector's URL, to which `/v1/traces` is appended.
    pub endpoint: String,
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
        let endpoint = format!("{}/v1/traces", settings.endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build()
            .map_err(|error| format!("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {error}."))?;
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

/// Makes a span a part of its caller's trace.
pub(crate) fn set_parent(span: &Span, caller: TraceContext) {
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
