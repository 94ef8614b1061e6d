//! Sessions and their tokens: rotation, forgeries, and how soon what was ended is refused. Tokens that are used again are in
//! `reuse`.

mod reuse;

use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::{
    people::{SIGN_UP, person},
    support::{Answer, Client, SECRET, TestApp, superuser},
};

/// Somebody who has signed up, with all that they were given.
struct SignedIn {
    client: Client,
    user: String,
    session: String,
    refresh_token: String,
}

async fn signed_up(app: &TestApp, name: &str) -> SignedIn {
    let payload = app.visitor().data(SIGN_UP, person(name)).await["signUp"].take();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let client = Client {
        token: Some(text(&payload["accessToken"])),
        ..app.visitor()
    };
    SignedIn {
        client,
        user: text(&payload["user"]["id"]),
        session: text(&payload["session"]["id"]),
        refresh_token: text(&payload["refreshToken"]),
    }
}

const REFRESH: &str = "mutation($token: String!) { refreshSession(input: { refreshToken: $token }) {
    user { id } session { id current createdAt expiresAt } accessToken refreshToken userErrors { code field } } }";

async fn refresh(app: &TestApp, token: &str) -> Value {
    let variables = json!({ "token": token });
    app.visitor().data(REFRESH, variables).await["refreshSession"].take()
}

fn refresh_token(payload: &Value) -> String {
    let token = payload["refreshToken"].as_str();
    token.unwrap_or_else(|| panic!("{payload}")).to_owned()
}

fn invalid_token() -> Value {
    json!({ "user": null, "session": null, "accessToken": null, "refreshToken": null,
            "userErrors": [{ "code": "INVALID_TOKEN", "field": ["input", "refreshToken"] }] })
}

/// A request that needs a good token, or none at all.
async fn ask(client: &Client) -> Answer {
    client.post("{ __typename }", json!({})).await
}

