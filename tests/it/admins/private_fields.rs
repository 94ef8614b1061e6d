//! Private fields that admins read are logged, and admins cannot read other users' items.

use std::collections::BTreeSet;

use serde_json::json;

use super::users;
use crate::support::{TestApp, list, texts};

const PARTS: &str = "query($email: String) { users(emailContains: $email) { nodes {
    profile { preferences } sessions { id current } accounts { provider providerAccountId }
    auditLog { nodes { action actorId } } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn private_fields_that_an_admin_reads_are_logged_for_their_owner() {
    let (app, root) = TestApp::start().await.with_admin("root").await;
    let ada = app.signed_up("ada").await;
    app.signed_up("grace").await;
    let all = "audit_logs WHERE action LIKE '%_READ'";
    let of_ada = format!("{all} AND user_id = '{}'", ada.id);
    let noted = async || (app.count(&of_ada).await, app.count(all).await);
    let own = "{ me { profile { preferences } sessions { id } accounts { provider } auditLog { nodes { action } } } }";
    ada.query(own).await;
    root.query(own).await;
    users(&root, json!({})).await;
    root.data(PARTS, json!({ "email": "root@" })).await;
    assert_eq!(noted().await, (0, 0), "own fields, and the list alone");

    let data = root.data(PARTS, json!({ "email": "ada@" })).await;
    let read = &data["users"]["nodes"][0];
    let session = json!([{ "id": ada.session, "current": false }]);
    assert_eq!(read["sessions"], session);
    let account = json!([{ "provider": "password", "providerAccountId": "ada@example.com" }]);
    assert_eq!(read["accounts"], account);
    assert_eq!(noted().await, (4, 4));
    for part in ["PROFILE", "SESSIONS", "ACCOUNTS", "AUDIT_LOG"] {
        let logged = format!(
            "audit_logs WHERE action = '{part}_READ' AND actor_id = '{}'
             AND entity_type = 'User' AND entity_id = '{}' AND ip_address = '127.0.0.1'",
            root.id, ada.id
        );
        assert_eq!(app.count(&logged).await, 1, "{part}");
    }
    let log = ada.query(own).await;
    let actions = texts(&log["me"]["auditLog"]["nodes"], "action");
    assert!(actions.contains(&"PROFILE_READ".to_owned()), "{actions:?}");
    let all_users = root.query(PARTS).await;
    assert_eq!(list(&all_users["users"]["nodes"]).len(), 3);
    assert_eq!(noted().await, (8, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn private_fields_are_not_returned_if_the_read_cannot_be_logged() {
    let (app, root) = TestApp::start().await.with_admin("root").await;
    app.signed_up("ada").await;
    app.sql("ALTER TABLE audit_logs ADD CHECK (action NOT LIKE '%\\_READ')")
        .await;
    for part in [
        "profile { preferences }",
        "sessions { id }",
        "accounts { provider }",
        "auditLog { nodes { action } }",
    ] {
        let query = format!("{{ users(emailContains: \"ada@\") {{ nodes {{ {part} }} }} }}");
        let answer = root.graphql(&query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL");
        assert!(answer["data"].is_null(), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_cannot_read_items_of_others() {
    let (app, root) = TestApp::start().await.with_admin("root").await;
    let ada = app.signed_up("ada").await;
    let course = ada.create_course("c").await;
    let document = ada.create_document(&course, "").await;
    let task = ada.create_task(None, "t").await;
    let ids = json!({ "course": course, "document": document, "task": task, "user": ada.id, "session": ada.session });
    let query = "query($course: ID!, $document: ID!, $task: ID!, $user: ID!, $session: ID!) {
        course(id: $course) { id } document(id: $document) { id } task(id: $task) { id }
        nodes(ids: [$course, $document, $task, $user, $session]) { id } node(id: $user) { id } }";
    let nothing = json!({ "course": null, "document": null, "task": null,
                          "nodes": [null, null, null, null, null], "node": null });
    assert_eq!(root.data(query, ids.clone()).await, nothing);
    let own = ada.data(query, ids).await;
    assert_eq!(own["nodes"][4]["id"], ada.session, "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_has_no_path_from_a_user_to_their_items() {
    let app = TestApp::start().await;
    let query = "query($name: String!) { __type(name: $name) { fields { type {
        name ofType { name ofType { name ofType { name } } } } } } }";
    let (mut reached, mut next) = (BTreeSet::new(), vec!["User".to_owned()]);
    while let Some(name) = next.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        let variables = json!({ "name": name });
        let fields = app.anonymous().data(query, variables).await["__type"]["fields"].take();
        for field in fields.as_array().into_iter().flatten() {
            let mut of = &field["type"];
            while of["name"].is_null() {
                of = &of["ofType"];
            }
            next.push(of["name"].as_str().unwrap().to_owned());
        }
    }
    assert!(reached.contains("AuditEvent") && reached.contains("Session"));
    for kept in ["Course", "Document", "Task", "Item", "Node"] {
        assert!(!reached.contains(kept), "{kept}: {reached:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_users_with_all_private_fields_take_a_few_statements() {
    let (app, root) = TestApp::start().await.with_admin("root").await;
    app.sql(
        "INSERT INTO users (id, email, email_key, name, password_hash)
         SELECT gen_random_uuid(), n || '@example.com', n || '@example.com', n, 'x' FROM generate_series(1, 60) AS n;
         INSERT INTO user_profiles (user_id) SELECT id FROM users ON CONFLICT DO NOTHING",
    )
    .await;
    let query = "{ users(first: 50) { totalCount nodes { profile { proficiency } sessions { id } accounts { provider }
        auditLog(first: 5) { nodes { action } } } } }";
    let before = app.pool.statements();
    let data = root.query(query).await;
    let sent = app.pool.statements() - before;
    let nodes = list(&data["users"]["nodes"]);
    assert_eq!(nodes.len(), 50);
    for node in nodes {
        let actions = texts(&node["auditLog"]["nodes"], "action");
        assert!(actions.contains(&"CREATED".to_owned()), "{node}");
        assert_eq!(node["profile"]["proficiency"], "PRO");
    }
    // The revocations and the session; the list; and for each of the four fields: the permission, the log entry, the field.
    // On a busy machine a batch may be split into two or three. Without batches there would be hundreds of statements.
    assert!(sent <= 48, "{sent} statements");
    let noted = "audit_logs WHERE action LIKE '%_READ'";
    assert_eq!(app.count(noted).await, 200);
}
