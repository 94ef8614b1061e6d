//! What nobody can make others pay for: callers who take nothing, a stop that takes all its time, and a stuck database.

use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Duration, Instant, sleep},
};

use super::{
    socket::{Events, Socket},
    until,
};
use crate::{
    changes::{course, newest, rename},
    support::{Client, TestApp, superuser},
};

/// Events of 20 MB in all, of which nothing is taken.
async fn blocked(ada: &Client) -> Events {
    let (within, after) = (course(ada).await, newest(ada).await);
    let create = "mutation($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } } }";
    for _ in 0..20 {
        let input = json!({ "courseId": within, "title": "t", "originalText": "", "formattedNote": "n ".repeat(25_000) });
        ada.data(create, json!({ "input": input })).await;
    }
    let texts: String = (0..20).map(|n| format!(" t{n}: formattedNote")).collect();
    let query = format!(
        "subscription($after: String) {{ changes(after: $after) {{ item {{ ... on Document {{{texts} }} }} }} }}"
    );
    Events::open(ada, &query, json!({ "after": after }), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_takes_no_events_does_not_hold_up_a_stop() {
    let app = TestApp::with(|settings| {
        settings.server.shutdown_timeout = Duration::from_secs(60);
        settings.server.write_timeout = Duration::from_secs(120);
        settings.edge.streams.heartbeat = Duration::from_secs(60);
    })
    .await;
    let ada = app.signed_up("ada").await;
    let events = blocked(&ada).await;
    until("it listens", async || app.live.subscribers() == 1).await;
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    app.stop().await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(!events.ends().await, "it broke off");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_no_events_is_really_cut_off() {
    let app = TestApp::with(|settings| {
        settings.server.write_timeout = Duration::from_secs(120);
        settings.edge.streams.heartbeat = Duration::from_secs(1);
    })
    .await;
    let ada = app.signed_up("ada").await;
    let events = blocked(&ada).await;
    until("it listens", async || app.live.subscribers() == 1).await;
    until("it is given up", async || app.live.subscribers() == 0).await;
    sleep(Duration::from_millis(200)).await;
    assert!(!events.ends().await, "nothing more was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_remembered_is_written_down_though_requests_took_all_the_time() {
    let app = TestApp::with(|settings| {
        settings.server.shutdown_timeout = Duration::from_millis(200);
        settings.edge.body_timeout = Duration::from_secs(60);
        settings.edge.request_timeout = Duration::from_secs(60);
    })
    .await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let ada = app.signed_up("ada").await;
    app.sql("UPDATE sessions SET last_used_at = now() - interval '1 hour'")
        .await;
    ada.data("{ me { id } }", Value::Null).await;
    let mut endless = TcpStream::connect(app.address).await.unwrap();
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    endless.write_all(head.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    app.stop().await;
    let used = "SELECT count(*) FROM sessions WHERE last_used_at > now() - interval '30 minutes'";
    assert_eq!(other.number(used).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_stuck_database_leave_connections_to_others_and_go_on_without_their_items() {
    let app = TestApp::with(|settings| {
        settings.edge.request_timeout = Duration::from_secs(2);
    })
    .await;
    let ada = app.signed_up("ada").await;
    let after = newest(&ada).await;
    let id = course(&ada).await;
    let mut lock = superuser(&app.database).await;
    let held = "BEGIN; LOCK TABLE courses IN ACCESS EXCLUSIVE MODE";
    lock.batch_execute(held).await.unwrap();
    let query = "subscription($after: String) { changes(after: $after) { cursor item { id ... on Course { name } } } }";
    let mut socket = Socket::of(&ada).await;
    for number in 0..20 {
        let variables = json!({ "after": after });
        let id = number.to_string();
        socket.subscribe(&id, query, variables).await;
    }
    let waiting = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE datname = current_database() AND NOT granted";
    until("events wait", async || app.number(waiting).await >= 4).await;
    // Half of the eight are for others.
    for _ in 0..4 {
        ada.data("{ me { id } }", Value::Null).await;
    }
    assert!(app.number(waiting).await <= 4);
    for _ in 0..20 {
        let message = socket.message().await;
        assert_eq!(message["type"], "next", "{message}");
        let payload = &message["payload"];
        let error = &payload["errors"][0];
        assert_eq!(error["extensions"]["code"], "TIMEOUT", "{message}");
        assert_eq!(error["path"], json!(["changes", "item"]));
        assert!(payload["data"]["changes"]["cursor"].is_string());
        assert_eq!(payload["data"]["changes"]["item"], Value::Null);
    }
    lock.batch_execute("ROLLBACK").await.unwrap();
    rename(&ada, &id, "again").await;
    for _ in 0..20 {
        let change = socket.change().await;
        assert_eq!(change["item"]["name"], "again");
    }
}
