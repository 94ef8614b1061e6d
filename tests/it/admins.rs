//! Admins: they see all users, bar and admit them and make others admins; one of them always stays. What they read of
//! others is noted there, and what others keep they cannot read.

mod plans;

use std::collections::BTreeSet;

use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    people::sign_in,
    session_list::{Person, let_in, refused_soon},
    support::{Client, TestApp},
};

/// Somebody who has signed up and been made an admin.
pub(crate) async fn admin(app: &TestApp, name: &str) -> Person {
    let person = Person::signed_up(app, name).await;
    let sql = format!("UPDATE users SET role = 'admin' WHERE id = '{}'", person.id);
    app.sql(&sql).await;
    person
}

const USERS: &str = "query($email: String, $active: Boolean, $first: Int, $after: String) {
    users(emailContains: $email, active: $active, first: $first, after: $after) {
        totalCount edges { cursor } nodes { id name active role }
        pageInfo { hasNextPage hasPreviousPage endCursor } } }";

const SET_ACTIVE: &str = "mutation($user: ID!, $active: Boolean!) {
    setUserActive(input: { userId: $user, active: $active }) { user { id active } userErrors { code field } } }";

const SET_ROLE: &str = "mutation($user: ID!, $role: Role!) {
    setUserRole(input: { userId: $user, role: $role }) { user { id role } userErrors { code field } } }";

const DEACTIVATE_ME: &str = "mutation { deactivateMe(input: { password: \"correct horse\" }) {
    user { id } userErrors { code } } }";

const DELETE_ME: &str = "mutation { deleteMe(input: { password: \"correct horse\" }) {
    deletedIds userErrors { code } } }";

async fn users(client: &Client, variables: Value) -> Value {
    client.data(USERS, variables).await["users"].take()
}

