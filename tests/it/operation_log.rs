//! The event that reports each operation, slow operations and statements, and the level of the log at run time.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::ChildStderr,
};
use tracing::Level;

use crate::{
    subscriptions::socket::{CHANGES, Events, Socket},
    support::{
        Folder, SECRET, Serving, TestApp, eventually, migrated_database, output_of, program, soon,
        url_of, with_log,
    },
};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn an_operation_is_one_event_with_its_costs() {
    with_log(Level::INFO, |log| async move {
        let (app, ada) = TestApp::start().await.with_user("ada").await;
        let app = app.unverified().await;
        // The session is read at its first use.
        ada.at(&app).query("{ me { id } }").await;
        let client = ada.at(&app).with_request_id("request-7");
        let client = client.with_header("traceparent", TRACE);
        let query = "query Mine { me { id auditLog { nodes { action } } } }";
        let sent = client.post(query, json!({})).await;
        let bytes = format!("bytes={}", sent.body.len());
        let user = format!("user_id={}", ada.id);
        let parts = [
            "INFO",
            ": operation ",
            "operation_type=query operation=Mine status=200 duration_ms=",
            "db_ms=",
            &bytes,
            &user,
            "address=127.0.0.1",
            "document=",
            "transport=\"http\"",
            "request_id=\"request-7\"",
            "trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
        ];
        assert_eq!(log.lines(&parts), 1, "{}", log.text());
        assert_eq!(log.lines(&["request-7"]), 1, "{}", log.text());
        // Also the list of revocations, if the last second has passed.
        let statements = ["statements=2 ", "statements=3 "];
        let counted = statements.map(|part| log.lines(&["request-7", part]));
        assert_eq!(counted.iter().sum::<usize>(), 1, "{}", log.text());
    });
}

#[test]
fn failed_and_abandoned_operations_are_reported_with_their_codes() {
    with_log(Level::INFO, |log| async move {
        let (app, ada) = TestApp::start().await.with_user("ada").await;
        let anonymous = app.anonymous();
        anonymous
            .graphql("query Mine { courses { nodes { id } } }", json!({}))
            .await;
        let parts = ["operation=Mine", "status=401", "codes=UNAUTHENTICATED"];
        assert_eq!(log.lines(&parts), 1, "{}", log.text());
        ada.graphql("{ nothing }", json!({})).await;
        let parts = ["status=400 codes=VALIDATION_FAILED", "statements="];
        assert_eq!(log.lines(&parts), 1, "{}", log.text());
        let locked = app.begin("LOCK TABLE courses").await;
        let query = "query Waits { courses { nodes { name } } }";
        let waiting = tokio::time::timeout(Duration::from_secs(1), ada.query(query));
        assert!(waiting.await.is_err());
        let parts = ["operation=Waits", "status=499", "codes=CANCELED"];
        eventually("it is reported", async || log.lines(&parts) == 1).await;
        drop(locked);
    });
}

#[test]
fn operations_over_streams_are_reported_when_they_end() {
    with_log(Level::INFO, |log| async move {
        let (app, ada) = TestApp::start().await.with_user("ada").await;
        let mut socket = Socket::of(&ada).await;
        let payload = json!({ "query": "query Mine { me { id } }" });
        let message = json!({ "type": "subscribe", "id": "1", "payload": payload });
        socket.send(message).await;
        assert_eq!(socket.message().await["type"], "next");
        let parts = ["operation=Mine", "transport=\"websocket\"", "statements="];
        eventually("it is reported", async || log.lines(&parts) == 1).await;
        assert_eq!(log.lines(&["operation=Mine", "bytes=0"]), 0);

        let query = CHANGES.replace("subscription", "subscription Feed");
        let variables = json!({ "after": ada.changes_cursor().await });
        let mut events = Events::open(&ada, &query, variables, &[]).await;
        ada.create_course("Algebra").await;
        events.data().await;
        assert_eq!(log.lines(&["operation=Feed"]), 0, "it has not ended");
        drop(events);
        let parts = [
            "operation_type=subscription",
            "transport=\"sse\"",
            "status=200",
        ];
        eventually("it is reported", async || log.lines(&parts) == 1).await;
        app.stop().await;
    });
}

