//! Courses that go to the trash and come back.

use serde_json::json;

use super::{Notebook, RESTORE, TRASH, code, create, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_course_in_the_trash_hides_its_contents_before_they_are_moved() {
    let notebook = Notebook::new().await;
    let cursor = notebook.newest().await;
    let ids = json!({ "ids": [notebook.course] });
    let payload = notebook.only_committed(TRASH, ids).await;
    assert_eq!(payload["items"][0]["status"], "TRASH", "{payload}");
    assert_eq!(notebook.pending().await, 1);
    let moved = "SELECT count(*) FROM tasks WHERE trashed_with IS NOT NULL";
    assert_eq!(notebook.app.number(moved).await, 0);

    let seen = notebook.seen().await;
    let course = &seen["course"];
    assert_eq!(course["status"], "TRASH");
    assert_eq!(
        (
            course["documentCount"].clone(),
            course["openTaskCount"].clone()
        ),
        (json!(0), json!(0))
    );
    assert_eq!(course["documents"]["totalCount"], 0);
    assert_eq!(course["tasks"]["totalCount"], 4);
    let task = &seen["task"];
    assert_eq!(task["status"], "TRASH");
    assert_eq!(task["trashedWith"]["id"], json!(notebook.course));
    assert_eq!(task["deletedAt"], course["deletedAt"]);
    assert_eq!(seen["tasks"]["totalCount"], 2);
    assert_eq!(seen["trashedTasks"]["totalCount"], 4);
    assert_eq!(seen["trash"]["totalCount"], 8);
    assert_eq!(seen["search"]["edges"].as_array().unwrap().len(), 3);

    notebook.finish().await;
    assert_eq!(notebook.seen().await, seen);
    assert_eq!(notebook.app.number(moved).await, 3);
    assert_eq!(notebook.told(cursor).await, notebook.all("TRASHED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_course_shows_its_contents_before_they_are_moved() {
    let notebook = Notebook::new().await;
    let before = notebook.seen().await;
    let ids = json!({ "ids": [notebook.course] });
    run(&notebook.ada, TRASH, ids.clone()).await;
    notebook.finish().await;
    let cursor = notebook.newest().await;
    let payload = notebook.only_committed(RESTORE, ids).await;
    assert_eq!(payload["items"][0]["status"], "ACTIVE", "{payload}");
    let left = "SELECT count(*) FROM tasks WHERE trashed_with IS NOT NULL";
    assert_eq!(notebook.app.number(left).await, 3);
    assert_eq!(notebook.seen().await, before);
    notebook.finish().await;
    assert_eq!(notebook.seen().await, before);
    assert_eq!(notebook.app.number(left).await, 0);
    assert_eq!(notebook.told(cursor).await, notebook.all("RESTORED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_course_may_go_and_come_and_go_before_anything_of_it_is_moved() {
    let notebook = Notebook::new().await;
    let ids = json!({ "ids": [notebook.course] });
    run(&notebook.ada, TRASH, ids.clone()).await;
    notebook.finish().await;
    notebook.only_committed(RESTORE, ids.clone()).await;
    notebook.only_committed(TRASH, ids).await;
    let seen = notebook.seen().await;
    notebook.finish().await;
    assert_eq!(
        notebook.seen().await,
        seen,
        "by the time of the second move"
    );
    let stale = "SELECT count(*) FROM tasks JOIN courses ON courses.id = course_id
        WHERE trashed_with IS NOT NULL AND tasks.deleted_at <> courses.deleted_at";
    assert_eq!(notebook.app.number(stale).await, 0);
    let edited = "SELECT (SELECT count(*) FROM audit_logs WHERE action = 'UPDATED')
        + (SELECT count(*) FROM tasks WHERE updated_at <> created_at)";
    assert_eq!(notebook.app.number(edited).await, 0, "moves are no edits");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_changes_in_a_course_that_is_in_the_trash() {
    let notebook = Notebook::new().await;
    let ids = json!({ "ids": [notebook.course] });
    notebook.only_committed(TRASH, ids).await;
    let (task, document) = (&notebook.tasks[0], &notebook.documents[0]);
    for mutation in [
        format!("updateTask(input: {{ id: \"{task}\", title: \"x\" }})"),
        format!("updateTask(input: {{ id: \"{task}\", courseId: null }})"),
        format!("updateDocument(input: {{ id: \"{document}\", title: \"x\" }})"),
        format!("completeTasks(input: {{ ids: [\"{task}\"] }})"),
        format!(
            "createTask(input: {{ courseId: \"{}\", title: \"x\" }})",
            notebook.course
        ),
        format!("restoreItems(input: {{ ids: [\"{task}\"] }})"),
        format!(
            "requestImageUpload(input: {{ documentId: \"{document}\", contentType: \"image/png\", byteSize: 100 }})"
        ),
    ] {
        let query = format!("mutation {{ {mutation} {{ userErrors {{ code field }} }} }}");
        let payload = run(&notebook.ada, &query, json!({})).await;
        assert_eq!(code(&payload), "IN_TRASH", "{mutation}: {payload}");
    }
    let seen = notebook.seen().await;
    notebook.finish().await;
    assert_eq!(notebook.seen().await, seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_changed_in_a_course_that_was_restored() {
    let notebook = Notebook::new().await;
    let ids = json!({ "ids": [notebook.course] });
    run(&notebook.ada, TRASH, ids.clone()).await;
    notebook.finish().await;
    notebook.only_committed(RESTORE, ids).await;
    let (task, document) = (&notebook.tasks[0], &notebook.documents[0]);
    let (moved, away) = (&notebook.tasks[1], &notebook.documents[1]);
    let other = &notebook.other;
    for (mutation, item) in [
        (
            format!(
                "updateTask(input: {{ id: \"{task}\", title: \"Zebra task 00\", version: 2 }})"
            ),
            "task",
        ),
        (
            format!("updateTask(input: {{ id: \"{moved}\", courseId: \"{other}\" }})"),
            "task",
        ),
        (
            format!("updateDocument(input: {{ id: \"{document}\", title: \"Zebra 00\" }})"),
            "document",
        ),
        (
            format!("updateDocument(input: {{ id: \"{away}\", courseId: \"{other}\" }})"),
            "document",
        ),
    ] {
        let query = format!(
            "mutation {{ {mutation} {{ {item} {{ status deletedAt trashedWith {{ id }} }} userErrors {{ code field }} }} }}"
        );
        let payload = run(&notebook.ada, &query, json!({})).await;
        let active = json!({ "status": "ACTIVE", "deletedAt": null, "trashedWith": null });
        assert_eq!(payload[item], active, "{mutation}: {payload}");
    }
    let complete = format!(
        "mutation {{ completeTasks(input: {{ ids: [\"{task}\"] }}) {{ tasks {{ completed status }} }} }}"
    );
    let payload = run(&notebook.ada, &complete, json!({})).await;
    assert_eq!(
        payload["tasks"],
        json!([{ "completed": true, "status": "ACTIVE" }])
    );
    // One of them goes to the trash by itself, so it no longer belongs to what its course brings back.
    let third = &notebook.tasks[2];
    run(&notebook.ada, TRASH, json!({ "ids": [third] })).await;
    let input = format!(
        "courseId: \"{}\", title: \"Zebra task of late\"",
        notebook.course
    );
    create(&notebook.ada, "Task", &input).await;
    let seen = notebook.seen().await;
    assert_eq!(
        seen["course"]["openTaskCount"], 1,
        "one completed, one moved, one in the trash, one new"
    );
    notebook.finish().await;
    assert_eq!(notebook.seen().await, seen);
    let action = format!(
        "SELECT action FROM audit_logs WHERE entity_id = '{third}' ORDER BY id DESC LIMIT 1"
    );
    assert_eq!(notebook.app.text(&action).await, "TRASHED");
}
