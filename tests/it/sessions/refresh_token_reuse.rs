//! Refresh tokens that are used again. Two tabs and lost responses keep their session; a thief ends it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::{assert_invalid, next_token};
use crate::support::{Person, TestApp, text};

/// Sets how long ago each session's newest refresh token was issued.
async fn rotated_ago(app: &TestApp, seconds: u32) {
    let sql = format!("UPDATE sessions SET rotated_at = now() - interval '{seconds} seconds'");
    app.sql(&sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_token_returns_the_same_successor_for_sixty_seconds() {
    let app = TestApp::start().await;
    let first = app.signed_up("ada").await.refresh_token;
    let second = next_token(&app, &first).await;
    for _ in 0..3 {
        assert_eq!(next_token(&app, &first).await, second, "a lost reply");
    }
    rotated_ago(&app, 59).await;
    assert_eq!(next_token(&app, &first).await, second);
    // Each exchange has its own minute.
    rotated_ago(&app, 600).await;
    let third = next_token(&app, &second).await;
    assert_ne!(third, second);
    assert_eq!(next_token(&app, &second).await, third);
    assert_eq!(app.number("SELECT max(generation) FROM sessions").await, 3);
    assert_eq!(app.logged("REFRESH_TOKEN_REPEATED").await, 0);
}

/// Uses a replaced token 61 seconds after its exchange, while its successor is unused.
async fn reused_after_61_seconds(app: &TestApp, name: &str) -> Person {
    let owner = app.signed_up(name).await;
    let second = next_token(app, &owner.refresh_token).await;
    rotated_ago(app, 61).await;
    for token in [&owner.refresh_token, &second, &owner.refresh_token] {
        assert_invalid(app, token).await;
    }
    owner
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_token_ends_its_session_after_sixty_seconds_and_notifies_the_owner() {
    let (app, other) = TestApp::behind_a_proxy().await.with_user("grace").await;
    let ada = reused_after_61_seconds(&app, "ada").await;
    assert!(!ada.is_accepted().await);
    assert!(other.is_accepted().await);
    let entry = format!(
        "audit_logs WHERE action = 'REFRESH_TOKEN_REUSED' AND user_id = '{}' AND entity_id = '{}'
            AND entity_type = 'Session' AND actor_id IS NULL AND ip_address = '127.0.0.1'",
        ada.id, ada.session
    );
    assert_eq!(app.count(&entry).await, 1);
    assert_eq!(app.logged("REFRESH_TOKEN_REUSED").await, 1);
    let mails = "SELECT count(*) FROM mails WHERE kind = 'refresh_token_reused'";
    let sent = app.number(mails).await;
    assert_eq!(sent, 0, "an unverified address may be a stranger's");

    let verify = "UPDATE users SET email_verified = true WHERE name = 'edith'";
    let edith = app.signed_up("edith").await;
    app.sql(verify).await;
    app.anonymous().refresh(&edith.refresh_token).await;
    rotated_ago(&app, 61).await;
    for _ in 0..2 {
        assert_invalid(&app, &edith.refresh_token).await;
    }
    let mails = format!("{mails} AND recipient = 'edith@example.com' AND ip_address = '127.0.0.1'");
    assert_eq!(app.number(&mails).await, 1);
}

/// The number of rounds, up to 25, that serve both the owner of a session and a thief who has its refresh token.
async fn rounds_that_serve_both(grace: Duration) -> usize {
    let app = TestApp::with(|settings| settings.auth.refresh_grace = grace).await;
    let mut token = app.signed_up("ada").await.refresh_token;
    for round in 0..25 {
        let thief = app.anonymous().refresh(&token).await;
        // The owner's access token has expired, so they use the refresh token that the thief has used.
        rotated_ago(&app, 15 * 60).await;
        let owner = app.anonymous().refresh(&token).await;
        if thief["refreshToken"].is_null() || owner["refreshToken"].is_null() {
            return round;
        }
        token = text(&owner["refreshToken"]);
    }
    25
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_and_the_owner_cannot_share_a_session() {
    assert_eq!(rounds_that_serve_both(Duration::from_secs(60)).await, 0);
    // An unlimited grace period serves both forever.
    let without_end = Duration::from_secs(365 * 86_400);
    assert_eq!(rounds_that_serve_both(without_end).await, 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grace_period_is_a_setting() {
    let app =
        TestApp::with(|settings| settings.auth.refresh_grace = Duration::from_secs(300)).await;
    let first = app.signed_up("ada").await.refresh_token;
    let second = next_token(&app, &first).await;
    rotated_ago(&app, 290).await;
    assert_eq!(next_token(&app, &first).await, second);
    rotated_ago(&app, 301).await;
    assert_invalid(&app, &first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_refresh_from_another_address_or_program_is_logged() {
    let (app, ada) = TestApp::behind_a_proxy().await.with_user("ada").await;
    // The session was opened elsewhere: what counts is the client that exchanged the token.
    let (home, app_name) = ("2001:db8:1:2::1", "notes/1");
    let first = &ada.refresh_token;
    let exchanging = app.anonymous().from(home).using(app_name);
    let second = text(&exchanging.refresh(first).await["refreshToken"]);
    let mut expected = 0;
    for (address, program, is_logged) in [
        (home, app_name, false),
        ("2001:db8:1:2:ffff::9", app_name, false),
        ("2001:db8:1:3::1", app_name, true),
        ("198.51.100.7", app_name, true),
        (home, "curl/8", true),
        ("198.51.100.7", "curl/8", true),
    ] {
        let client = app.anonymous().from(address).using(program);
        let payload = client.refresh(first).await;
        assert_eq!(payload["refreshToken"], second, "{address} {program}");
        expected += i64::from(is_logged);
        let count = app.logged("REFRESH_TOKEN_REPEATED").await;
        assert_eq!(count, expected, "{address} {program}");
    }
    let entry = format!(
        "audit_logs WHERE action = 'REFRESH_TOKEN_REPEATED' AND user_id = '{}' AND entity_id = '{}'
            AND entity_type = 'Session' AND actor_id IS NULL AND ip_address = '198.51.100.7' AND user_agent = 'curl/8'",
        ada.id, ada.session
    );
    assert_eq!(app.count(&entry).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_refreshes_with_one_token_return_one_successor() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let anonymous = app.anonymous();
    let answers = join_all((0..20).map(|_| anonymous.refresh(&ada.refresh_token))).await;
    let successor = text(&answers[0]["refreshToken"]);
    for payload in &answers {
        assert_eq!(payload["userErrors"], json!([]));
        assert_eq!(payload["session"]["id"], ada.session);
        assert_eq!(payload["refreshToken"], successor);
    }
    assert_eq!(app.number("SELECT sum(generation) FROM sessions").await, 2);
    assert_eq!(app.logged("REFRESH_TOKEN_REPEATED").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_replaced_twice_ends_its_session() {
    let (app, ada, other) = TestApp::start().await.with_users("ada", "grace").await;
    let elsewhere = app.another().await;
    let there = ada.at(&elsewhere);
    assert!(there.is_accepted().await);
    let second = next_token(&app, &ada.refresh_token).await;
    let third = next_token(&app, &second).await;
    assert!(ada.is_accepted().await);

    assert_invalid(&app, &ada.refresh_token).await;
    for token in [&ada.refresh_token, &second, &third] {
        assert_invalid(&app, token).await;
    }
    assert!(!ada.is_accepted().await);
    there.eventually_rejected().await;
    assert!(other.is_accepted().await);
    let logged = format!(
        "audit_logs WHERE action = 'REFRESH_TOKEN_REUSED' AND user_id = '{}' AND entity_id = '{}'",
        ada.id, ada.session
    );
    assert_eq!(app.count(&logged).await, 1);
}
