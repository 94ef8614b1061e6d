//! A process that is killed while the rows follow: the next one goes on.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{DELETE, RESTORE, TRASH, create, run};
use crate::{
    program::{Serving, program},
    support::{Client, TestApp, url_of},
};

/// More than a command moves within its response.
const TASKS: i64 = 8_000;

async fn serving(app: &TestApp) -> Serving {
    let folder = std::env::temp_dir();
    let mut command = program(&folder, &["serve"]);
    command
        .env("DATABASE_URL", url_of(&app.database).await)
        .env(
            "SNAPNOTE_JWT_SECRET",
            std::str::from_utf8(crate::support::SECRET).unwrap(),
        );
    Serving::start(&mut command).await
}

/// Runs a command in a process, kills it as soon as it has responded, and waits for the next process to finish.
async fn killed_after(app: &TestApp, ada: &Client, query: &str, ids: &Value) {
    let process = serving(app).await;
    let client = Client {
        address: process.client.address,
        token: ada.token.clone(),
    };
    let payload = run(&client, query, json!({ "ids": ids })).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    process.signal(Signal::SIGKILL);
    drop(process);
    let pending = "SELECT count(*) FROM pending_operations";
    assert_eq!(app.number(pending).await, 1, "killed before it was done");
    let next = serving(app).await;
    let began = Instant::now();
    while app.number(pending).await > 0 {
        assert!(began.elapsed() < Duration::from_secs(120), "never finished");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(next);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_finished_by_the_next() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = create(&ada, "Course", "name: \"Zebras\"").await;
    // Without triggers: only the number matters.
    app.sql(&format!(
        "SET session_replication_role = replica;
         INSERT INTO tasks (user_id, id, course_id, title)
         SELECT user_id, gen_random_uuid(), id, 'Task ' || n FROM courses, generate_series(1, {TASKS}) AS n"
    ))
    .await;
    let ids = json!([course]);
    let tasks = |condition: &str| format!("SELECT count(*) FROM tasks WHERE {condition}");
    killed_after(&app, &ada, TRASH, &ids).await;
    let moved = tasks("status = 'trash' AND trashed_with = course_id AND version = 2");
    assert_eq!(app.number(&moved).await, TASKS);
    killed_after(&app, &ada, RESTORE, &ids).await;
    let back = tasks("status = 'active' AND trashed_with IS NULL AND version = 3");
    assert_eq!(app.number(&back).await, TASKS);
    killed_after(&app, &ada, TRASH, &ids).await;
    killed_after(&app, &ada, DELETE, &ids).await;
    assert_eq!(app.number(&tasks("true")).await, 0);
    assert_eq!(app.number("SELECT count(*) FROM courses").await, 0);
    let told = "SELECT count(*) FROM audit_logs WHERE action IN ('TRASHED', 'RESTORED', 'DELETED') AND entity_type = 'Task'";
    assert_eq!(
        app.number(told).await,
        4 * TASKS,
        "each change of each task is told once"
    );
}
