//! `snapnote healthcheck`: whether the service on this machine is ready. Container images need no shell and no curl for their health check.

use std::{error::Error, net::SocketAddr, time::Duration};

use reqwest::Client;

use super::Outcome;

/// How long the service may take to respond. Its own check of the database takes at most 2 s.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Fails unless `/readyz` at this address returns 200.
pub(super) async fn run(address: SocketAddr) -> Outcome {
    let client = Client::builder().timeout(TIMEOUT).no_proxy().build();
    let client = client.map_err(|error| error.to_string())?;
    let response = client.get(format!("http://{address}/readyz")).send().await;
    let response = response.map_err(|error| {
        let cause = cause(&error);
        format!("The service at {address} does not respond: {cause}.")
    })?;
    if response.status().is_success() {
        return Ok(());
    }
    let status = response.status();
    let body = response.text().await.unwrap_or_default();
    Err(format!("The service at {address} is not ready ({status}): {body}").into())
}

/// The first cause of an error, e.g. `Connection refused (os error 111)`.
fn cause(mut error: &dyn Error) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
