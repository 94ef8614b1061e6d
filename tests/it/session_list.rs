//! Sessions as their owner sees them: the list, ending them one by one or all but one, when they were last used, and when
//! they end by themselves. What becomes of their tokens is in `sessions`.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    people::{SIGN_IN, SIGN_UP, person},
    support::{Client, TestApp},
};

/// Somebody who is signed in, with what they were given.
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) session: String,
    pub(crate) refresh_token: String,
}

impl Person {
    /// Who a payload of signing up or in says it is.
    pub(crate) fn of(app: &TestApp, payload: &Value) -> Person {
        assert_eq!(payload["userErrors"], json!([]), "{payload}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Person {
            client: Client {
                token: Some(text(&payload["accessToken"])),
                ..app.visitor()
            },
            id: text(&payload["user"]["id"]),
            session: text(&payload["session"]["id"]),
            refresh_token: text(&payload["refreshToken"]),
        }
    }

    /// Has just signed up as `<name>@example.com`.
    pub(crate) async fn signed_up(app: &TestApp, name: &str) -> Person {
        let answer = app.visitor().data(SIGN_UP, person(name)).await;
        Person::of(app, &answer["signUp"])
    }

    /// Signs in as `<name>@example.com` once more.
    pub(crate) async fn signed_in(app: &TestApp, name: &str) -> Person {
        let email = format!("{name}@example.com");
        let input = json!({ "input": { "email": email, "password": "correct horse" } });
        let answer = app.visitor().data(SIGN_IN, input).await;
        Person::of(app, &answer["signIn"])
    }

    /// The same token, shown to another process.
    pub(crate) fn at(&self, app: &TestApp) -> Client {
        Client {
            address: app.address,
            ..self.client.clone()
        }
    }
}

/// Whether a token is let in, at a request that needs a good one.
pub(crate) async fn let_in(client: &Client) -> bool {
    let status = client.post("{ __typename }", json!({})).await.status;
    assert!(status == 200 || status == 401, "{status}");
    status == 200
}

/// These tokens are all refused within a second, give or take what a request takes.
pub(crate) async fn refused_soon(clients: &[&Client]) {
    let until_refused = |client| async move {
        let began = Instant::now();
        while let_in(client).await {
            assert!(began.elapsed() < Duration::from_secs(5), "still let in");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed()
    };
    for waited in join_all(clients.iter().map(|client| until_refused(client))).await {
        assert!(waited < Duration::from_millis(1500), "{waited:?}");
    }
}

/// A number of the database that becomes what it must be, within five seconds.
pub(crate) async fn becomes(app: &TestApp, sql: &str, expected: i64) {
    let began = Instant::now();
    while app.number(sql).await != expected {
        assert!(began.elapsed() < Duration::from_secs(5), "{sql}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const SESSIONS: &str =
    "{ me { sessions { id current ipAddress userAgent createdAt lastUsedAt expiresAt } } }";

const REFRESH: &str =
    "mutation($token: String!) { refreshSession(input: { refreshToken: $token }) {
    accessToken userErrors { code } } }";

const REVOKE: &str = "mutation($id: ID!) { revokeSession(input: { sessionId: $id }) {
    sessions { id current } userErrors { code field } } }";

const REVOKE_OTHERS: &str =
    "mutation { revokeOtherSessions { sessions { id current } userErrors { code } } }";

async fn sessions(client: &Client) -> Vec<Value> {
    let listed = client.data(SESSIONS, json!({})).await["me"]["sessions"].take();
    listed.as_array().unwrap().clone()
}

fn ids(sessions: &[Value]) -> Vec<String> {
    let id = |session: &Value| session["id"].as_str().unwrap().to_owned();
    sessions.iter().map(id).collect()
}

async fn revoke(client: &Client, id: &str) -> Value {
    client.data(REVOKE, json!({ "id": id })).await["revokeSession"].take()
}

