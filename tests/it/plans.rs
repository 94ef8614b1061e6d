//! Plans write the same bytes as the library. The other tests run every query both ways (`Mode::Verify`); these compare random
//! queries, and what happens if a plan cannot run.

mod arguments;
mod random;

use serde_json::{Value, json};
use snapnote::graphql::plan::Mode;

use crate::support::{Answer, Client, TestApp, eventually, text};

/// A process that executes queries with plans, and one that does not.
async fn both(app: &TestApp) -> (TestApp, TestApp) {
    let with = |mode| {
        TestApp::on(app.database.clone(), move |settings| {
            settings.query_plans = mode
        })
    };
    (with(Mode::On).await, with(Mode::Off).await)
}

/// A request that reports the cost.
async fn answer(client: &Client, query: &str, variables: &Value) -> Answer {
    let body = json!({ "query": query, "variables": variables, "extensions": { "cost": true } });
    let headers = [("content-type", "application/json")];
    client.post_body(&headers, body.to_string()).await
}

/// Whether the last statement of one of the service's connections contains a text.
async fn was_sent(app: &TestApp, part: &str) -> bool {
    let sent = format!(
        "pg_stat_activity WHERE datname = current_database() AND query LIKE '%{part}%' AND pid <> pg_backend_pid()"
    );
    app.count(&sent).await > 0
}

/// Waits until the shared connections are open, so that queries run with their plans.
async fn ready(client: &Client, app: &TestApp) {
    eventually("a plan runs", async || {
        client
            .query("{ tasks(first: 1) { nodes { title } } }")
            .await;
        was_sent(app, "LATERAL (SELECT id, title FROM tasks").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_have_the_same_headers_and_bytes_with_and_without_plans() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Zebra \"quoted\" \u{1F993}").await;
    ada.create_document(&course, "note\n").await;
    let (with, without) = both(&app).await;
    ready(&ada.at(&with), &app).await;
    for (query, variables) in [
        ("{ me { id name } }", json!({})),
        (
            "query($id: ID!) { course(id: $id) { name documentCount documents { totalCount nodes { title } } } }",
            json!({ "id": course }),
        ),
        (
            "query($id: ID!) { course(id: $id) { name } }",
            json!({ "id": "none" }),
        ),
        (
            "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
            json!({ "ids": [course, ada.id, course] }),
        ),
        ("{ courses(first: 0) { nodes { id } } }", json!({})),
        (
            "query($after: String) { courses(after: $after) { nodes { id } } }",
            json!({ "after": "none" }),
        ),
    ] {
        let planned = answer(&ada.at(&with), query, &variables).await;
        let executed = answer(&ada.at(&without), query, &variables).await;
        assert_eq!(planned.body, executed.body, "{query}");
        assert_eq!(planned.status, executed.status, "{query}");
        for name in ["content-type", "cache-control", "vary", "content-length"] {
            assert!(planned.header(name).is_some(), "{query}: {name}");
            assert_eq!(
                planned.header(name),
                executed.header(name),
                "{query}: {name}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_reads_only_the_selected_columns_of_the_viewer() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let (with, _) = both(&app).await;
    let ada_there = ada.at(&with);
    ready(&ada_there, &app).await;
    ada.create_task(None, "Hers").await;
    let other = app.signed_up("eve").await;
    let data = other
        .at(&with)
        .query("{ tasks { totalCount nodes { title } } }")
        .await;
    assert_eq!(data, json!({ "tasks": { "totalCount": 0, "nodes": [] } }));
    let data = ada_there
        .query("{ tasks { totalCount nodes { title } } }")
        .await;
    assert_eq!(data["tasks"]["nodes"], json!([{ "title": "Hers" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_succeed_while_shared_connections_break() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let task = ada.create_task(None, "One").await;
    let (with, _) = both(&app).await;
    let ada_there = ada.at(&with);
    ready(&ada_there, &app).await;
    let query =
        format!("{{ tasks {{ nodes {{ id }} }} me {{ id }} node(id: \"{task}\") {{ id }} }}");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%LATERAL%'";
    for round in 0..20 {
        if round % 4 == 0 {
            app.sql(end).await;
        }
        let data = ada_there.query(&query).await;
        assert_eq!(
            text(&data["tasks"]["nodes"][0]["id"]),
            task,
            "round {round}"
        );
        assert_eq!(text(&data["node"]["id"]), task, "round {round}");
    }
    ready(&ada_there, &app).await;
}
