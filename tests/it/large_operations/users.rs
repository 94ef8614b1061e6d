//! Users who delete their account while much of it is left.

use futures_util::future::join_all;
use serde_json::json;

use super::{Notebook, code};
use crate::{
    account_deletion::where_is,
    support::{PASSWORD, codes, ids},
};

#[tokio::test(flavor = "multi_thread")]
async fn deleted_users_are_gone_before_their_rows() {
    let notebook = Notebook::new().await;
    let root = notebook.app.admin("root").await;
    let id = notebook.ada.id.clone();
    let input = json!({ "password": PASSWORD });
    let payload = notebook.only_committed("deleteMe", input).await;
    assert_eq!(payload, json!({ "deletedIds": [id], "userErrors": [] }));
    assert_eq!(notebook.count("documents").await, 4);

    assert!(!notebook.ada.is_accepted().await);
    let anonymous = notebook.app.anonymous();
    let refused = anonymous.sign_in("ada@example.com", PASSWORD).await;
    assert_eq!(codes(&refused), ["INVALID_CREDENTIALS"]);
    let users = root.query("{ users { totalCount nodes { name } } }").await;
    let only_root = json!({ "totalCount": 1, "nodes": [{ "name": "root" }] });
    assert_eq!(users["users"], only_root);
    for (mutation, input) in [
        ("setUserActive", json!({ "userId": id, "active": true })),
        ("setUserRole", json!({ "userId": id, "role": "ADMIN" })),
    ] {
        let payload = root.try_mutate(mutation, input, "").await;
        assert_eq!(code(&payload), "NOT_FOUND", "{mutation}");
    }
    assert_eq!(where_is(&notebook.app, "ada@example.com").await, "");
    let again = notebook.app.signed_up("ada").await;
    assert_ne!(again.id, id);

    notebook.finish().await;
    for table in "courses documents tasks tags document_tags task_tags search_indexes".split(' ') {
        let rows = format!("{table} WHERE user_id = '{id}'");
        assert_eq!(notebook.app.count(&rows).await, 0, "{table}");
    }
    let logged = format!(
        "SELECT string_agg(action || ' ' || entity_type, ', ') FROM audit_logs WHERE user_id = '{id}'"
    );
    assert_eq!(notebook.app.text(&logged).await, "DELETED User");
    assert!(again.is_accepted().await);
}

/// While a deletion runs, it holds no locks that other users need.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_deletion_delays_no_other_user() {
    let notebook = Notebook::new().await;
    let root = notebook.app.admin("root").await;
    let grace = notebook.app.signed_up("grace").await;
    let held = notebook.hold().await;
    let payload = notebook.ada.delete_me(PASSWORD).await;
    assert_eq!(payload["userErrors"], json!([]));
    root.create_task(None, "x").await;
    let anonymous = notebook.app.anonymous();
    assert!(anonymous.can_sign_in("root@example.com", PASSWORD).await);
    let payload = grace.deactivate_me(PASSWORD).await;
    assert_eq!(payload["user"]["id"], grace.id);
    assert_ne!(notebook.pending().await, 0, "the deletion is still running");
    drop(held);
    notebook.finish().await;
}

/// Three courses are written in loops while their owner is deleted. The writes end, and the deletion completes.
#[tokio::test(flavor = "multi_thread")]
async fn users_can_delete_themselves_during_their_own_writes() {
    let notebook = Notebook::new().await;
    let app = &notebook.app;
    for round in 0..15 {
        let person = app.signed_up(&format!("user{round}")).await;
        let writer = async |_| {
            let course = person.create_course("c").await;
            loop {
                for (mutation, input) in [
                    ("createTask", json!({ "courseId": course, "title": "t" })),
                    ("updateCourse", json!({ "id": course, "name": "d" })),
                    ("trashItems", ids(&[&course])),
                    ("restoreItems", ids(&[&course])),
                ] {
                    let answer = person.post_mutation(mutation, input, "").await.json();
                    if let Some(errors) = answer["errors"].as_array() {
                        let code = &errors[0]["extensions"]["code"];
                        assert_eq!(code, "UNAUTHENTICATED", "{answer}");
                        return;
                    }
                }
            }
        };
        let leave = async {
            let written = format!(
                "SELECT (count(*) > 2)::int FROM tasks WHERE user_id = '{}'",
                person.id
            );
            app.eventually_number(&written, 1).await;
            person.delete_me(PASSWORD).await
        };
        let (payload, _) = tokio::join!(leave, join_all((0..3).map(writer)));
        let deleted = json!({ "deletedIds": [person.id], "userErrors": [] });
        assert_eq!(payload, deleted);
    }
    notebook.finish().await;
    let left = "users WHERE deleted_at IS NOT NULL";
    assert_eq!(app.count(left).await, 0);
}
