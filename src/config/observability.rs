//! The settings of metrics and traces.

use std::net::SocketAddr;

use clap::Args;

use super::{
    Span,
    values::{listen_address, web_url},
};
use crate::telemetry::traces::TraceSettings;

/// Metrics and traces.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Metrics and traces")]
pub struct ObservabilityConfig {
    /// IP address and port on which metrics are served at /metrics, for Prometheus. Anyone who reaches the address can read them.
    /// If unset, they are not served.
    #[arg(long, env = "SNAPNOTE_METRICS_LISTEN", value_parser = listen_address)]
    pub metrics_listen: Option<SocketAddr>,
    /// Operations and statements that take at least this long are logged as warnings.
    #[arg(long, env = "SNAPNOTE_SLOW", default_value = "500ms")]
    pub slow: Span,
    /// The URL of an OpenTelemetry collector (OTLP over HTTP with protobuf), e.g. http://127.0.0.1:4318. Spans are sent to
    /// /v1/traces below it. If unset, there are no traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = collector)]
    pub otlp_endpoint: Option<String>,
    /// The name of the service in traces.
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "snapnote")]
    pub service_name: String,
}

impl ObservabilityConfig {
    /// The settings of traces in the form that `telemetry` takes. `None` without a collector.
    pub fn traces(&self) -> Option<TraceSettings> {
        Some(TraceSettings {
            endpoint: self.otlp_endpoint.clone()?,
            service: self.service_name.clone(),
            version: env!("CARGO_PKG_VERSION"),
        })
    }
}

fn collector(text: &str) -> Result<String, String> {
    web_url(text)
        .map(|url| url.as_str().trim_end_matches('/').to_owned())
        .map_err(|_| "expected a URL such as http://127.0.0.1:4318".to_owned())
}
