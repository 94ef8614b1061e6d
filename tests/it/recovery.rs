//! What is mailed to get back in, or to show whose an address is; and changing a password. How mails leave is in
//! `mail_worker`.

mod addresses;
pub(crate) mod beside;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    people::{SIGN_UP, person, sign_in},
    sessions::refused_after,
    support::{Client, TestApp},
};

const RESET: &str = "mutation($token: String!, $password: String!) {
    resetPassword(input: { token: $token, newPassword: $password }) {
        user { email emailVerified } session { current } accessToken refreshToken userErrors { code field } } }";
const CHANGE: &str = "mutation($current: String!, $new: String!) {
    changePassword(input: { currentPassword: $current, newPassword: $new }) { user { name } userErrors { code field } } }";

/// What a mutation of one input says is wrong with it.
async fn errors(client: &Client, mutation: &str) -> Value {
    let query = format!("mutation {{ {mutation} {{ userErrors {{ code field }} }} }}");
    let mut data = client.data(&query, json!({})).await;
    let name = mutation.split('(').next().unwrap();
    data[name]["userErrors"].take()
}

async fn request_reset(app: &TestApp, email: &str) -> Value {
    let query = "mutation($email: String!) {
        requestPasswordReset(input: { email: $email }) { accepted userErrors { code field } } }";
    app.visitor().data(query, json!({ "email": email })).await["requestPasswordReset"].take()
}

/// The good token of that purpose, as its mail has it.
async fn mailed(app: &TestApp, purpose: &str) -> String {
    let id = app
        .text(&format!(
            "SELECT id FROM mail_tokens WHERE purpose = '{purpose}'"
        ))
        .await;
    app.auth.mailed_token(Uuid::parse_str(&id).unwrap())
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Value {
    let variables = json!({ "token": token, "password": password });
    app.visitor().data(RESET, variables).await["resetPassword"].take()
}

async fn mails(app: &TestApp, kind: &str) -> i64 {
    app.number(&format!("SELECT count(*) FROM mails WHERE kind = '{kind}'"))
        .await
}

/// Mails stay in the outbox, so that they can be counted.
async fn unsent() -> TestApp {
    TestApp::with(|settings| settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned())).await
}

fn invalid_token() -> Value {
    json!([{ "code": "INVALID_TOKEN", "field": ["input", "token"] }])
}

