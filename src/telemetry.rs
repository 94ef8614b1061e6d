//! The log: to standard error, for people or for machines. Requests and their faults carry the request's id.

use std::{io::IsTerminal, panic::PanicHookInfo};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Begins to log. The first call counts.
///
/// # Errors
/// A message if the filter is none.
pub fn start(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::builder().parse(&config.log).map_err(|error| {
        format!(
            "SNAPNOTE_LOG is {:?}, which is no filter: {error}. Write a level such as info.",
            config.log
        )
    })?;
    let log = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let started = match config.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(log_panic));
    // Somebody has begun already: a test, mostly.
    started.or(Ok(()))
}

/// A line of the log like any other, under the span of the request, in place of the standard library's text.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let payload = panic.payload();
    let words = payload
        .downcast_ref::<&str>()
        .copied()
        .or(payload.downcast_ref::<String>().map(String::as_str));
    tracing::error!(place, "panicked: {}", words.unwrap_or("without a word"));
}
