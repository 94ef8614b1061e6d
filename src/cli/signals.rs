//! Signals: SIGTERM and Ctrl-C stop the service, and SIGHUP changes the filter of its log.

use std::io;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::say;
use crate::{
    config::LogConfig,
    telemetry::{LogFormat, log},
};

pub(super) type ShutdownSignal = watch::Receiver<bool>;

fn listen(kind: SignalKind) -> Result<Signal, String> {
    let failed = |error: io::Error| format!("The service cannot listen for signals: {error}.");
    signal(kind).map_err(failed)
}

/// Listens for Ctrl-C and SIGTERM. The second signal ends the process immediately.
pub(super) fn shutdown(format: LogFormat) -> Result<ShutdownSignal, String> {
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        for round in 0..2 {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            if round == 1 {
                std::process::exit(130);
            }
            let message = "shutting down; press Ctrl-C again to stop immediately";
            say(format, "INFO", message);
            let _ = sender.send(true);
        }
    });
    Ok(receiver)
}

pub(super) async fn shutdown_requested(mut shutdown: ShutdownSignal) {
    // An error means that the sender is gone, and it lives as long as the process.
    let _ = shutdown.wait_for(|requested| *requested).await;
}

/// Listens for SIGHUP, which by default would kill the process, for example when a terminal closes. The filter of the log is read
/// again. All other settings are read at start only.
pub(super) fn reread_log_filter(config: LogConfig) -> Result<(), String> {
    let mut hang_up = listen(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            let filter = config.reread_filter();
            let set = filter.and_then(|filter| log::set_filter(&filter).map(|()| filter));
            match set {
                Ok(filter) => {
                    tracing::info!(filter, "SIGHUP: the filter of the log was read again")
                }
                Err(problem) => {
                    tracing::warn!(problem, "SIGHUP: the filter of the log was not changed")
                }
            }
        }
    });
    Ok(())
}
