//! Cost limits: what the operations of one user, or of the anonymous clients of one address, cost over time.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{GRAPHQL, JSON};
use crate::{
    subscriptions::socket::Socket,
    support::{Answer, Client, TestApp, trust_proxies},
};

const TEN: &str = "{ courses(first: 10) { nodes { name } } }";

/// A service with this limit, behind a proxy.
async fn limited(limit: &str) -> TestApp {
    TestApp::with(|settings| {
        settings.edge.cost_limit = limit.parse().unwrap();
        trust_proxies(settings);
    })
    .await
}

async fn ten_points(client: &Client) -> Answer {
    client.post(TEN, json!({})).await
}

/// The available points, and the window in seconds.
fn state(answer: &Answer) -> (u64, u64) {
    let state = answer.header("ratelimit").expect("there is a limit");
    let (left, window) = state
        .strip_prefix("\"cost\";r=")
        .unwrap()
        .split_once(";t=")
        .unwrap();
    (left.parse().unwrap(), window.parse().unwrap())
}

fn assert_limited(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.error_code()),
        (429, json!("RATE_LIMITED"))
    );
    assert!(answer.json().get("data").is_none(), "{answer:?}");
    let extensions = answer.json()["errors"][0]["extensions"].clone();
    let wait = extensions["retryAfterMs"].as_u64().unwrap();
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(seconds, wait.div_ceil(1000));
    let (left, window) = state(answer);
    assert!(left < 10 && window == seconds, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_anonymous_addresses_have_points_of_their_own() {
    let (app, ada, bob) = limited("25/7d").await.with_users("ada", "bob").await;
    for (client, number) in [(&*ada, 2), (&*bob, 2)] {
        for before in 0..number {
            let answer = ten_points(client).await;
            assert_eq!(answer.status, 200);
            let policy = answer.header("ratelimit-policy");
            assert_eq!(policy, Some("\"cost\";q=25;w=604800"));
            assert_eq!(state(&answer).0, 15 - 10 * before, "{answer:?}");
        }
        assert_limited(&ten_points(client).await);
        // A smaller operation still fits, and costs at least a point.
        let answer = client.post("{ __typename }", json!({})).await;
        assert_eq!((answer.status, state(&answer).0), (200, 4));
    }
    // The same user at another address, and with another session.
    let again = app.anonymous().from("203.0.113.7");
    let again = again.with_token(ada.token.clone().unwrap());
    assert_limited(&ten_points(&again).await);
    // Anonymous clients of one address share their points.
    let here = app.anonymous().from("198.51.100.1");
    for _ in 0..2 {
        assert_eq!(ten_points(&here).await.status, 401);
    }
    let broken = here.with_token("nonsense");
    assert_limited(&ten_points(&broken).await);
    let elsewhere = app.anonymous().from("198.51.100.2");
    assert_eq!(ten_points(&elsewhere).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_operation_does_not_run() {
    let (app, ada) = limited("11/7d").await.with_user("ada").await;
    for _ in 0..20 {
        let input = json!({ "name": "Biology" });
        ada.post_mutation("createCourse", input, "course { id }")
            .await;
    }
    assert_eq!(app.count("courses").await, 5, "a course costs two points");
    assert_limited(&ten_points(&ada).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transport_is_limited() {
    let (_app, ada) = limited("40/7d").await.with_user("ada").await;
    let events = [JSON, ("accept", "text/event-stream")];
    let body = json!({ "query": TEN }).to_string();
    let stream = ada.post_body(&events, &body).await;
    assert!(stream.body.contains("event: complete"), "{stream:?}");
    assert_eq!(state(&stream).0, 30);
    let path = "/graphql?query=%7Bcourses(first:10)%7Bnodes%7Bname%7D%7D%7D";
    let answer = ada.http("GET", path, &[GRAPHQL], b"").await;
    assert_eq!((answer.status, state(&answer).0), (200, 20));
    let mut socket = Socket::of(&ada).await;
    for (id, kind) in [("1", "next"), ("2", "next"), ("3", "error")] {
        socket.subscribe(id, TEN, Value::Null).await;
        let message = socket.message().await;
        assert_eq!(message["type"], kind, "{message}");
        if kind == "next" {
            assert_eq!(socket.message().await["type"], "complete");
        } else {
            let extensions = &message["payload"][0]["extensions"];
            assert_eq!(extensions["code"], "RATE_LIMITED");
            assert!(extensions["retryAfterMs"].as_u64().unwrap() > 0);
        }
    }
    assert_limited(&ada.post_body(&events, &body).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_requests_cost_points_over_every_transport() {
    let (_app, ada) = limited("55/7d").await.with_user("ada").await;
    let queries = [
        "{",
        "{ nothing }",
        "{ courses(first: \"a\") { nodes { id } } }",
    ];
    for (query, left) in queries.iter().zip([45, 35, 25]) {
        let answer = ada.post(query, json!({})).await;
        assert_eq!((answer.status, state(&answer).0), (400, left), "{query}");
    }
    let mut socket = Socket::of(&ada).await;
    socket.subscribe("1", "{ nothing }", Value::Null).await;
    let error = socket.message().await["payload"][0]["extensions"].clone();
    assert_eq!(error["code"], "VALIDATION_FAILED");
    assert_eq!(state(&ten_points(&ada).await).0, 5);
    // A long document takes more points than are left. Then nothing is parsed, until they have refilled.
    let long = format!("{{ nothing }} # {}", "x".repeat(5_000));
    assert_eq!(ada.post(&long, json!({})).await.status, 400);
    for query in queries.iter().chain([&"{ __typename }"]) {
        assert_limited(&ada.post(query, json!({})).await);
    }
    let events = [JSON, ("accept", "text/event-stream")];
    let body = json!({ "query": "{" }).to_string();
    assert_limited(&ada.post_body(&events, &body).await);
    socket.subscribe("2", "{ nothing }", Value::Null).await;
    let error = socket.message().await["payload"][0]["extensions"].clone();
    assert_eq!(error["code"], "RATE_LIMITED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_does_not_fit_takes_points_if_its_document_was_parsed() {
    let (_app, ada) = limited("60/7d").await.with_user("ada").await;
    let query = |number: u32| format!("{{ courses(first: 70) {{ nodes {{ name }} }} }} # {number}");
    // The second request finds the document in the cache.
    for (number, left) in [(1, 50), (1, 50), (2, 40), (1, 40), (3, 30)] {
        let answer = ada.post(&query(number), json!({})).await;
        assert_eq!((answer.status, state(&answer).0), (429, left), "{number}");
    }
    let mut socket = Socket::of(&ada).await;
    for (id, number) in [("1", 4), ("2", 1), ("3", 5)] {
        socket.subscribe(id, &query(number), Value::Null).await;
        let error = socket.message().await["payload"][0]["extensions"].clone();
        assert_eq!(error["code"], "RATE_LIMITED");
    }
    assert_eq!(state(&ten_points(&ada).await).0, 0);
    // Nothing is parsed while no points are left, not even an invalid document.
    assert_limited(&ada.post("{", json!({})).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_names_a_long_document_by_its_hash_pays_for_its_length() {
    let (_app, ada) = limited("1000/7d").await.with_user("ada").await;
    let tree = "query($n: Int!) { courses(first: 20) { nodes { documents(first: $n) { nodes { title } } } } } #";
    // Documents of this length are not cached, so each request parses them.
    let document = tree.to_owned() + &"x".repeat(70_000 - tree.len());
    let digest = Sha256::digest(&document);
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let persisted = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let known = json!({ "query": document, "variables": { "n": 1 }, "extensions": persisted });
    let known = ada.post_body(&[JSON], &known.to_string()).await;
    assert_eq!(known.status, 200, "{known:?}");
    let too_many = json!({ "variables": { "n": 100 }, "extensions": persisted });
    let refused = ada.post_body(&[JSON], &too_many.to_string()).await;
    assert_eq!(refused.error_code(), json!("RATE_LIMITED"), "{refused:?}");
    assert_eq!(state(&known).0 - state(&refused).0, 710);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_limit_there_are_no_headers() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    for query in [TEN, "{ nothing }"] {
        let answer = ada.post(query, json!({})).await;
        assert_eq!(answer.header("ratelimit"), None);
        assert_eq!(answer.header("ratelimit-policy"), None);
    }
}