#[test]
fn slow_operations_and_statements_are_warnings_without_values() {
    with_log(Level::WARN, |log| async move {
        let slow = Duration::from_millis(200);
        let app = TestApp::with(|settings| {
            settings.pool.slow = slow;
            settings.edge.slow = slow;
        });
        let (app, ada) = app.await.with_user("ada").await;
        let locked = app.begin("LOCK TABLE courses").await;
        let creates = async {
            let input = json!({ "name": "planted-name" });
            ada.mutate("createCourse", input, "course { id }").await
        };
        let unlocks = async {
            app.eventually_blocked(1).await;
            let since = Instant::now();
            eventually("it is slow", async || since.elapsed() > slow).await;
            drop(locked);
        };
        tokio::join!(creates, unlocks);
        // On a busy machine, others can be slow, too.
        let user = format!("user_id={}", ada.id);
        let parts = ["WARN", "slow operation", "operation_type=mutation", &user];
        assert_eq!(log.lines(&parts), 1, "{}", log.text());
        let parts = ["WARN", "slow statement", "INSERT INTO courses"];
        assert_eq!(log.lines(&parts), 1, "{}", log.text());
        assert!(!log.text().contains("planted"), "{}", log.text());
    });
}

/// Reads lines of the log up to one with this text. Returns all of them.
async fn read_to(log: &mut Lines<BufReader<ChildStderr>>, part: &str) -> String {
    let mut read = String::new();
    while !read.contains(part) {
        let line = soon(part, log.next_line()).await.unwrap();
        read.push_str(&line.expect("the program runs"));
        read.push('\n');
    }
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_filter_again_from_a_file() {
    let folder = Folder::new("filter");
    let file = folder.0.join("filter");
    std::fs::write(&file, "warn\n").unwrap();
    let path = file.display().to_string();
    let database = migrated_database().await;
    let mut serving = Serving::on(&database, &[("SNAPNOTE_LOG_FILTER_FILE", &path)]).await;
    let mut log = BufReader::new(serving.child.stderr.take().unwrap()).lines();
    serving.client.query("query First { __typename }").await;

    std::fs::write(&file, "info").unwrap();
    serving.signal(Signal::SIGHUP);
    let read = read_to(&mut log, "SIGHUP: the filter of the log was read again").await;
    assert!(!read.contains("operation=First"), "{read}");
    serving.client.query("query Second { __typename }").await;
    read_to(&mut log, "operation=Second").await;

    std::fs::write(&file, "inof").unwrap();
    serving.signal(Signal::SIGHUP);
    read_to(&mut log, "did you mean `info`").await;
    serving.client.query("query Third { __typename }").await;
    read_to(&mut log, "operation=Third").await;

    std::fs::write(&file, "info,snapnote::operation=off").unwrap();
    serving.signal(Signal::SIGHUP);
    read_to(&mut log, "SIGHUP: the filter of the log was read again").await;
    serving.client.query("query Fourth { __typename }").await;
    serving.signal(Signal::SIGHUP);
    let read = read_to(&mut log, "SIGHUP: the filter of the log was read again").await;
    assert!(!read.contains("operation=Fourth"), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fatal_errors_are_json_if_the_log_is() {
    let folder = Folder::new("fatal");
    let url = url_of(&migrated_database().await).await;
    let secret = std::str::from_utf8(SECRET).unwrap();
    let json = ("SNAPNOTE_LOG_FORMAT", "json");
    for (flags, variables, code) in [
        (&["serve"][..], &[json, ("SNAPNOTE_POOL_MAX", "0")][..], 1),
        (&["serve"], &[json, ("SNAPNOTE_JWT_SECRET", "short")], 1),
        (&["serve", "--nonsense"], &[json], 2),
        (&["serve", "--log-format=json", "--nonsense"], &[], 2),
        (&["serve"], &[json, ("SNAPNOTE_LISTEN", "192.0.2.1:80")], 1),
    ] {
        let mut command = program(&folder.0, flags);
        command
            .env("DATABASE_URL", &url)
            .env("SNAPNOTE_JWT_SECRET", secret)
            .env("SNAPNOTE_PUBLIC_URL", "http://localhost")
            .envs(variables.iter().copied());
        let output = output_of(&mut command).await;
        assert_eq!(output.status.code(), Some(code), "{flags:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<Value> = error
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect();
        let last = lines.last().expect("a message");
        assert_eq!(last["level"], "ERROR", "{error}");
        assert!(last["message"].is_string() && last["timestamp"].is_string());
    }
}
