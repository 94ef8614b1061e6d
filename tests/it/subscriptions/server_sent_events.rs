//! Server-sent events: graphql-sse's distinct connections.

use serde_json::{Value, json};
use tokio::time::Duration;

use super::{
    socket::{CHANGES, Events},
    subscribers,
};
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_resumes_after_the_last_event_id() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let after = ada.changes_cursor().await;
    let variables = json!({ "after": after });
    let mut events = Events::open(&ada, CHANGES, variables.clone(), &[]).await;
    assert!(events.head.starts_with("http/1.1 200"), "{}", events.head);
    for header in [
        "content-type: text/event-stream; charset=utf-8",
        "cache-control: no-store, no-transform",
    ] {
        assert!(events.head.contains(header), "{}", events.head);
    }
    let mut ids = Vec::new();
    let mut cursors = Vec::new();
    for _ in 0..4 {
        ids.push(json!(ada.create_course("c").await));
        let (name, cursor, data) = events.next().await.unwrap();
        assert_eq!(name, "next");
        assert_eq!(data["data"]["changes"]["itemId"], ids[ids.len() - 1]);
        assert_eq!(data["data"]["changes"]["cursor"], json!(cursor));
        cursors.push(cursor.unwrap());
    }
    drop(events);
    subscribers(&app, 0).await;
    ids.push(json!(ada.create_course("c").await));
    // The request is the same as before, as a browser sends it anew.
    let last = [("last-event-id", cursors[1].as_str())];
    let mut again = Events::open(&ada, CHANGES, variables, &last).await;
    for id in &ids[2..] {
        assert_eq!(again.data().await["data"]["changes"]["itemId"], *id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_can_be_resumed_without_selecting_the_cursor() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let after = ada.changes_cursor().await;
    ada.create_course("c").await;
    let second = ada.create_course("c").await;
    let query = "subscription($after: String) { changes(after: $after) { itemId } }";
    let variables = json!({ "after": after });
    let mut events = Events::open(&ada, query, variables.clone(), &[]).await;
    let (_, cursor, _) = events.next().await.unwrap();
    let last = [("last-event-id", cursor.as_deref().unwrap())];
    let mut again = Events::open(&ada, query, variables, &last).await;
    assert_eq!(again.data().await["data"]["changes"]["itemId"], second);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_last_event_id_is_an_error() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let last = [("last-event-id", "nonsense")];
    let mut events = Events::open(&ada, CHANGES, Value::Null, &last).await;
    let error = events.fails("BAD_USER_INPUT").await;
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("Last-Event-ID"), "{message}");
    events.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_streams_send_comments() {
    let app =
        TestApp::with(|settings| settings.edge.streams.heartbeat = Duration::from_millis(100))
            .await;
    let ada = app.signed_up("ada").await;
    let mut events = Events::open(&ada, CHANGES, Value::Null, &[]).await;
    for _ in 0..3 {
        events.heartbeat().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_and_errors_are_streamed_to_clients_that_accept_only_events() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut events = Events::open(&ada, "{ me { email } }", Value::Null, &[]).await;
    let (name, id, data) = events.next().await.unwrap();
    assert_eq!((name.as_str(), id), ("next", None));
    let expected = json!({ "data": { "me": { "email": "ada@example.com" } } });
    assert_eq!(data, expected);
    events.completes().await;
    assert_eq!(events.next().await, None);
    for (query, code) in [
        ("{ me {", "PARSE_FAILED"),
        ("{ nobody }", "VALIDATION_FAILED"),
        (
            "subscription { changes(after: \"x\") { cursor } }",
            "BAD_USER_INPUT",
        ),
    ] {
        let mut events = Events::open(&ada, query, Value::Null, &[]).await;
        assert!(events.head.starts_with("http/1.1 200"), "{}", events.head);
        events.fails(code).await;
        events.completes().await;
    }
    let visitor = app.anonymous();
    let mut events = Events::open(&visitor, CHANGES, Value::Null, &[]).await;
    events.fails("UNAUTHENTICATED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_http_request_are_statuses() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let stream = ("accept", "text/event-stream");
    let json = ("content-type", "application/json");
    let call = |query: &str| json!({ "query": query }).to_string();
    let bad_token = [stream, json, ("authorization", "Bearer nonsense")];
    let listen = call("subscription { changes { cursor } }");
    let answer = ada.post_body(&bad_token, listen).await;
    assert_eq!(answer.status, 401);
    let answer = ada.post_body(&[stream, json], b"{").await;
    assert_eq!(answer.status, 400);
    let path = "/graphql?query=mutation%20%7B%20signOut%20%7B%20signedOut%20%7D%20%7D";
    let answer = ada.http("GET", path, &[stream], b"").await;
    assert_eq!(answer.status, 405);
    // By GET, as browsers open streams by themselves.
    let path = "/graphql?query=%7B%20me%20%7B%20email%20%7D%20%7D";
    let answer = ada.http("GET", path, &[stream], b"").await;
    let expected = ":\n\nevent: next\ndata: {\"data\":{\"me\":{\"email\":\"ada@example.com\"}}}\n\nevent: complete\ndata: \n\n";
    assert_eq!((answer.status, answer.body.as_str()), (200, expected));
    // A subscription has no one answer.
    for accept in [
        "application/json",
        "application/graphql-response+json",
        "*/*",
    ] {
        let headers = [("accept", accept), json];
        let body = call("subscription { changes { cursor } }");
        let answer = ada.post_body(&headers, body).await;
        assert_eq!(answer.status, 406, "{accept}");
        assert_eq!(answer.error_code(), "BAD_REQUEST");
    }
    let answer = ada
        .http("POST", "/graphql", &[("accept", "text/html"), json], b"{}")
        .await;
    assert_eq!(answer.status, 406);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_accept_both_types_get_events_only_for_subscriptions() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let accept =
        "application/graphql-response+json, application/json, text/event-stream, multipart/mixed";
    let headers = [("accept", accept), ("content-type", "application/json")];
    let body = json!({ "query": "{ me { email } }" }).to_string();
    let answer = ada.post_body(&headers, body).await;
    assert_eq!(answer.json()["data"]["me"]["email"], "ada@example.com");
    let after = ada.changes_cursor().await;
    let mut events = Events::open(&ada, CHANGES, json!({ "after": after }), &headers[..1]).await;
    let id = ada.create_course("c").await;
    assert_eq!(events.data().await["data"]["changes"]["itemId"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_over_both_transports_share_a_limit() {
    let app = TestApp::with(|settings| settings.edge.streams.max_subscriptions_per_user = 2).await;
    let ada = app.signed_up("ada").await;
    let first = Events::open(&ada, CHANGES, Value::Null, &[]).await;
    let _socket = super::subscribed(&ada, "s").await;
    subscribers(&app, 2).await;
    let mut third = Events::open(&ada, CHANGES, Value::Null, &[]).await;
    third.fails("RATE_LIMITED").await;
    drop(first);
    subscribers(&app, 1).await;
    let _fourth = Events::open(&ada, CHANGES, Value::Null, &[]).await;
    subscribers(&app, 2).await;
}