async fn refresh_errors(app: &TestApp, token: &str) -> Value {
    let answer = app.visitor().data(REFRESH, json!({ "token": token })).await;
    answer["refreshSession"]["userErrors"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_before_a_proxys_own_word_hides_nobody() {
    let app = TestApp::with(|settings| {
        settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let ada = Person::signed_up(&app, "ada").await;
    let email = json!({ "email": "ada@example.com", "password": "correct horse" });
    let body = json!({ "query": SIGN_IN, "variables": { "input": email } }).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-forwarded-for", "\u{e9}, 203.0.113.9"),
    ];
    let visitor = app.visitor();
    visitor
        .http("POST", "/graphql", &headers, body.as_bytes())
        .await;
    assert_eq!(sessions(&ada.client).await[0]["ipAddress"], "203.0.113.9");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_sessions_are_listed_newest_first_and_one_is_current() {
    let app = TestApp::start().await;
    let first = Person::signed_up(&app, "ada").await;
    let second = Person::signed_in(&app, "ada").await;
    let third = Person::signed_in(&app, "ada").await;
    Person::signed_up(&app, "grace").await;
    for person in [&first, &second, &third] {
        let listed = sessions(&person.client).await;
        let expected = [&third, &second, &first].map(|of| of.session.clone());
        assert_eq!(ids(&listed), expected);
        for session in &listed {
            assert_eq!(session["current"], session["id"] == person.session);
            assert_eq!(session["ipAddress"], "127.0.0.1");
            assert_eq!(session["userAgent"], Value::Null);
        }
    }
    app.sql(&format!(
        "UPDATE sessions SET expires_at = now() WHERE id = '{}';
         UPDATE sessions SET ended_at = now() WHERE id = '{}'",
        first.session, second.session
    ))
    .await;
    assert_eq!(ids(&sessions(&third.client).await), [third.session]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_ends_on_every_process() {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let (ada, lost) = (
        Person::signed_up(&app, "ada").await,
        Person::signed_in(&app, "ada").await,
    );
    let there = lost.at(&other);
    assert!(let_in(&lost.client).await && let_in(&there).await);
    let payload = revoke(&ada.client, &lost.session).await;
    assert_eq!(
        payload,
        json!({ "sessions": [{ "id": ada.session, "current": true }], "userErrors": [] })
    );
    assert!(!let_in(&lost.client).await);
    refused_soon(&[&there]).await;
    assert!(let_in(&ada.client).await && let_in(&ada.at(&other)).await);
    let refused = json!([{ "code": "INVALID_TOKEN" }]);
    assert_eq!(refresh_errors(&app, &lost.refresh_token).await, refused);
    let logged = format!(
        "SELECT count(*) FROM audit_logs WHERE action = 'SESSION_REVOKED' AND entity_type = 'Session'
         AND user_id = '{0}' AND actor_id = '{0}' AND entity_id = '{1}' AND ip_address = '127.0.0.1'",
        ada.id, lost.session
    );
    assert_eq!(app.number(&logged).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_session_can_be_revoked_too() {
    let app = TestApp::start().await;
    let (first, second) = (
        Person::signed_up(&app, "ada").await,
        Person::signed_in(&app, "ada").await,
    );
    let payload = revoke(&second.client, &second.session).await;
    assert_eq!(
        payload,
        json!({ "sessions": [{ "id": first.session, "current": false }], "userErrors": [] })
    );
    assert!(!let_in(&second.client).await);
    assert!(let_in(&first.client).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_anothers_or_ended_is_not_found() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    let grace = Person::signed_up(&app, "grace").await;
    let ended = Person::signed_in(&app, "ada").await.session;
    let expired = Person::signed_in(&app, "ada").await.session;
    revoke(&ada.client, &ended).await;
    let sql = format!("UPDATE sessions SET expires_at = now() WHERE id = '{expired}'");
    app.sql(&sql).await;
    let unknown = "018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f";
    let before = app.number("SELECT count(*) FROM audit_logs").await;
    for id in [&grace.session, &ended, &expired, &ada.id, unknown, "", "7"] {
        assert_eq!(
            revoke(&ada.client, id).await,
            json!({ "sessions": null,
                    "userErrors": [{ "code": "NOT_FOUND", "field": ["input", "sessionId"] }] }),
            "{id}"
        );
    }
    let after = app.number("SELECT count(*) FROM audit_logs").await;
    assert_eq!(after, before);
    assert!(let_in(&grace.client).await);
    let query =
        "mutation($id: ID!) { revokeSession(input: { sessionId: $id }) { sessions { id } } }";
    let variables = json!({ "id": ada.session });
    let code = app.visitor().error_code(query, variables).await;
    assert_eq!(code, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_but_the_current_one_can_be_ended_at_once() {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let ada = Person::signed_up(&app, "ada").await;
    let elsewhere = [
        Person::signed_in(&app, "ada").await,
        Person::signed_in(&app, "ada").await,
    ];
    let grace = Person::signed_up(&app, "grace").await;
    let there = elsewhere.each_ref().map(|person| person.at(&other));
    for client in there.iter().chain([&ada.at(&other)]) {
        assert!(let_in(client).await);
    }
    let payload = ada.client.data(REVOKE_OTHERS, json!({})).await;
    let left = json!([{ "id": ada.session, "current": true }]);
    let expected = json!({ "sessions": left, "userErrors": [] });
    assert_eq!(payload["revokeOtherSessions"], expected);
    for person in &elsewhere {
        assert!(!let_in(&person.client).await);
    }
    refused_soon(&there.each_ref()).await;
    for client in [&ada.client, &ada.at(&other), &grace.client] {
        assert!(let_in(client).await);
    }
    let again = ada.client.data(REVOKE_OTHERS, json!({})).await;
    assert_eq!(again["revokeOtherSessions"], expected);
    let logged = "SELECT count(*) FROM audit_logs WHERE action = 'SESSION_REVOKED'";
    assert_eq!(app.number(logged).await, 2);
    let code = app.visitor().error_code(REVOKE_OTHERS, json!({})).await;
    assert_eq!(code, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_session_was_last_used_is_written_down_now_and_then() {
    let app = TestApp::with(|settings| {
        settings.auth.usage_interval = Duration::from_millis(100);
    })
    .await;
    let ada = Person::signed_up(&app, "ada").await;
    let idle = Person::signed_in(&app, "ada").await;
    app.sql(
        "UPDATE sessions SET created_at = now() - interval '70 days',
             last_used_at = now() - interval '1 day', expires_at = now() + interval '5 days'",
    )
    .await;
    assert!(let_in(&ada.client).await);
    let used = format!(
        "SELECT count(*) FROM sessions WHERE id = '{}' AND last_used_at > now() - interval '1 minute'
         AND expires_at = created_at + interval '90 days'",
        ada.session
    );
    becomes(&app, &used, 1).await;
    let unused = format!(
        "SELECT count(*) FROM sessions WHERE id = '{}' AND last_used_at < now() - interval '1 hour'",
        idle.session
    );
    assert_eq!(app.number(&unused).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_requests_are_one_note_of_use_and_none_is_none() {
    let app = TestApp::start().await;
    let ada = Person::signed_up(&app, "ada").await;
    app.sql("UPDATE sessions SET last_used_at = now() - interval '1 day'")
        .await;
    for _ in 0..30 {
        assert!(let_in(&ada.client).await);
    }
    let fresh = "SELECT count(*) FROM sessions WHERE last_used_at > now() - interval '1 hour'";
    assert_eq!(app.number(fresh).await, 0);
    for statements in [1, 0] {
        let before = app.pool.statements();
        app.auth.finish().await;
        assert_eq!(app.pool.statements() - before, statements);
    }
    assert_eq!(app.number(fresh).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_of_the_database_while_nobody_asks_the_service() {
    let app = TestApp::with(|settings| {
        settings.auth.usage_interval = Duration::from_millis(50);
    })
    .await;
    let ada = Person::signed_up(&app, "ada").await;
    app.sql("UPDATE sessions SET last_used_at = now() - interval '1 day'")
        .await;
    assert!(let_in(&ada.client).await);
    let noted = "SELECT count(*) FROM sessions WHERE last_used_at > now() - interval '1 hour'";
    becomes(&app, noted, 1).await;
    let before = app.pool.statements();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(app.pool.statements(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_thirty_idle_days_and_after_ninety_days() {
    let app = TestApp::start().await;
    for (name, created, used, is_open) in [
        ("lately", 89, 1, true),
        ("almost", 29, 29, true),
        ("idle", 31, 30, false),
        ("old", 90, 0, false),
    ] {
        let person = Person::signed_up(&app, name).await;
        // As its last use wrote it down so many days ago.
        app.sql(&format!(
            "UPDATE sessions SET created_at = now() - interval '{created} days', last_used_at = now() - interval '{used} days'
             WHERE id = '{0}';
             UPDATE sessions SET expires_at = least(last_used_at + interval '30 days', created_at + interval '90 days')
             WHERE id = '{0}'",
            person.session
        ))
        .await;
        // A process that has not seen it before.
        let other = TestApp::on(app.database.clone(), |_| {}).await;
        assert_eq!(let_in(&person.at(&other)).await, is_open, "{name}");
        let errors = refresh_errors(&other, &person.refresh_token).await;
        assert_eq!(errors == json!([]), is_open, "{name}: {errors}");
    }
}

const SELF: &str =
    "user { sessions { id current } profile { proficiency } accounts { provider providerAccountId }
    auditLog { nodes { action } } } session { id } userErrors { code }";

#[tokio::test(flavor = "multi_thread")]
async fn who_has_just_signed_up_or_in_reads_their_own_at_once() {
    let app = TestApp::start().await;
    let input = "$input: SignUpInput!";
    let sign_up = format!("mutation({input}) {{ signUp(input: $input) {{ {SELF} }} }}");
    let up = app.visitor().data(&sign_up, person("ada")).await["signUp"].take();
    assert_eq!(up["user"]["profile"], json!({ "proficiency": "PRO" }));
    assert_eq!(
        up["user"]["accounts"],
        json!([{ "provider": "password", "providerAccountId": "ada@example.com" }])
    );
    assert_eq!(
        up["user"]["sessions"],
        json!([{ "id": up["session"]["id"], "current": true }])
    );
    let actions = up["user"]["auditLog"]["nodes"].as_array().unwrap();
    assert!(actions.contains(&json!({ "action": "SIGN_IN" })), "{up}");

    // Whoever asks with somebody else's token is, in the payload, who they have just signed in as.
    let grace = Person::signed_up(&app, "grace").await;
    let sign_in = format!(
        "mutation {{ signIn(input: {{ email: \"ada@example.com\", password: \"correct horse\" }}) {{ {SELF} }} }}"
    );
    let payload = grace.client.data(&sign_in, json!({})).await["signIn"].take();
    assert_eq!(
        payload["user"]["sessions"],
        json!([{ "id": payload["session"]["id"], "current": true },
               { "id": up["session"]["id"], "current": false }])
    );
    let read = "SELECT count(*) FROM audit_logs WHERE action LIKE '%_READ'";
    assert_eq!(app.number(read).await, 0);
}
