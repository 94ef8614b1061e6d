//! The log: written to standard error as text or JSON. Log lines of a request carry its id.
//!
//! The filter can be replaced at run time. While it is the same for all layers of the subscriber, a disabled event costs one
//! comparison. With traces, spans pass another filter than lines.

use std::{io::IsTerminal, panic::PanicHookInfo, sync::OnceLock};

use clap::ValueEnum;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::filter_fn, fmt, layer::SubscriberExt, registry::LookupSpan,
    reload, util::SubscriberInitExt,
};

use super::{
    panics,
    text::Clock,
    traces::{TraceSettings, Traces},
};

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// A level, or directives such as `warn,snapnote=debug`.
    pub filter: String,
    /// The format of the lines.
    pub format: LogFormat,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Human-readable text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Replaces the filter.
type Replace = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

static REPLACE: OnceLock<Replace> = OnceLock::new();

/// Starts logging, and the export of spans if there is a collector. Later calls have no effect on the log.
///
/// # Errors
/// A message if the filter is invalid, or the collector's URL. `config` has checked the filter.
pub fn start(
    settings: &LogSettings,
    traces: Option<&TraceSettings>,
) -> Result<Option<Traces>, String> {
    let (filter, handle) = reload::Layer::new(parse(&settings.filter)?);
    let traces = traces.map(Traces::new).transpose()?;
    let started = match &traces {
        None => tracing_subscriber::registry()
            .with(filter)
            .with(lines(settings.format))
            .try_init(),
        Some(traces) => tracing_subscriber::registry()
            .with(lines::<Registry>(settings.format).with_filter(filter))
            .with(traces.layer())
            .try_init(),
    };
    // Fails if logging has started already, for example in another test.
    if started.is_ok() {
        let replace = move |filter| handle.reload(filter).map_err(|error| error.to_string());
        let _ = REPLACE.set(Box::new(replace));
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(traces)
}

/// Replaces the filter.
///
/// # Errors
/// A message if the filter is invalid. The current one stays.
pub fn set_filter(filter: &str) -> Result<(), String> {
    let filter = parse(filter)?;
    let replace = REPLACE.get().ok_or("logging has not started")?;
    replace(filter)
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|error| format!("SNAPNOTE_LOG is not a valid filter: {error}."))
}

/// Writes the lines of events.
fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let on_terminal = std::io::stderr().is_terminal();
    // This library logs what agents send and get.
    let is_ours = filter_fn(|metadata| !metadata.target().starts_with("rmcp"));
    match format {
        LogFormat::Text => layer
            .compact()
            .with_ansi(on_terminal)
            .with_timer(Clock { on_terminal })
            .with_filter(is_ours)
            .boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_filter(is_ours)
            .boxed(),
    }
}

/// Logs a panic as an event in the span of its request, instead of the standard library's text.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let panic_message = &*panics::message(panic.payload());
    tracing::error!(location, panic_message, "panicked");
}
