//! Tests that settings are read as documented.

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::{
    auth::keys::Secrets,
    images::{ImageSettings, StorageSettings},
};

/// Reads flags alone, without an environment.
pub(super) fn read(flags: &[&str]) -> Result<Config, String> {
    let arguments = [&["snapnote"], flags].concat();
    let arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
    let config = Config::parse_from(&arguments, &Variables::from_iter([]));
    let config = config.map_err(|error| match error {
        ReadError::Usage(error) => error.to_string(),
        ReadError::Settings(problems) => problems.join("\n"),
    })?;
    let problems = config.contradictions();
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(problems.join("\n"))
    }
}

#[test]
fn settings_can_come_before_or_after_the_command() {
    for flags in [
        ["--listen", "127.0.0.1:1", "serve", "--migrate"],
        ["serve", "--listen", "127.0.0.1:1", "--migrate"],
    ] {
        let config = read(&flags).expect("good flags");
        assert_eq!(config.server.listen.port(), 1, "{flags:?}");
        assert!(matches!(
            config.command,
            Some(Command::Serve { migrate: true })
        ));
    }
    let flags = ["migrate", "down", "--yes", "--pool-max", "7"];
    assert_eq!(read(&flags).expect("good flags").database.pool_max, 7);
}

#[test]
fn every_example_of_the_help_is_accepted() {
    let mut command = <Config as CommandFactory>::command();
    command.build();
    let parents = command.get_subcommands().chain([&command]);
    let helps: Vec<String> = parents
        .filter_map(|command| command.get_after_help().map(ToString::to_string))
        .collect();
    let lines = helps.iter().flat_map(|help| help.lines());
    let lines = lines.filter_map(|line| line.trim_start().strip_prefix("snapnote "));
    let mut count = 0;
    for line in lines {
        // Without what it does, a pipe, or a file.
        let line = line.split("  ").next().unwrap_or_default();
        let line = line.split(['|', '>']).next().unwrap_or_default();
        let flags: Vec<&str> = line.split_whitespace().collect();
        if let Err(problem) = read(&flags) {
            let needs_a_database = problem.contains("DATABASE_URL");
            assert!(needs_a_database || flags[0] == "help", "{line}: {problem}");
        }
        count += 1;
    }
    assert!(count >= 15, "{count}");
}

#[test]
fn an_invalid_line_of_env_is_not_quoted() {
    let line = dotenvy::Error::LineParse("hush hush".to_owned(), 4);
    assert!(!unreadable(&line).contains("hush"));
}

#[test]
fn env_example_lists_exactly_the_settings() {
    let known: BTreeSet<String> = command()
        .get_arguments()
        .filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned()))
        .collect();
    let example = include_str!("../../.env.example");
    let listed: BTreeSet<String> = example
        .lines()
        .filter_map(|line| {
            line.trim_start_matches("# ")
                .split_once('=')
                .map(|(name, _)| name)
        })
        .filter(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(known, listed);
}

