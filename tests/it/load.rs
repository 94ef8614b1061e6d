//! Fair sharing under load: the requests of one user or address wait for each other, and those of others do not. If too many requests are
//! in progress, further ones fail at once.

use serde_json::{Value, json};
use snapnote::http::RequestSettings;
use tokio::{task::JoinSet, time::Duration};

use crate::{
    subscriptions::socket::Socket,
    support::{
        Answer, BLOCKED, Client, PASSWORD, TestApp, eventually_eq, mutation, read_some, sent,
    },
};

/// A third of the connections of a test's service.
const SHARE: i64 = 2;
const COURSES: &str = "{ courses { nodes { id } } }";
const ME: &str = "{ me { id } }";

/// Sends a request this many times at the same time.
fn flood(client: &Client, times: usize, query: &str, variables: &Value) -> JoinSet<Answer> {
    let mut flood = JoinSet::new();
    for _ in 0..times {
        let (client, query, variables) = (client.clone(), query.to_owned(), variables.clone());
        flood.spawn(async move { client.post(&query, variables).await });
    }
    flood
}

/// The statuses of these responses, in ascending order.
async fn statuses(flood: JoinSet<Answer>) -> Vec<u16> {
    let answers = flood.join_all().await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_leases_at_most_a_third_of_the_connections() {
    let app = TestApp::without_shared_reads().await;
    let (app, ada, bob) = app.with_users("ada", "bob").await;
    let course = ada.create_course("Weaving").await;
    ada.create_document(&course, "Warp").await;
    ada.query(ME).await;
    bob.query(ME).await;
    let create = mutation("createCourse", "course { id }");
    let input = json!({ "input": { "name": "Knots" } });
    // A list, a batch of loaders, and a mutation.
    for (table, query, variables) in [
        ("courses", COURSES, &Value::Null),
        (
            "tags",
            "{ documents { nodes { tags { id } } } }",
            &Value::Null,
        ),
        ("courses", create.as_str(), &input),
    ] {
        let lock = app.begin(&format!("LOCK TABLE {table}")).await;
        let heavy = flood(&ada, 20, query, variables);
        app.eventually_blocked(SHARE).await;
        for _ in 0..20 {
            assert_eq!(bob.query(ME).await["me"]["id"], bob.id);
        }
        assert_eq!(app.count(BLOCKED).await, SHARE, "{query}");
        lock.commit().await;
        assert_eq!(statuses(heavy).await, [200; 20], "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_over_a_socket_use_the_share_of_their_user() {
    let app = TestApp::without_shared_reads().await;
    let (app, ada, bob) = app.with_users("ada", "bob").await;
    let mut socket = Socket::of(&ada).await;
    let lock = app.begin("LOCK TABLE courses").await;
    let over_http = flood(&ada, 4, COURSES, &Value::Null);
    for id in 0..8 {
        socket.subscribe(&id.to_string(), COURSES, json!({})).await;
    }
    app.eventually_blocked(SHARE).await;
    for _ in 0..20 {
        bob.query(ME).await;
    }
    assert_eq!(app.count(BLOCKED).await, SHARE);
    lock.commit().await;
    assert_eq!(statuses(over_http).await, [200; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_clients_of_an_address_share_connections() {
    let app = TestApp::behind_a_proxy().await;
    app.signed_up("ada").await;
    let sign_in = mutation("signIn", "accessToken");
    let input = json!({ "input": { "email": "ada@example.com", "password": PASSWORD } });
    let lock = app.begin("LOCK TABLE sessions").await;
    let first = flood(&app.anonymous().from("192.0.2.1"), 5, &sign_in, &input);
    app.eventually_blocked(SHARE).await;
    let second = flood(&app.anonymous().from("192.0.2.2"), 5, &sign_in, &input);
    app.eventually_blocked(2 * SHARE).await;
    lock.commit().await;
    assert_eq!(statuses(first).await, [200; 5]);
    assert_eq!(statuses(second).await, [200; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_connection_counts_against_the_deadline() {
    let app = TestApp::with(|settings| {
        settings.edge.request_timeout = Duration::from_secs(1);
    });
    let (app, ada) = app.await.with_user("ada").await;
    let lock = app.begin("LOCK TABLE courses").await;
    let heavy = flood(&ada, 6, COURSES, &Value::Null);
    assert_eq!(statuses(heavy).await, [504; 6]);
    lock.commit().await;
    // Dropped statements are recovered, and give their permits back.
    eventually_eq("the statuses of requests", vec![200; 6], async || {
        statuses(flood(&ada, 6, COURSES, &Value::Null)).await
    })
    .await;
}

/// A service with three requests in progress at the same time, two of them of one user.
async fn with_few_requests() -> TestApp {
    TestApp::with(|settings| {
        settings.edge.requests = RequestSettings {
            max: 3,
            max_per_user: 2,
        };
    })
    .await
}

fn assert_rejected(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.error_code(), code, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_maximum_fail_while_the_others_run() {
    let (app, ada, bob) = with_few_requests().await.with_users("ada", "bob").await;
    let mut socket = Socket::of(&bob).await;
    let lock = app.begin("LOCK TABLE courses").await;
    let of_ada = flood(&ada, 2, COURSES, &Value::Null);
    app.eventually_blocked(2).await;
    assert_rejected(&ada.post(ME, Value::Null).await, 429, "RATE_LIMITED");
    assert_eq!(bob.post(ME, Value::Null).await.status, 200);
    let of_bob = flood(&bob, 1, COURSES, &Value::Null);
    app.eventually_blocked(3).await;
    let anonymous = app.anonymous().post("{ __typename }", Value::Null).await;
    assert_rejected(&anonymous, 503, "UNAVAILABLE");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(app.anonymous().get(path).await.status, 200, "{path}");
    }
    socket.subscribe("1", ME, json!({})).await;
    let message = socket.message().await;
    let error = &message["payload"]["errors"][0]["extensions"]["code"];
    assert_eq!(error, "UNAVAILABLE", "{message}");
    lock.commit().await;
    assert_eq!(statuses(of_ada).await, [200; 2]);
    assert_eq!(statuses(of_bob).await, [200]);
    assert_eq!(ada.post(ME, Value::Null).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_rejected_before_its_body_is_read() {
    let (app, ada, bob) = with_few_requests().await.with_users("ada", "bob").await;
    let lock = app.begin("LOCK TABLE courses").await;
    let heavy = [
        flood(&ada, 2, COURSES, &Value::Null),
        flood(&bob, 1, COURSES, &Value::Null),
    ];
    app.eventually_blocked(3).await;
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    let mut stream = sent(app.address, head).await;
    let answer = read_some(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    lock.commit().await;
    for heavy in heavy {
        heavy.join_all().await;
    }
    // Clients that do not send their bodies take no slot.
    let mut slow = Vec::new();
    for _ in 0..6 {
        slow.push(sent(app.address, head).await);
    }
    assert_eq!(ada.post(ME, Value::Null).await.status, 200);
}
