//! Admins list, deactivate and promote users. One active admin always stays.

mod plans;
mod private_fields;

use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, Person, TestApp, codes, text, texts};

const USERS: &str = "query($email: String, $active: Boolean, $first: Int, $after: String) {
    users(emailContains: $email, active: $active, first: $first, after: $after) {
        totalCount edges { cursor } nodes { id name active role }
        pageInfo { hasNextPage hasPreviousPage endCursor } } }";

async fn users(client: &Client, variables: Value) -> Value {
    client.data(USERS, variables).await["users"].take()
}

fn names(page: &Value) -> Vec<String> {
    texts(&page["nodes"], "name")
}

async fn set_active(client: &Client, user: &str, active: bool) -> Value {
    let input = json!({ "userId": user, "active": active });
    client
        .try_mutate("setUserActive", input, "user { id active }")
        .await
}

async fn set_role(client: &Client, user: &str, role: &str) -> Value {
    let input = json!({ "userId": user, "role": role });
    client
        .try_mutate("setUserRole", input, "user { id role }")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_see_and_change_other_users() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    for (client, expected) in [(&*ada, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")] {
        assert_eq!(client.error_code(USERS, json!({})).await, expected);
        for (mutation, input) in [
            (
                "setUserActive",
                json!({ "userId": grace.id, "active": false }),
            ),
            (
                "setUserRole",
                json!({ "userId": grace.id, "role": "ADMIN" }),
            ),
            // Nor can users change their own role.
            ("setUserRole", json!({ "userId": ada.id, "role": "ADMIN" })),
        ] {
            assert_eq!(client.mutation_error(mutation, input).await, expected);
        }
    }
    let changed = "users WHERE role = 'admin' OR NOT is_active";
    assert_eq!(app.count(changed).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_in_pages_newest_first() {
    let (app, root) = TestApp::start().await.with_admin("root").await;
    for n in 1..=6 {
        app.signed_up(&format!("user{n}")).await;
    }
    // Some at the same time.
    app.sql("UPDATE users SET created_at = '2026-01-01T00:00:00Z' WHERE name IN ('user2', 'user3', 'user4')")
        .await;
    let whole = users(&root, json!({})).await;
    assert_eq!(whole["totalCount"], 7);
    let all = names(&whole);
    assert_eq!(all[..4], ["user6", "user5", "user1", "root"]);
    assert_eq!(all[4..], ["user4", "user3", "user2"]);
    for size in [1, 2, 3, 6, 7, 100] {
        let (mut walked, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = users(&root, json!({ "first": size, "after": after })).await;
            assert_eq!(page["totalCount"], 7);
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !walked.is_empty());
            let found = names(&page);
            assert!(found.len() <= size && !found.is_empty());
            walked.extend(found);
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(walked, all, "by {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_filtered_by_email_address_and_activity() {
    let (app, root) = TestApp::start().await.with_admin("root").await;
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
        let found = users(&root, variables.clone()).await;
        assert_eq!(names(&found), expected, "{variables}");
        assert_eq!(found["totalCount"], expected.len(), "{variables}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_pages_are_rejected() {
    let (_app, root) = TestApp::start().await.with_admin("root").await;
    root.create_course("c").await;
    let courses = root.query("{ courses { edges { cursor } } }").await;
    let of_courses = text(&courses["courses"]["edges"][0]["cursor"]);
    root.rejects_pages(USERS, &[&of_courses]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_user_is_rejected_everywhere_until_reactivated() {
    let (app, other) = TestApp::start().await.and_another().await;
    let root = app.admin("root").await;
    let (ada, grace) = (app.signed_up("ada").await, app.signed_up("grace").await);
    let there = ada.at(&other);
    assert!(ada.is_accepted().await && there.is_accepted().await);
    let payload = set_active(&root, &ada.id, false).await;
    let user = json!({ "id": ada.id, "active": false });
    assert_eq!(payload, json!({ "user": user, "userErrors": [] }));
    ada.eventually_rejected().await;
    there.eventually_rejected().await;
    assert!(grace.is_accepted().await && root.is_accepted().await);
    let refused = other.anonymous().sign_in("ada@example.com", PASSWORD).await;
    assert_eq!(codes(&refused), ["INVALID_CREDENTIALS"]);
    let refreshed = app.anonymous().refresh(&ada.refresh_token).await;
    assert_eq!(codes(&refreshed), ["INVALID_TOKEN"]);

    let payload = set_active(&root, &ada.id, true).await;
    assert_eq!(payload["user"]["active"], true);
    let again = app.signed_in("ada").await;
    assert!(again.is_accepted().await && again.at(&other).is_accepted().await);
    // Ended sessions stay ended.
    assert!(!ada.is_accepted().await && !there.is_accepted().await);
    let refreshed = app.anonymous().refresh(&ada.refresh_token).await;
    assert_eq!(codes(&refreshed), ["INVALID_TOKEN"]);
    let logged = format!(
        "audit_logs WHERE user_id = '{}' AND actor_id = '{}' AND ip_address = '127.0.0.1'
         AND (action = 'UPDATED' AND changes ? 'active' OR action = 'SESSION_REVOKED')",
        ada.id, root.id
    );
    assert_eq!(app.count(&logged).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_role_applies_to_the_next_request() {
    let (app, other) = TestApp::start().await.and_another().await;
    let root = app.admin("root").await;
    let ada = app.signed_up("ada").await;
    let there = ada.at(&other);
    assert_eq!(there.error_code(USERS, json!({})).await, "FORBIDDEN");
    let payload = set_role(&root, &ada.id, "ADMIN").await;
    let user = json!({ "id": ada.id, "role": "ADMIN" });
    assert_eq!(payload, json!({ "user": user, "userErrors": [] }));
    assert_eq!(users(&there, json!({})).await["totalCount"], 2);
    set_role(&there, &root.id, "USER").await;
    for client in [&*root, &root.at(&other)] {
        assert_eq!(client.error_code(USERS, json!({})).await, "FORBIDDEN");
    }
    let back = json!({ "userId": root.id, "role": "ADMIN" });
    let code = root.mutation_error("setUserRole", back).await;
    assert_eq!(code, "FORBIDDEN", "former admins cannot promote themselves");
    assert!(root.is_accepted().await, "they are still a user");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_users_are_not_found() {
    let (_app, root) = TestApp::start().await.with_admin("root").await;
    let not_found = json!({ "user": null, "userErrors": [{ "code": "NOT_FOUND", "field": ["input", "userId"] }] });
    let unknown = "018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f";
    for id in [unknown, "", "7", &root.session] {
        assert_eq!(set_active(&root, id, true).await, not_found);
        assert_eq!(set_active(&root, id, false).await, not_found);
        assert_eq!(set_role(&root, id, "ADMIN").await, not_found);
        assert_eq!(set_role(&root, id, "USER").await, not_found);
    }
}

/// Every way to remove the last active admin fails.
async fn last_admin_stays(root: &Person) {
    for payload in [
        set_role(root, &root.id, "USER").await,
        set_active(root, &root.id, false).await,
        root.deactivate_me(PASSWORD).await,
        root.delete_me(PASSWORD).await,
    ] {
        assert_eq!(codes(&payload), ["LAST_ADMIN"], "{payload}");
    }
    assert!(root.is_accepted().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_active_admin_cannot_be_removed() {
    let (app, root) = TestApp::start().await.with_admin("root").await;
    let second = app.admin("second").await;
    set_active(&root, &second.id, false).await;
    last_admin_stays(&root).await;
    assert_eq!(users(&root, json!({})).await["totalCount"], 2);
    // An inactive admin does not count, so they can be demoted.
    let payload = set_role(&root, &second.id, "USER").await;
    assert_eq!(payload["userErrors"], json!([]));
    last_admin_stays(&root).await;
    // A change to the same role is allowed.
    let payload = set_role(&root, &root.id, "ADMIN").await;
    assert_eq!(payload["userErrors"], json!([]));
    set_active(&root, &second.id, true).await;
    set_role(&root, &second.id, "ADMIN").await;
    let payload = root.delete_me(PASSWORD).await;
    assert_eq!(payload["deletedIds"], json!([root.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_admins_who_remove_each_other_one_stays() {
    let (app, other) = TestApp::start().await.and_another().await;
    let (one, two) = (app.admin("one").await, app.admin("two").await);
    let there = two.at(&other);
    let left = "users WHERE role = 'admin' AND is_active";
    let demote = async |admin: &Client, user: &Person| {
        let input = json!({ "userId": user.id, "role": "USER" });
        let answer = admin.post_mutation("setUserRole", input, "").await.json();
        answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    };
    for _ in 0..10 {
        let (first, second) = join(demote(&one, &two), demote(&there, &one)).await;
        assert!(first != second, "{first} {second}");
        assert_eq!(app.count(left).await, 1);
        app.sql("UPDATE users SET role = 'admin'").await;
    }
    let (first, second) = join(one.delete_me(PASSWORD), there.delete_me(PASSWORD)).await;
    let stayed = |payload: &Value| codes(payload) == ["LAST_ADMIN"];
    assert!(stayed(&first) != stayed(&second), "{first} {second}");
    assert_eq!(app.count(left).await, 1);
}
