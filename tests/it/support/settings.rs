//! The settings of a test's service: an operator's defaults, without rate limits, with small pools, and with a time limit of requests
//! that a busy machine does not reach.

use std::{path::PathBuf, time::Duration};

use snapnote::{
    app::AppSettings,
    auth::{
        AuthSettings, Limit, RateLimitSettings,
        external::KeyAges,
        keys::{Purpose, Secrets},
    },
    changes::LiveSettings,
    db::{PoolSettings, activity::IdleSettings},
    graphql::{
        Limits, ToolMode,
        documents::{DocumentMode, DocumentSettings},
        plan,
    },
    http::{
        EdgeSettings, RequestSettings, UploadSettings, server::ServerSettings,
        streams::StreamSettings,
    },
    images::{ImageSettings, StorageSettings},
    items::Quotas,
    mail::MailSettings,
};

use super::{fresh_name, image_folder};

/// The secret of the service in the tests.
pub(crate) const SECRET: &[u8] = b"the secret of the tests, which is long enough";

/// No server listens at this address, so mails stay in the outbox.
pub(crate) fn keep_mails(settings: &mut AppSettings) {
    settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned());
}

/// Has the service believe what a proxy on this machine says of clients' addresses.
pub(crate) fn trust_proxies(settings: &mut AppSettings) {
    settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
}

/// The settings that a test starts with.
pub(crate) fn settings() -> AppSettings {
    AppSettings {
        pool: PoolSettings {
            name: "main",
            slow: Duration::from_secs(3600),
            kept: 1,
            max_connections: 8,
            shared_reads: true,
            wait: Duration::from_secs(5),
            lifetime: Duration::from_secs(300),
            idle: IdleSettings::default(),
        },
        replica: None,
        auth: auth(),
        limits: Limits::default(),
        query_plans: plan::Mode::Verify,
        documents: DocumentSettings {
            manifests: Vec::new(),
            mode: DocumentMode::Enforce,
            persisted_bytes: 1 << 20,
            tools: ToolMode::Off,
        },
        max_response: 16 << 20,
        edge: edge(),
        server: ServerSettings {
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            max_connections: 1000,
            max_open: 2000,
            shutdown_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(5),
            idle_grace: Duration::from_millis(300),
        },
        trash_days: 0,
        audit_days: 365,
        live: LiveSettings {
            // Tests that count statements count no notifications.
            notifications: false,
            ..LiveSettings::new(30, None, Duration::from_secs(3600))
        },
        search_bytes: 64 << 20,
        mail: MailSettings {
            idle: MailSettings::IDLE,
            smtp_url: None,
            from: "SnapNote <no-reply@example.com>".to_owned(),
            app_url: "https://app.example.com".parse().unwrap(),
            folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(fresh_name()),
        },
        images: ImageSettings {
            storage: StorageSettings::Folder(image_folder(&fresh_name())),
            public_url: "http://localhost".parse().unwrap(),
            secrets: secrets(),
        },
        quotas: Quotas::default(),
    }
}

/// The secrets of the tests.
pub(crate) fn secrets() -> Secrets {
    Secrets::new(SECRET.to_vec(), None)
}

/// The key with which the service of a test signs access tokens.
pub(crate) fn access_key() -> Vec<u8> {
    secrets().keys(Purpose::AccessTokens).current
}

fn auth() -> AuthSettings {
    AuthSettings {
        secrets: secrets(),
        issuer: "snapnote".to_owned(),
        audience: "snapnote".to_owned(),
        access_lifetime: Duration::from_secs(900),
        refresh_grace: Duration::from_secs(60),
        hashing_permits: 2,
        usage_interval: Duration::from_secs(60),
        rate_limits: RateLimitSettings::OFF,
        issuers: Vec::new(),
        key_ages: KeyAges::default(),
    }
}

fn edge() -> EdgeSettings {
    EdgeSettings {
        request_timeout: Duration::from_secs(60),
        body_timeout: Duration::from_secs(5),
        max_body: 1024 * 1024,
        graphiql: true,
        docs_site: true,
        cors_origins: vec!["https://app.example.com".to_owned()],
        trusted_proxies: Vec::new(),
        trust_traceparent: false,
        requests: RequestSettings::new(8, None, None),
        slow: Duration::from_secs(3600),
        cost_limit: Limit::OFF,
        uploads: UploadSettings::default(),
        streams: StreamSettings::default(),
        ready_age: Duration::from_secs(1),
    }
}
