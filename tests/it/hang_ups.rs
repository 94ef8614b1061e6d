//! Callers that hang up while their statement runs.

use std::time::Duration;

use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use serde_json::json;

use crate::support::{TestApp, superuser};

const TASKS: &str = "{ tasks { nodes { title } } }";

/// How many sessions the app's database has had, its present ones included.
async fn sessions(app: &TestApp) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Sessions {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        sessions: i64,
    }
    let text = format!(
        "SELECT sessions FROM pg_stat_database WHERE datname = '{}'",
        app.database
    );
    let mut postgres = superuser("postgres").await;
    let sessions: Sessions = diesel::sql_query(text)
        .get_result(&mut postgres)
        .await
        .unwrap();
    sessions.sessions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_who_hang_up_cost_no_connections() {
    const SLOTS: usize = 24;
    let app = TestApp::with(|settings| settings.pool.max_connections = SLOTS).await;
    let (ada, bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    let mut locker = superuser(&app.database).await;
    let lock = "BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE";
    locker.batch_execute(lock).await.unwrap();
    // All connections are open before the count begins.
    let all = futures_util::future::join_all((0..SLOTS).map(|_| app.pool.connection()));
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
    let callers = futures_util::future::join_all((0..20).map(|_| hang_up()));
    let others = async {
        while app.pool.abandoned() < 1000 {
            bob.data("{ me { id } }", json!({})).await;
        }
    };
    tokio::join!(callers, others);

    let rested = async {
        while app.pool.status().idle < app.pool.status().open {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), rested)
        .await
        .expect("all connections come back");
    let more = sessions(&app).await - before;
    assert!(more < 20, "{more} sessions");
    assert!(app.pool.cancels() <= app.pool.abandoned());

    locker.batch_execute("ROLLBACK").await.unwrap();
    let tasks = ada.data(TASKS, json!({})).await;
    assert_eq!(tasks["tasks"]["nodes"], json!([]));
}
