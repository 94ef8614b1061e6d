//! Users who delete their account while much of it is left.

use serde_json::{Value, json};

use super::{Notebook, run};
use crate::{
    admins::admin,
    leaving::where_is,
    people::{SIGN_UP, person, sign_in},
    session_list::{Person, let_in},
};

const DELETE_ME: &str = "mutation { deleteMe(input: { password: \"correct horse\" }) { deletedIds userErrors { code field } } }";
const USERS: &str = "{ users { totalCount nodes { name } } }";

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_is_gone_before_what_they_owned_is() {
    let notebook = Notebook::new().await;
    let root = admin(&notebook.app, "root").await;
    let id = notebook
        .app
        .text("SELECT id FROM users WHERE name = 'ada'")
        .await;
    let payload = notebook.only_committed(DELETE_ME, json!({})).await;
    assert_eq!(payload, json!({ "deletedIds": [id], "userErrors": [] }));
    assert_eq!(
        notebook.app.number("SELECT count(*) FROM documents").await,
        4
    );

    assert!(!let_in(&notebook.ada).await);
    let refused = sign_in(&notebook.app.visitor(), "ada@example.com", "correct horse").await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    let users = root.client.data(USERS, json!({})).await;
    assert_eq!(
        users["users"],
        json!({ "totalCount": 1, "nodes": [{ "name": "root" }] })
    );
    let set = |mutation: &str| {
        format!("mutation {{ {mutation} {{ user {{ id }} userErrors {{ code }} }} }}")
    };
    for mutation in [
        format!("setUserActive(input: {{ userId: \"{id}\", active: true }})"),
        format!("setUserRole(input: {{ userId: \"{id}\", role: ADMIN }})"),
    ] {
        let payload = run(&root.client, &set(&mutation), json!({})).await;
        assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND", "{mutation}");
    }
    assert_eq!(where_is(&notebook.app, "ada@example.com").await, "");
    let answer = notebook.app.visitor().data(SIGN_UP, person("ada")).await;
    let again = Person::of(&notebook.app, &answer["signUp"]);
    assert_ne!(again.id, id);

    notebook.finish().await;
    for table in [
        "courses",
        "documents",
        "tasks",
        "search_entries",
        "search_words",
    ] {
        let rows = format!("SELECT count(*) FROM {table} WHERE user_id = '{id}'");
        assert_eq!(notebook.app.number(&rows).await, 0, "{table}");
    }
    let logged = format!(
        "SELECT string_agg(action || ' ' || entity_type, ', ') FROM audit_logs WHERE user_id = '{id}'"
    );
    assert_eq!(notebook.app.text(&logged).await, "DELETED User");
    assert!(let_in(&again.client).await);
}

/// Locks that a user's deletion must not take are taken by nobody while it is under way.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_deletion_delays_no_admin_and_no_other_user() {
    let notebook = Notebook::new().await;
    let root = admin(&notebook.app, "root").await;
    let grace = Person::signed_up(&notebook.app, "grace").await;
    let held = notebook.hold().await;
    let payload = run(&notebook.ada, DELETE_ME, json!({})).await;
    assert_eq!(payload["userErrors"], json!([]));
    let write =
        "mutation { createTask(input: { title: \"x\" }) { task { id } userErrors { code } } }";
    let payload = run(&root.client, write, json!({})).await;
    assert!(payload["task"]["id"].is_string(), "{payload}");
    let signed_in = sign_in(&notebook.app.visitor(), "root@example.com", "correct horse").await;
    assert_eq!(signed_in["userErrors"], json!([]));
    let deactivate = "mutation { deactivateMe(input: { password: \"correct horse\" }) { user { id } userErrors { code } } }";
    let payload = run(&grace.client, deactivate, json!({})).await;
    assert_eq!(payload["user"]["id"], json!(grace.id));
    assert_ne!(
        notebook.pending().await,
        0,
        "all of this happened during the deletion"
    );
    drop(held);
    notebook.finish().await;
}

/// Three courses that are written in loops while their owner leaves: the writes end, and the deletion is done.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_leaves_beside_their_own_writes() {
    let notebook = Notebook::new().await;
    let app = &notebook.app;
    for round in 0..15 {
        let name = format!("user{round}");
        let person = Person::signed_up(app, &name).await;
        let mut courses = Vec::new();
        for _ in 0..3 {
            courses.push(super::create(&person.client, "Course", "name: \"c\"").await);
        }
        let writer = |course: String| {
            let client = person.client.clone();
            async move {
                loop {
                    let query = format!(
                        "mutation {{ createTask(input: {{ courseId: \"{course}\", title: \"t\" }}) {{ userErrors {{ code }} }}
                         updateCourse(input: {{ id: \"{course}\", name: \"d\" }}) {{ userErrors {{ code }} }}
                         trashItems(input: {{ ids: [\"{course}\"] }}) {{ userErrors {{ code }} }}
                         restoreItems(input: {{ ids: [\"{course}\"] }}) {{ userErrors {{ code }} }} }}"
                    );
                    let answer = client.graphql(&query, json!({})).await;
                    let Some(errors) = answer["errors"].as_array() else {
                        continue;
                    };
                    let codes: Vec<&Value> = errors
                        .iter()
                        .map(|error| &error["extensions"]["code"])
                        .collect();
                    assert!(
                        codes.iter().all(|code| **code == "UNAUTHENTICATED"),
                        "{codes:?}"
                    );
                    return;
                }
            }
        };
        let writers = futures_util::future::join_all(courses.into_iter().map(writer));
        let leave = async {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            run(&person.client, DELETE_ME, json!({})).await
        };
        let (payload, _) = tokio::join!(leave, writers);
        assert_eq!(
            payload,
            json!({ "deletedIds": [person.id], "userErrors": [] })
        );
    }
    notebook.finish().await;
    let left = "SELECT count(*) FROM users WHERE deleted_at IS NOT NULL";
    assert_eq!(app.number(left).await, 0);
}
