//! The event that the log begins with: which program serves, where, and with which settings. It contains no secret.

use std::net::SocketAddr;

use url::Url;

use super::{DatabaseServer, settings::cors_origins};
use crate::{
    app::App,
    config::{Config, MailConfig, StorageConfig},
    db::checkup::{self, Facts},
    error::Error,
};

/// Logs the event.
pub(super) async fn log(
    config: &Config,
    database: &DatabaseServer,
    app: &App,
    listen: SocketAddr,
    max_open: usize,
) -> Result<(), Error> {
    let server = checkup::facts(app.database()).await?;
    let is_embedded = database.embedded.is_some();
    let origins = cors_origins(&config.server, is_embedded).join(",");
    let rate_limits = config.rate_limits.settings(is_embedded);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        commit = env!("BUILD_COMMIT"),
        %listen,
        public_url = config.storage.public_url.as_ref().map(Url::as_str),
        database = %database.target,
        replica = database.read.as_ref().map(ToString::to_string),
        embedded = is_embedded,
        server_version = server.version,
        pooled = database.target.is_pooled(),
        tls = tls(database, &server),
        storage = storage(&config.storage, config),
        mail = mail(&config.mail, config),
        app_url = config.mail.app_url().as_str(),
        origins = if origins.is_empty() { "none" } else { &origins },
        max_open,
        max_connections = config.server.max_connections,
        max_sockets = config.streams.max_sockets,
        max_subscriptions = config.streams.max_subscriptions,
        pool_max = config.database.pool_max,
        max_body = config.limits.max_body,
        max_response = config.limits.max_response,
        max_cost = config.limits.max_cost,
        max_depth = config.limits.max_depth,
        max_items_per_user = config.quotas.max_items_per_user,
        max_bytes_per_user = config.quotas.max_bytes_per_user,
        documents_mode = config.documents.shown_mode(),
        %rate_limits,
        cost_limit = %config.rate_limits.limit_cost,
        "the service starts"
    );
    if config.documents.shown_mode() == Some("enforce") {
        tracing::info!(
            "only trusted documents run (SNAPNOTE_DOCUMENTS); GraphiQL and tools that read the schema by introspection need mode log"
        );
    }
    Ok(())
}

/// The protection that the address requires. If it only prefers TLS, also what the server offered.
fn tls(database: &DatabaseServer, server: &Facts) -> String {
    match (database.target.tls(), server.encrypted) {
        ("prefer", true) => "prefer (encrypted)".to_owned(),
        ("prefer", false) => "prefer (not encrypted)".to_owned(),
        (tls, _) => tls.to_owned(),
    }
}

fn storage(storage: &StorageConfig, config: &Config) -> String {
    match &storage.storage_url {
        Some(url) => without_secrets(url),
        None => config
            .database
            .data_dir
            .join("images")
            .display()
            .to_string(),
    }
}

fn mail(mail: &MailConfig, config: &Config) -> String {
    let url = mail.smtp_url.as_ref();
    match url.and_then(|url| Url::parse(url.reveal()).ok()) {
        Some(url) => without_secrets(&url),
        None => config.database.data_dir.join("mails").display().to_string(),
    }
}

/// The URL without user, password and parameters.
fn without_secrets(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}"));
    let host = url.host_str().unwrap_or_default();
    format!(
        "{}://{host}{}{}",
        url.scheme(),
        port.unwrap_or_default(),
        url.path()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_secrets() {
        for (url, shown) in [
            (
                "smtps://ada:hush@smtp.example.com:465",
                "smtps://smtp.example.com:465",
            ),
            ("smtp://[::1]:25?tls=none", "smtp://[::1]:25"),
            (
                "s3://notes/pages?endpoint=https://hush@s3.example.com",
                "s3://notes/pages",
            ),
            ("file:///srv/images", "file:///srv/images"),
        ] {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(without_secrets(&url), shown);
        }
    }
}
