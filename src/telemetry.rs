//! The log: written to standard error as text or JSON. Log lines of a request carry its id.

use std::{io::IsTerminal, panic::PanicHookInfo};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Starts logging. Later calls have no effect.
///
/// # Errors
/// A message if the filter is invalid. `config` has checked it.
pub fn start(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::builder()
        .parse(&config.log)
        .map_err(|error| format!("SNAPNOTE_LOG is not a valid filter: {error}."))?;
    let log = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let started = match config.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(log_panic));
    // Fails if logging has started already, for example in another test.
    started.or(Ok(()))
}

/// Logs a panic as an event in the span of its request, instead of the standard library's text.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or(payload.downcast_ref::<String>().map(String::as_str));
    let panic_message = message.unwrap_or("no message");
    tracing::error!(location, panic_message, "panicked");
}
