//! Items that are deleted permanently.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{DELETE, Notebook, RESTORE, TRASH, code, run};

const EMPTY: &str = "mutation { emptyTrash { deletedIds userErrors { code } } }";

fn set(ids: &Value) -> HashSet<&str> {
    let ids = ids.as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap()).collect()
}

/// What is deleted is gone for its owner before its rows are.
async fn is_gone(notebook: &Notebook) {
    let rows = "SELECT count(*) FROM tasks";
    assert!(
        notebook.app.number(rows).await > 3,
        "the rows are still there"
    );
    let seen = notebook.seen().await;
    assert_eq!(seen["course"], Value::Null);
    assert_eq!(
        (&seen["task"], &seen["document"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(seen["nodes"], json!([null, null, null, null, null, null]));
    assert_eq!(seen["courses"]["totalCount"], 1);
    assert_eq!(seen["anyDocuments"]["totalCount"], 1);
    assert_eq!(seen["trashedTasks"]["totalCount"], 0);
    assert_eq!(seen["trash"], json!({ "totalCount": 0, "nodes": [] }));
    let (course, task) = (&notebook.course, &notebook.tasks[0]);
    for (query, ids) in [
        (RESTORE, course),
        (RESTORE, task),
        (DELETE, course),
        (DELETE, task),
        (TRASH, course),
        (TRASH, task),
    ] {
        let payload = run(&notebook.ada, query, json!({ "ids": [ids] })).await;
        assert_eq!(code(&payload), "NOT_FOUND", "{query}: {payload}");
    }
    for (mutation, expected) in [
        (
            format!("createTask(input: {{ title: \"x\", courseId: \"{course}\" }})"),
            "NOT_FOUND",
        ),
        (
            format!("createTask(input: {{ id: \"{task}\", title: \"x\" }})"),
            "TAKEN",
        ),
        (
            format!("createCourse(input: {{ id: \"{course}\", name: \"x\" }})"),
            "TAKEN",
        ),
        (
            format!("updateTask(input: {{ id: \"{task}\", title: \"x\" }})"),
            "NOT_FOUND",
        ),
        (
            format!("updateCourse(input: {{ id: \"{course}\", name: \"x\" }})"),
            "NOT_FOUND",
        ),
        (
            format!("completeTasks(input: {{ ids: [\"{task}\"] }})"),
            "NOT_FOUND",
        ),
    ] {
        let query = format!("mutation {{ {mutation} {{ userErrors {{ code field }} }} }}");
        let payload = run(&notebook.ada, &query, json!({})).await;
        assert_eq!(code(&payload), expected, "{mutation}: {payload}");
    }
    notebook.finish().await;
    assert_eq!(notebook.seen().await, seen);
    assert_eq!(notebook.app.number(rows).await, 2);
    assert_eq!(
        notebook.app.number("SELECT count(*) FROM documents").await,
        1
    );
    assert_eq!(notebook.app.number("SELECT count(*) FROM courses").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_course_is_gone_with_its_contents_before_their_rows_are() {
    let notebook = Notebook::new().await;
    let ids = json!({ "ids": [notebook.course] });
    let refused = run(&notebook.ada, DELETE, ids.clone()).await;
    assert_eq!(code(&refused), "NOT_IN_TRASH");
    notebook.only_committed(TRASH, ids.clone()).await;
    let cursor = notebook.newest().await;
    let payload = notebook.only_committed(DELETE, ids).await;
    let mut expected: HashSet<&str> = notebook
        .with_contents()
        .into_iter()
        .map(String::as_str)
        .collect();
    expected.insert(&notebook.trashed);
    assert_eq!(set(&payload["deletedIds"]), expected);
    assert_eq!(
        payload["deletedIds"][0],
        json!(notebook.course),
        "what was named comes first"
    );
    is_gone(&notebook).await;
    let mut told = notebook.all("DELETED");
    told.insert(notebook.trashed.clone(), "DELETED".to_owned());
    assert_eq!(notebook.told(cursor).await, told);
    let by_ada = "SELECT count(*) FROM audit_logs WHERE action = 'DELETED' AND actor_id = user_id AND ip_address = '127.0.0.1'";
    assert_eq!(notebook.app.number(by_ada).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_trash_is_empty_before_the_rows_are_gone() {
    let notebook = Notebook::new().await;
    let mut ids: Vec<String> = notebook.tasks.clone();
    ids.extend(notebook.documents.clone());
    run(&notebook.ada, TRASH, json!({ "ids": ids })).await;
    run(&notebook.ada, TRASH, json!({ "ids": [notebook.course] })).await;
    notebook.finish().await;
    let payload = notebook.only_committed(EMPTY, json!({})).await;
    assert_eq!(set(&payload["deletedIds"]).len(), 8);
    is_gone(&notebook).await;
    let again = run(&notebook.ada, EMPTY, json!({})).await;
    assert_eq!(again, json!({ "deletedIds": [], "userErrors": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_an_active_course_are_deleted_without_it() {
    let notebook = Notebook::new().await;
    let ids = json!({ "ids": [notebook.tasks[0], notebook.documents[0]] });
    run(&notebook.ada, TRASH, ids).await;
    let payload = notebook.only_committed(EMPTY, json!({})).await;
    let expected = HashSet::from([
        notebook.tasks[0].as_str(),
        notebook.documents[0].as_str(),
        notebook.trashed.as_str(),
    ]);
    assert_eq!(set(&payload["deletedIds"]), expected);
    let seen = notebook.seen().await;
    assert_eq!(seen["course"]["openTaskCount"], 2);
    assert_eq!(seen["course"]["tasks"]["totalCount"], 2);
    assert_eq!(seen["course"]["documentCount"], 2);
    notebook.finish().await;
    assert_eq!(notebook.seen().await, seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_item_stays_deleted_when_its_course_is_restored_before_its_row_is_gone() {
    let notebook = Notebook::new().await;
    run(&notebook.ada, TRASH, json!({ "ids": [notebook.course] })).await;
    notebook.finish().await;
    let (task, document) = (&notebook.tasks[0], &notebook.documents[0]);
    // As `deleteItems` commits it; the rows of items that are named cannot be held.
    let mark = |table: &str, kind: i32, id: &str| {
        format!(
            "INSERT INTO pending_operations (user_id, item_id, kind, operation, actor_id, retry_at)
             SELECT user_id, id, {kind}, 'remove', user_id, 'infinity' FROM {table} WHERE id = '{id}';"
        )
    };
    let marks = mark("documents", 2, document) + &mark("tasks", 3, task);
    notebook.app.sql(&marks).await;
    notebook
        .only_committed(RESTORE, json!({ "ids": [notebook.course] }))
        .await;
    for mutation in [
        format!("updateTask(input: {{ id: \"{task}\", courseId: null }})"),
        format!(
            "updateDocument(input: {{ id: \"{document}\", courseId: \"{}\" }})",
            notebook.other
        ),
        format!("completeTasks(input: {{ ids: [\"{task}\"] }})"),
    ] {
        let query = format!("mutation {{ {mutation} {{ userErrors {{ code field }} }} }}");
        let payload = run(&notebook.ada, &query, json!({})).await;
        assert_eq!(code(&payload), "NOT_FOUND", "{mutation}: {payload}");
    }
    let seen = notebook.seen().await;
    assert_eq!(seen["course"]["openTaskCount"], 2);
    notebook.finish().await;
    assert_eq!(notebook.seen().await, seen);
    let left = format!(
        "SELECT (SELECT count(*) FROM tasks WHERE id = '{task}') + (SELECT count(*) FROM documents WHERE id = '{document}')"
    );
    assert_eq!(notebook.app.number(&left).await, 0);
}
