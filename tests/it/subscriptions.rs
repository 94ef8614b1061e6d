//! Subscriptions over WebSocket, and server-sent events.
//!
//! `protocol` tests what closes a socket, `closing` tokens, sessions and stops, `slow_clients` clients that do not
//! read, `whole_events` events whose data cannot be loaded, `server_sent_events` the other transport,
//! `client_libraries` and `offline_example` public clients.

pub(crate) mod client_libraries;
mod closing;
mod offline_example;
mod protocol;
mod server_sent_events;
mod slow_clients;
pub(crate) mod socket;
mod whole_events;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, TestApp, eventually, mutation, text};
use socket::{CHANGES, Socket};

/// A socket that is subscribed to all changes from now on.
pub(crate) async fn subscribed(client: &Client, id: &str) -> Socket {
    let after = client.changes_cursor().await;
    let mut socket = Socket::of(client).await;
    socket
        .subscribe(id, CHANGES, json!({ "after": after }))
        .await;
    socket
}

/// Waits until so many subscriptions are open.
pub(crate) async fn subscribers(app: &TestApp, count: usize) {
    eventually("so many subscribers", async || {
        let subscribers = app.live.subscribers();
        if subscribers == count {
            Ok(())
        } else {
            Err(subscribers)
        }
    })
    .await;
}

