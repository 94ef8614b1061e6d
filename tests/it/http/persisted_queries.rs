//! Automatic persisted queries: clients first send only a hash, then the document. The service does not store documents.

use serde_json::{Value, json};

use super::{GRAPHQL, JSON};
use crate::{
    subscriptions::socket::Socket,
    support::{Answer, TestApp},
};

const HASH: &str = r#"{"persistedQuery":{"version":1,"sha256Hash":"ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"}}"#;

fn assert_not_supported(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = json!({ "errors": [{
        "message": "PersistedQueryNotSupported",
        "extensions": { "code": "PERSISTED_QUERY_NOT_SUPPORTED" },
    }] });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_without_its_document_is_not_supported() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    for query in ["", r#""query":null,"#, r#""query":"","#] {
        let body =
            format!(r#"{{{query}"operationName":"A","variables":{{"a":1}},"extensions":{HASH}}}"#);
        for headers in [&[JSON][..], &[JSON, GRAPHQL]] {
            assert_not_supported(&anonymous.post_body(headers, &body).await);
        }
    }
    let escaped = HASH
        .replace('{', "%7B")
        .replace('}', "%7D")
        .replace('"', "%22");
    for path in [
        format!("/graphql?operationName=A&extensions={escaped}"),
        format!("/graphql?query=&extensions={escaped}&variables="),
    ] {
        for headers in [&[][..], &[GRAPHQL]] {
            assert_not_supported(&anonymous.http("GET", &path, headers, b"").await);
        }
    }
    let events = [JSON, ("accept", "text/event-stream")];
    let body = format!(r#"{{"extensions":{HASH}}}"#);
    let stream = anonymous.post_body(&events, body).await;
    assert!(
        stream.body.contains("PersistedQueryNotSupported"),
        "{stream:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_with_its_hash_is_executed() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let body = format!(r#"{{"query":"{{ me {{ name }} }}","extensions":{HASH}}}"#);
    let answer = ada.post_body(&[JSON, GRAPHQL], body).await;
    assert_eq!(answer.json()["data"]["me"]["name"], "ada");
    let escaped = HASH
        .replace('{', "%7B")
        .replace('}', "%7D")
        .replace('"', "%22");
    let path = format!("/graphql?query=%7Bme%7Bname%7D%7D&extensions={escaped}");
    let answer = ada.http("GET", &path, &[GRAPHQL], b"").await;
    assert_eq!(answer.json()["data"]["me"]["name"], "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_over_a_socket_does_not_close_it() {
    let app = TestApp::start().await;
    let mut socket = Socket::of(&app.anonymous()).await;
    let extensions: Value = serde_json::from_str(HASH).unwrap();
    let subscribe =
        json!({ "type": "subscribe", "id": "1", "payload": { "extensions": extensions } });
    socket.send(subscribe).await;
    let message = socket.message().await;
    assert_eq!(message["type"], "error");
    assert_eq!(
        message["payload"][0]["message"],
        "PersistedQueryNotSupported"
    );
    socket.subscribe("2", "{ __typename }", Value::Null).await;
    assert_eq!(
        socket.message().await["payload"]["data"]["__typename"],
        "Query"
    );
}
