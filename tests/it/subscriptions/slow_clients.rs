//! Slow clients and a blocked database: they delay neither a stop nor other clients.

use serde_json::json;
use tokio::time::Duration;

use super::{
    socket::{Events, Socket},
    subscribers,
};
use crate::support::{BLOCKED, Client, TestApp, at_least, eventually, soon, unfinished_request};

/// Events of 20 MB in all, of which the client reads nothing.
async fn blocked(app: &TestApp, ada: &Client) -> Events {
    let (within, after) = (ada.create_course("c").await, ada.changes_cursor().await);
    for _ in 0..20 {
        ada.create_document(&within, &"n ".repeat(25_000)).await;
    }
    let texts: String = (0..20).map(|n| format!(" t{n}: formattedNote")).collect();
    let query = format!(
        "subscription($after: String) {{ changes(after: $after) {{ item {{ ... on Document {{{texts} }} }} }} }}"
    );
    let events = Events::open(ada, &query, json!({ "after": after }), &[]).await;
    subscribers(app, 1).await;
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_do_not_delay_a_stop() {
    let app = TestApp::with(|settings| {
        settings.server.shutdown_timeout = Duration::from_secs(600);
        settings.server.write_timeout = Duration::from_secs(600);
        settings.edge.streams.heartbeat = Duration::from_secs(60);
    })
    .await;
    let ada = app.signed_up("ada").await;
    let events = blocked(&app, &ada).await;
    // More than the head of the response.
    eventually("the service cannot send more", async || {
        let before = events.unread().await;
        at_least(Duration::from_secs(3)).await;
        before > 10_000 && events.unread().await == before
    })
    .await;
    soon("the service stops", app.stop()).await;
    assert!(!events.ends().await, "it was cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_events_are_disconnected() {
    let app = TestApp::with(|settings| {
        settings.server.write_timeout = Duration::from_secs(600);
        settings.edge.streams.heartbeat = Duration::from_secs(1);
    })
    .await;
    let ada = app.signed_up("ada").await;
    let events = blocked(&app, &ada).await;
    subscribers(&app, 0).await;
    at_least(Duration::from_millis(200)).await;
    assert!(!events.ends().await, "nothing more was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_writes_are_saved_although_requests_use_the_whole_shutdown_timeout() {
    let app = TestApp::with(|settings| {
        settings.server.shutdown_timeout = Duration::from_millis(200);
        settings.edge.body_timeout = Duration::from_secs(60);
        settings.edge.request_timeout = Duration::from_secs(60);
    })
    .await;
    let other = app.another().await;
    let ada = app.signed_up("ada").await;
    app.sql("UPDATE sessions SET last_used_at = now() - interval '1 hour'")
        .await;
    ada.query("{ me { id } }").await;
    let _endless = unfinished_request(app.address).await;
    app.stop().await;
    let used = "sessions WHERE last_used_at > now() - interval '30 minutes'";
    assert_eq!(other.count(used).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_blocked_database_leave_connections_to_others() {
    let app = TestApp::with(|settings| {
        settings.edge.request_timeout = Duration::from_secs(2);
        settings.pool.shared_reads = false;
    });
    let (app, ada, bob) = app.await.with_users("ada", "bob").await;
    let after = ada.changes_cursor().await;
    let id = ada.create_course("c").await;
    let lock = app.begin("LOCK TABLE courses").await;
    let query = "subscription($after: String) { changes(after: $after) { cursor item { id ... on Course { name } } } }";
    let mut socket = Socket::of(&ada).await;
    for number in 0..20 {
        let variables = json!({ "after": after });
        let id = number.to_string();
        socket.subscribe(&id, query, variables).await;
    }
    // A third of the eight connections, rounded down.
    app.eventually_blocked(2).await;
    for _ in 0..4 {
        bob.query("{ me { id } }").await;
    }
    assert_eq!(app.count(BLOCKED).await, 2);
    for _ in 0..20 {
        let message = socket.message().await;
        assert_eq!(message["type"], "error", "{message}");
        let code = &message["payload"][0]["extensions"]["code"];
        assert_eq!(code, "UNAVAILABLE", "{message}");
    }
    lock.rollback().await;
    ada.rename_course(&id, "again").await;
    socket
        .subscribe("again", query, json!({ "after": after }))
        .await;
    for _ in 0..2 {
        let change = socket.change().await;
        assert_eq!(change["item"]["name"], "again");
    }
}
