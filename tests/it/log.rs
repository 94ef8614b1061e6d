//! The audit log: what was done by and to somebody, with the address and the program of the request that did it; in pages,
//! without secrets, and for as long as it is kept. What admins leave there is in `admins`.

mod pruning;
mod texts;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    admins::admin,
    leaving::where_is,
    people::{SIGN_IN, SIGN_UP, person},
    session_list::{Person, becomes},
    support::{Client, TestApp},
};

const ADDRESS: &str = "203.0.113.5";
const PROGRAM: &str = "walker/1.0";

/// A service that believes what a proxy on this machine says of addresses, and keeps its mails.
async fn behind_a_proxy() -> TestApp {
    let app = TestApp::with(|settings| {
        settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned());
    });
    app.await
}

/// What a request from that address, by that program, answers under `data`.
async fn walk(client: &Client, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", PROGRAM),
        ("x-forwarded-for", ADDRESS),
    ];
    let sent = client.http("POST", "/graphql", &headers, body.as_bytes());
    let mut answer = sent.await.json();
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].take()
}

/// As [`walk`], one mutation without variables, which must not be refused.
async fn done(client: &Client, mutation: &str) {
    let query = format!("mutation {{ {mutation} {{ userErrors {{ code }} }} }}");
    let data = walk(client, &query, json!({})).await;
    let payload = data.as_object().unwrap().values().next().unwrap();
    assert_eq!(payload["userErrors"], json!([]), "{mutation}");
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
    let mut nodes = page["nodes"].as_array().unwrap().clone();
    nodes.reverse();
    nodes
}

fn summary(event: &Value) -> String {
    let text = |field: &str| event[field].as_str().unwrap();
    format!("{} {}", text("action"), text("entityType"))
}

const COURSE: &str = "018f4d2e-8a3b-7c4d-9e5f-000000000001";
const DOCUMENT: &str = "018f4d2e-8a3b-7c4d-9e5f-000000000002";
const TASK: &str = "018f4d2e-8a3b-7c4d-9e5f-000000000003";

