//! The audit log of a user: every change with the address and program of its request, in pages, without secrets.
//!
//! `retention` tests how long entries are kept, `document_texts` changes of long texts, `admins` what admins read.

mod document_texts;
mod retention;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    account_deletion::where_is,
    support::{Client, PASSWORD, Person, SIGNED_IN, TestApp, ids, list, newcomer, text, texts},
};

const ADDRESS: &str = "203.0.113.5";
const PROGRAM: &str = "walker/1.0";
const ADA: &str = "ada@example.com";

/// A client at that address, by that program.
fn walker(app: &TestApp) -> Client {
    app.anonymous().from(ADDRESS).using(PROGRAM)
}

const LOG: &str =
    "query($first: Int, $after: String) { me { auditLog(first: $first, after: $after) {
    edges { cursor node { createdAt } }
    nodes { action entityType entityId actorId changes ipAddress userAgent createdAt }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";

async fn log(client: &Client, variables: Value) -> Value {
    client.data(LOG, variables).await["me"]["auditLog"].take()
}

/// All events of a short log, the oldest first.
async fn events(client: &Client) -> Vec<Value> {
    let page = log(client, json!({ "first": 100 })).await;
    assert_eq!(page["pageInfo"]["hasNextPage"], false);
    list(&page["nodes"]).iter().rev().cloned().collect()
}

fn summary(event: &Value) -> String {
    format!("{} {}", text(&event["action"]), text(&event["entityType"]))
}

const COURSE: &str = "018f4d2e-8a3b-7c4d-9e5f-000000000001";
const DOCUMENT: &str = "018f4d2e-8a3b-7c4d-9e5f-000000000002";
const TASK: &str = "018f4d2e-8a3b-7c4d-9e5f-000000000003";

const TAG: &str = "018f4d2e-8a3b-7c4d-9e5f-000000000004";

/// Every mutation of items and profiles with its input, and its entries in the log in alphabetical order.
fn changes() -> [(&'static str, Value, &'static str); 19] {
    let words = "hidden words";
    let document = json!({ "id": DOCUMENT, "courseId": COURSE, "title": "t", "originalText": words, "formattedNote": words });
    let task = json!({ "id": TASK, "courseId": COURSE, "title": "t" });
    let note = json!({ "id": DOCUMENT, "formattedNote": "more hidden words" });
    let course = |name: &str| json!({ "id": COURSE, "name": name });
    let tag = |name: &str| json!({ "id": TAG, "name": name });
    let tagged = "UPDATED Document, UPDATED Task";
    let all = "TRASHED Course, TRASHED Document, TRASHED Task";
    let both = "TRASHED Course, TRASHED Document";
    let emptied = "DELETED Course, DELETED Document";
    let title = json!({ "id": TASK, "title": "u" });
    let profile = json!({ "preferences": "Tea" });
    let restored = "RESTORED Course, RESTORED Document, RESTORED Task";
    [
        ("createCourse", course("c"), "CREATED Course"),
        ("createDocument", document, "CREATED Document"),
        ("createTask", task, "CREATED Task"),
        ("updateCourse", course("d"), "UPDATED Course"),
        ("updateDocument", note, "UPDATED Document"),
        ("updateTask", title, "UPDATED Task"),
        ("completeTasks", ids(&[TASK]), "UPDATED Task"),
        ("reopenTasks", ids(&[TASK]), "UPDATED Task"),
        ("createTag", tag("e"), "CREATED Tag"),
        ("updateTag", tag("f"), "UPDATED Tag"),
        (
            "tagItems",
            json!({ "ids": [DOCUMENT, TASK], "add": [TAG] }),
            tagged,
        ),
        ("trashItems", ids(&[COURSE]), all),
        ("restoreItems", ids(&[COURSE]), restored),
        ("trashItems", ids(&[TASK]), "TRASHED Task"),
        ("deleteItems", ids(&[TASK]), "DELETED Task"),
        ("trashItems", ids(&[COURSE]), both),
        ("emptyTrash", Value::Null, emptied),
        ("updateMe", json!({ "name": "Ada" }), "UPDATED User"),
        ("updateProfile", profile, "UPDATED Profile"),
    ]
}

