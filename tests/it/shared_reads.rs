//! Look-ups by key on connections that requests share: `me`, `node` and sessions.

use futures_util::future::join_all;
use serde_json::json;
use snapnote::db::connect::Target;

use crate::support::{CONNECTIONS, Client, Pooler, TestApp, eventually, migrated_database, text};

async fn open_shared(app: &TestApp, client: &Client) {
    eventually("a shared connection is open", async || {
        client.query("{ me { id } }").await;
        app.pool.status().shared > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_lease_no_connection() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Weaving").await;
    open_shared(&app, &ada).await;
    // All connections for leases are in use.
    let mut leased = Vec::new();
    for _ in 0..app.pool.status().max - 2 {
        leased.push(app.pool.connection().await.unwrap());
    }
    let found = ada.query("{ me { name } }").await;
    assert!(!text(&found["me"]["name"]).is_empty());
    let id = json!(course);
    let query = format!(
        "{{ node(id: {id}) {{ __typename id }} nodes(ids: [{id}]) {{ id }} course(id: {id}) {{ name }} }}"
    );
    let found = ada.query(&query).await;
    assert_eq!(
        found["node"],
        json!({ "__typename": "Course", "id": course })
    );
    assert_eq!(found["nodes"][0]["id"], id);
    assert_eq!(found["course"]["name"], "Weaving");
    assert_eq!(app.pool.status().waiting, 0);
    drop(leased);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_opens_no_more_connections_than_its_setting_says() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    open_shared(&app, &ada).await;
    let max = i64::try_from(app.pool.status().max).unwrap();
    for _ in 0..5 {
        let requests = (0..60).map(|number| {
            let query = if number % 2 == 0 {
                "{ me { id } }"
            } else {
                "{ tasks { totalCount } }"
            };
            ada.query(query)
        });
        let (_, open) = tokio::join!(join_all(requests), app.count(CONNECTIONS));
        // The rate limiter has two connections of its own.
        assert!(open <= max + 2, "{open}");
    }
    let status = app.pool.status();
    assert_eq!(status.max, 8);
    assert!(
        status.open <= 8 && (1..=2).contains(&status.shared),
        "{status:?}"
    );
    let ready = app.anonymous().get("/readyz").await.json();
    assert_eq!(ready["pool"]["max"], 8);
    assert_eq!(ready["pool"]["shared"], json!(app.pool.status().shared));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sees_its_own_changes() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    open_shared(&app, &ada).await;
    for number in 0..20 {
        let name = format!("Course {number}");
        let course = ada.create_course(&name).await;
        let query = format!("{{ course(id: {}) {{ name }} }}", json!(course));
        assert_eq!(ada.query(&query).await["course"]["name"], name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_look_ups_lease_connections() {
    let app = TestApp::with(|settings| settings.pool.shared_reads = false).await;
    let ada = app.signed_up("ada").await;
    join_all((0..20).map(|_| ada.query("{ me { id } }"))).await;
    let status = app.pool.status();
    assert_eq!((status.shared, status.max), (0, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_transaction_mode_may_lend_another_server_connection_to_each_read() {
    let database = migrated_database().await;
    for servers in [1, 3] {
        let pooler = Pooler::start(&database, servers).await;
        let target = Target::parse(&pooler.url()).unwrap();
        let app = TestApp::at(target, database.clone(), |_| {}).await;
        let ada = app.signed_up(&format!("ada-{servers}")).await;
        open_shared(&app, &ada).await;
        for _ in 0..10 {
            let answers =
                join_all((0..20).map(|_| ada.query("{ me { id } tasks { totalCount } }")));
            assert!(
                answers
                    .await
                    .iter()
                    .all(|answer| answer["me"]["id"].is_string())
            );
        }
        assert!(app.pool.status().shared > 0);
    }
}