/// How long it takes until the client's token is refused; two seconds at most.
pub(crate) async fn refused_after(client: &Client) -> Duration {
    let began = Instant::now();
    while ask(client).await.status != 401 {
        assert!(began.elapsed() < Duration::from_secs(2), "still let in");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_goes_on_with_the_session_under_new_tokens() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    app.sql("UPDATE sessions SET created_at = now() - interval '70 days', expires_at = now() + interval '1 hour'")
        .await;
    let payload = refresh(&app, &ada.refresh_token).await;
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(payload["user"]["id"], ada.user);
    assert_eq!(payload["session"]["id"], ada.session);
    assert_eq!(payload["session"]["current"], true);
    assert_ne!(payload["refreshToken"], ada.refresh_token);
    let access = payload["accessToken"].as_str().map(str::to_owned);
    assert_ne!(access, ada.client.token);
    for token in [access, ada.client.token] {
        let client = Client {
            token,
            ..app.visitor()
        };
        assert_eq!(ask(&client).await.status, 200);
    }
    // Thirty days more would be a hundred in all; ninety is the most.
    let oldest = "SELECT count(*) FROM sessions WHERE expires_at = created_at + interval '90 days'";
    assert_eq!(app.number(oldest).await, 1);
    let hash =
        "SELECT count(*) FROM sessions WHERE generation = 2 AND refresh_token_hash = sha256(";
    let token = refresh_token(&payload);
    assert_eq!(app.number(&format!("{hash}'{token}')")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_dies_with_its_session_and_its_user() {
    let app = TestApp::start().await;
    for (name, sql) in [
        ("ended", "UPDATE sessions SET ended_at = now()"),
        ("expired", "UPDATE sessions SET expires_at = now()"),
        ("inactive", "UPDATE users SET is_active = false"),
        ("deleted", "DELETE FROM users"),
    ] {
        let somebody = signed_up(&app, name).await;
        let second = refresh_token(&refresh(&app, &somebody.refresh_token).await);
        app.sql(sql).await;
        for token in [&somebody.refresh_token, &second] {
            assert_eq!(refresh(&app, token).await, invalid_token(), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_refresh_token_of_ours_is_invalid() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    let stranger = TestApp::with(|settings| {
        settings.auth.secret = b"another secret, which is long enough, too".to_vec();
    })
    .await;
    let strangers = signed_up(&stranger, "ada").await.refresh_token;
    let mut last = ada.refresh_token.clone();
    let end = if last.ends_with('A') { 'B' } else { 'A' };
    last.pop();
    last.push(end);
    for token in [
        "",
        "\0",
        "AAAA",
        "語",
        &strangers,
        &last,
        &format!("{}A", ada.refresh_token),
        &format!("{}=", ada.refresh_token),
        ada.client.token.as_deref().unwrap(),
        &"A".repeat(100_000),
    ] {
        assert_eq!(refresh(&app, token).await, invalid_token());
    }
    assert_eq!(
        refresh(&app, &ada.refresh_token).await["userErrors"],
        json!([])
    );
}

fn header() -> Header {
    Header {
        typ: Some("at+jwt".to_owned()),
        ..Header::new(Algorithm::HS256)
    }
}

fn claims(of: &SignedIn) -> Value {
    let now = chrono::Utc::now().timestamp();
    json!({ "iss": "snapnote", "aud": "snapnote", "sub": of.user, "sid": of.session, "iat": now, "exp": now + 900 })
}

fn signed(header: &Header, claims: &Value, secret: &[u8]) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// Tokens that are not ada's, and what is wrong with each.
fn bad_tokens(ada: &SignedIn, grace: &SignedIn) -> Vec<(&'static str, String)> {
    let with = |field: &str, value: Value| {
        let mut claims = claims(ada);
        claims[field] = value;
        signed(&header(), &claims, SECRET)
    };
    let of_header = |change: fn(&mut Header)| {
        let mut header = header();
        change(&mut header);
        signed(&header, &claims(ada), SECRET)
    };
    let good = signed(&header(), &claims(ada), SECRET);
    let parts: Vec<&str> = good.split('.').collect();
    // {"alg":"none","typ":"at+jwt"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let now = chrono::Utc::now().timestamp();
    vec![
        ("alg none", format!("{none}.{}.", parts[1])),
        (
            "alg none, signed",
            format!("{none}.{}.{}", parts[1], parts[2]),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "another key",
            signed(
                &header(),
                &claims(ada),
                b"another secret, which is long enough",
            ),
        ),
        (
            "another algorithm",
            of_header(|header| header.alg = Algorithm::HS512),
        ),
        (
            "another type",
            of_header(|header| header.typ = Some("JWT".to_owned())),
        ),
        ("no type", of_header(|header| header.typ = None)),
        (
            "a critical extension",
            of_header(|header| header.crit = Some(vec!["b64".to_owned()])),
        ),
        ("expired", with("exp", json!(now - 60))),
        ("not yet good", with("nbf", json!(now + 60))),
        ("no expiry", with("exp", Value::Null)),
        ("another issuer", with("iss", json!("someone"))),
        ("another audience", with("aud", json!(["something"]))),
        ("a subject that is no UUID", with("sub", json!("ada"))),
        ("no session", with("sid", Value::Null)),
        (
            "an unknown session",
            with("sid", json!("018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f")),
        ),
        ("another's session", with("sid", json!(grace.session))),
        ("another's session, seen", with("sub", json!(grace.user))),
        ("a refresh token", ada.refresh_token.clone()),
        ("no token", "a.b.c".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_access_token_of_ours_is_refused_without_a_word_why() {
    let app = TestApp::start().await;
    let (ada, grace) = (signed_up(&app, "ada").await, signed_up(&app, "grace").await);
    let by_others = Client {
        token: Some(signed(&header(), &claims(&ada), SECRET)),
        ..app.visitor()
    };
    assert_eq!(ask(&by_others).await.status, 200, "without a jti");
    let mut messages = Vec::new();
    for (what, token) in bad_tokens(&ada, &grace) {
        let client = Client {
            token: Some(token),
            ..app.visitor()
        };
        let answer = ask(&client).await;
        assert_eq!(answer.status, 401, "{what}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, Some("Bearer error=\"invalid_token\""), "{what}");
        let body = answer.json();
        assert!(body.get("data").is_none(), "{what}");
        assert_eq!(
            body["errors"][0]["extensions"],
            json!({ "code": "UNAUTHENTICATED" })
        );
        messages.push(body["errors"][0]["message"].clone());
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_this_session_alone_and_at_once() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    let query = "mutation { signIn(input: { email: \"ada@example.com\", password: \"correct horse\" }) { accessToken } }";
    let elsewhere = Client {
        token: app.visitor().data(query, json!({})).await["signIn"]["accessToken"]
            .as_str()
            .map(str::to_owned),
        ..app.visitor()
    };
    assert_eq!(ask(&ada.client).await.status, 200);
    let query = "mutation { signOut { signedOut userErrors { code } } }";
    let payload = ada.client.data(query, json!({})).await;
    assert_eq!(
        payload["signOut"],
        json!({ "signedOut": true, "userErrors": [] })
    );
    assert_eq!(ask(&ada.client).await.status, 401);
    assert_eq!(ask(&elsewhere).await.status, 200);
    assert_eq!(refresh(&app, &ada.refresh_token).await, invalid_token());
    let logged = format!(
        "SELECT count(*) FROM audit_logs WHERE action = 'SIGN_OUT' AND actor_id = '{}' AND entity_id = '{}'",
        ada.user, ada.session
    );
    assert_eq!(app.number(&logged).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_ended_is_refused_within_a_second() {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let ada = signed_up(&app, "ada").await;
    let there = Client {
        address: other.address,
        ..ada.client.clone()
    };
    assert_eq!(ask(&there).await.status, 200);
    ada.client
        .data("mutation { signOut { signedOut } }", json!({}))
        .await;
    let waited = refused_after(&there).await;
    assert!(waited < Duration::from_millis(1500), "{waited:?}");
}

/// Ada is known to two processes when this happens to her: both must soon refuse her, and nobody else.
async fn refused_everywhere_after(sql: &str) {
    let app = TestApp::start().await;
    let other = TestApp::on(app.database.clone(), |_| {}).await;
    let (ada, grace) = (signed_up(&app, "ada").await, signed_up(&app, "grace").await);
    let there = Client {
        address: other.address,
        ..ada.client.clone()
    };
    for client in [&ada.client, &there, &grace.client] {
        assert_eq!(ask(client).await.status, 200);
    }
    app.sql(sql).await;
    for waited in join_all([&ada.client, &there].map(refused_after)).await {
        assert!(waited < Duration::from_millis(1500), "{waited:?}");
    }
    assert_eq!(ask(&grace.client).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_is_refused_within_a_second() {
    refused_everywhere_after("DELETE FROM users WHERE name = 'ada'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_user_is_refused_within_a_second() {
    refused_everywhere_after("UPDATE users SET is_active = false WHERE name = 'ada'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_not_trusted_beyond_its_end() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    app.sql("UPDATE sessions SET expires_at = now() + interval '1 second'")
        .await;
    assert_eq!(ask(&ada.client).await.status, 200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(ask(&ada.client).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inactive_user_is_refused() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    app.sql("UPDATE users SET is_active = false").await;
    assert_eq!(ask(&ada.client).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_seen_costs_a_statement_a_second_and_none_without_requests() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    ask(&ada.client).await;
    let (before, began) = (app.pool.statements(), Instant::now());
    for _ in 0..30 {
        assert_eq!(ask(&ada.client).await.status, 200);
    }
    let seconds = began.elapsed().as_secs() + 1;
    let sent = app.pool.statements() - before;
    assert!(sent <= seconds, "{sent} statements in {seconds} s");
    let before = app.pool.statements();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(app.pool.statements(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_requests_share_one_slow_reading_of_what_was_revoked() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    assert_eq!(ask(&ada.client).await.status, 200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let before = app.pool.statements();
    let mut slow = superuser(&app.database).await;
    let lock = "BEGIN; LOCK TABLE revocations IN ACCESS EXCLUSIVE MODE";
    slow.batch_execute(lock).await.unwrap();
    let let_go = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        slow.batch_execute("COMMIT").await.unwrap();
    };
    let (answers, ()) = tokio::join!(join_all((0..20).map(|_| ask(&ada.client))), let_go);
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(app.pool.statements() - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_trusted_on_old_knowledge_when_the_database_is_away() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    assert_eq!(ask(&ada.client).await.status, 200);
    app.pool.close().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for answer in join_all((0..5).map(|_| ask(&ada.client))).await {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some());
        let error = &answer.json()["errors"][0];
        assert_eq!(error["extensions"]["code"], "UNAVAILABLE");
    }
    assert_eq!(ask(&app.visitor()).await.status, 200);
}
