//! Requests that end early: at the deadline, without a free connection, or because their client hangs up.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{GRAPHQL, JSON};
use crate::support::{TestApp, eventually, number, sent, superuser};

const COURSES: &str = "{ courses { nodes { id } } }";
/// A mutation that waits for the locks of [`LOCK`].
const RENAME: &str = "mutation($id: ID!) { updateCourse(input: { id: $id, name: \"Renamed\" }) { course { name } } }";
const LOCK: &str = "SELECT FROM courses FOR UPDATE";
const RENAMED: &str = "courses WHERE name = 'Renamed'";

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_is_canceled_at_the_deadline_and_changes_nothing() {
    let (patient, ada) = TestApp::start().await.with_user("ada").await;
    let id = json!({ "id": ada.create_course("Algebra").await });
    let app = TestApp::on(patient.database.clone(), |settings| {
        settings.edge.request_timeout = Duration::from_millis(500);
    })
    .await;
    let held = app.begin(LOCK).await;
    let answer = ada.at(&app).post(RENAME, id.clone()).await;
    assert_eq!(answer.status, 504);
    assert_eq!(answer.error_code(), "TIMEOUT");
    app.eventually_blocked(0).await;
    held.rollback().await;
    // Another change of the course comes after anything that the canceled statement could still do.
    let id_of = id["id"].as_str().unwrap();
    ada.update("Course", id_of, json!({ "color": "#ffffff" }))
        .await;
    assert_eq!(app.count(RENAMED).await, 0);
    let renamed = ada.data(RENAME, id).await;
    assert_eq!(renamed["updateCourse"]["course"]["name"], "Renamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_canceled_at_the_deadline_with_the_same_error_in_both_media_types() {
    let (patient, ada) = TestApp::start().await.with_user("ada").await;
    let app = TestApp::on(patient.database.clone(), |settings| {
        settings.edge.request_timeout = Duration::from_millis(400);
    })
    .await;
    let _held = app.begin("LOCK TABLE courses").await;
    let body = json!({ "query": COURSES }).to_string();
    for accept in [("accept", "application/json"), GRAPHQL] {
        let answer = ada.at(&app).post_body(&[JSON, accept], &body).await;
        assert_eq!(answer.status, 504);
        let answer = answer.json();
        assert_eq!(answer["data"], Value::Null);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "TIMEOUT");
        assert_eq!(answer["errors"][0].get("locations"), None);
    }
    app.eventually_blocked(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_canceled_when_its_client_hangs_up() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let _held = app.begin("LOCK TABLE courses").await;
    let stream = sent(app.address, ada.request(COURSES, &json!({}))).await;
    app.eventually_blocked(1).await;
    drop(stream);
    app.eventually_blocked(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_completes_although_its_client_hangs_up() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let id = json!({ "id": ada.create_course("Algebra").await });
    let held = app.begin(LOCK).await;
    let stream = sent(app.address, ada.request(RENAME, &id)).await;
    app.eventually_blocked(1).await;
    drop(stream);
    // The service notices the hang-up of a later query, so it has noticed this one, too.
    let _locked = app.begin("LOCK TABLE documents").await;
    let query = ada.request("{ documents { nodes { id } } }", &json!({}));
    let query = sent(app.address, query).await;
    app.eventually_blocked(2).await;
    drop(query);
    app.eventually_blocked(1).await;
    held.commit().await;
    app.eventually_count(RENAMED, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_free_connection_are_told_to_retry() {
    let app = TestApp::with(|settings| {
        settings.pool.max_connections = 1;
        settings.pool.wait = Duration::from_secs(2);
    })
    .await;
    let ada = app.signed_up("ada").await;
    let id = json!({ "id": ada.create_course("Algebra").await });
    let locked = app.begin(LOCK).await;
    let (held, refused) = tokio::join!(ada.post(RENAME, id), async {
        app.eventually_blocked(1).await;
        let refused = ada.post(COURSES, json!({})).await;
        locked.commit().await;
        refused
    });
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.error_code(), "UNAVAILABLE");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(held.status, 200, "{held:?}");
}

const TASKS: &str = "{ tasks { nodes { title } } }";

/// How many sessions the app's database has had, including the current ones.
async fn sessions(app: &TestApp) -> i64 {
    let sessions = "SELECT sessions FROM pg_stat_database WHERE datname = ";
    let sessions = format!("{sessions}'{}'", app.database);
    number(&mut superuser("postgres").await, &sessions).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_hang_ups_do_not_cost_connections() {
    const SLOTS: usize = 24;
    let app = TestApp::with(|settings| {
        settings.pool.max_connections = SLOTS;
        settings.pool.shared_reads = false;
    });
    let app = app.await;
    let (ada, bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let locked = app.begin("LOCK TABLE tasks").await;
    // All connections are open before the count begins.
    let all = join_all((0..SLOTS).map(|_| app.pool.connection()));
    assert!(all.await.iter().all(Result::is_ok));
    let before = sessions(&app).await;

    let hang_up = async || {
        let mut hold = Duration::from_millis(20);
        while app.pool.abandoned() < 1000 {
            let abandoned = app.pool.abandoned();
            let asked = ada.graphql(TASKS, json!({}));
            let _ = tokio::time::timeout(hold, asked).await;
            if app.pool.abandoned() == abandoned {
                // On a busy machine the statement has not begun.
                hold += Duration::from_millis(10);
            }
        }
    };
    let callers = join_all((0..20).map(|_| hang_up()));
    let others = async {
        while app.pool.abandoned() < 1000 {
            bob.query("{ me { id } }").await;
        }
    };
    tokio::join!(callers, others);

    let is_idle = || app.pool.status().idle >= app.pool.status().open;
    eventually("all connections come back", async || is_idle()).await;
    let more = sessions(&app).await - before;
    assert!(more < 20, "{more} sessions");
    assert!(app.pool.cancels() <= app.pool.abandoned());

    locked.rollback().await;
    let tasks = ada.query(TASKS).await;
    assert_eq!(tasks["tasks"]["nodes"], json!([]));
}
