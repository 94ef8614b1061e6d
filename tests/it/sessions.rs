//! Access tokens and refresh tokens: rotation, forged tokens, and the rejection of tokens whose session has ended.
//!
//! `reuse` tests refresh tokens that are used twice, `session_list` what users see of their sessions.

mod refresh_token_reuse;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use snapnote::auth::keys::{Purpose, Secrets};

use crate::support::{
    Answer, Client, Person, SECRET, TestApp, access_key, at_least, secrets, text,
};

fn invalid_token() -> Value {
    json!({ "user": null, "session": null, "accessToken": null, "refreshToken": null,
            "userErrors": [{ "code": "INVALID_TOKEN", "field": ["input", "refreshToken"] }] })
}

/// Exchanges a refresh token, which must be valid; the new one.
async fn next_token(app: &TestApp, token: &str) -> String {
    text(&app.anonymous().refresh(token).await["refreshToken"])
}

async fn assert_invalid(app: &TestApp, token: &str) {
    assert_eq!(app.anonymous().refresh(token).await, invalid_token());
}

/// A request that needs a valid token, and no statement besides.
async fn ask(client: &Client) -> Answer {
    let query = "{ nodes(ids: []) { __typename } }";
    client.post(query, json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshing_a_session_returns_new_tokens_and_extends_it() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql("UPDATE sessions SET created_at = now() - interval '70 days', expires_at = now() + interval '1 hour'")
        .await;
    let payload = app.anonymous().refresh(&ada.refresh_token).await;
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(payload["user"]["id"], ada.id);
    assert_eq!(payload["session"]["id"], ada.session);
    assert_eq!(payload["session"]["current"], true);
    assert_ne!(payload["refreshToken"], ada.refresh_token);
    let renewed = Person::of(&app.anonymous(), &payload);
    assert_ne!(renewed.token, ada.token);
    assert!(renewed.is_accepted().await && ada.is_accepted().await);
    // Thirty more days would make a hundred; the maximum is ninety.
    let extended = "sessions WHERE expires_at = created_at + interval '90 days'";
    assert_eq!(app.count(extended).await, 1);
    let rotated = "sessions WHERE generation = 2 AND refresh_token_hash = sha256(";
    let token = renewed.refresh_token;
    assert_eq!(app.count(&format!("{rotated}'{token}')")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_of_ended_sessions_and_inactive_or_deleted_users_are_invalid() {
    let app = TestApp::start().await;
    for (name, sql) in [
        ("ended", "UPDATE sessions SET ended_at = now()"),
        ("expired", "UPDATE sessions SET expires_at = now()"),
        ("inactive", "UPDATE users SET is_active = false"),
        ("deleted", "DELETE FROM users"),
    ] {
        let person = app.signed_up(name).await;
        let second = next_token(&app, &person.refresh_token).await;
        app.sql(sql).await;
        for token in [&person.refresh_token, &second] {
            assert_invalid(&app, token).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_or_foreign_refresh_tokens_are_invalid() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let stranger = TestApp::with(|settings| {
        let other = b"another secret, which is long enough, too".to_vec();
        settings.auth.secrets = Secrets::new(other, None);
    })
    .await;
    let foreign = stranger.signed_up("ada").await.refresh_token;
    let mut last = ada.refresh_token.clone();
    let end = if last.ends_with('A') { 'B' } else { 'A' };
    last.pop();
    last.push(end);
    for token in [
        "",
        "\0",
        "AAAA",
        "語",
        &foreign,
        &last,
        &format!("{}A", ada.refresh_token),
        &format!("{}=", ada.refresh_token),
        ada.token.as_deref().unwrap(),
        &"A".repeat(100_000),
    ] {
        assert_invalid(&app, token).await;
    }
    let payload = app.anonymous().refresh(&ada.refresh_token).await;
    assert_eq!(payload["userErrors"], json!([]));
}

fn header() -> Header {
    Header {
        typ: Some("at+jwt".to_owned()),
        ..Header::new(Algorithm::HS256)
    }
}

fn claims(of: &Person) -> Value {
    let now = chrono::Utc::now().timestamp();
    json!({ "iss": "snapnote", "aud": "snapnote", "sub": of.id, "sid": of.session, "iat": now, "exp": now + 900 })
}

fn signed(header: &Header, claims: &Value, secret: &[u8]) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// Invalid tokens, and what is wrong with each.
fn bad_tokens(ada: &Person, grace: &Person) -> Vec<(&'static str, String)> {
    let of_header = |change: fn(&mut Header)| {
        let mut header = header();
        change(&mut header);
        signed(&header, &claims(ada), &access_key())
    };
    let good = signed(&header(), &claims(ada), &access_key());
    let parts: Vec<&str> = good.split('.').collect();
    // {"alg":"none","typ":"at+jwt"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let another_key = b"another secret, which is long enough";
    let for_links = secrets().keys(Purpose::ImageLinks).current;
    let another_type = |header: &mut Header| header.typ = Some("JWT".to_owned());
    let hs512 = |header: &mut Header| header.alg = Algorithm::HS512;
    let critical = |header: &mut Header| header.crit = Some(vec!["b64".to_owned()]);
    vec![
        ("alg none", format!("{none}.{}.", parts[1])),
        ("alg none, signed", [none, parts[1], parts[2]].join(".")),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("another key", signed(&header(), &claims(ada), another_key)),
        ("the secret itself", signed(&header(), &claims(ada), SECRET)),
        (
            "a key for another purpose",
            signed(&header(), &claims(ada), &for_links),
        ),
        ("another algorithm", of_header(hs512)),
        ("another type", of_header(another_type)),
        ("no type", of_header(|header| header.typ = None)),
        ("a critical extension", of_header(critical)),
        ("a refresh token", ada.refresh_token.clone()),
        ("no token", "a.b.c".to_owned()),
    ]
    .into_iter()
    .chain(bad_claims(ada, grace))
    .collect()
}

/// Tokens with invalid claims, and what is wrong with each.
fn bad_claims(ada: &Person, grace: &Person) -> Vec<(&'static str, String)> {
    let with = |field: &str, value: Value| {
        let mut claims = claims(ada);
        claims[field] = value;
        signed(&header(), &claims, &access_key())
    };
    let now = chrono::Utc::now().timestamp();
    let unknown = json!("018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f");
    vec![
        ("expired", with("exp", json!(now - 60))),
        ("not valid yet", with("nbf", json!(now + 60))),
        ("no expiry", with("exp", Value::Null)),
        ("another issuer", with("iss", json!("someone"))),
        ("another audience", with("aud", json!(["something"]))),
        ("a subject that is no UUID", with("sub", json!("ada"))),
        ("no session", with("sid", Value::Null)),
        ("an unknown session", with("sid", unknown)),
        ("another's session", with("sid", json!(grace.session))),
        ("another's subject", with("sub", json!(grace.id))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_access_tokens_are_rejected_with_a_short_reason() {
    let (app, ada, grace) = TestApp::start().await.with_users("ada", "grace").await;
    let without_jti = ada.with_token(signed(&header(), &claims(&ada), &access_key()));
    assert!(without_jti.is_accepted().await);
    for (what, token) in bad_tokens(&ada, &grace) {
        let reason = match what {
            "expired" => "The access token has expired. Call refreshSession for a new one.",
            "an unknown session" | "another's session" | "another's subject" => {
                "The session has ended. Sign in again."
            }
            _ => "The access token is invalid. Sign in again.",
        };
        let answer = ask(&app.anonymous().with_token(token)).await;
        assert_eq!(answer.status, 401, "{what}");
        let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"");
        let seen = answer.header("www-authenticate");
        assert_eq!(seen, Some(challenge.as_str()), "{what}");
        let body = answer.json();
        assert_eq!(body["data"], Value::Null, "{what}");
        let error = &body["errors"][0];
        assert_eq!(error["extensions"], json!({ "code": "UNAUTHENTICATED" }));
        assert_eq!(error["message"], reason, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_only_the_current_session() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let elsewhere = app.signed_in("ada").await;
    assert!(ada.is_accepted().await);
    let expected = json!({ "signedOut": true, "userErrors": [] });
    assert_eq!(ada.sign_out().await, expected);
    assert!(!ada.is_accepted().await);
    assert!(elsewhere.is_accepted().await);
    assert_invalid(&app, &ada.refresh_token).await;
    let logged = format!(
        "audit_logs WHERE action = 'SIGN_OUT' AND actor_id = '{}' AND entity_id = '{}'",
        ada.id, ada.session
    );
    assert_eq!(app.count(&logged).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_in_another_process_is_rejected() {
    let (app, other) = TestApp::start().await.and_another().await;
    let ada = app.signed_up("ada").await;
    let there = ada.at(&other);
    assert!(there.is_accepted().await);
    ada.sign_out().await;
    there.eventually_rejected().await;
}

/// Two processes have accepted ada's token when this SQL runs. Both must reject it afterwards, and no other user's.
async fn rejected_everywhere_after(sql: &str) {
    let (app, other) = TestApp::start().await.and_another().await;
    let (ada, grace) = (app.signed_up("ada").await, app.signed_up("grace").await);
    let there = ada.at(&other);
    for client in [&*ada, &there, &grace] {
        assert!(client.is_accepted().await);
    }
    app.sql(sql).await;
    for client in [&*ada, &there] {
        client.eventually_rejected().await;
    }
    assert!(grace.is_accepted().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_deleted_users_are_rejected_everywhere() {
    rejected_everywhere_after("DELETE FROM users WHERE name = 'ada'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_deactivated_users_are_rejected_everywhere() {
    rejected_everywhere_after("UPDATE users SET is_active = false WHERE name = 'ada'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_session_is_rejected_when_it_expires() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql("UPDATE sessions SET expires_at = now() + interval '2 seconds'")
        .await;
    assert!(ada.is_accepted().await);
    ada.eventually_rejected().await;
    assert_eq!(app.count("sessions WHERE expires_at > now()").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_inactive_users_are_rejected() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    app.sql("UPDATE users SET is_active = false").await;
    assert!(!ada.is_accepted().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn known_sessions_cost_at_most_one_statement_per_second_and_none_without_requests() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    ask(&ada).await;
    let (before, began) = (app.pool.statements(), Instant::now());
    for _ in 0..30 {
        assert!(ada.is_accepted().await);
    }
    let seconds = began.elapsed().as_secs() + 1;
    let sent = app.pool.statements() - before;
    assert!(sent <= seconds, "{sent} statements in {seconds} s");
    let before = app.pool.statements();
    at_least(Duration::from_secs(2)).await;
    ask(&ada).await;
    let sent = app.pool.statements() - before;
    assert_eq!(sent, 1, "the last request read the revocations");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_share_one_slow_read_of_the_revocations() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    assert!(ada.is_accepted().await);
    at_least(Duration::from_millis(1100)).await;
    let before = app.pool.statements();
    let slow = app.begin("LOCK TABLE revocations").await;
    let release = async {
        app.eventually_blocked(1).await;
        at_least(Duration::from_millis(500)).await;
        slow.commit().await;
        Instant::now()
    };
    let (answers, released) = tokio::join!(join_all((0..20).map(|_| ask(&ada))), release);
    assert!(answers.iter().all(|answer| answer.status == 200));
    let sent = app.pool.statements() - before;
    // A read that waits long on a shared connection is sent again on a leased one.
    let few = sent <= 2 + released.elapsed().as_secs();
    assert!(few, "{sent} statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_not_accepted_by_stale_revocations_while_the_database_is_unavailable() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    assert!(ada.is_accepted().await);
    app.pool.close().await;
    at_least(Duration::from_millis(1100)).await;
    for answer in join_all((0..5).map(|_| ask(&ada))).await {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some());
        assert_eq!(answer.error_code(), "UNAVAILABLE");
    }
    let anonymous = app.anonymous().post("{ __typename }", json!({})).await;
    assert_eq!(anonymous.status, 200);
}
