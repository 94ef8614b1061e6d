//! Items that are deleted permanently.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Notebook, code};
use crate::support::ids;

fn set(ids: &Value) -> HashSet<&str> {
    let ids = ids.as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap()).collect()
}

/// Deleted items are gone for their owner before their rows are.
async fn assert_gone(notebook: &Notebook) {
    assert!(notebook.count("tasks").await > 3, "the rows still exist");
    let seen = notebook.seen().await;
    for item in ["course", "task", "document"] {
        assert_eq!(seen[item], Value::Null);
    }
    assert_eq!(seen["nodes"], json!([null, null, null, null, null, null]));
    assert_eq!(seen["courses"]["totalCount"], 1);
    assert_eq!(seen["anyDocuments"]["totalCount"], 1);
    assert_eq!(seen["trashedTasks"]["totalCount"], 0);
    assert_eq!(seen["trash"], json!({ "totalCount": 0, "nodes": [] }));
    assert_unchangeable(notebook).await;
    notebook.finish_unseen(&seen).await;
    for (table, left) in [("tasks", 2), ("documents", 1), ("courses", 1)] {
        assert_eq!(notebook.count(table).await, left);
    }
}

/// Asserts that mutations do not find the deleted items, and that their ids are still taken.
async fn assert_unchangeable(notebook: &Notebook) {
    let (course, task) = (&notebook.course, &notebook.tasks[0]);
    let in_course = json!({ "title": "x", "courseId": course });
    let named = json!({ "id": course, "name": "x" });
    let titled = json!({ "id": task, "title": "x" });
    let mut mutations = vec![
        ("createTask", in_course, "NOT_FOUND"),
        ("createTask", titled.clone(), "TAKEN"),
        ("createCourse", named.clone(), "TAKEN"),
        ("updateTask", titled, "NOT_FOUND"),
        ("updateCourse", named, "NOT_FOUND"),
        ("completeTasks", ids(&[task]), "NOT_FOUND"),
    ];
    for mutation in ["restoreItems", "deleteItems", "trashItems"] {
        mutations.extend([course, task].map(|id| (mutation, ids(&[id]), "NOT_FOUND")));
    }
    for (mutation, input, expected) in mutations {
        let payload = notebook.ada.try_mutate(mutation, input, "").await;
        assert_eq!(code(&payload), expected, "{mutation}: {payload}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_course_and_its_contents_are_gone_before_their_rows() {
    let notebook = Notebook::new().await;
    let course = ids(&[&notebook.course]);
    let refused = notebook.ada.try_mutate("deleteItems", course, "").await;
    assert_eq!(code(&refused), "NOT_IN_TRASH");
    notebook.only_committed_of_course("trashItems").await;
    let cursor = notebook.ada.changes_cursor().await;
    let payload = notebook.only_committed_of_course("deleteItems").await;
    let mut expected: HashSet<&str> = notebook
        .with_contents()
        .into_iter()
        .map(String::as_str)
        .collect();
    expected.insert(&notebook.trashed);
    assert_eq!(set(&payload["deletedIds"]), expected);
    let first = &payload["deletedIds"][0];
    assert_eq!(*first, notebook.course, "what was named comes first");
    assert_gone(&notebook).await;
    let mut changes = notebook.all("DELETED");
    changes.insert(notebook.trashed.clone(), "DELETED".to_owned());
    assert_eq!(notebook.changes_after(cursor).await, changes);
    let by_ada =
        "audit_logs WHERE action = 'DELETED' AND actor_id = user_id AND ip_address = '127.0.0.1'";
    assert_eq!(notebook.count(by_ada).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_trash_is_empty_before_its_rows_are_deleted() {
    let notebook = Notebook::new().await;
    let items = [&notebook.tasks[..], &notebook.documents].concat();
    notebook.ada.trash(&items).await;
    notebook.ada.trash(&[&notebook.course]).await;
    notebook.finish().await;
    let payload = notebook.only_committed("emptyTrash", Value::Null).await;
    assert_eq!(set(&payload["deletedIds"]).len(), 8);
    assert_gone(&notebook).await;
    let again = notebook.only_committed("emptyTrash", Value::Null).await;
    assert_eq!(again, json!({ "deletedIds": [], "userErrors": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_deleted_without_their_active_course() {
    let notebook = Notebook::new().await;
    let items = [&notebook.tasks[0], &notebook.documents[0]];
    notebook.ada.trash(&items).await;
    let payload = notebook.only_committed("emptyTrash", Value::Null).await;
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
    notebook.finish_unseen(&seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_items_stay_deleted_if_their_course_is_restored_before_their_rows_are_deleted() {
    let notebook = Notebook::new().await;
    notebook.ada.trash(&[&notebook.course]).await;
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
    notebook.only_committed_of_course("restoreItems").await;
    let moved = json!({ "id": document, "courseId": notebook.other });
    for (mutation, input) in [
        ("updateTask", json!({ "id": task, "courseId": null })),
        ("updateDocument", moved),
        ("completeTasks", ids(&[task])),
    ] {
        let payload = notebook.ada.try_mutate(mutation, input, "").await;
        assert_eq!(code(&payload), "NOT_FOUND", "{mutation}: {payload}");
    }
    let seen = notebook.seen().await;
    assert_eq!(seen["course"]["openTaskCount"], 2);
    notebook.finish_unseen(&seen).await;
    let left = format!(
        "SELECT (SELECT count(*) FROM tasks WHERE id = '{task}') + (SELECT count(*) FROM documents WHERE id = '{document}')"
    );
    assert_eq!(notebook.app.number(&left).await, 0);
}

/// More assignments than a step deletes.
const TAGGED: i64 = 5_000;

/// A statement that deletes more assignments than a step may fails. The deletion of a tag would delete what is left.
const LIMIT: &str = "
    CREATE FUNCTION limit_assignments() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT count(*) FROM removed) > 2000 THEN
            RAISE EXCEPTION 'too many assignments in one statement';
        END IF;
        RETURN NULL;
    END
    $$;
    CREATE TRIGGER limit_assignments AFTER DELETE ON task_tags REFERENCING OLD TABLE AS removed
        FOR EACH STATEMENT EXECUTE FUNCTION limit_assignments()";

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_many_items_is_deleted_in_steps_that_do_not_change_the_items() {
    let notebook = Notebook::new().await;
    let tag = &notebook.tags[0];
    notebook
        .app
        .sql(&format!(
            "SET session_replication_role = replica;
             INSERT INTO tasks (user_id, id, title)
             SELECT user_id, gen_random_uuid(), 'Tagged' FROM tags, generate_series(1, {TAGGED}) WHERE id = '{tag}';
             INSERT INTO task_tags (user_id, item_id, tag_id)
             SELECT user_id, id, '{tag}' FROM tasks WHERE title = 'Tagged'"
        ))
        .await;
    notebook.app.sql(LIMIT).await;
    notebook.ada.trash(&[tag]).await;
    let changes = notebook.count("audit_logs").await;
    notebook.ada.delete(&[tag]).await;
    notebook.finish().await;
    let of_tag = |table: &str| format!("{table} WHERE tag_id = '{tag}'");
    for table in ["task_tags", "document_tags"] {
        assert_eq!(notebook.count(&of_tag(table)).await, 0, "{table}");
    }
    assert_eq!(notebook.count("tags").await, 1);
    let unchanged = "tasks WHERE title = 'Tagged' AND version = 1";
    assert_eq!(notebook.count(unchanged).await, TAGGED);
    let logged = notebook.count("audit_logs").await - changes;
    assert_eq!(logged, 1, "only the deletion of the tag");
}

/// A newer program may have added a kind of items.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_on_an_unknown_kind_of_item_does_not_delay_other_owners() {
    let notebook = Notebook::new().await;
    // An owner with a higher id has their turn later.
    notebook
        .app
        .sql(
            "ALTER TABLE pending_operations DROP CONSTRAINT pending_operations_operation_of_kind;
             INSERT INTO pending_operations (user_id, item_id, kind, operation)
             SELECT id, gen_random_uuid(), 99, 'remove' FROM users",
        )
        .await;
    let eve = notebook.app.signed_up("eve").await;
    assert!(eve.id > notebook.ada.id, "ids grow");
    let task = eve.create_task(None, "Eve's").await;
    eve.trash(&[&task]).await;
    notebook
        .app
        .sql(&format!(
            "INSERT INTO pending_operations (user_id, item_id, kind, operation)
             SELECT user_id, id, 3, 'remove' FROM tasks WHERE id = '{task}'"
        ))
        .await;
    let finished = snapnote::pending::finish(&notebook.app.pool).await;
    assert!(!finished.unwrap().blocked);
    assert_eq!(
        notebook.count(&format!("tasks WHERE id = '{task}'")).await,
        0
    );
    let postponed = "pending_operations WHERE kind = 99 AND retry_at > now() + interval '23 hours'";
    assert_eq!(notebook.count(postponed).await, 1);
}