async fn signs_in(app: &TestApp, email: &str, password: &str) -> bool {
    sign_in(&app.visitor(), email, password).await["userErrors"] == json!([])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_sets_the_password_ends_all_sessions_and_signs_in() {
    let app = unsent().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let ada = app.signed_up("ada").await;
    let there = Client {
        address: other.address,
        ..ada.clone()
    };
    assert_eq!(errors(&ada, "requestEmailVerification").await, json!([]));
    assert_eq!(
        request_reset(&app, " ADA@example.com ").await,
        json!({ "accepted": true, "userErrors": [] })
    );
    let (token, verification) = (
        mailed(&app, "password_reset").await,
        mailed(&app, "email_verification").await,
    );
    let payload = reset(&app, &token, "another horse").await;
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(
        payload["user"],
        json!({ "email": "ada@example.com", "emailVerified": true })
    );
    let waited = join_all([&ada, &there].map(refused_after)).await;
    assert!(
        waited
            .iter()
            .all(|waited| *waited < Duration::from_millis(1500)),
        "{waited:?}"
    );
    let again = Client {
        token: Some(payload["accessToken"].as_str().unwrap().to_owned()),
        ..app.visitor()
    };
    let sessions = again
        .data("{ me { sessions { current } } }", json!({}))
        .await;
    assert_eq!(sessions["me"]["sessions"], json!([{ "current": true }]));
    assert!(!signs_in(&app, "ada@example.com", "correct horse").await);
    assert!(signs_in(&app, "ada@example.com", "another horse").await);
    // Every other token is void, and the owner is told.
    let verify = format!("verifyEmail(input: {{ token: \"{verification}\" }})");
    assert_eq!(errors(&again, &verify).await, invalid_token());
    assert_eq!(mails(&app, "password_changed").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_who_use_one_token_one_does() {
    let app = unsent().await;
    app.signed_up("ada").await;
    request_reset(&app, "ada@example.com").await;
    let token = mailed(&app, "password_reset").await;
    let passwords: Vec<String> = (0..20)
        .map(|number| format!("another horse {number}"))
        .collect();
    let payloads = join_all(
        passwords
            .iter()
            .map(|password| reset(&app, &token, password)),
    )
    .await;
    let done = payloads
        .iter()
        .filter(|payload| payload["userErrors"] == json!([]))
        .count();
    assert_eq!(done, 1, "{payloads:#?}");
    assert_eq!(
        app.number("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
            .await,
        1
    );
    assert_eq!(mails(&app, "password_changed").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_half_an_hour_and_until_the_next_one() {
    let app = unsent().await;
    app.signed_up("ada").await;
    request_reset(&app, "ada@example.com").await;
    let first = mailed(&app, "password_reset").await;
    request_reset(&app, "ada@example.com").await;
    let second = mailed(&app, "password_reset").await;
    assert_eq!(
        reset(&app, &first, "another horse").await["userErrors"],
        invalid_token()
    );
    let minutes = "SELECT extract(epoch FROM expires_at - created_at) / 60 FROM mail_tokens";
    assert_eq!(app.number(minutes).await, 30);
    app.sql("UPDATE mail_tokens SET expires_at = now() - interval '1 second'")
        .await;
    for token in [second.as_str(), "", "x", &second[1..]] {
        assert_eq!(
            reset(&app, token, "another horse").await["userErrors"],
            invalid_token()
        );
    }
    assert!(signs_in(&app, "ada@example.com", "correct horse").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_refused_uses_no_token_up() {
    let app = unsent().await;
    app.signed_up("ada").await;
    request_reset(&app, "ada@example.com").await;
    let token = mailed(&app, "password_reset").await;
    let (long, field) = ("x".repeat(129), json!(["input", "newPassword"]));
    for (password, code) in [
        ("short", "TOO_SHORT"),
        (long.as_str(), "TOO_LONG"),
        ("12345678\0", "INVALID"),
        ("password1", "WEAK_PASSWORD"),
        ("ada@example.com", "WEAK_PASSWORD"),
    ] {
        let payload = reset(&app, &token, password).await;
        assert_eq!(
            payload["userErrors"],
            json!([{ "code": code, "field": field }]),
            "{password}"
        );
    }
    assert_eq!(
        reset(&app, &token, "another horse").await["userErrors"],
        json!([])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_who_has_an_address() {
    let app = unsent().await;
    app.signed_up("ada").await;
    app.signed_up("bob").await;
    app.sql("UPDATE users SET is_active = false WHERE name = 'bob'")
        .await;
    let known = request_reset(&app, "ada@example.com").await;
    for email in ["nobody@example.com", "bob@example.com"] {
        assert_eq!(request_reset(&app, email).await, known, "{email}");
    }
    assert_eq!(app.number("SELECT count(*) FROM mail_tokens").await, 1);
    // What nobody has is put into the outbox, too, and dropped there unsent.
    let left = "SELECT count(*) FROM mails WHERE recipient <> 'ada@example.com'";
    let began = std::time::Instant::now();
    while app.number(left).await > 0 {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "it is not dropped"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let invalid = request_reset(&app, "nobody").await;
    assert_eq!(
        invalid["userErrors"],
        json!([{ "code": "INVALID", "field": ["input", "email"] }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_does_not_let_a_deactivated_user_in() {
    let app = unsent().await;
    app.signed_up("ada").await;
    request_reset(&app, "ada@example.com").await;
    let token = mailed(&app, "password_reset").await;
    app.sql("UPDATE users SET is_active = false").await;
    assert_eq!(
        reset(&app, &token, "another horse").await["userErrors"],
        invalid_token()
    );
    app.sql("UPDATE users SET is_active = true").await;
    assert_eq!(
        reset(&app, &token, "another horse").await["userErrors"],
        invalid_token()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_all_sessions_but_the_one_that_changed_it() {
    let app = unsent().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let ada = app.signed_up("ada").await;
    let second = sign_in(&other.visitor(), "ada@example.com", "correct horse").await;
    let second = Client {
        token: Some(second["accessToken"].as_str().unwrap().to_owned()),
        ..other.visitor()
    };
    request_reset(&app, "ada@example.com").await;
    let token = mailed(&app, "password_reset").await;
    let change = async |current: &str, new: &str| {
        let variables = json!({ "current": current, "new": new });
        ada.data(CHANGE, variables).await["changePassword"]["userErrors"].take()
    };
    let refused = |code: &str, field: &str| json!([{ "code": code, "field": ["input", field] }]);
    assert_eq!(
        change("wrong horse", "another horse").await,
        refused("INVALID_CREDENTIALS", "currentPassword")
    );
    assert_eq!(
        change("correct horse", "iloveyou1").await,
        refused("WEAK_PASSWORD", "newPassword")
    );
    assert_eq!(
        change("correct horse", "short").await,
        refused("TOO_SHORT", "newPassword")
    );
    assert_eq!(change("correct horse", "another horse").await, json!([]));
    assert!(refused_after(&second).await < Duration::from_millis(1500));
    let me = ada.data("{ me { sessions { current } } }", json!({})).await;
    assert_eq!(me["me"]["sessions"], json!([{ "current": true }]));
    assert_eq!(
        reset(&app, &token, "yet another horse").await["userErrors"],
        invalid_token()
    );
    assert!(signs_in(&app, "ada@example.com", "another horse").await);
    assert_eq!(mails(&app, "password_changed").await, 1);
    let logged =
        "SELECT count(*) FROM audit_logs WHERE action IN ('PASSWORD_CHANGED', 'PASSWORD_REFUSED')
        AND ip_address = '127.0.0.1'";
    assert_eq!(app.number(logged).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_password_signs_nobody_up() {
    let app = TestApp::start().await;
    let mut input = person("ada");
    for password in ["password", "qwertyuiop", "ada@example.com"] {
        input["input"]["password"] = json!(password);
        let payload = app.visitor().data(SIGN_UP, input.clone()).await["signUp"].take();
        let expected = json!([{ "code": "WEAK_PASSWORD", "field": ["input", "password"] }]);
        let found: Vec<Value> = payload["userErrors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| json!({ "code": error["code"], "field": error["field"] }))
            .collect();
        assert_eq!(json!(found), expected, "{password}");
    }
    assert_eq!(app.number("SELECT count(*) FROM users").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_of_another_system_is_replaced_at_the_first_sign_in() {
    let app = TestApp::start().await;
    app.signed_up("ada").await;
    let hash = bcrypt::hash("correct horse", 4).unwrap();
    app.sql(&format!("UPDATE users SET password_hash = '{hash}'"))
        .await;
    assert!(!signs_in(&app, "ada@example.com", "wrong horse").await);
    assert_eq!(app.text("SELECT password_hash FROM users").await, hash);
    assert!(signs_in(&app, "ada@example.com", "correct horse").await);
    let replaced = app.text("SELECT password_hash FROM users").await;
    assert!(
        replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{replaced}"
    );
    assert!(signs_in(&app, "ada@example.com", "correct horse").await);
    assert_eq!(app.text("SELECT password_hash FROM users").await, replaced);
}

async fn sign_in_with(app: &TestApp, program: &str) {
    let query = "mutation { signIn(input: { email: \"ada@example.com\", password: \"correct horse\" }) { userErrors { code } } }";
    let body = json!({ "query": query }).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", program),
    ];
    let answer = app
        .visitor()
        .http("POST", "/graphql", &headers, body.as_bytes())
        .await;
    assert_eq!(
        answer.json()["data"]["signIn"]["userErrors"],
        json!([]),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_is_told_of_once() {
    let app = unsent().await;
    app.signed_up("ada").await;
    // To an address that nobody has verified nothing is sent: it may be a stranger's.
    sign_in_with(&app, "Browser/0").await;
    assert_eq!(mails(&app, "new_device").await, 0);
    app.sql("UPDATE users SET email_verified = true").await;
    sign_in_with(&app, "Browser/1").await;
    assert_eq!(mails(&app, "new_device").await, 1);
    sign_in_with(&app, "Browser/1").await;
    assert_eq!(mails(&app, "new_device").await, 1);
    app.sql("UPDATE sessions SET last_used_at = now() - interval '91 days'")
        .await;
    sign_in_with(&app, "Browser/1").await;
    assert_eq!(mails(&app, "new_device").await, 2);
    let told =
        "SELECT count(*) FROM mails WHERE user_agent = 'Browser/1' AND ip_address = '127.0.0.1'";
    assert_eq!(app.number(told).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_an_address_is_told_who_tried_to_sign_up_with_it() {
    let app = unsent().await;
    app.signed_up("ada").await;
    let payload = app.visitor().data(SIGN_UP, person("ADA")).await["signUp"].take();
    assert_eq!(payload["userErrors"][0]["code"], "TAKEN");
    let told = "SELECT count(*) FROM mails WHERE kind = 'sign_up_attempted' AND recipient = 'ada@example.com'";
    assert_eq!(app.number(told).await, 1);
}
