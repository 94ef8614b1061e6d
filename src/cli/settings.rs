//! Maps the settings of the operator to the settings of each module.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::DatabaseServer;
use crate::{
    app::AppSettings,
    auth::AuthSettings,
    auth::external::{IssuerSettings, KeyAges},
    auth::keys::Secrets,
    changes::LiveSettings,
    config::{Config, LimitsConfig, MailConfig, ServerConfig},
    db::{PoolSettings, activity::IdleSettings, replica::ReplicaSettings},
    graphql::Limits,
    http::{EdgeSettings, LOCAL_ORIGINS, RequestSettings, UploadSettings, server::ServerSettings},
    mail::MailSettings,
};

/// How often the last use of sessions is saved.
const USAGE_INTERVAL: Duration = Duration::from_secs(60);

pub(super) fn pool(config: &Config) -> PoolSettings {
    let database = &config.database;
    PoolSettings {
        name: "main",
        slow: config.observability.slow.0,
        kept: database.pool_kept,
        max_connections: database.pool_max,
        shared_reads: database.shared_reads && database.prepared_statements,
        wait: database.pool_wait.0,
        lifetime: database.pool_lifetime.0,
        idle: IdleSettings::default(),
    }
}

pub(super) fn settings(
    config: &Config,
    database: &DatabaseServer,
    secrets: Secrets,
    listening: SocketAddr,
    max_open: usize,
) -> Result<AppSettings, String> {
    let data_dir = &config.database.data_dir;
    let images = config
        .storage
        .settings(data_dir, listening, secrets.clone())?;
    Ok(AppSettings {
        pool: pool(config),
        replica: database.read.clone().map(|target| ReplicaSettings {
            target,
            max_lag: config.database.read_max_lag.0,
        }),
        auth: auth_settings(config, database, secrets)?,
        limits: limits(&config.limits),
        query_plans: config.server.query_plans,
        documents: config.documents.settings()?,
        max_response: config.limits.max_response,
        edge: edge_settings(config, database.embedded.is_some()),
        server: server_settings(config, max_open),
        trash_days: config.database.trash_days,
        audit_days: config.auth.audit_days,
        live: LiveSettings::new(
            config.database.changes_days,
            database.direct.clone(),
            config.streams.idle_check.0,
        ),
        search_bytes: config.database.search_memory << 20,
        mail: mail_settings(&config.mail, data_dir.join("mails")),
        images,
        quotas: config.quotas.settings(),
    })
}

fn auth_settings(
    config: &Config,
    database: &DatabaseServer,
    secrets: Secrets,
) -> Result<AuthSettings, String> {
    let issuers = match &config.auth.issuers {
        Some(issuers) => IssuerSettings::read(issuers.reveal())?,
        None => Vec::new(),
    };
    Ok(AuthSettings {
        secrets,
        issuer: config.auth.jwt_issuer.clone(),
        audience: config.auth.jwt_audience.clone(),
        access_lifetime: config.auth.access_token_lifetime.0,
        refresh_grace: config.auth.refresh_grace.0,
        hashing_permits: config.auth.hashing_permits,
        usage_interval: USAGE_INTERVAL,
        rate_limits: config.rate_limits.settings(database.embedded.is_some()),
        issuers,
        key_ages: KeyAges::default(),
    })
}

pub(super) fn limits(config: &LimitsConfig) -> Limits {
    Limits {
        // Texts may be used twice in a request, but not a hundred times.
        argument_bytes: 2 * config.max_body,
        tokens: config.max_tokens,
        depth: config.max_depth,
        aliases: config.max_aliases,
        root_fields: config.max_root_fields,
        cost: config.max_cost,
        cached_documents: config.cached_documents,
        ..Limits::default()
    }
}

fn edge_settings(config: &Config, is_embedded: bool) -> EdgeSettings {
    EdgeSettings {
        request_timeout: config.server.request_timeout.0,
        body_timeout: config.server.body_timeout.0,
        max_body: config.limits.max_body,
        graphiql: config.server.graphiql,
        docs_site: config.server.docs_site,
        cors_origins: cors_origins(&config.server, is_embedded),
        trusted_proxies: config.server.trusted_proxies.clone(),
        trust_traceparent: config.observability.trust_traceparent,
        requests: RequestSettings::new(
            config.database.pool_max,
            config.server.max_requests,
            config.server.max_requests_per_user,
        ),
        slow: config.observability.slow.0,
        cost_limit: config.rate_limits.limit_cost,
        uploads: UploadSettings::default(),
        streams: config.streams.settings(),
        ready_age: config.server.ready_age.0,
    }
}

/// By default, a service with an embedded database allows the pages of development servers on this machine.
pub(super) fn cors_origins(config: &ServerConfig, is_embedded: bool) -> Vec<String> {
    match config.cors_origins.is_empty() && is_embedded {
        true => LOCAL_ORIGINS.map(str::to_owned).to_vec(),
        false => config.cors_origins.clone(),
    }
}

fn server_settings(config: &Config, max_open: usize) -> ServerSettings {
    ServerSettings {
        header_timeout: config.server.header_timeout.0,
        // WebSockets and event streams detect silent clients themselves, after two heartbeats.
        write_timeout: (config.server.header_timeout.0).max(2 * config.streams.heartbeat.0),
        max_connections: config.server.max_connections,
        max_open,
        shutdown_delay: config.server.shutdown_delay.0,
        shutdown_timeout: config.server.shutdown_timeout.0,
        idle_grace: ServerSettings::IDLE_GRACE,
    }
}

pub(super) fn mail_settings(config: &MailConfig, folder: PathBuf) -> MailSettings {
    MailSettings {
        idle: MailSettings::IDLE,
        smtp_url: config.smtp_url.as_ref().map(|url| url.reveal().to_owned()),
        from: config.mail_from.clone(),
        app_url: config.app_url(),
        folder,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn local_pages_are_allowed_by_default_on_an_embedded_database_only() {
        let origins = |flags: &[&str], is_embedded| {
            let config = Config::try_parse_from([&["snapnote"], flags].concat());
            cors_origins(&config.expect("good flags").server, is_embedded)
        };
        assert_eq!(origins(&[], true), LOCAL_ORIGINS);
        assert!(origins(&[], false).is_empty());
        assert_eq!(origins(&["--cors-origins="], true), [""]);
        let one = ["--cors-origins=https://app.example.com"];
        assert_eq!(origins(&one, true), ["https://app.example.com"]);
    }
}
