//! Courses that are trashed and restored.

use serde_json::json;

use super::{Notebook, code};
use crate::support::{ids, list};

#[tokio::test(flavor = "multi_thread")]
async fn a_trashed_course_hides_its_contents_before_their_rows_change() {
    let notebook = Notebook::new().await;
    let cursor = notebook.ada.changes_cursor().await;
    let payload = notebook.only_committed_of_course("trashItems").await;
    assert_eq!(payload["items"][0]["status"], "TRASH", "{payload}");
    assert_eq!(notebook.pending().await, 1);
    let moved = "tasks WHERE trashed_with IS NOT NULL";
    assert_eq!(notebook.count(moved).await, 0);

    let seen = notebook.seen().await;
    let course = &seen["course"];
    assert_eq!(course["status"], "TRASH");
    assert_eq!(course["documentCount"], 0);
    assert_eq!(course["openTaskCount"], 0);
    assert_eq!(course["documents"]["totalCount"], 0);
    assert_eq!(course["tasks"]["totalCount"], 4);
    let task = &seen["task"];
    assert_eq!(task["status"], "TRASH");
    assert_eq!(task["trashedWith"]["id"], json!(notebook.course));
    assert_eq!(task["deletedAt"], course["deletedAt"]);
    assert_eq!(seen["tasks"]["totalCount"], 2);
    assert_eq!(seen["trashedTasks"]["totalCount"], 4);
    assert_eq!(seen["trash"]["totalCount"], 8);
    assert_eq!(list(&seen["search"]["edges"]).len(), 3);

    notebook.finish_unseen(&seen).await;
    assert_eq!(notebook.count(moved).await, 3);
    let changes = notebook.changes_after(cursor).await;
    assert_eq!(changes, notebook.all("TRASHED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_course_shows_its_contents_before_their_rows_change() {
    let notebook = Notebook::new().await;
    let before = notebook.seen().await;
    notebook.ada.trash(&[&notebook.course]).await;
    notebook.finish().await;
    let cursor = notebook.ada.changes_cursor().await;
    let payload = notebook.only_committed_of_course("restoreItems").await;
    assert_eq!(payload["items"][0]["status"], "ACTIVE", "{payload}");
    let left = "tasks WHERE trashed_with IS NOT NULL";
    assert_eq!(notebook.count(left).await, 3);
    assert_eq!(notebook.seen().await, before);
    notebook.finish_unseen(&before).await;
    assert_eq!(notebook.count(left).await, 0);
    let changes = notebook.changes_after(cursor).await;
    assert_eq!(changes, notebook.all("RESTORED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_course_can_be_trashed_and_restored_repeatedly_before_rows_change() {
    let notebook = Notebook::new().await;
    notebook.ada.trash(&[&notebook.course]).await;
    notebook.finish().await;
    notebook.only_committed_of_course("restoreItems").await;
    notebook.only_committed_of_course("trashItems").await;
    let seen = notebook.seen().await;
    notebook.finish_unseen(&seen).await;
    let stale = "tasks JOIN courses ON courses.id = course_id
        WHERE trashed_with IS NOT NULL AND tasks.deleted_at <> courses.deleted_at";
    assert_eq!(notebook.count(stale).await, 0);
    let edited = "(SELECT FROM audit_logs WHERE action = 'UPDATED'
        UNION ALL SELECT FROM tasks WHERE updated_at <> created_at) AS edited";
    assert_eq!(notebook.count(edited).await, 0, "moves are not edits");
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_of_a_trashed_course_cannot_be_changed() {
    let notebook = Notebook::new().await;
    notebook.only_committed_of_course("trashItems").await;
    let (task, document) = (&notebook.tasks[0], &notebook.documents[0]);
    let upload = json!({ "documentId": document, "contentType": "image/png", "byteSize": 100 });
    for (mutation, input) in [
        ("updateTask", json!({ "id": task, "title": "x" })),
        ("updateTask", json!({ "id": task, "courseId": null })),
        ("updateDocument", json!({ "id": document, "title": "x" })),
        ("completeTasks", ids(&[task])),
        (
            "createTask",
            json!({ "courseId": notebook.course, "title": "x" }),
        ),
        ("restoreItems", ids(&[task])),
        ("requestImageUpload", upload),
    ] {
        let payload = notebook.ada.try_mutate(mutation, input, "").await;
        assert_eq!(code(&payload), "IN_TRASH", "{mutation}: {payload}");
    }
    let seen = notebook.seen().await;
    notebook.finish_unseen(&seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_of_a_restored_course_can_be_changed() {
    let notebook = Notebook::new().await;
    notebook.ada.trash(&[&notebook.course]).await;
    notebook.finish().await;
    notebook.only_committed_of_course("restoreItems").await;
    let (task, document) = (&notebook.tasks[0], &notebook.documents[0]);
    let (moved, away) = (&notebook.tasks[1], &notebook.documents[1]);
    let other = &notebook.other;
    let title = json!({ "id": task, "title": "Zebra task 00", "version": 2 });
    let document_title = json!({ "id": document, "title": "Zebra 00" });
    let move_task = json!({ "id": moved, "courseId": other });
    let move_document = json!({ "id": away, "courseId": other });
    for (mutation, item, input) in [
        ("updateTask", "task", title),
        ("updateTask", "task", move_task),
        ("updateDocument", "document", document_title),
        ("updateDocument", "document", move_document),
    ] {
        let selection = format!("{item} {{ status deletedAt trashedWith {{ id }} }}");
        let payload = notebook.ada.mutate(mutation, input, &selection).await;
        let active = json!({ "status": "ACTIVE", "deletedAt": null, "trashedWith": null });
        assert_eq!(payload[item], active, "{mutation}: {payload}");
    }
    let (ada, selection) = (&notebook.ada, "tasks { completed status }");
    let completed = ada.mutate("completeTasks", ids(&[task]), selection).await;
    let expected = json!([{ "completed": true, "status": "ACTIVE" }]);
    assert_eq!(completed["tasks"], expected);
    // A task that is trashed alone is no longer restored with its course.
    let third = &notebook.tasks[2];
    ada.trash(&[third]).await;
    ada.create_task(Some(&notebook.course), "Zebra task of late")
        .await;
    let seen = notebook.seen().await;
    // One is completed, one moved, one in the trash, one new.
    assert_eq!(seen["course"]["openTaskCount"], 1);
    notebook.finish_unseen(&seen).await;
    let action = "SELECT action FROM audit_logs WHERE entity_id =";
    let action = format!("{action} '{third}' ORDER BY id DESC LIMIT 1");
    assert_eq!(notebook.app.text(&action).await, "TRASHED");
}
