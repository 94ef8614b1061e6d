//! What the program checks and logs before it serves.

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::process::Command;

use super::{SECRET, text};
use crate::support::{Folder, Serving, migrated_database, output_of, program, url_of};

async fn with_database(folder: &Folder, variables: &[(&str, &str)]) -> Command {
    let mut command = program(&folder.0, &["serve"]);
    command
        .env("DATABASE_URL", url_of(&migrated_database().await).await)
        .env("SNAPNOTE_JWT_SECRET", SECRET)
        .envs(variables.iter().copied());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_says_what_serves_with_which_settings() {
    let folder = Folder::new("start-event");
    let direct = url_of(&migrated_database().await).await;
    let variables = [
        ("SNAPNOTE_LOG_FORMAT", "json"),
        ("SNAPNOTE_SMTP_URL", "smtp://ada:hush-hush@127.0.0.1:2525"),
        (
            "SNAPNOTE_CORS_ORIGINS",
            "https://app.example.com,https://b.example.com",
        ),
        ("SNAPNOTE_MAX_SOCKETS", "123"),
        ("SNAPNOTE_LIMIT_SIGN_UP", "7/60m"),
        ("SNAPNOTE_LIMIT_MAIL", "off"),
        // A second address does not make the first one a pooler.
        ("DATABASE_DIRECT_URL", &direct),
    ];
    let serving = Serving::start(&mut with_database(&folder, &variables).await).await;
    let address = serving.client.address.to_string();
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0), "{log}");
    let events: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|event: &Value| event["message"] == "the service starts")
        .collect();
    let [event] = &*events else {
        panic!("{log}");
    };
    assert_eq!(event["level"], "INFO");
    assert_eq!(event["version"], env!("CARGO_PKG_VERSION"));
    assert!(event["commit"].is_string(), "{event}");
    assert_eq!(event["listen"], address);
    let database = event["database"].as_str().unwrap();
    assert!(database.starts_with("database `"), "{database}");
    let version = event["server_version"].as_str().unwrap();
    assert!(
        version.starts_with(|first: char| first.is_ascii_digit()),
        "{event}"
    );
    assert_eq!(event["embedded"], false);
    assert_eq!(event["pooled"], false);
    assert_eq!(event["tls"], "disable", "{event}");
    assert_eq!(event["storage"], ".snapnote/images");
    assert_eq!(event["mail"], "smtp://127.0.0.1:2525");
    assert_eq!(event["origins"], variables[2].1);
    assert_eq!(event["max_sockets"], 123);
    let limits = event["rate_limits"].as_str().unwrap();
    for limit in [
        "sign_in 10/10m,",
        "sign_up 7/h,",
        "refresh 60/m,",
        "mail off",
    ] {
        assert!(limits.contains(limit), "{limits}");
    }
    assert!(!log.contains("hush-hush") && !log.contains(SECRET), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_need_an_address_that_clients_can_open() {
    let folder = Folder::new("links");
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:8080"] {
        let mut command = with_database(&folder, &[("SNAPNOTE_LISTEN", listen)]).await;
        let output = output_of(&mut command).await;
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        for part in ["SNAPNOTE_PUBLIC_URL", listen, "https://api.example.com"] {
            assert!(error.contains(part), "{error}");
        }
    }
    for public in [
        "http://0.0.0.0:8080",
        "http://[::]",
        "https://api.example.com?a=b",
    ] {
        let mut command = with_database(&folder, &[("SNAPNOTE_PUBLIC_URL", public)]).await;
        let error = text(&output_of(&mut command).await.stderr);
        assert!(
            error.starts_with("snapnote: SNAPNOTE_PUBLIC_URL is "),
            "{error}"
        );
    }
    // With a public URL, or if the store makes the links.
    let s3 = "s3://bucket?endpoint=http://127.0.0.1:1&region=r";
    for variables in [
        [
            ("SNAPNOTE_PUBLIC_URL", "https://api.example.com"),
            ("AWS_ACCESS_KEY_ID", "a"),
        ],
        [("SNAPNOTE_STORAGE_URL", s3), ("AWS_ACCESS_KEY_ID", "a")],
    ] {
        let mut command = with_database(&folder, &variables).await;
        command
            .env("SNAPNOTE_LISTEN", "0.0.0.0:0")
            .env("AWS_SECRET_ACCESS_KEY", "hush-hush");
        let serving = Serving::start(&mut command).await;
        // The printed address can be opened on this machine.
        assert!(serving.client.address.ip().is_loopback());
        let health = serving.client.http("GET", "/healthz", &[], b"").await;
        assert_eq!(health.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emails_need_the_address_of_the_app() {
    let folder = Folder::new("mail-links");
    let remote = (
        "SNAPNOTE_SMTP_URL",
        "smtps://ada:hush-hush@smtp.example.com",
    );
    let output = output_of(&mut with_database(&folder, &[remote]).await).await;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("SNAPNOTE_APP_URL") && !error.contains("hush-hush"),
        "{error}"
    );
    let app = ("SNAPNOTE_APP_URL", "https://app.example.com");
    Serving::start(&mut with_database(&folder, &[remote, app]).await).await;
    let local = ("SNAPNOTE_SMTP_URL", "smtp://localhost:1");
    Serving::start(&mut with_database(&folder, &[local]).await).await;
}
