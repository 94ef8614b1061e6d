//! A process that is killed while the rows change in the background: the next one continues.

use nix::sys::signal::Signal;

use crate::support::{Client, Serving, TestApp, ids};

/// More than a mutation moves within its response.
const TASKS: i64 = 8_000;

/// Runs a mutation in a process, kills it as soon as it has responded, and waits for the next process to finish. The process
/// cannot finish, because one of the tasks is locked.
async fn killed_after(app: &TestApp, ada: &Client, mutation: &str, course: &str) {
    let process = Serving::on(&app.database, &[]).await;
    let client = ada.at_address(process.client.address);
    let lock = "SELECT FROM tasks ORDER BY id DESC LIMIT 1 FOR UPDATE";
    let lock = app.begin(lock).await;
    client.mutate(mutation, ids(&[course]), "").await;
    process.signal(Signal::SIGKILL);
    drop(process);
    let pending = app.count("pending_operations").await;
    assert_eq!(pending, 1, "it was killed before it was done");
    lock.commit().await;
    let _next = Serving::on(&app.database, &[]).await;
    app.eventually_count("pending_operations", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_finishes_what_a_killed_one_left() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let course = ada.create_course("Zebras").await;
    // Without triggers: only the number matters.
    app.sql(&format!(
        "SET session_replication_role = replica;
         INSERT INTO tasks (user_id, id, course_id, title)
         SELECT user_id, gen_random_uuid(), id, 'Task ' || n FROM courses, generate_series(1, {TASKS}) AS n"
    ))
    .await;
    let tasks = |condition: &str| format!("tasks WHERE {condition}");
    killed_after(&app, &ada, "trashItems", &course).await;
    let moved = tasks("status = 'trash' AND trashed_with = course_id AND version = 2");
    assert_eq!(app.count(&moved).await, TASKS);
    killed_after(&app, &ada, "restoreItems", &course).await;
    let back = tasks("status = 'active' AND trashed_with IS NULL AND version = 3");
    assert_eq!(app.count(&back).await, TASKS);
    killed_after(&app, &ada, "trashItems", &course).await;
    killed_after(&app, &ada, "deleteItems", &course).await;
    assert_eq!(app.count("tasks").await, 0);
    assert_eq!(app.count("courses").await, 0);
    let logged = "SELECT count(*) FROM audit_logs WHERE action IN ('TRASHED', 'RESTORED', 'DELETED') AND entity_type = 'Task'";
    let entries = app.number(logged).await;
    assert_eq!(entries, 4 * TASKS, "each change is logged once");
}
