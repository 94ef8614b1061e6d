//! The program as an operator runs it: messages, signals, logs, and no secrets in any of them.
//!
//! `own_database` tests it without `DATABASE_URL`, `commands` its subcommands, `migrate` the schemas of other versions, `settings` how
//! it reads its settings, `start` what it checks and logs at start, and `descriptors` what it does when file descriptors run out. `check`
//! tests `snapnote check`, `drill` backups and restores, and `json` the output for programs.

pub(crate) mod check;
mod commands;
mod descriptors;
mod drill;
mod json;
pub(crate) mod migrate;
mod own_database;
mod reindex;
mod settings;
mod start;
mod users;

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    migrations,
    support::{
        Folder, Serving, empty_database, eventually, migrated_database, newcomer, output_of,
        program, text as text_of, unfinished_request, url_of,
    },
};

const SECRET: &str = "a secret of the tests, long enough to be one";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The environment that a program is given, and what its message must say.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[tokio::test(flavor = "multi_thread")]
async fn configuration_errors_are_reported_in_one_line_with_a_remedy() {
    let folder = Folder::new("wrong");
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let url = "postgres://ada:hush-hush@127.0.0.1:1/notes";
    let (url, none) = (("DATABASE_URL", url), ("DATABASE_URL", ""));
    let secret = |secret| ("SNAPNOTE_JWT_SECRET", secret);
    let generate = "openssl rand -base64 48";
    let short = &["SNAPNOTE_JWT_SECRET has 9 bytes", generate];
    let unreachable = &["127.0.0.1:1", "check that PostgreSQL is running there"];
    let (kept, bin) = (
        ("SNAPNOTE_POOL_KEPT", "99"),
        ("SNAPNOTE_PG_BIN", "/nowhere"),
    );
    let listen = ("SNAPNOTE_LISTEN", &*taken);
    let embedded = ("SNAPNOTE_EMBEDDED", "true");
    let table: [Case<'_>; 9] = [
        (&[url], &["SNAPNOTE_JWT_SECRET is not set", generate]),
        (&[url, secret("hush-hush")], short),
        (&[url, secret(SECRET)], unreachable),
        (&[none, secret(SECRET)], &["DATABASE_URL", "--embedded"]),
        (&[embedded, listen], &[&taken, "Set SNAPNOTE_LISTEN"]),
        (&[embedded, kept], &["SNAPNOTE_POOL_KEPT is 99"]),
        (&[embedded, bin], &["/nowhere", "SNAPNOTE_PG_BIN"]),
        (&[embedded, ("SNAPNOTE_LOG", "a=b=c")], &["SNAPNOTE_LOG"]),
        (
            &[url, embedded, secret(SECRET)],
            &["DATABASE_URL and SNAPNOTE_EMBEDDED=true"],
        ),
    ];
    for (settings, said) in table {
        let mut command = program(&folder.0, &["serve"]);
        let output = output_of(command.envs(settings.iter().copied())).await;
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{settings:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(said.iter().all(|part| error.contains(part)), "{error}");
        assert!(!error.contains("hush-hush"), "{error}");
        assert_eq!(text(&output.stdout), "", "nothing is served");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_printed_even_if_the_reader_closes_the_pipe() {
    let folder = Folder::new("schema");
    let output = output_of(&mut program(&folder.0, &["schema"])).await;
    assert_eq!(text(&output.stdout), include_str!("../../schema.graphql"));
    let mut child = program(&folder.0, &["schema"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_database_schema_is_not_served_until_it_is_migrated() {
    let folder = Folder::new("migrate");
    let database = url_of(&empty_database().await).await;
    let run = |arguments: &'static [&'static str]| {
        let mut command = program(&folder.0, arguments);
        command
            .env("DATABASE_URL", &database)
            .env("SNAPNOTE_JWT_SECRET", SECRET);
        command
    };
    let output = output_of(&mut run(&[])).await;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let migrations = migrations::names();
    assert!(error.contains(migrations.last().unwrap()), "{error}");
    assert!(error.contains("snapnote migrate up"), "{error}");

    let status = async || text(&output_of(&mut run(&["migrate", "status"])).await.stdout);
    assert_eq!(status().await.matches("pending ").count(), migrations.len());
    let up = text(&output_of(&mut run(&["migrate", "up"])).await.stdout);
    assert_eq!(up.matches("applied ").count(), migrations.len(), "{up}");
    let again = text(&output_of(&mut run(&["migrate", "up"])).await.stdout);
    assert_eq!(again, "The schema is up to date.\n");
    let down = text(
        &output_of(&mut run(&["migrate", "down", "--yes"]))
            .await
            .stdout,
    );
    assert_eq!(down.matches("reverted ").count(), 1, "{down}");
    assert_eq!(status().await.matches("pending ").count(), 1);

    let serving = Serving::start(&mut run(&["serve", "--migrate"])).await;
    let ready = serving.client.http("GET", "/readyz", &[], b"").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.0, Some(0));
    assert_eq!(status().await.matches("applied ").count(), migrations.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_stops_the_program_and_a_second_one_ends_it_immediately() {
    let folder = Folder::new("signals");
    let database = url_of(&migrated_database().await).await;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut command = program(&folder.0, &[]);
        command
            .env("DATABASE_URL", &database)
            .env("SNAPNOTE_JWT_SECRET", SECRET);
        let serving = Serving::start(&mut command).await;
        serving.signal(signal);
        let (code, said) = serving.end().await;
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");

        let serving = Serving::start(&mut command).await;
        let address = serving.client.address;
        let _in_flight = unfinished_request(address).await;
        serving.signal(signal);
        eventually("it takes no connections", async || {
            TcpStream::connect(address).await.is_err()
        })
        .await;
        serving.signal(signal);
        assert_eq!(serving.end().await.0, Some(130));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_can_be_json_and_has_no_secrets() {
    let folder = Folder::new("log");
    let database = url_of(&migrated_database().await).await;
    let mut command = program(&folder.0, &[]);
    command
        .env("DATABASE_URL", &database)
        .env("SNAPNOTE_JWT_SECRET", SECRET)
        .env("SNAPNOTE_LOG", "trace")
        .env("SNAPNOTE_LOG_FORMAT", "json");
    let serving = Serving::start(&mut command).await;
    let mut input = newcomer("ada");
    input["password"] = "correct horse battery".into();
    let client = serving.client.with_request_id("traced-1");
    let payload = client
        .mutate("signUp", input, "accessToken refreshToken")
        .await;
    let (access, refresh) = (
        text_of(&payload["accessToken"]),
        text_of(&payload["refreshToken"]),
    );
    client.with_token(&access).query("{ me { id } }").await;
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0));
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let answered = lines
        .iter()
        .find(|line| line["message"] == "request finished" && line["span"]["id"] == "traced-1");
    assert_eq!(answered.expect("the answer is logged")["status"], 200);
    for secret in [SECRET, &access, &refresh, "correct horse battery"] {
        assert!(!log.contains(secret), "the log tells {secret}");
    }
}