/// Every mutation of what somebody keeps and tells, and what each leaves in the log, in alphabetical order.
fn changes() -> [(String, &'static str); 16] {
    let of = |name: &str, input: String| format!("{name}(input: {{ {input} }})");
    let ids = |name: &str, id: &str| format!("{name}(input: {{ ids: [\"{id}\"] }})");
    let id = |id: &str| format!("id: \"{id}\"");
    let in_course = format!("courseId: \"{COURSE}\"");
    let note = "title: \"t\", originalText: \"hidden words\", formattedNote: \"hidden words\"";
    [
        (
            of("createCourse", format!("{}, name: \"c\"", id(COURSE))),
            "CREATED Course",
        ),
        (
            of(
                "createDocument",
                format!("{}, {in_course}, {note}", id(DOCUMENT)),
            ),
            "CREATED Document",
        ),
        (
            of(
                "createTask",
                format!("{}, {in_course}, title: \"t\"", id(TASK)),
            ),
            "CREATED Task",
        ),
        (
            of("updateCourse", format!("{}, name: \"d\"", id(COURSE))),
            "UPDATED Course",
        ),
        (
            of(
                "updateDocument",
                format!("{}, formattedNote: \"more hidden words\"", id(DOCUMENT)),
            ),
            "UPDATED Document",
        ),
        (
            of("updateTask", format!("{}, title: \"u\"", id(TASK))),
            "UPDATED Task",
        ),
        (ids("completeTasks", TASK), "UPDATED Task"),
        (ids("reopenTasks", TASK), "UPDATED Task"),
        (
            ids("trashItems", COURSE),
            "TRASHED Course, TRASHED Document, TRASHED Task",
        ),
        (
            ids("restoreItems", COURSE),
            "RESTORED Course, RESTORED Document, RESTORED Task",
        ),
        (ids("trashItems", TASK), "TRASHED Task"),
        (ids("deleteItems", TASK), "DELETED Task"),
        (
            ids("trashItems", COURSE),
            "TRASHED Course, TRASHED Document",
        ),
        ("emptyTrash".to_owned(), "DELETED Course, DELETED Document"),
        (of("updateMe", "name: \"Ada\"".to_owned()), "UPDATED User"),
        (
            of("updateProfile", "preferences: \"Tea\"".to_owned()),
            "UPDATED Profile",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_logged_with_the_address_and_the_program_it_came_from() {
    let app = behind_a_proxy().await;
    let payload = walk(&app.visitor(), SIGN_UP, person("ada")).await["signUp"].take();
    let ada = Person::of(&app, &payload);
    let mut known = events(&ada.client).await.len();
    for (mutation, expected) in changes() {
        let field = if mutation == "emptyTrash" || mutation.starts_with("deleteItems") {
            "deletedIds"
        } else {
            "userErrors { code }"
        };
        let query = format!("mutation {{ {mutation} {{ {field} }} }}");
        walk(&ada.client, &query, json!({})).await;
        let all = events(&ada.client).await;
        let mut new: Vec<String> = all[known..].iter().map(summary).collect();
        new.sort();
        assert_eq!(new.join(", "), expected, "{mutation}");
        known = all.len();
    }
    for event in events(&ada.client).await {
        assert_eq!(event["actorId"], ada.id, "{event}");
        assert_eq!(event["ipAddress"], ADDRESS, "{event}");
        assert_eq!(event["userAgent"], PROGRAM, "{event}");
    }
    let words = "SELECT count(*) FROM audit_logs WHERE changes::text LIKE '%hidden%'";
    assert_eq!(app.number(words).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mutation_is_forgotten_here() {
    let app = TestApp::start().await;
    let query = "{ __schema { mutationType { fields { name } } } }";
    let data = app.visitor().data(query, json!({})).await;
    let fields = data["__schema"]["mutationType"]["fields"].as_array();
    let all: BTreeSet<&str> = fields
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    let changes = changes();
    let mut known: BTreeSet<&str> = changes
        .iter()
        .map(|(mutation, _)| mutation.split('(').next().unwrap())
        .collect();
    // Of who somebody is: walked below, in `admins` and in `leaving`.
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
    // Of pictures: walked in `images`.
    known.extend([
        "removeDocumentImage",
        "requestImageUpload",
        "setDocumentImage",
    ]);
    assert_eq!(all, known);
}

async fn signed_in(app: &TestApp) -> Person {
    let input = json!({ "input": { "email": "ada@example.com", "password": "correct horse" } });
    let payload = walk(&app.visitor(), SIGN_IN, input).await["signIn"].take();
    Person::of(app, &payload)
}

/// The token that was mailed last for that purpose.
async fn mailed(app: &TestApp, purpose: &str) -> String {
    let sql = format!("SELECT id FROM mail_tokens WHERE purpose = '{purpose}'");
    let id = app.text(&sql).await;
    app.auth.mailed_token(Uuid::parse_str(&id).unwrap())
}

async fn verify(app: &TestApp, person: &Person, purpose: &str) -> String {
    let token = mailed(app, purpose).await;
    let mutation = format!("verifyEmail(input: {{ token: \"{token}\" }})");
    done(&person.client, &mutation).await;
    token
}

/// Ada, to whom everything has happened that can happen to a session, a password and an address; and the secrets that were
/// told on the way.
async fn much_happened(app: &TestApp) -> (Person, Vec<String>) {
    let payload = walk(&app.visitor(), SIGN_UP, person("ada")).await["signUp"].take();
    let ada = Person::of(app, &payload);
    let wrong = json!({ "input": { "email": "ada@example.com", "password": "wrong horse" } });
    walk(&app.visitor(), SIGN_IN, wrong).await;
    let failed = "SELECT count(*) FROM audit_logs WHERE action = 'SIGN_IN_FAILED'";
    becomes(app, failed, 1).await;
    let query = "mutation { changePassword(input: { currentPassword: \"wrong horse\", newPassword: \"battery staple\" }) {
        userErrors { code } } }";
    walk(&ada.client, query, json!({})).await;
    done(&signed_in(app).await.client, "signOut").await;
    let other = signed_in(app).await;
    let revoke = format!(
        "revokeSession(input: {{ sessionId: \"{}\" }})",
        other.session
    );
    done(&ada.client, &revoke).await;
    signed_in(app).await;
    done(&ada.client, "revokeOtherSessions").await;
    let stolen = signed_in(app).await;
    let refresh = "mutation($token: String!) { refreshSession(input: { refreshToken: $token }) { refreshToken } }";
    let mut token = json!(stolen.refresh_token);
    for _ in 0..2 {
        let data = walk(&app.visitor(), refresh, json!({ "token": token })).await;
        token = data["refreshSession"]["refreshToken"].clone();
    }
    let old = json!({ "token": stolen.refresh_token });
    walk(&app.visitor(), refresh, old).await;
    done(&ada.client, "requestEmailVerification").await;
    let first = verify(app, &ada, "email_verification").await;
    let change = "requestEmailChange(input: { newEmail: \"lady@example.com\", password: \"correct horse\" })";
    done(&ada.client, change).await;
    let second = verify(app, &ada, "email_change").await;
    let change = "changePassword(input: { currentPassword: \"correct horse\", newPassword: \"battery staple\" })";
    done(&ada.client, change).await;
    let ask = "requestPasswordReset(input: { email: \"lady@example.com\" })";
    done(&app.visitor(), ask).await;
    let third = mailed(app, "password_reset").await;
    let reset = format!("mutation {{ resetPassword(input: {{ token: \"{third}\", newPassword: \"purple staple\" }}) {{
        user {{ id }} session {{ id }} accessToken refreshToken userErrors {{ code }} }} }}");
    let payload = walk(&app.visitor(), &reset, json!({})).await["resetPassword"].take();
    let again = Person::of(app, &payload);
    let words = [
        "correct horse",
        "wrong horse",
        "battery staple",
        "purple staple",
    ];
    let mut secrets: Vec<String> = words.map(str::to_owned).to_vec();
    secrets.extend([
        first,
        second,
        third,
        ada.refresh_token,
        again.refresh_token.clone(),
    ]);
    secrets.extend([stolen.refresh_token, token.as_str().unwrap().to_owned()]);
    secrets.extend(
        ada.client
            .token
            .into_iter()
            .chain(again.client.token.clone()),
    );
    (again, secrets)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_sessions_passwords_and_addresses_is_logged() {
    let app = behind_a_proxy().await;
    let (ada, secrets) = much_happened(&app).await;
    let events = events(&ada.client).await;
    let told: Vec<String> = events.iter().map(summary).collect();
    // What one statement does is one moment: the triggers' entries come last.
    let expected = "SIGN_IN Session, CREATED User, SIGN_IN_FAILED User, PASSWORD_REFUSED User, \
        SIGN_IN Session, SIGN_OUT Session, SIGN_IN Session, SESSION_REVOKED Session, \
        SIGN_IN Session, SESSION_REVOKED Session, SIGN_IN Session, REFRESH_TOKEN_REUSED Session, \
        EMAIL_VERIFIED User, UPDATED User, EMAIL_CHANGE_REQUESTED User, EMAIL_CHANGED User, UPDATED User, \
        PASSWORD_CHANGED User, PASSWORD_RESET_REQUESTED User, \
        PASSWORD_CHANGED User, SESSION_REVOKED Session, SIGN_IN Session";
    assert_eq!(told.join(", "), expected);
    for event in &events {
        // Nobody knows who it was that had no good password or token to show.
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
async fn who_goes_on_trying_at_a_deactivated_account_is_logged() {
    let app = TestApp::start().await;
    Person::signed_up(&app, "ada").await;
    app.sql("UPDATE users SET is_active = false").await;
    for password in ["wrong horse", "correct horse"] {
        let input = json!({ "email": "ada@example.com", "password": password });
        let data = app.visitor().data(SIGN_IN, json!({ "input": input })).await;
        let code = &data["signIn"]["userErrors"][0]["code"];
        assert_eq!(code, "INVALID_CREDENTIALS");
    }
    let logged =
        "SELECT count(*) FROM audit_logs WHERE action = 'SIGN_IN_FAILED' AND actor_id IS NULL";
    becomes(&app, logged, 2).await;
}

/// Ada with the number of events that her log then has; each action tells its place, the newest's the highest.
async fn with_events(app: &TestApp, events: i64) -> Person {
    let ada = Person::signed_up(app, "ada").await;
    let more = events - app.number("SELECT count(*) FROM audit_logs").await;
    app.sql(&format!(
        "INSERT INTO audit_logs (user_id, action, entity_type, entity_id)
         SELECT '{}', 'SIGN_IN', 'Session', ('018f4d2e-8a3b-7c4d-9e5f-' || lpad(n::text, 12, '0'))::uuid
         FROM generate_series(1, {more}) AS n ORDER BY n",
        ada.id
    ))
    .await;
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_read_to_its_end_page_by_page() {
    let app = TestApp::start().await;
    let ada = with_events(&app, 120).await;
    Person::signed_up(&app, "grace").await;
    let whole = format!(
        "SELECT string_agg(coalesce(entity_id::text, ''), ' ' ORDER BY id DESC) FROM audit_logs WHERE user_id = '{}'",
        ada.id
    );
    let whole = app.text(&whole).await;
    for size in [1, 7, 40, 60, 100] {
        let (mut walked, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = log(&ada.client, json!({ "first": size, "after": after })).await;
            let edges = page["edges"].as_array().unwrap();
            assert!(!edges.is_empty() && edges.len() <= size);
            let info = &page["pageInfo"];
            assert_eq!(info["hasPreviousPage"], !walked.is_empty());
            assert_eq!(info["startCursor"], edges[0]["cursor"]);
            assert_eq!(info["endCursor"], edges[edges.len() - 1]["cursor"]);
            let nodes = page["nodes"].as_array().unwrap();
            walked.extend(
                nodes
                    .iter()
                    .map(|node| node["entityId"].as_str().unwrap().to_owned()),
            );
            if info["hasNextPage"] == false {
                break;
            }
            after = info["endCursor"].clone();
        }
        assert_eq!(walked.join(" "), whole, "by {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_events_come_if_nothing_is_said_and_what_cannot_be_is_refused() {
    let app = TestApp::start().await;
    let ada = with_events(&app, 60).await;
    for variables in [
        json!({}),
        json!({ "first": null }),
        json!({ "after": null }),
    ] {
        let page = log(&ada.client, variables.clone()).await;
        assert_eq!(page["nodes"].as_array().unwrap().len(), 50, "{variables}");
        assert_eq!(page["pageInfo"]["hasNextPage"], true);
    }
    let bare = ada
        .client
        .data("{ me { auditLog { nodes { action } } } }", json!({}));
    let nodes = bare.await["me"]["auditLog"]["nodes"].take();
    assert_eq!(nodes.as_array().unwrap().len(), 50);
    let users = "{ users { edges { cursor } } }";
    let root = admin(&app, "root").await;
    let of_users = root.client.data(users, json!({})).await["users"]["edges"][0]["cursor"].take();
    for variables in [
        json!({ "first": 0 }),
        json!({ "first": -1 }),
        json!({ "first": 101 }),
        json!({ "after": "" }),
        json!({ "after": "nonsense" }),
        json!({ "after": "\0" }),
        // event-, event-x, and a number that there cannot be.
        json!({ "after": "ZXZlbnQt" }),
        json!({ "after": "ZXZlbnQteA" }),
        json!({ "after": "ZXZlbnQtOTk5OTk5OTk5OTk5OTk5OTk5OTk" }),
        json!({ "after": of_users }),
    ] {
        let code = ada.client.error_code(LOG, variables.clone()).await;
        assert_eq!(code, "BAD_USER_INPUT", "{variables}");
    }
}
