//! Items of other users are never found.

use serde_json::json;

use super::SEARCH;
use crate::support::{Client, TestApp};

/// Queries that find `Quagga stripes by Xerxes`.
const WAYS: [&str; 10] = [
    "quagga",
    "quag",
    "uagg",
    "quaaga",
    "\"quagga stripes\"",
    "q",
    "stripe OR xerxes",
    "xerx",
    "stripes -nothing",
    "by quagga",
];

async fn quagga(client: &Client) {
    let text = "Quagga stripes by Xerxes";
    let course = client.course(text, text).await;
    client.document(&course, text, text, text).await;
    client.task(&course, text, text).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_find_only_their_own_items() {
    let (app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    quagga(&ada).await;
    eve.course("Mine", "nothing of the kind").await;
    for way in WAYS {
        assert_eq!(ada.found(way).await.len(), 3, "{way}");
        assert_eq!(eve.found(way).await, [""; 0], "{way}");
    }
    let quagga = json!({ "query": "quagga" });
    let code = app.anonymous().error_code(SEARCH, quagga).await;
    assert_eq!(code, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn courses_of_others_are_searched_as_if_they_did_not_exist() {
    let (_app, ada, eve) = TestApp::start().await.with_users("ada", "eve").await;
    let theirs = ada.course("Quagga", "").await;
    ada.document(&theirs, "Quagga", "", "").await;
    let own = eve.course("Quagga", "").await;
    eve.document(&own, "Quagga", "", "").await;
    let arguments = json!({ "query": "quagga", "courseId": theirs });
    let found = eve.search(arguments).await;
    assert_eq!(found["edges"], json!([]), "as if it were not there");
}
