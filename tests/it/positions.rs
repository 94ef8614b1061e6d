//! The manual order of tasks: which positions are valid, and how they are compared.

use serde_json::json;

use crate::support::{Client, TestApp, errors, texts};

/// Keys in their order: byte by byte, so capital letters precede small ones, and a space precedes both.
const KEYS: [&str; 8] = ["!", "A ", "A0", "Zz", "a0", "a0V", "a1", "~"];

async fn order(client: &Client, direction: &str) -> Vec<String> {
    let query = format!(
        "{{ tasks(orderBy: {{ field: POSITION, direction: {direction} }}) {{ nodes {{ title position }} }} }}"
    );
    texts(&client.query(&query).await["tasks"]["nodes"], "title")
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_are_compared_byte_by_byte_and_null_is_last() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    ada.create_task(None, "none").await;
    for position in ["a1", "~", "A ", "a0V", "!", "Zz", "a0", "A0"] {
        let task = json!({ "title": position, "position": position });
        ada.create("Task", task).await;
    }
    let ascending: Vec<&str> = KEYS.into_iter().chain(["none"]).collect();
    assert_eq!(order(&ada, "ASC").await, ascending);
    let descending: Vec<&str> = KEYS.into_iter().rev().chain(["none"]).collect();
    assert_eq!(order(&ada, "DESC").await, descending);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_moved_by_its_position_alone() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let mut tasks = Vec::new();
    for (title, position) in [("one", "a0"), ("two", "a1"), ("three", "a2")] {
        let task = json!({ "title": title, "position": position });
        tasks.push(ada.create("Task", task).await);
    }
    ada.update("Task", &tasks[2], json!({ "position": "a0V" }))
        .await;
    assert_eq!(order(&ada, "ASC").await, ["one", "three", "two"]);
    ada.update("Task", &tasks[0], json!({ "title": "first" }))
        .await;
    assert_eq!(order(&ada, "ASC").await, ["first", "three", "two"]);
    ada.update("Task", &tasks[0], json!({ "position": null }))
        .await;
    assert_eq!(order(&ada, "ASC").await, ["three", "two", "first"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_have_1_to_100_printable_ascii_characters() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let task = ada.create_task(None, "Read").await;
    let long = "a".repeat(101);
    for (position, codes) in [
        ("", ["BLANK position"].as_slice()),
        ("\0", &["INVALID position"]),
        ("a\n", &["INVALID position"]),
        ("a\u{7F}", &["INVALID position"]),
        ("é", &["INVALID position"]),
        (&long, &["TOO_LONG position"]),
        (&"é".repeat(101), &["INVALID position", "TOO_LONG position"]),
    ] {
        let create = json!({ "title": "Write", "position": position });
        let update = json!({ "id": task, "position": position });
        for (mutation, input) in [("createTask", create), ("updateTask", update)] {
            let payload = ada.try_mutate(mutation, input, "").await;
            assert_eq!(errors(&payload), codes, "{mutation} {position:?}");
        }
    }
    assert_eq!(app.count("tasks WHERE position IS NULL").await, 1);
    for position in [&long[1..], " ", "~", "\"\\'%"] {
        let input = json!({ "id": task, "position": position });
        let payload = ada.mutate("updateTask", input, "task { position }").await;
        assert_eq!(payload["task"]["position"], position);
    }
}
