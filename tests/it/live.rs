//! Subscriptions, over WebSocket here; `protocol`: what closes a socket and with which code; `ending`: tokens, sessions and
//! stops; `bounds`: callers who take nothing, and a stuck database; `events`: server-sent events; `clients`: the public clients
//! of both protocols; `offline`: the example of an offline-first client.

mod bounds;
mod clients;
mod ending;
mod events;
mod offline;
mod protocol;
pub(crate) mod socket;

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::{
    changes::{course, mutate, newest, rename},
    support::{Client, TestApp},
};
use socket::{CHANGES, Socket};

/// Subscribed to everything from now on.
pub(crate) async fn subscribed(client: &Client, id: &str) -> Socket {
    let after = newest(client).await;
    let mut socket = Socket::of(client).await;
    socket
        .subscribe(id, CHANGES, json!({ "after": after }))
        .await;
    socket
}

/// Waits until this holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(15), "never: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_hears_of_every_change_of_an_item_in_order() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let mut socket = subscribed(&ada, "s").await;
    course(&bob).await;
    let id = course(&ada).await;
    let created = socket.change().await;
    rename(&ada, &id, "d").await;
    let updated = socket.change().await;
    let ids = format!("(input: {{ ids: [\"{id}\"] }})");
    mutate(
        &ada,
        &format!("trashItems{ids} {{ userErrors {{ code }} }}"),
    )
    .await;
    let trashed = socket.change().await;
    mutate(
        &ada,
        &format!("restoreItems{ids} {{ userErrors {{ code }} }}"),
    )
    .await;
    let restored = socket.change().await;
    let all = [created, updated, trashed, restored];
    let actions: Vec<&str> = all
        .iter()
        .map(|one| one["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["CREATED", "UPDATED", "TRASHED", "RESTORED"]);
    for (change, version) in all.iter().zip(1..) {
        assert_eq!(change["itemType"], "COURSE");
        assert_eq!(change["itemId"], json!(id));
        assert!(
            change["item"]["version"].as_i64().unwrap() >= version,
            "{change}"
        );
    }
    assert_eq!(all[1]["item"]["name"], "d");
    mutate(
        &ada,
        &format!("trashItems{ids} {{ userErrors {{ code }} }}"),
    )
    .await;
    mutate(
        &ada,
        &format!("deleteItems{ids} {{ userErrors {{ code }} }}"),
    )
    .await;
    socket.change().await;
    let deleted = socket.change().await;
    assert_eq!(deleted["action"], "DELETED");
    assert_eq!(deleted["item"], Value::Null);
    socket.is_silent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_comes_first_and_nothing_is_lost_or_repeated_at_the_seam() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let after = newest(&ada).await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(course(&ada).await);
    }
    let mut socket = Socket::of(&ada).await;
    let variables = json!({ "after": after });
    socket.subscribe("s", CHANGES, variables).await;
    for _ in 0..5 {
        expected.push(course(&ada).await);
    }
    let mut heard = Vec::new();
    let mut cursor = Value::Null;
    for _ in 0..10 {
        let change = socket.change().await;
        heard.push(change["itemId"].as_str().unwrap().to_owned());
        if heard.len() == 7 {
            cursor = change["cursor"].clone();
        }
    }
    assert_eq!(heard, expected);
    socket.is_silent().await;
    // Each change's cursor is one to go on with.
    let mut again = Socket::of(&ada).await;
    let variables = json!({ "after": cursor });
    again.subscribe("s", CHANGES, variables).await;
    for id in &expected[7..] {
        assert_eq!(again.change().await["itemId"], json!(id));
    }
    again.is_silent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_at_one_process_hears_of_a_write_at_another() {
    let first = TestApp::start().await;
    let second = TestApp::on(first.database.clone(), |_| {}).await;
    let ada = first.signed_up("ada").await;
    let mut socket = subscribed(&ada, "s").await;
    let there = Client {
        address: second.address,
        ..ada.clone()
    };
    let id = course(&there).await;
    assert_eq!(socket.change().await["itemId"], json!(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_mutations_run_on_a_socket_by_the_same_gate() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let mut socket = Socket::of(&ada).await;
    socket.subscribe("1", "{ me { email } }", Value::Null).await;
    let next = socket.message().await;
    assert_eq!(
        next,
        json!({ "type": "next", "id": "1", "payload": { "data": { "me": { "email": "ada@example.com" } } } })
    );
    let complete = json!({ "type": "complete", "id": "1" });
    assert_eq!(socket.message().await, complete);
    let create = "mutation($name: String!) { createCourse(input: { name: $name }) { course { name } userErrors { code } } }";
    let variables = json!({ "name": "Logic" });
    socket.subscribe("1", create, variables).await;
    let next = socket.message().await;
    let payload = &next["payload"]["data"]["createCourse"];
    assert_eq!(payload["course"]["name"], "Logic", "{next}");
    assert_eq!(socket.message().await, complete);
    let page = "{ courses(first: 100) { nodes { documents(first: 100) { nodes { course { documents(first: 100) { nodes { id } } } } } } } }";
    for (query, variables, code) in [
        ("{ me { ", Value::Null, "PARSE_FAILED"),
        ("{ nobody }", Value::Null, "VALIDATION_FAILED"),
        (create, json!({ "name": 1 }), "BAD_USER_INPUT"),
        (page, Value::Null, "QUERY_TOO_COMPLEX"),
        (
            "subscription { a: changes { cursor } b: changes { cursor } }",
            Value::Null,
            "VALIDATION_FAILED",
        ),
        (
            "subscription { changes(after: \"x\") { cursor } }",
            Value::Null,
            "BAD_USER_INPUT",
        ),
        (
            "subscription { changes { item { ... on Course { documents(first: 100) { nodes { course { tasks(first: 100) { nodes { id } } } } } } } } }",
            Value::Null,
            "QUERY_TOO_COMPLEX",
        ),
        (
            "subscription { __typename }",
            Value::Null,
            "VALIDATION_FAILED",
        ),
    ] {
        socket.subscribe("x", query, variables).await;
        let message = socket.message().await;
        assert_eq!(message["type"], "error", "{query}: {message}");
        assert_eq!(
            message["payload"][0]["extensions"]["code"], code,
            "{query}: {message}"
        );
    }
    // An error ends its operation without a complete, and its id is free again.
    socket.is_silent().await;
    // A subscription to nothing is complete at once.
    let nothing = "subscription($all: Boolean!) { changes @include(if: $all) { cursor } }";
    let variables = json!({ "all": false });
    socket.subscribe("z", nothing, variables).await;
    let message = socket.message().await;
    assert_ne!(message["type"], "next", "{message}");
    // What fails while it runs is an answer with its errors.
    socket
        .subscribe(
            "y",
            "{ nodes(ids: []) { id } users { totalCount } }",
            Value::Null,
        )
        .await;
    let next = socket.message().await;
    assert_eq!(next["type"], "next", "{next}");
    assert_eq!(
        next["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN",
        "{next}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_can_ask_and_sign_in_and_not_listen() {
    let app = TestApp::start().await;
    app.signed_up("ada").await;
    let mut socket = Socket::of(&app.visitor()).await;
    socket.subscribe("s", CHANGES, Value::Null).await;
    let message = socket.message().await;
    assert_eq!(message["type"], "error");
    assert_eq!(
        message["payload"][0]["extensions"]["code"],
        "UNAUTHENTICATED"
    );
    let sign_in = "mutation { signIn(input: { email: \"ada@example.com\", password: \"correct horse\" }) { accessToken } }";
    socket.subscribe("1", sign_in, Value::Null).await;
    let next = socket.message().await;
    let token = next["payload"]["data"]["signIn"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    socket.message().await;
    // In band, a visitor becomes somebody.
    let payload = json!({ "Authorization": format!("Bearer {token}") });
    socket
        .send(json!({ "type": "ping", "payload": payload }))
        .await;
    assert_eq!(socket.message().await, json!({ "type": "pong" }));
    socket.subscribe("2", "{ me { email } }", Value::Null).await;
    let next = socket.message().await;
    assert_eq!(next["payload"]["data"]["me"]["email"], "ada@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_completed_is_silent_and_its_id_is_free() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let mut socket = subscribed(&ada, "s").await;
    let first = course(&ada).await;
    assert_eq!(socket.change().await["itemId"], json!(first));
    socket.send(json!({ "type": "complete", "id": "s" })).await;
    until("nobody listens", async || app.live.subscribers() == 0).await;
    course(&ada).await;
    socket.is_silent().await;
    let after = newest(&ada).await;
    socket
        .subscribe("s", CHANGES, json!({ "after": after }))
        .await;
    let id = course(&ada).await;
    assert_eq!(socket.change().await["itemId"], json!(id));
    drop(socket);
    until("nobody listens", async || app.live.subscribers() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_slowly_misses_nothing_and_holds_nobody_up() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let mut slow = subscribed(&ada, "slow").await;
    let mut fast = subscribed(&ada, "fast").await;
    // 25 MB in all: no buffer on the way holds them.
    let wide = "subscription($after: String) { changes(after: $after) { itemId item { ... on Document { formattedNote } } } }";
    let within = course(&ada).await;
    slow.change().await;
    fast.change().await;
    let after = newest(&ada).await;
    for id in ["1", "2", "3", "4", "5"] {
        slow.subscribe(id, wide, json!({ "after": after })).await;
    }
    let create = "mutation($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } userErrors { code } } }";
    let mut expected = Vec::new();
    for _ in 0..100 {
        let input = json!({ "courseId": within, "title": "t", "originalText": "", "formattedNote": "n ".repeat(25_000) });
        let mut data = ada.data(create, json!({ "input": input })).await;
        expected.push(data["createDocument"]["document"]["id"].take());
    }
    for id in &expected {
        assert_eq!(&fast.change().await["itemId"], id);
    }
    let mut heard: HashMap<String, Vec<Value>> = HashMap::new();
    for _ in 0..6 * expected.len() {
        let message = slow.message().await;
        let id = message["payload"]["data"]["changes"]["itemId"].clone();
        let subscription = message["id"].as_str().unwrap().to_owned();
        heard.entry(subscription).or_default().push(id);
    }
    assert_eq!(heard.len(), 6);
    for (subscription, heard) in heard {
        assert_eq!(heard, expected, "{subscription}");
    }
    slow.is_silent().await;
}
