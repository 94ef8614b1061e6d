//! The settings of metrics and traces.

use std::net::SocketAddr;

use clap::Args;

use super::{
    Secret, Span,
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
    /// The URL to which spans are sent, e.g. https://collector.example.com/v1/traces. If unset, /v1/traces below
    /// OTEL_EXPORTER_OTLP_ENDPOINT.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value_parser = collector)]
    pub otlp_traces_endpoint: Option<String>,
    /// Header fields of requests to the collector, e.g. its credentials: name=value,name=value. Values are percent-decoded.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true)]
    pub otlp_headers: Option<Secret>,
    /// As OTEL_EXPORTER_OTLP_HEADERS, for spans only. Takes precedence.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        hide_env_values = true
    )]
    pub otlp_traces_headers: Option<Secret>,
    /// The protocol of the collector. Only http/protobuf is supported.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL", default_value = PROTOCOL, value_parser = protocol)]
    pub otlp_protocol: String,
    /// As OTEL_EXPORTER_OTLP_PROTOCOL, for spans only.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", default_value = PROTOCOL, value_parser = protocol)]
    pub otlp_traces_protocol: String,
    /// Whether requests continue the trace in their `traceparent`, with its decision whether the trace is recorded. Turn it on only
    /// if each caller is trusted, or a proxy removes or replaces the header of others. Otherwise, each request begins a trace of its own if there is a collector.
    #[arg(long, env = "SNAPNOTE_TRUST_TRACEPARENT", default_value_t = false, action = clap::ArgAction::Set)]
    pub trust_traceparent: bool,
    /// The name of the service in traces.
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "snapnote")]
    pub service_name: String,
}

impl ObservabilityConfig {
    /// The settings of traces in the form that `telemetry` takes. `None` without a collector.
    pub fn traces(&self) -> Option<TraceSettings> {
        let below = |endpoint: &String| format!("{endpoint}/v1/traces");
        let endpoint = self.otlp_traces_endpoint.clone();
        let headers = self.otlp_traces_headers.as_ref();
        let headers = headers.or(self.otlp_headers.as_ref()).map(Secret::reveal);
        Some(TraceSettings {
            endpoint: endpoint.or_else(|| self.otlp_endpoint.as_ref().map(below))?,
            // `problems` reports invalid ones.
            headers: header_fields(headers.unwrap_or_default()).unwrap_or_default(),
            service: self.service_name.clone(),
            version: env!("CARGO_PKG_VERSION"),
        })
    }

    /// What is wrong with the header fields. Does not quote them.
    pub(super) fn problems(&self) -> Vec<String> {
        let settings = [
            ("OTEL_EXPORTER_OTLP_HEADERS", &self.otlp_headers),
            (
                "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                &self.otlp_traces_headers,
            ),
        ];
        let invalid = |(name, value): (&str, &Option<Secret>)| {
            let problem = header_fields(value.as_ref()?.reveal()).err()?;
            Some(format!(
                "{name} is not valid: {problem}. Expected name=value, separated by commas."
            ))
        };
        settings.into_iter().filter_map(invalid).collect()
    }
}

/// The only protocol that the exporter speaks.
const PROTOCOL: &str = "http/protobuf";

fn protocol(text: &str) -> Result<String, String> {
    match text {
        PROTOCOL => Ok(text.to_owned()),
        _ => Err(format!(
            "only {PROTOCOL} is supported; remove the setting, and send spans to the collector's port for HTTP, usually 4318"
        )),
    }
}

/// Reads `name=value,name=value`. The exporter decodes the values.
fn header_fields(text: &str) -> Result<Vec<(String, String)>, String> {
    let entries = text.split(',').map(str::trim).enumerate();
    let entries = entries.filter(|(_, entry)| !entry.is_empty());
    entries
        .map(|(index, entry)| {
            let number = index + 1;
            let pair = entry.split_once('=');
            let (name, value) = pair.ok_or(format!("entry {number} has no `=`"))?;
            let (name, value) = (name.trim(), value.trim());
            let is_token =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(format!(
                    "the name of entry {number} is not that of a header field"
                ));
            }
            if value.is_empty() || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                return Err(format!("the value of entry {number} is empty or not ASCII"));
            }
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn collector(text: &str) -> Result<String, String> {
    web_url(text)
        .map(|url| url.as_str().trim_end_matches('/').to_owned())
        .map_err(|_| "expected a URL such as http://127.0.0.1:4318".to_owned())
}
