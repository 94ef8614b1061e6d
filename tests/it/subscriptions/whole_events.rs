//! Changes whose data cannot be loaded: events are retried or not sent, pages fail. A client would take what is missing
//! for deleted.

use serde_json::{Value, json};
use tokio::time::Duration;

use super::{
    socket::{Events, Socket},
    subscribers,
};
use crate::support::{BLOCKED, Client, Person, TestApp, eventually};

/// Fields of an item that are loaded on their own, after the item: nullable ones and others.
const NESTED: &str = "cursor itemId item { id version
    ... on Course { name documentCount tasks(first: 1) { totalCount } }
    ... on Document { title owner { email } image { url } course { name } } }";
/// The tables of the item, of a nullable field and of another one.
const TABLES: [&str; 3] = ["documents", "image_objects", "users"];

fn subscription() -> String {
    format!("subscription($after: String) {{ changes(after: $after) {{ {NESTED} }} }}")
}

/// Breaks the connections of statements that wait for locks.
async fn break_connections(app: &TestApp) {
    app.sql(&format!("SELECT pg_terminate_backend(pid) FROM {BLOCKED}"))
        .await;
}

/// A user, the cursor before the creation of a document, and the document.
async fn with_a_document(app: &TestApp) -> (Person, Value, String) {
    let ada = app.signed_up("ada").await;
    let course = ada.create_course("Algebra").await;
    let after = ada.changes_cursor().await;
    let document = ada.create_document(&course, "# Groups").await;
    (ada, after, document)
}

async fn subscribed(client: &Client, after: &Value) -> Socket {
    let mut socket = Socket::of(client).await;
    let variables = json!({ "after": after });
    socket.subscribe("s", &subscription(), variables).await;
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_loaded_again_until_it_is_whole() {
    let app = TestApp::with(|settings| {
        settings.edge.request_timeout = Duration::from_secs(3600);
    })
    .await;
    let (ada, after, document) = with_a_document(&app).await;
    for table in TABLES {
        let lock = app.begin(&format!("LOCK TABLE {table}")).await;
        let variables = json!({ "after": after });
        let mut events = Events::open(&ada, &subscription(), variables, &[]).await;
        for _ in 0..3 {
            app.eventually_blocked(1).await;
            break_connections(&app).await;
        }
        app.eventually_blocked(1).await;
        lock.rollback().await;
        let (_, id, data) = events.next().await.unwrap();
        assert!(data.get("errors").is_none(), "{table}: {data}");
        let change = &data["data"]["changes"];
        assert_eq!(change["itemId"], json!(document));
        assert_eq!(change["cursor"], json!(id));
        assert_eq!(change["item"]["course"]["name"], "Algebra");
        assert_eq!(change["item"]["owner"]["email"], "ada@example.com");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_before_an_event_that_cannot_be_loaded_in_time() {
    let app = TestApp::with(|settings| {
        settings.edge.request_timeout = Duration::from_secs(2);
    })
    .await;
    let (ada, after, document) = with_a_document(&app).await;
    let lock = app.begin("LOCK TABLE image_objects").await;
    let mut socket = subscribed(&ada, &after).await;
    let variables = json!({ "after": after });
    let mut events = Events::open(&ada, &subscription(), variables, &[]).await;
    // One waits for the lock, and the other fails again and again.
    let breaking = eventually("both have ended", async || {
        break_connections(&app).await;
        app.live.subscribers() == 0
    });
    let ended = async {
        let message = socket.message().await;
        assert_eq!(message["type"], "error", "{message}");
        let error = &message["payload"][0]["extensions"];
        assert_eq!(error["code"], "UNAVAILABLE", "{message}");
        assert!(error["retryAfterMs"].is_number(), "{message}");
        let (_, id, data) = events.next().await.unwrap();
        assert_eq!(id, None);
        assert_eq!(data["errors"][0]["extensions"]["code"], "UNAVAILABLE");
        assert!(data.get("data").is_none(), "{data}");
        assert_eq!(events.next().await.unwrap().0, "complete");
    };
    tokio::join!(breaking, ended);
    lock.rollback().await;
    socket.sends_nothing_else().await;
    let mut socket = subscribed(&ada, &after).await;
    let change = socket.change().await;
    assert_eq!(change["itemId"], json!(document));
    assert_eq!(change["item"]["course"]["name"], "Algebra");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_after_a_retried_one_are_neither_lost_nor_repeated() {
    let app = TestApp::start().await;
    let (ada, after, document) = with_a_document(&app).await;
    let lock = app.begin("LOCK TABLE image_objects").await;
    let mut socket = subscribed(&ada, &after).await;
    app.eventually_blocked(1).await;
    break_connections(&app).await;
    app.eventually_blocked(1).await;
    lock.rollback().await;
    let mut expected = vec![document];
    for _ in 0..3 {
        expected.push(ada.create_course("c").await);
    }
    for id in expected {
        assert_eq!(socket.change().await["itemId"], json!(id));
    }
    socket.sends_nothing_else().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_a_wrong_argument_ends_the_subscription_with_its_error() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let after = ada.changes_cursor().await;
    ada.create_course("c").await;
    let mut socket = Socket::of(&ada).await;
    let query = "subscription($after: String) { changes(after: $after) { cursor
        item { ... on Course { documents(after: \"x\") { totalCount } } } } }";
    let variables = json!({ "after": after });
    socket.subscribe("s", query, variables).await;
    let message = socket.message().await;
    assert_eq!(message["type"], "error", "{message}");
    let error = &message["payload"][0];
    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{message}");
    assert_eq!(error["path"], json!(["changes", "item", "documents"]));
    subscribers(&app, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_changes_fails_as_a_whole() {
    for table in TABLES {
        // Of its own, because a pool whose connections broke may have others that are broken.
        let app = TestApp::without_shared_reads().await;
        let (ada, after, _) = with_a_document(&app).await;
        let lock = app.begin(&format!("LOCK TABLE {table}")).await;
        let query = format!(
            "query($after: String) {{ changesCursor a: changes(after: $after) {{ nodes {{ {NESTED} }} }} }}"
        );
        let variables = json!({ "after": after });
        let (answer, ()) = tokio::join!(ada.post(&query, variables), async {
            app.eventually_blocked(1).await;
            break_connections(&app).await;
        });
        lock.rollback().await;
        assert_eq!(answer.status, 503, "{table}: {answer:?}");
        let answer = answer.json();
        assert_eq!(answer["data"], Value::Null, "{answer}");
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{answer}");
        assert_eq!(error["path"][0], "a", "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failure_of_another_field_leaves_a_page() {
    let app = TestApp::start().await;
    let (ada, after, _) = with_a_document(&app).await;
    let query = "query($after: String, $id: ID!) {
        changes(after: $after) { nodes { item { version } } } task(id: $id) { id } }";
    let variables = json!({ "after": after, "id": uuid::Uuid::nil() });
    let lock = app.begin("LOCK TABLE tasks").await;
    let (answer, ()) = tokio::join!(ada.graphql(query, variables), async {
        app.eventually_blocked(1).await;
        break_connections(&app).await;
    });
    lock.rollback().await;
    assert_eq!(answer["errors"][0]["path"], json!(["task"]), "{answer}");
    let page = &answer["data"]["changes"]["nodes"];
    assert_eq!(page[0]["item"]["version"], 1, "{answer}");
}