#[test]
fn debug_output_hides_secrets() {
    let flags = [
        "--jwt-secret",
        "hush",
        "--database-url",
        "postgres://u:hush@h/d",
    ];
    let shown = format!("{:?}", read(&flags).expect("good flags"));
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn help_hides_secrets_from_the_environment() {
    for setting in command().get_arguments() {
        let id = setting.get_id().as_str();
        let is_secret = [
            "jwt_secret",
            "jwt_secret_previous",
            "database_url",
            "database_direct_url",
            "database_read_url",
            "smtp_url",
            "issuers",
            "otlp_headers",
            "otlp_traces_headers",
        ]
        .contains(&id);
        assert_eq!(setting.is_hide_env_values_set(), is_secret, "{id}");
    }
}

#[test]
fn durations_are_parsed() {
    assert_eq!("500ms".parse(), Ok(Span(Duration::from_millis(500))));
    assert_eq!("5m".parse(), Ok(Span(Duration::from_secs(300))));
    for bad in ["", "5", "s", "-1s", "0s", "1d", "1.5s", "99999999h", "١s"] {
        assert!(bad.parse::<Span>().is_err(), "{bad}");
    }
    for (delay, seconds) in [("0s", 0), ("0", 0), ("5s", 5)] {
        let config = read(&["--shutdown-delay", delay]).expect("a delay");
        assert_eq!(config.server.shutdown_delay.0, Duration::from_secs(seconds));
    }
}

#[test]
fn invalid_settings_are_rejected_by_name() {
    for flags in [
        ["--pool-max", "0"],
        ["--pool-max", "4"],
        ["--pool-kept", "16"],
        ["--pool-wait", "0s"],
        ["--refresh-grace", "999ms"],
        ["--refresh-grace", "601s"],
        ["--shutdown-delay", "0x"],
        ["--shutdown-timeout", "0s"],
        ["--max-body", "0"],
        ["--max-depth", "deep"],
        ["--max-cost", "0"],
        ["--listen", "nowhere"],
        ["--graphiql", "perhaps"],
        ["--docs-site", "perhaps"],
        ["--log-format", "xml"],
        ["--log", "inof"],
        ["--listen", "localhost:8080"],
        ["--listen", ":8080"],
        ["--limit-sign-up", "5"],
        ["--trusted-proxies", "everybody"],
        ["--storage-url", "pictures"],
        ["--storage-url", "ftp://host/folder"],
        ["--storage-url", "file://host/folder"],
        ["--public-url", "api.example.com"],
        ["--public-url", "https://api.example.com/?a=b"],
        ["--public-url", "https://ada@api.example.com"],
    ] {
        let message = read(&flags).expect_err(flags[0]);
        let setting = flags[0].trim_start_matches("--").replace('-', "_");
        let named = message.contains(flags[0]) || message.contains(&setting.to_uppercase());
        assert!(named, "{message}");
    }
}

#[test]
fn all_invalid_settings_of_the_service_are_named() {
    let flags = [
        "--embedded",
        "--jwt-secret=short",
        "--cors-origins=app.example.com",
        "--mail-from=nobody",
        "--smtp-url=http://mail.example.com",
        "--app-url=https://app.example.com",
        "--issuers=/does/not/exist.toml",
    ];
    let config = read(&flags).expect("good flags");
    let situation = Situation {
        variables: &Variables::from_iter([]),
        on_terminal: false,
    };
    let problems = config.problems(&situation);
    for name in [
        "JWT_SECRET",
        "CORS_ORIGINS",
        "MAIL_FROM",
        "SMTP_URL",
        "ISSUERS",
    ] {
        let named = problems.iter().filter(|problem| problem.contains(name));
        assert_eq!(named.count(), 1, "{name}: {problems:?}");
    }
    assert_eq!(problems.len(), 5, "{problems:?}");
}

#[test]
fn images_are_stored_in_the_data_folder_by_default() {
    let listening = "127.0.0.1:8080".parse().expect("an address");
    let settings = |flags: &[&str]| {
        let config = read(flags).expect("good flags");
        let data_dir = &config.database.data_dir;
        config
            .storage
            .settings(data_dir, listening, Secrets::new(Vec::new(), None))
            .expect("good settings")
    };
    let folder = |settings: &ImageSettings| match &settings.storage {
        StorageSettings::Folder(folder) => Some(folder.display().to_string()),
        StorageSettings::S3 { .. } => None,
    };
    let default = settings(&["--data-dir", "data"]);
    assert_eq!(folder(&default).as_deref(), Some("data/images"));
    assert_eq!(default.public_url.as_str(), "http://127.0.0.1:8080/");
    let other = settings(&["--storage-url", "file:///srv/pictures"]);
    assert_eq!(folder(&other).as_deref(), Some("/srv/pictures"));
    let bucket = settings(&[
        "--storage-url",
        "s3://notes/pages",
        "--public-url",
        "https://a.example.com/api",
    ]);
    assert_eq!(folder(&bucket), None);
    assert_eq!(bucket.public_url.as_str(), "https://a.example.com/api");
}

#[test]
fn the_audit_log_must_be_kept_longer_than_the_change_feed() {
    for (changes, audit, good) in [
        ("30", "31", true),
        ("30", "0", true),
        ("7", "8", true),
        ("30", "30", false),
        ("31", "7", false),
        ("0", "365", false),
    ] {
        let flags = ["--changes-days", changes, "--audit-days", audit];
        assert_eq!(read(&flags).is_ok(), good, "{flags:?}");
    }
}
