//! `extensions.cost`: the cost of a request in its responses, if the client asks for it, over every transport.

use serde_json::{Value, json};

use super::{GRAPHQL, JSON};
use crate::{
    subscriptions::socket::Socket,
    support::{Client, TestApp},
};

const COURSES: &str = "{ courses(first: 7) { nodes { name } } }";

/// The response to a request with these extensions.
async fn asked(client: &Client, query: &str, extensions: Value) -> Value {
    let body = json!({ "query": query, "extensions": extensions }).to_string();
    client.post_body(&[JSON, GRAPHQL], body).await.json()
}

fn costs(points: u64) -> Value {
    json!({ "cost": { "requested": points, "limit": 10_000 } })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_is_reported_only_on_request() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let answer = asked(&ada, COURSES, json!({ "cost": true })).await;
    assert_eq!(answer["extensions"], costs(7), "{answer}");
    assert_eq!(answer["data"]["courses"]["nodes"], json!([]));
    for extensions in [
        Value::Null,
        json!({}),
        json!({ "cost": false }),
        json!({ "cost": null }),
        json!({ "cost": 1 }),
        json!({ "cost": "true" }),
        json!({ "cost": { "requested": 1 } }),
        json!({ "other": true }),
    ] {
        let answer = asked(&ada, COURSES, extensions.clone()).await;
        assert!(answer.get("extensions").is_none(), "{extensions}: {answer}");
        assert_eq!(answer["data"]["courses"]["nodes"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_depends_on_variables_and_counts_mutations() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    for (query, variables, points) in [
        (
            "query($n: Int) { courses(first: $n) { nodes { documents(first: 10) { nodes { id } } } } }",
            json!({ "n": 5 }),
            55,
        ),
        (
            "query($part: String) { tasks(first: 10, filter: { completed: false, titleContains: $part }) { nodes { id } } }",
            json!({ "part": "a" }),
            15,
        ),
        (
            "query($part: String) { tasks(first: 10, filter: { completed: false, titleContains: $part }) { nodes { id } } }",
            json!({ "part": null }),
            10,
        ),
        (
            "mutation { createCourse(input: { name: \"Algebra\" }) { course { id } } }",
            json!({}),
            2,
        ),
    ] {
        let body =
            json!({ "query": query, "variables": variables, "extensions": { "cost": true } });
        let answer = ada.post_body(&[JSON, GRAPHQL], body.to_string()).await;
        let answer = answer.json();
        assert_eq!(answer["extensions"], costs(points), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_comes_with_errors_of_valid_documents() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let cost = json!({ "cost": true });
    let answer = asked(&anonymous, COURSES, cost.clone()).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(answer["extensions"], costs(7), "{answer}");
    let expensive = "{ courses(first: 100) { nodes { documents(first: 100) { nodes { id } } } } }";
    let answer = asked(&anonymous, expensive, cost.clone()).await;
    let code = &answer["errors"][0]["extensions"]["code"];
    assert_eq!(code, "QUERY_TOO_COMPLEX");
    assert_eq!(answer["extensions"], costs(10_100), "{answer}");
    assert!(answer.get("data").is_none(), "{answer}");
    for invalid in [
        "{ nothing }",
        "{",
        "{ courses(first: \"x\") { nodes { id } } }",
    ] {
        let answer = asked(&anonymous, invalid, cost.clone()).await;
        assert!(answer.get("extensions").is_none(), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transport_reports_the_cost() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let after = ada.changes_cursor().await;
    ada.create_course("Algebra").await;
    let path = "/graphql?query=%7Bcourses(first:7)%7Bnodes%7Bname%7D%7D%7D&extensions=%7B%22cost%22:true%7D";
    let answer = ada.http("GET", path, &[GRAPHQL], b"").await.json();
    assert_eq!(answer["extensions"], costs(7), "{answer}");

    let events = [JSON, ("accept", "text/event-stream")];
    let body = json!({ "query": COURSES, "extensions": { "cost": true } }).to_string();
    let stream = ada.post_body(&events, body).await.body;
    let data = stream.lines().find_map(|line| line.strip_prefix("data: "));
    let event: Value = serde_json::from_str(data.unwrap()).unwrap();
    assert_eq!(event["extensions"], costs(7), "{event}");

    let mut socket = Socket::of(&ada).await;
    let changes = "subscription($after: String) { changes(after: $after) { itemId } }";
    for (id, query, variables, points) in [
        ("1", COURSES, json!({}), 7),
        ("2", changes, json!({ "after": after }), 1),
    ] {
        let payload =
            json!({ "query": query, "variables": variables, "extensions": { "cost": true } });
        let subscribe = json!({ "type": "subscribe", "id": id, "payload": payload });
        socket.send(subscribe).await;
        let mut message = socket.message().await;
        while message["type"] != "next" || message["id"] != id {
            message = socket.message().await;
        }
        assert_eq!(message["payload"]["extensions"], costs(points), "{message}");
    }
}