/// That a subscriber gets no other change before a new one.
async fn nothing_before_a_new_change(socket: &mut Socket, client: &Client) {
    let marker = client.create_course("marker").await;
    assert_eq!(socket.change().await["itemId"], marker);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_get_every_change_of_an_item_in_order() {
    let (_app, ada, bob) = TestApp::start().await.with_users("ada", "bob").await;
    let mut socket = subscribed(&ada, "s").await;
    bob.create_course("c").await;
    let id = ada.create_course("c").await;
    let created = socket.change().await;
    ada.rename_course(&id, "d").await;
    let updated = socket.change().await;
    ada.trash(&[&id]).await;
    let trashed = socket.change().await;
    ada.restore(&[&id]).await;
    let restored = socket.change().await;
    let all = [created, updated, trashed, restored];
    let actions = [0, 1, 2, 3].map(|at: usize| text(&all[at]["action"]));
    assert_eq!(actions, ["CREATED", "UPDATED", "TRASHED", "RESTORED"]);
    for (change, version) in all.iter().zip(1..) {
        assert_eq!(change["itemType"], "COURSE");
        assert_eq!(change["itemId"], json!(id));
        let is_current = change["item"]["version"].as_i64().unwrap() >= version;
        assert!(is_current, "{change}");
    }
    assert_eq!(all[1]["item"]["name"], "d");
    ada.trash(&[&id]).await;
    ada.delete(&[&id]).await;
    socket.change().await;
    let deleted = socket.change().await;
    assert_eq!(deleted["action"], "DELETED");
    assert_eq!(deleted["item"], Value::Null);
    nothing_before_a_new_change(&mut socket, &ada).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_changes_come_first_and_none_is_lost_or_repeated() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let after = ada.changes_cursor().await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(ada.create_course("c").await);
    }
    let mut socket = Socket::of(&ada).await;
    let variables = json!({ "after": after });
    socket.subscribe("s", CHANGES, variables).await;
    for _ in 0..5 {
        expected.push(ada.create_course("c").await);
    }
    let mut heard = Vec::new();
    let mut cursor = Value::Null;
    for _ in 0..10 {
        let change = socket.change().await;
        heard.push(text(&change["itemId"]));
        if heard.len() == 7 {
            cursor = change["cursor"].clone();
        }
    }
    assert_eq!(heard, expected);
    nothing_before_a_new_change(&mut socket, &ada).await;
    // Each change's cursor is one to go on with.
    let mut again = Socket::of(&ada).await;
    let variables = json!({ "after": cursor });
    again.subscribe("s", CHANGES, variables).await;
    for id in &expected[7..] {
        assert_eq!(again.change().await["itemId"], json!(id));
    }
    // The marker, and nothing else.
    again.change().await;
    nothing_before_a_new_change(&mut again, &ada).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_get_changes_from_other_processes() {
    let (first, second) = TestApp::start().await.and_another().await;
    let ada = first.signed_up("ada").await;
    let mut socket = subscribed(&ada, "s").await;
    let there = ada.at(&second);
    let id = there.create_course("c").await;
    assert_eq!(socket.change().await["itemId"], json!(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_mutations_can_be_sent_over_a_socket() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let mut socket = Socket::of(&ada).await;
    socket.subscribe("1", "{ me { email } }", Value::Null).await;
    let me = json!({ "data": { "me": { "email": "ada@example.com" } } });
    let next = json!({ "type": "next", "id": "1", "payload": me });
    assert_eq!(socket.message().await, next);
    let complete = json!({ "type": "complete", "id": "1" });
    assert_eq!(socket.message().await, complete);
    let create = mutation("createCourse", "course { name }");
    let variables = json!({ "input": { "name": "Logic" } });
    socket.subscribe("1", &create, variables).await;
    let next = socket.message().await;
    let payload = &next["payload"]["data"]["createCourse"];
    assert_eq!(payload["course"]["name"], "Logic", "{next}");
    assert_eq!(socket.message().await, complete);
    // What fails while it runs is an answer with its errors.
    let forbidden = "{ nodes(ids: []) { id } users { totalCount } }";
    socket.subscribe("y", forbidden, Value::Null).await;
    let next = socket.message().await;
    assert_eq!(next["type"], "next", "{next}");
    let error = &next["payload"]["errors"][0];
    assert_eq!(error["extensions"]["code"], "FORBIDDEN", "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_on_a_socket_are_validated_and_limited() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let mut socket = Socket::of(&ada).await;
    let create = mutation("createCourse", "course { name }");
    let page = "{ courses(first: 100) { nodes { documents(first: 100) { nodes { course { documents(first: 100) { nodes { id } } } } } } } }";
    let items = "subscription { changes { item { ... on Course { documents(first: 100) { nodes { course { tasks(first: 100) { nodes { id } } } } } } } } }";
    let two = "subscription { a: changes { cursor } b: changes { cursor } }";
    for (query, code) in [
        ("{ me { ", "PARSE_FAILED"),
        ("{ nobody }", "VALIDATION_FAILED"),
        (&create, "BAD_USER_INPUT"),
        (page, "QUERY_TOO_COMPLEX"),
        (two, "VALIDATION_FAILED"),
        (
            "subscription { changes(after: \"x\") { cursor } }",
            "BAD_USER_INPUT",
        ),
        (items, "QUERY_TOO_COMPLEX"),
        ("subscription { __typename }", "VALIDATION_FAILED"),
    ] {
        let variables = json!({ "input": { "name": 1 } });
        socket.subscribe("x", query, variables).await;
        let message = socket.message().await;
        assert_eq!(message["type"], "error", "{query}: {message}");
        let error = &message["payload"][0];
        assert_eq!(error["extensions"]["code"], code, "{query}: {message}");
    }
    // An error ends its operation without a complete, and its id is free again.
    socket.sends_nothing_else().await;
    // A subscription to nothing is complete at once.
    let nothing = "subscription($all: Boolean!) { changes @include(if: $all) { cursor } }";
    let variables = json!({ "all": false });
    socket.subscribe("z", nothing, variables).await;
    let message = socket.message().await;
    assert_ne!(message["type"], "next", "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_sockets_can_sign_in_and_not_subscribe() {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    let mut socket = Socket::of(&app.anonymous()).await;
    socket.subscribe("s", CHANGES, Value::Null).await;
    let message = socket.message().await;
    assert_eq!(message["type"], "error");
    let error = &message["payload"][0];
    assert_eq!(error["extensions"]["code"], "UNAUTHENTICATED");
    let sign_in = mutation("signIn", "accessToken");
    let input = json!({ "email": "ada@example.com", "password": PASSWORD });
    socket
        .subscribe("1", &sign_in, json!({ "input": input }))
        .await;
    let next = socket.message().await;
    let token = text(&next["payload"]["data"]["signIn"]["accessToken"]);
    socket.message().await;
    // With a token in band, an anonymous socket becomes a user's.
    socket.send_token(&token).await;
    assert_eq!(socket.message().await, json!({ "type": "pong" }));
    socket.subscribe("2", "{ me { email } }", Value::Null).await;
    let next = socket.message().await;
    assert_eq!(next["payload"]["data"]["me"]["email"], "ada@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_subscription_ends_and_frees_its_id() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut socket = subscribed(&ada, "s").await;
    let first = ada.create_course("c").await;
    assert_eq!(socket.change().await["itemId"], json!(first));
    socket.complete("s").await;
    subscribers(&app, 0).await;
    ada.create_course("c").await;
    socket.sends_nothing_else().await;
    let after = ada.changes_cursor().await;
    socket
        .subscribe("s", CHANGES, json!({ "after": after }))
        .await;
    let id = ada.create_course("c").await;
    assert_eq!(socket.change().await["itemId"], json!(id));
    drop(socket);
    subscribers(&app, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_lose_nothing_and_delay_no_others() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let mut slow = subscribed(&ada, "slow").await;
    let mut fast = subscribed(&ada, "fast").await;
    // 25 MB in all: no buffer on the way holds them.
    let wide = "subscription($after: String) { changes(after: $after) { itemId item { ... on Document { formattedNote } } } }";
    let within = ada.create_course("c").await;
    slow.change().await;
    fast.change().await;
    let after = ada.changes_cursor().await;
    for id in ["1", "2", "3", "4", "5"] {
        slow.subscribe(id, wide, json!({ "after": after })).await;
    }
    let note = "n ".repeat(25_000);
    let mut expected = Vec::new();
    for _ in 0..100 {
        expected.push(ada.create_document(&within, &note).await);
    }
    for id in &expected {
        assert_eq!(fast.change().await["itemId"], *id);
    }
    let mut heard: HashMap<String, Vec<String>> = HashMap::new();
    for _ in 0..6 * expected.len() {
        let message = slow.message().await;
        let id = text(&message["payload"]["data"]["changes"]["itemId"]);
        heard.entry(text(&message["id"])).or_default().push(id);
    }
    assert_eq!(heard.len(), 6);
    for (subscription, heard) in heard {
        assert_eq!(heard, expected, "{subscription}");
    }
    let marker = ada.create_course("marker").await;
    for _ in 0..6 {
        let message = slow.message().await;
        assert_eq!(message["payload"]["data"]["changes"]["itemId"], marker);
    }
}