fn names(page: &Value) -> Vec<&str> {
    let nodes = page["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect()
}

async fn set_active(client: &Client, user: &str, active: bool) -> Value {
    let variables = json!({ "user": user, "active": active });
    client.data(SET_ACTIVE, variables).await["setUserActive"].take()
}

async fn set_role(client: &Client, user: &str, role: &str) -> Value {
    let variables = json!({ "user": user, "role": role });
    client.data(SET_ROLE, variables).await["setUserRole"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_see_and_change_other_users() {
    let app = TestApp::start().await;
    let (ada, grace) = (
        Person::signed_up(&app, "ada").await,
        Person::signed_up(&app, "grace").await,
    );
    let variables = json!({ "user": grace.id, "active": false, "role": "ADMIN" });
    for query in [USERS, SET_ACTIVE, SET_ROLE] {
        let code = ada.client.error_code(query, variables.clone()).await;
        assert_eq!(code, "FORBIDDEN");
        let code = app.visitor().error_code(query, variables.clone()).await;
        assert_eq!(code, "UNAUTHENTICATED");
    }
    // Nor is one's own role one's own to change.
    let own = json!({ "user": ada.id, "role": "ADMIN" });
    assert_eq!(ada.client.error_code(SET_ROLE, own).await, "FORBIDDEN");
    let changed = "SELECT count(*) FROM users WHERE role = 'admin' OR NOT is_active";
    assert_eq!(app.number(changed).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_users_are_listed_page_by_page_newest_first() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    for n in 1..=6 {
        app.signed_up(&format!("user{n}")).await;
    }
    // Some at one moment.
    app.sql("UPDATE users SET created_at = '2026-01-01T00:00:00Z' WHERE name IN ('user2', 'user3', 'user4')")
        .await;
    let whole = users(&root.client, json!({})).await;
    assert_eq!(whole["totalCount"], 7);
    let all = names(&whole);
    assert_eq!(all[..4], ["user6", "user5", "user1", "root"]);
    assert_eq!(all[4..], ["user4", "user3", "user2"]);
    for size in [1, 2, 3, 6, 7, 100] {
        let (mut walked, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = users(&root.client, json!({ "first": size, "after": after })).await;
            assert_eq!(page["totalCount"], 7);
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !walked.is_empty());
            let found = names(&page);
            assert!(found.len() <= size && !found.is_empty());
            walked.extend(found.into_iter().map(str::to_owned));
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(walked, all, "by {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_by_a_part_of_their_address_and_by_whether_they_may_sign_in() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    for name in ["Ada_L", "adal", "100%", "grace"] {
        app.signed_up(name).await;
    }
    app.sql("UPDATE users SET is_active = false WHERE name IN ('adal', 'grace')")
        .await;
    let all: &[&str] = &["grace", "100%", "adal", "Ada_L", "root"];
    let cases: [(Value, &[&str]); 13] = [
        (json!({}), all),
        (json!({ "email": null, "active": null }), all),
        (json!({ "email": "" }), all),
        (json!({ "email": "@EXAMPLE.com" }), all),
        (json!({ "email": "aDa" }), &["adal", "Ada_L"]),
        (json!({ "email": "a_l" }), &["Ada_L"]),
        (json!({ "email": "%" }), &["100%"]),
        (json!({ "email": "\\" }), &[]),
        (json!({ "email": "\0" }), &[]),
        (json!({ "email": "ada\0" }), &[]),
        (json!({ "active": true }), &["100%", "Ada_L", "root"]),
        (json!({ "active": false }), &["grace", "adal"]),
        (json!({ "email": "ada", "active": false }), &["adal"]),
    ];
    for (variables, expected) in cases {
        let found = users(&root.client, variables.clone()).await;
        assert_eq!(names(&found), expected, "{variables}");
        assert_eq!(found["totalCount"], expected.len(), "{variables}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_is_refused() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    root.client
        .data(
            "mutation { createCourse(input: { name: \"c\" }) { course { id } } }",
            json!({}),
        )
        .await;
    let courses = root
        .client
        .data("{ courses { edges { cursor } } }", json!({}))
        .await;
    let of_courses = &courses["courses"]["edges"][0]["cursor"];
    assert!(of_courses.is_string());
    for variables in [
        json!({ "first": 0 }),
        json!({ "first": -1 }),
        json!({ "first": 101 }),
        json!({ "after": "" }),
        json!({ "after": "nonsense" }),
        json!({ "after": "\0" }),
        json!({ "after": of_courses }),
    ] {
        let code = root.client.error_code(USERS, variables.clone()).await;
        assert_eq!(code, "BAD_USER_INPUT", "{variables}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_deactivated_is_out_everywhere_until_admitted_again() {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let root = admin(&app, "root").await;
    let (ada, grace) = (
        Person::signed_up(&app, "ada").await,
        Person::signed_up(&app, "grace").await,
    );
    let there = ada.at(&other);
    assert!(let_in(&ada.client).await && let_in(&there).await);
    let payload = set_active(&root.client, &ada.id, false).await;
    let user = json!({ "id": ada.id, "active": false });
    assert_eq!(payload, json!({ "user": user, "userErrors": [] }));
    refused_soon(&[&ada.client, &there]).await;
    assert!(let_in(&grace.client).await && let_in(&root.client).await);
    let refused = sign_in(&other.visitor(), "ada@example.com", "correct horse").await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    let refresh = format!(
        "mutation {{ refreshSession(input: {{ refreshToken: \"{}\" }}) {{ userErrors {{ code }} }} }}",
        ada.refresh_token
    );
    let expected = json!({ "userErrors": [{ "code": "INVALID_TOKEN" }] });
    let answer = app.visitor().data(&refresh, json!({})).await;
    assert_eq!(answer["refreshSession"], expected);

    let payload = set_active(&root.client, &ada.id, true).await;
    assert_eq!(payload["user"]["active"], true);
    let again = sign_in(&app.visitor(), "ada@example.com", "correct horse").await;
    let again = Person::of(&app, &again);
    assert!(let_in(&again.client).await && let_in(&again.at(&other)).await);
    // What has ended does not come back.
    assert!(!let_in(&ada.client).await && !let_in(&there).await);
    let answer = app.visitor().data(&refresh, json!({})).await;
    assert_eq!(answer["refreshSession"], expected);
    let logged = format!(
        "SELECT count(*) FROM audit_logs WHERE user_id = '{}' AND actor_id = '{}' AND ip_address = '127.0.0.1'
         AND (action = 'UPDATED' AND changes ? 'active' OR action = 'SESSION_REVOKED')",
        ada.id, root.id
    );
    assert_eq!(app.number(&logged).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_counts_from_the_next_request_on() {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let root = admin(&app, "root").await;
    let ada = Person::signed_up(&app, "ada").await;
    let there = ada.at(&other);
    assert_eq!(there.error_code(USERS, json!({})).await, "FORBIDDEN");
    let payload = set_role(&root.client, &ada.id, "ADMIN").await;
    let user = json!({ "id": ada.id, "role": "ADMIN" });
    assert_eq!(payload, json!({ "user": user, "userErrors": [] }));
    assert_eq!(users(&there, json!({})).await["totalCount"], 2);
    set_role(&there, &root.id, "USER").await;
    for client in [&root.client, &root.at(&other)] {
        assert_eq!(client.error_code(USERS, json!({})).await, "FORBIDDEN");
    }
    let back = json!({ "user": root.id, "role": "ADMIN" });
    assert_eq!(
        root.client.error_code(SET_ROLE, back).await,
        "FORBIDDEN",
        "nobody makes themselves one again"
    );
    assert!(let_in(&root.client).await, "they are a user still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_not_there_is_not_found() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    let not_found = json!({ "user": null, "userErrors": [{ "code": "NOT_FOUND", "field": ["input", "userId"] }] });
    for id in [
        "018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f",
        "",
        "7",
        &root.session,
    ] {
        assert_eq!(set_active(&root.client, id, true).await, not_found);
        assert_eq!(set_active(&root.client, id, false).await, not_found);
        assert_eq!(set_role(&root.client, id, "ADMIN").await, not_found);
        assert_eq!(set_role(&root.client, id, "USER").await, not_found);
    }
}

/// What taking the only admin's power away answers, in all the ways there are; each leaves them as they were.
async fn last_admin_stays(root: &Person) {
    let last = json!("LAST_ADMIN");
    let payloads = [
        set_role(&root.client, &root.id, "USER").await,
        set_active(&root.client, &root.id, false).await,
        root.client.data(DEACTIVATE_ME, json!({})).await["deactivateMe"].take(),
        root.client.data(DELETE_ME, json!({})).await["deleteMe"].take(),
    ];
    for payload in payloads {
        assert_eq!(payload["userErrors"][0]["code"], last, "{payload}");
    }
    assert!(let_in(&root.client).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_active_admin_stays_one() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    let second = admin(&app, "second").await;
    set_active(&root.client, &second.id, false).await;
    last_admin_stays(&root).await;
    assert_eq!(users(&root.client, json!({})).await["totalCount"], 2);
    // A barred admin is not what counts, so they can be made less.
    let payload = set_role(&root.client, &second.id, "USER").await;
    assert_eq!(payload["userErrors"], json!([]));
    last_admin_stays(&root).await;
    // What changes nothing is no danger.
    let payload = set_role(&root.client, &root.id, "ADMIN").await;
    assert_eq!(payload["userErrors"], json!([]));
    set_active(&root.client, &second.id, true).await;
    set_role(&root.client, &second.id, "ADMIN").await;
    let payload = root.client.data(DELETE_ME, json!({})).await;
    assert_eq!(payload["deleteMe"]["deletedIds"], json!([root.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_admins_who_remove_each_other_at_once_one_stays() {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let (one, two) = (admin(&app, "one").await, admin(&app, "two").await);
    let there = two.at(&other);
    let left = "SELECT count(*) FROM users WHERE role = 'admin' AND is_active";
    let demote = |user: &Person| json!({ "user": user.id, "role": "USER" });
    for _ in 0..10 {
        let both = join(
            one.client.graphql(SET_ROLE, demote(&two)),
            there.graphql(SET_ROLE, demote(&one)),
        );
        let (first, second) = both.await;
        let refused = |answer: &Value| answer["errors"][0]["extensions"]["code"] == "FORBIDDEN";
        assert!(refused(&first) != refused(&second), "{first} {second}");
        assert_eq!(app.number(left).await, 1);
        app.sql("UPDATE users SET role = 'admin'").await;
    }
    let (first, second) = join(
        one.client.data(DELETE_ME, json!({})),
        there.data(DELETE_ME, json!({})),
    )
    .await;
    let stayed = |data: &Value| data["deleteMe"]["userErrors"][0]["code"] == "LAST_ADMIN";
    assert!(stayed(&first) != stayed(&second), "{first} {second}");
    assert_eq!(app.number(left).await, 1);
}

const PARTS: &str = "query($email: String) { users(emailContains: $email) { nodes {
    profile { preferences } sessions { id current } accounts { provider providerAccountId }
    auditLog { nodes { action actorId } } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn what_an_admin_reads_of_others_is_noted_in_their_logs() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    let ada = Person::signed_up(&app, "ada").await;
    Person::signed_up(&app, "grace").await;
    let noted = || async {
        let of = |user: &str| {
            format!(
                "SELECT count(*) FROM audit_logs WHERE action LIKE '%_READ' AND user_id = '{user}'"
            )
        };
        let all = "SELECT count(*) FROM audit_logs WHERE action LIKE '%_READ'";
        (app.number(&of(&ada.id)).await, app.number(all).await)
    };
    let own = "{ me { profile { preferences } sessions { id } accounts { provider } auditLog { nodes { action } } } }";
    ada.client.data(own, json!({})).await;
    root.client.data(own, json!({})).await;
    users(&root.client, json!({})).await;
    root.client.data(PARTS, json!({ "email": "root@" })).await;
    assert_eq!(noted().await, (0, 0), "one's own, and the list alone");

    let data = root.client.data(PARTS, json!({ "email": "ada@" })).await;
    let read = &data["users"]["nodes"][0];
    assert_eq!(
        read["sessions"],
        json!([{ "id": ada.session, "current": false }])
    );
    assert_eq!(
        read["accounts"],
        json!([{ "provider": "password", "providerAccountId": "ada@example.com" }])
    );
    assert_eq!(noted().await, (4, 4));
    for part in ["PROFILE", "SESSIONS", "ACCOUNTS", "AUDIT_LOG"] {
        let told = format!(
            "SELECT count(*) FROM audit_logs WHERE action = '{part}_READ' AND actor_id = '{}'
             AND entity_type = 'User' AND entity_id = '{}' AND ip_address = '127.0.0.1'",
            root.id, ada.id
        );
        assert_eq!(app.number(&told).await, 1, "{part}");
    }
    let log = ada.client.data(own, json!({})).await["me"]["auditLog"]["nodes"].take();
    assert!(
        log.as_array()
            .unwrap()
            .contains(&json!({ "action": "PROFILE_READ" }))
    );
    let everybody = root.client.data(PARTS, json!({})).await;
    assert_eq!(everybody["users"]["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(noted().await, (8, 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_cannot_be_noted_does_not_happen() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    Person::signed_up(&app, "ada").await;
    app.sql("ALTER TABLE audit_logs ADD CHECK (action NOT LIKE '%\\_READ')")
        .await;
    for part in [
        "profile { preferences }",
        "sessions { id }",
        "accounts { provider }",
        "auditLog { nodes { action } }",
    ] {
        let query = format!("{{ users(emailContains: \"ada@\") {{ nodes {{ {part} }} }} }}");
        let answer = root.client.graphql(&query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL");
        assert!(answer["data"].is_null(), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_keep_is_no_admins() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    let ada = Person::signed_up(&app, "ada").await;
    let make = "mutation($id: ID!) { createDocument(input: { courseId: $id, title: \"d\", originalText: \"\",
        formattedNote: \"\" }) { document { id } } createTask(input: { title: \"t\" }) { task { id } } }";
    let course = "mutation { createCourse(input: { name: \"c\" }) { course { id } } }";
    let course = ada.client.data(course, json!({})).await["createCourse"]["course"]["id"].take();
    let made = ada.client.data(make, json!({ "id": course })).await;
    let ids = json!({ "course": course, "document": made["createDocument"]["document"]["id"],
                      "task": made["createTask"]["task"]["id"], "user": ada.id, "session": ada.session });
    let query = "query($course: ID!, $document: ID!, $task: ID!, $user: ID!, $session: ID!) {
        course(id: $course) { id } document(id: $document) { id } task(id: $task) { id }
        nodes(ids: [$course, $document, $task, $user, $session]) { id } node(id: $user) { id } }";
    let nothing = json!({ "course": null, "document": null, "task": null,
                          "nodes": [null, null, null, null, null], "node": null });
    assert_eq!(root.client.data(query, ids.clone()).await, nothing);
    let own = ada.client.data(query, ids).await;
    assert_eq!(own["nodes"][4]["id"], ada.session, "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_from_a_user_to_what_they_keep() {
    let app = TestApp::start().await;
    let query = "query($name: String!) { __type(name: $name) { fields { type {
        name ofType { name ofType { name ofType { name } } } } } } }";
    let (mut reached, mut next) = (BTreeSet::new(), vec!["User".to_owned()]);
    while let Some(name) = next.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        let variables = json!({ "name": name });
        let fields = app.visitor().data(query, variables).await["__type"]["fields"].take();
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
async fn all_that_is_told_of_fifty_users_takes_a_few_statements() {
    let app = TestApp::start().await;
    let root = admin(&app, "root").await;
    app.sql(
        "INSERT INTO users (id, email, email_key, name, password_hash)
         SELECT gen_random_uuid(), n || '@example.com', n || '@example.com', n, 'x' FROM generate_series(1, 60) AS n;
         INSERT INTO user_profiles (user_id) SELECT id FROM users ON CONFLICT DO NOTHING",
    )
    .await;
    let query = "{ users(first: 50) { totalCount nodes { profile { proficiency } sessions { id } accounts { provider }
        auditLog(first: 5) { nodes { action } } } } }";
    let before = app.pool.statements();
    let data = root.client.data(query, json!({})).await;
    let sent = app.pool.statements() - before;
    let nodes = data["users"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 50);
    for node in nodes {
        let actions = node["auditLog"]["nodes"].as_array().unwrap();
        assert!(actions.contains(&json!({ "action": "CREATED" })), "{node}");
        assert_eq!(node["profile"]["proficiency"], "PRO");
    }
    // What was revoked and whose session it is; the list; and for each of the four parts: whether they may, a note, the part.
    // A busy machine cuts a part's batch in two or three; without batches it would be some hundreds.
    assert!(sent <= 48, "{sent} statements");
    let noted = "SELECT count(*) FROM audit_logs WHERE action LIKE '%_READ'";
    assert_eq!(app.number(noted).await, 200);
}