/// As [`changes`], for batches.
fn batches() -> [(&'static str, Value, &'static str); 5] {
    let ids = [COURSE, DOCUMENT, TASK].map(|id| id.replace("018f", "019f"));
    let other = ids[2].replace("019f", "020f");
    let [course, document, task] = ids;
    let new = |id: &str| json!({ "id": id, "courseId": course, "title": "t", "originalText": "", "formattedNote": "" });
    let documents = [new(&document), new(&other)];
    let tasks = [json!({ "id": task, "title": "t" }), json!({ "title": "t" })];
    let renamed = [&document, &other].map(|id| json!({ "id": id, "title": "u" }));
    let completed = [json!({ "id": task, "title": "u", "completed": true })];
    [
        (
            "createCourse",
            json!({ "id": course, "name": "c" }),
            "CREATED Course",
        ),
        (
            "createDocuments",
            json!({ "documents": documents }),
            "CREATED Document, CREATED Document",
        ),
        (
            "updateDocuments",
            json!({ "documents": renamed }),
            "UPDATED Document, UPDATED Document",
        ),
        (
            "createTasks",
            json!({ "tasks": tasks }),
            "CREATED Task, CREATED Task",
        ),
        ("updateTasks", json!({ "tasks": completed }), "UPDATED Task"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_logged_with_its_address_and_program() {
    let app = TestApp::behind_a_proxy().await;
    let walker = walker(&app);
    let payload = walker.mutate("signUp", newcomer("ada"), SIGNED_IN).await;
    let ada = Person::of(&walker, &payload);
    let mut known = events(&ada).await.len();
    for (mutation, input, expected) in changes().into_iter().chain(batches()) {
        ada.mutate(mutation, input, "").await;
        let all = events(&ada).await;
        let mut new: Vec<String> = all[known..].iter().map(summary).collect();
        new.sort();
        assert_eq!(new.join(", "), expected, "{mutation}");
        known = all.len();
    }
    for event in events(&ada).await {
        assert_eq!(event["actorId"], ada.id, "{event}");
        assert_eq!(event["ipAddress"], ADDRESS, "{event}");
        assert_eq!(event["userAgent"], PROGRAM, "{event}");
    }
    let words = "audit_logs WHERE changes::text LIKE '%hidden%'";
    assert_eq!(app.count(words).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mutation_is_tested_here_or_elsewhere() {
    let app = TestApp::start().await;
    let query = "{ __schema { mutationType { fields { name } } } }";
    let data = app.anonymous().query(query).await;
    let all = texts(&data["__schema"]["mutationType"]["fields"], "name");
    let all: BTreeSet<&str> = all.iter().map(String::as_str).collect();
    let changes = changes().into_iter().chain(batches());
    let mut known: BTreeSet<&str> = changes.map(|(mutation, ..)| mutation).collect();
    // Accounts: below, in `admins` and in `account_deletion`.
    known.extend([
        "changePassword",
        "deactivateMe",
        "deleteMe",
        "refreshSession",
        "requestEmailChange",
        "requestEmailVerification",
        "requestPasswordReset",
        "resetPassword",
        "revokeOtherSessions",
        "revokeSession",
        "setUserActive",
        "setUserRole",
        "signIn",
        "signOut",
        "signUp",
        "verifyEmail",
    ]);
    // Images: in `images`.
    known.extend([
        "removeDocumentImage",
        "requestImageUpload",
        "setDocumentImage",
    ]);
    assert_eq!(all, known);
}

async fn signed_in(app: &TestApp) -> Person {
    let walker = walker(app);
    Person::of(&walker, &walker.sign_in(ADA, PASSWORD).await)
}

/// Ada, after all operations on sessions, passwords and email addresses, and all secrets that they used.
async fn much_happened(app: &TestApp) -> (Person, Vec<String>) {
    let walker = walker(app);
    let payload = walker.mutate("signUp", newcomer("ada"), SIGNED_IN).await;
    let ada = Person::of(&walker, &payload);
    walker.sign_in(ADA, "wrong horse").await;
    app.eventually_count("audit_logs WHERE action = 'SIGN_IN_FAILED'", 1)
        .await;
    ada.change_password("wrong horse", "battery staple").await;
    signed_in(app).await.sign_out().await;
    let revoked = json!({ "sessionId": signed_in(app).await.session });
    ada.mutate("revokeSession", revoked, "").await;
    signed_in(app).await;
    ada.mutate("revokeOtherSessions", Value::Null, "").await;
    let stolen = signed_in(app).await;
    let mut token = stolen.refresh_token.clone();
    for _ in 0..2 {
        token = text(&walker.refresh(&token).await["refreshToken"]);
    }
    walker.refresh(&stolen.refresh_token).await;
    ada.request_email_verification().await;
    let first = app.mailed_token("email_verification").await;
    ada.verify_email(&first).await;
    ada.request_email_change("lady@example.com", PASSWORD).await;
    let second = app.mailed_token("email_change").await;
    ada.verify_email(&second).await;
    ada.change_password(PASSWORD, "battery staple").await;
    walker.request_password_reset("lady@example.com").await;
    let third = app.mailed_token("password_reset").await;
    let payload = walker.reset_password(&third, "purple staple").await;
    let again = Person::of(&walker, &payload);
    let words = [PASSWORD, "wrong horse", "battery staple", "purple staple"].map(str::to_owned);
    let mut secrets = vec![first, second, third, stolen.refresh_token, token];
    secrets.extend(words);
    for person in [&ada, &again] {
        secrets.extend([person.refresh_token.clone(), person.token.clone().unwrap()]);
    }
    (again, secrets)
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_sessions_passwords_and_addresses_are_logged_without_secrets() {
    let app = TestApp::behind_a_proxy().await;
    let (ada, secrets) = much_happened(&app).await;
    let events = events(&ada).await;
    let logged: Vec<String> = events.iter().map(summary).collect();
    // Entries of one statement have the same time. Those of triggers come last.
    let expected = "SIGN_IN Session, CREATED User, SIGN_IN_FAILED User, PASSWORD_REFUSED User, \
        SIGN_IN Session, SIGN_OUT Session, SIGN_IN Session, SESSION_REVOKED Session, \
        SIGN_IN Session, SESSION_REVOKED Session, SIGN_IN Session, REFRESH_TOKEN_REUSED Session, \
        EMAIL_VERIFIED User, UPDATED User, EMAIL_CHANGE_REQUESTED User, EMAIL_CHANGED User, UPDATED User, \
        PASSWORD_CHANGED User, PASSWORD_RESET_REQUESTED User, \
        PASSWORD_CHANGED User, SESSION_REVOKED Session, SIGN_IN Session";
    assert_eq!(logged.join(", "), expected);
    for event in &events {
        // Without a valid password or token the actor is unknown.
        let unknown = [
            "SIGN_IN_FAILED",
            "REFRESH_TOKEN_REUSED",
            "PASSWORD_RESET_REQUESTED",
        ];
        let actor = if unknown.contains(&event["action"].as_str().unwrap()) {
            Value::Null
        } else {
            json!(ada.id)
        };
        assert_eq!(event["actorId"], actor, "{event}");
        assert_eq!(event["ipAddress"], ADDRESS, "{event}");
        assert_eq!(event["userAgent"], PROGRAM, "{event}");
    }
    let changed = |action: &str| {
        let of_action = |event: &&Value| event["action"] == action;
        events.iter().find(of_action).unwrap()["changes"].clone()
    };
    let email = json!({ "old": "ada@example.com", "new": "lady@example.com" });
    assert_eq!(changed("EMAIL_CHANGED"), json!({ "email": email }));
    assert_eq!(changed("PASSWORD_CHANGED"), Value::Null);
    for secret in secrets {
        assert_eq!(where_is(&app, &secret).await, "", "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_attempts_at_deactivated_accounts_are_logged() {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    app.sql("UPDATE users SET is_active = false").await;
    for password in ["wrong horse", PASSWORD] {
        assert!(!app.anonymous().can_sign_in(ADA, password).await);
    }
    let logged = "audit_logs WHERE action = 'SIGN_IN_FAILED' AND actor_id IS NULL";
    app.eventually_count(logged, 2).await;
}

/// Ada with so many events in her log. Their entity ids count up to the newest.
async fn with_events(events: i64) -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let more = events - app.count("audit_logs").await;
    app.sql(&format!(
        "INSERT INTO audit_logs (user_id, action, entity_type, entity_id)
         SELECT '{}', 'SIGN_IN', 'Session', ('018f4d2e-8a3b-7c4d-9e5f-' || lpad(n::text, 12, '0'))::uuid
         FROM generate_series(1, {more}) AS n ORDER BY n",
        ada.id
    ))
    .await;
    (app, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_in_pages_of_any_size() {
    let (app, ada) = with_events(120).await;
    app.signed_up("grace").await;
    let whole = format!(
        "SELECT string_agg(coalesce(entity_id::text, ''), ' ' ORDER BY id DESC) FROM audit_logs WHERE user_id = '{}'",
        ada.id
    );
    let whole = app.text(&whole).await;
    for size in [1, 7, 40, 60, 100] {
        let (mut walked, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = log(&ada, json!({ "first": size, "after": after })).await;
            let edges = list(&page["edges"]);
            assert!(!edges.is_empty() && edges.len() <= size);
            let info = &page["pageInfo"];
            assert_eq!(info["hasPreviousPage"], !walked.is_empty());
            assert_eq!(info["startCursor"], edges[0]["cursor"]);
            assert_eq!(info["endCursor"], edges[edges.len() - 1]["cursor"]);
            walked.extend(texts(&page["nodes"], "entityId"));
            if info["hasNextPage"] == false {
                break;
            }
            after = info["endCursor"].clone();
        }
        assert_eq!(walked.join(" "), whole, "by {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_fifty_events_by_default_and_invalid_pages_are_rejected() {
    let (app, ada) = with_events(60).await;
    for variables in [
        json!({}),
        json!({ "first": null }),
        json!({ "after": null }),
    ] {
        let page = log(&ada, variables.clone()).await;
        assert_eq!(list(&page["nodes"]).len(), 50, "{variables}");
        assert_eq!(page["pageInfo"]["hasNextPage"], true);
    }
    let bare = ada.query("{ me { auditLog { nodes { action } } } }").await;
    assert_eq!(list(&bare["me"]["auditLog"]["nodes"]).len(), 50);
    let users = "{ users { edges { cursor } } }";
    let root = app.admin("root").await;
    let of_users = root.query(users).await["users"]["edges"][0]["cursor"].take();
    // event-, event-x, and a number that there cannot be.
    let cursors = [
        "ZXZlbnQt",
        "ZXZlbnQteA",
        "ZXZlbnQtOTk5OTk5OTk5OTk5OTk5OTk5OTk",
    ];
    ada.rejects_pages(LOG, &cursors).await;
    ada.rejects_pages(LOG, &[&text(&of_users)]).await;
}
