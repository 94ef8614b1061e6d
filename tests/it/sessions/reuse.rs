//! Refresh tokens that are used again: two tabs and lost replies go on, a thief is noticed.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    REFRESH, SignedIn, ask, invalid_token, refresh, refresh_token, refused_after, signed_up,
};
use crate::support::{Client, TestApp};

/// Makes the newest refresh token of every session that old.
async fn rotated_ago(app: &TestApp, seconds: u32) {
    let sql = format!("UPDATE sessions SET rotated_at = now() - interval '{seconds} seconds'");
    app.sql(&sql).await;
}

async fn logged(app: &TestApp, action: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM audit_logs WHERE action = '{action}'");
    app.number(&sql).await
}

/// A service whose mails stay in the outbox, since nobody listens there.
async fn keeping_mails() -> TestApp {
    TestApp::with(|settings| {
        settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned());
        settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_token_gets_the_same_successor_for_sixty_seconds() {
    let app = TestApp::start().await;
    let first = signed_up(&app, "ada").await.refresh_token;
    let second = refresh_token(&refresh(&app, &first).await);
    for _ in 0..3 {
        assert_eq!(
            refresh_token(&refresh(&app, &first).await),
            second,
            "a lost reply"
        );
    }
    rotated_ago(&app, 59).await;
    assert_eq!(refresh_token(&refresh(&app, &first).await), second);
    // Each exchange has its own minute.
    rotated_ago(&app, 600).await;
    let third = refresh_token(&refresh(&app, &second).await);
    assert_ne!(third, second);
    assert_eq!(refresh_token(&refresh(&app, &second).await), third);
    assert_eq!(app.number("SELECT max(generation) FROM sessions").await, 3);
    assert_eq!(logged(&app, "REFRESH_TOKEN_REPEATED").await, 0);
}

/// A replaced token that is used 61 seconds after its exchange, while nobody has used its successor.
async fn reused_after_61_seconds(app: &TestApp, name: &str) -> SignedIn {
    let owner = signed_up(app, name).await;
    let second = refresh_token(&refresh(app, &owner.refresh_token).await);
    rotated_ago(app, 61).await;
    for token in [&owner.refresh_token, &second, &owner.refresh_token] {
        assert_eq!(refresh(app, token).await, invalid_token());
    }
    owner
}

#[tokio::test(flavor = "multi_thread")]
async fn after_sixty_seconds_a_replaced_token_ends_its_session_and_the_owner_is_told() {
    let app = keeping_mails().await;
    let other = signed_up(&app, "grace").await;
    let ada = reused_after_61_seconds(&app, "ada").await;
    assert_eq!(ask(&ada.client).await.status, 401);
    assert_eq!(ask(&other.client).await.status, 200);
    let entry = format!(
        "SELECT count(*) FROM audit_logs WHERE action = 'REFRESH_TOKEN_REUSED' AND user_id = '{}' AND entity_id = '{}'
            AND entity_type = 'Session' AND actor_id IS NULL AND ip_address = '127.0.0.1'",
        ada.user, ada.session
    );
    assert_eq!(app.number(&entry).await, 1);
    assert_eq!(logged(&app, "REFRESH_TOKEN_REUSED").await, 1);
    let mails = "SELECT count(*) FROM mails WHERE kind = 'refresh_token_reused'";
    assert_eq!(
        app.number(mails).await,
        0,
        "an unverified address may be a stranger's"
    );

    let verify = "UPDATE users SET email_verified = true WHERE name = 'edith'";
    let edith = signed_up(&app, "edith").await;
    app.sql(verify).await;
    refresh(&app, &edith.refresh_token).await;
    rotated_ago(&app, 61).await;
    for _ in 0..2 {
        assert_eq!(refresh(&app, &edith.refresh_token).await, invalid_token());
    }
    let mails = format!("{mails} AND recipient = 'edith@example.com' AND ip_address = '127.0.0.1'");
    assert_eq!(app.number(&mails).await, 1);
}

/// How many rounds, 25 at most, serve both the owner of a session and a thief who has its refresh token.
async fn rounds_that_serve_both(grace: Duration) -> usize {
    let app = TestApp::with(|settings| settings.auth.refresh_grace = grace).await;
    let mut token = signed_up(&app, "ada").await.refresh_token;
    for round in 0..25 {
        let thief = refresh(&app, &token).await;
        // The owner's access token has expired meanwhile, so they use the token that the thief has used.
        rotated_ago(&app, 15 * 60).await;
        let owner = refresh(&app, &token).await;
        if thief["refreshToken"].is_null() || owner["refreshToken"].is_null() {
            return round;
        }
        token = refresh_token(&owner);
    }
    25
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_and_the_owner_do_not_take_turns() {
    assert_eq!(rounds_that_serve_both(Duration::from_secs(60)).await, 0);
    // A replaced token that is served until its successor is used serves both for ever.
    let without_end = Duration::from_secs(365 * 86_400);
    assert_eq!(rounds_that_serve_both(without_end).await, 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grace_period_is_a_setting() {
    let app = TestApp::with(|settings| {
        settings.auth.refresh_grace = Duration::from_secs(300);
    })
    .await;
    let first = signed_up(&app, "ada").await.refresh_token;
    let second = refresh_token(&refresh(&app, &first).await);
    rotated_ago(&app, 290).await;
    assert_eq!(refresh_token(&refresh(&app, &first).await), second);
    rotated_ago(&app, 301).await;
    assert_eq!(refresh(&app, &first).await, invalid_token());
}

/// A refresh by that program through a proxy, from that address.
async fn refresh_from(app: &TestApp, token: &str, address: &str, program: &str) -> Value {
    let body = json!({ "query": REFRESH, "variables": { "token": token } }).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-forwarded-for", address),
        ("user-agent", program),
    ];
    let visitor = app.visitor();
    let sent = visitor.http("POST", "/graphql", &headers, body.as_bytes());
    sent.await.json()["data"]["refreshSession"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_from_another_address_or_program_is_served_and_logged() {
    let app = keeping_mails().await;
    let ada = signed_up(&app, "ada").await;
    // The session was opened elsewhere: what counts is the client that exchanged the token.
    let (home, app_name) = ("2001:db8:1:2::1", "notes/1");
    let first = &ada.refresh_token;
    let second = refresh_token(&refresh_from(&app, first, home, app_name).await);
    let mut expected = 0;
    for (address, program, is_logged) in [
        (home, app_name, false),
        ("2001:db8:1:2:ffff::9", app_name, false),
        ("2001:db8:1:3::1", app_name, true),
        ("198.51.100.7", app_name, true),
        (home, "curl/8", true),
        ("198.51.100.7", "curl/8", true),
    ] {
        let payload = refresh_from(&app, first, address, program).await;
        assert_eq!(refresh_token(&payload), second, "{address} {program}");
        expected += i64::from(is_logged);
        let count = logged(&app, "REFRESH_TOKEN_REPEATED").await;
        assert_eq!(count, expected, "{address} {program}");
    }
    let entry = format!(
        "SELECT count(*) FROM audit_logs WHERE action = 'REFRESH_TOKEN_REPEATED' AND user_id = '{}' AND entity_id = '{}'
            AND entity_type = 'Session' AND actor_id IS NULL AND ip_address = '198.51.100.7' AND user_agent = 'curl/8'",
        ada.user, ada.session
    );
    assert_eq!(app.number(&entry).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_refreshes_with_one_token_get_one_successor() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    let answers = join_all((0..20).map(|_| refresh(&app, &ada.refresh_token))).await;
    let successor = refresh_token(&answers[0]);
    for payload in &answers {
        assert_eq!(payload["userErrors"], json!([]));
        assert_eq!(payload["session"]["id"], ada.session);
        assert_eq!(refresh_token(payload), successor);
    }
    assert_eq!(app.number("SELECT sum(generation) FROM sessions").await, 2);
    assert_eq!(logged(&app, "REFRESH_TOKEN_REPEATED").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_token_ends_the_session() {
    let app = TestApp::start().await;
    let ada = signed_up(&app, "ada").await;
    let other = signed_up(&app, "grace").await;
    let elsewhere = TestApp::on(app.database.clone(), |_| {}).await;
    let there = Client {
        address: elsewhere.address,
        ..ada.client.clone()
    };
    assert_eq!(ask(&there).await.status, 200);
    let second = refresh_token(&refresh(&app, &ada.refresh_token).await);
    let third = refresh_token(&refresh(&app, &second).await);
    assert_eq!(ask(&ada.client).await.status, 200);

    assert_eq!(refresh(&app, &ada.refresh_token).await, invalid_token());
    for token in [&ada.refresh_token, &second, &third] {
        assert_eq!(refresh(&app, token).await, invalid_token());
    }
    assert_eq!(ask(&ada.client).await.status, 401);
    let waited = refused_after(&there).await;
    assert!(waited < Duration::from_millis(1500), "{waited:?}");
    assert_eq!(ask(&other.client).await.status, 200);
    let logged = format!(
        "SELECT count(*) FROM audit_logs WHERE action = 'REFRESH_TOKEN_REUSED' AND user_id = '{}' AND entity_id = '{}'",
        ada.user, ada.session
    );
    assert_eq!(app.number(&logged).await, 1);
}
