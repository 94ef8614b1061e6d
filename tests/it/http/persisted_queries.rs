//! Automatic persisted queries: clients first send only a hash, and the document if the service does not know the hash.

use serde_json::{Value, json};

use super::{GRAPHQL, JSON};
use crate::{
    subscriptions::socket::Socket,
    support::{Answer, Client, TestApp},
};

/// The hash of `{__typename}`.
const HASH: &str = r#"{"persistedQuery":{"version":1,"sha256Hash":"ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"}}"#;
const EVENTS: (&str, &str) = ("accept", "text/event-stream");

fn assert_sent_back(answer: &Answer, message: &str, code: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = json!({ "errors": [{ "message": message, "extensions": { "code": code } }] });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

fn escaped() -> String {
    let escaped = HASH.replace('{', "%7B").replace('}', "%7D");
    escaped.replace('"', "%22")
}

/// The responses to the hash alone, in all forms of a request.
async fn by_hash(client: &Client) -> Vec<Answer> {
    let mut answers = Vec::new();
    for query in ["", r#""query":null,"#, r#""query":"","#] {
        let body = format!(r#"{{{query}"variables":{{"a":1}},"extensions":{HASH}}}"#);
        for headers in [&[JSON][..], &[JSON, GRAPHQL]] {
            answers.push(client.post_body(headers, &body).await);
        }
    }
    let hash = escaped();
    for path in [
        format!("/graphql?operationName=&extensions={hash}"),
        format!("/graphql?query=&extensions={hash}&variables="),
    ] {
        for headers in [&[][..], &[GRAPHQL]] {
            answers.push(client.http("GET", &path, headers, b"").await);
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_is_known_after_its_document_was_sent() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let (message, code) = ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND");
    for answer in by_hash(&anonymous).await {
        assert_sent_back(&answer, message, code);
    }
    let without = format!(r#"{{"extensions":{HASH}}}"#);
    let stream = anonymous.post_body(&[JSON, EVENTS], &without).await;
    assert!(stream.body.contains(message), "{stream:?}");
    let with = format!(r#"{{"query":"{{__typename}}","extensions":{HASH}}}"#);
    let expected = json!({ "data": { "__typename": "Query" } });
    let answer = anonymous.post_body(&[JSON, GRAPHQL], with).await;
    assert_eq!(answer.json(), expected);
    for answer in by_hash(&anonymous).await {
        assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    }
    let stream = anonymous.post_body(&[JSON, EVENTS], without).await;
    assert!(
        stream.body.contains("data: {\"data\":{\"__typename\""),
        "{stream:?}"
    );
    // Each process has its own memory.
    let other = app.another().await;
    for answer in by_hash(&anonymous.at(&other)).await {
        assert_sent_back(&answer, message, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_executed_only_with_its_own_hash() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let body = format!(r#"{{"query":"{{ __typename }}","extensions":{HASH}}}"#);
    let answer = anonymous.post_body(&[JSON, GRAPHQL], body).await;
    assert_eq!(
        (answer.status, answer.error_code()),
        (400, json!("BAD_REQUEST"))
    );
    let path = format!("/graphql?query=%7B__typename%7D&extensions={}", escaped());
    let answer = anonymous.http("GET", &path, &[GRAPHQL], b"").await;
    assert_eq!(answer.json()["data"]["__typename"], "Query");
    // A document that is not valid is not kept.
    let hash = "919c0b7aa452b0b2fb42688461501bb8b0c3ef3b9d05ce7b9afd4f28bbe96ceb";
    let persisted = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    for (query, code) in [
        (Value::Null, "PERSISTED_QUERY_NOT_FOUND"),
        (json!("{ nothing }"), "VALIDATION_FAILED"),
        (Value::Null, "PERSISTED_QUERY_NOT_FOUND"),
    ] {
        let body = json!({ "query": query, "extensions": persisted }).to_string();
        let answer = anonymous.post_body(&[JSON, GRAPHQL], body).await;
        assert_eq!(answer.error_code(), code, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn persisted_queries_can_be_turned_off() {
    let app = TestApp::with(|settings| settings.documents.persisted_bytes = 0).await;
    let anonymous = app.anonymous();
    let with = format!(r#"{{"query":"{{__typename}}","extensions":{HASH}}}"#);
    for _ in 0..2 {
        for answer in by_hash(&anonymous).await {
            let (message, code) = (
                "PersistedQueryNotSupported",
                "PERSISTED_QUERY_NOT_SUPPORTED",
            );
            assert_sent_back(&answer, message, code);
        }
        let answer = anonymous.post_body(&[JSON, GRAPHQL], &with).await;
        assert_eq!(answer.json()["data"]["__typename"], "Query");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_over_a_socket_does_not_close_it() {
    let app = TestApp::start().await;
    let mut socket = Socket::of(&app.anonymous()).await;
    let extensions: Value = serde_json::from_str(HASH).unwrap();
    let payload = |text: Value| json!({ "query": text, "extensions": extensions });
    let subscribe =
        |id: &str, text: Value| json!({ "type": "subscribe", "id": id, "payload": payload(text) });
    socket.send(subscribe("1", Value::Null)).await;
    let message = socket.message().await;
    assert_eq!(message["type"], "error");
    assert_eq!(message["payload"][0]["message"], "PersistedQueryNotFound");
    for (id, text) in [("2", json!("{__typename}")), ("3", Value::Null)] {
        socket.send(subscribe(id, text)).await;
        let message = socket.message().await;
        assert_eq!(
            message["payload"]["data"]["__typename"], "Query",
            "{message}"
        );
        assert_eq!(socket.message().await["type"], "complete");
    }
}
