//! Resetting and changing passwords, and the mails that say so. `mail_delivery` tests how mails are sent.

mod concurrency;
mod email_addresses;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{PASSWORD, Person, TestApp, codes, errors, newcomer};

const ADA: &str = "ada@example.com";
const INVALID_TOKEN: &str = "INVALID_TOKEN token";

/// Requests a password reset for ada. Returns its token.
async fn reset_token(app: &TestApp) -> String {
    app.anonymous().request_password_reset(ADA).await;
    app.mailed_token("password_reset").await
}

/// Uses a password reset. Returns its user errors.
async fn reset(app: &TestApp, token: &str, password: &str) -> Vec<String> {
    errors(&app.anonymous().reset_password(token, password).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_sets_the_password_ends_all_sessions_and_signs_in() {
    let (app, other) = TestApp::keeping_mails().await.and_another().await;
    let ada = app.signed_up("ada").await;
    let there = ada.at(&other);
    assert_eq!(errors(&ada.request_email_verification().await), [""; 0]);
    let requested = app
        .anonymous()
        .request_password_reset(" ADA@example.com ")
        .await;
    assert_eq!(requested, json!({ "accepted": true, "userErrors": [] }));
    let token = app.mailed_token("password_reset").await;
    let verification = app.mailed_token("email_verification").await;
    let payload = app
        .anonymous()
        .reset_password(&token, "another horse")
        .await;
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(payload["user"]["email"], ADA);
    assert_eq!(payload["user"]["emailVerified"], true);
    assert_eq!(payload["session"]["current"], true);
    ada.eventually_rejected().await;
    there.eventually_rejected().await;
    let again = Person::of(&app.anonymous(), &payload);
    let me = again.query("{ me { sessions { current } } }").await;
    assert_eq!(me["me"]["sessions"], json!([{ "current": true }]));
    assert!(!app.anonymous().can_sign_in(ADA, PASSWORD).await);
    assert!(app.anonymous().can_sign_in(ADA, "another horse").await);
    // All other tokens are void, and the owner is notified.
    let refused = again.verify_email(&verification).await;
    assert_eq!(errors(&refused), [INVALID_TOKEN]);
    assert_eq!(app.mails("password_changed").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_token_can_be_used_once() {
    let (app, _) = TestApp::keeping_mails().await.with_user("ada").await;
    let token = reset_token(&app).await;
    let passwords: Vec<String> = (0..20)
        .map(|number| format!("another horse {number}"))
        .collect();
    let resets = passwords
        .iter()
        .map(|password| reset(&app, &token, password));
    let results = join_all(resets).await;
    let done = results.iter().filter(|errors| errors.is_empty()).count();
    assert_eq!(done, 1, "{results:?}");
    assert_eq!(app.count("sessions WHERE ended_at IS NULL").await, 1);
    assert_eq!(app.mails("password_changed").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_token_is_valid_for_half_an_hour_and_until_the_next_one() {
    let (app, _) = TestApp::keeping_mails().await.with_user("ada").await;
    let first = reset_token(&app).await;
    let second = reset_token(&app).await;
    assert_eq!(reset(&app, &first, "another horse").await, [INVALID_TOKEN]);
    let minutes = "SELECT extract(epoch FROM expires_at - created_at) / 60 FROM mail_tokens";
    assert_eq!(app.number(minutes).await, 30);
    app.sql("UPDATE mail_tokens SET expires_at = now() - interval '1 second'")
        .await;
    for token in [second.as_str(), "", "x", &second[1..]] {
        assert_eq!(reset(&app, token, "another horse").await, [INVALID_TOKEN]);
    }
    assert!(app.anonymous().can_sign_in(ADA, PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_password_does_not_use_up_the_reset_token() {
    let (app, _) = TestApp::keeping_mails().await.with_user("ada").await;
    let token = reset_token(&app).await;
    let long = "x".repeat(129);
    for (password, code) in [
        ("short", "TOO_SHORT"),
        (long.as_str(), "TOO_LONG"),
        ("12345678\0", "INVALID"),
        ("password1", "WEAK_PASSWORD"),
        (ADA, "WEAK_PASSWORD"),
    ] {
        let errors = reset(&app, &token, password).await;
        assert_eq!(errors, [format!("{code} newPassword")], "{password}");
    }
    assert_eq!(reset(&app, &token, "another horse").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_request_does_not_reveal_whether_a_user_exists() {
    let (app, _) = TestApp::keeping_mails().await.with_user("ada").await;
    app.signed_up("bob").await;
    app.sql("UPDATE users SET is_active = false WHERE name = 'bob'")
        .await;
    let anonymous = app.anonymous();
    let known = anonymous.request_password_reset(ADA).await;
    for email in ["nobody@example.com", "bob@example.com"] {
        let payload = anonymous.request_password_reset(email).await;
        assert_eq!(payload, known, "{email}");
    }
    assert_eq!(app.count("mail_tokens").await, 1);
    // Mails to unknown users enter the outbox, too. They are dropped there.
    let others = format!("mails WHERE recipient <> '{ADA}'");
    app.eventually_count(&others, 0).await;
    let invalid = anonymous.request_password_reset("nobody").await;
    assert_eq!(errors(&invalid), ["INVALID email"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deactivated_users_cannot_reset_their_password() {
    let (app, _) = TestApp::keeping_mails().await.with_user("ada").await;
    let token = reset_token(&app).await;
    for active in [false, true] {
        app.sql(&format!("UPDATE users SET is_active = {active}"))
            .await;
        assert_eq!(reset(&app, &token, "another horse").await, [INVALID_TOKEN]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_all_other_sessions() {
    let (app, other) = TestApp::keeping_mails().await.and_another().await;
    let ada = app.signed_up("ada").await;
    let second = other.signed_in("ada").await;
    let token = reset_token(&app).await;
    for (current, new, error) in [
        (
            "wrong horse",
            "another horse",
            "INVALID_CREDENTIALS currentPassword",
        ),
        (PASSWORD, "iloveyou1", "WEAK_PASSWORD newPassword"),
        (PASSWORD, "short", "TOO_SHORT newPassword"),
    ] {
        assert_eq!(errors(&ada.change_password(current, new).await), [error]);
    }
    let changed = ada.change_password(PASSWORD, "another horse").await;
    assert_eq!(errors(&changed), [""; 0]);
    second.eventually_rejected().await;
    let me = ada.query("{ me { sessions { current } } }").await;
    assert_eq!(me["me"]["sessions"], json!([{ "current": true }]));
    let refused = reset(&app, &token, "yet another horse").await;
    assert_eq!(refused, [INVALID_TOKEN]);
    assert!(app.anonymous().can_sign_in(ADA, "another horse").await);
    assert_eq!(app.mails("password_changed").await, 1);
    let logged = "audit_logs WHERE action IN ('PASSWORD_CHANGED', 'PASSWORD_REFUSED')
        AND ip_address = '127.0.0.1'";
    assert_eq!(app.count(logged).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_passwords_are_rejected_at_sign_up() {
    let app = TestApp::start().await;
    let mut input = newcomer("ada");
    for password in ["password", "qwertyuiop", ADA] {
        input["password"] = json!(password);
        let anonymous = app.anonymous();
        let payload = anonymous.try_mutate("signUp", input.clone(), "").await;
        assert_eq!(errors(&payload), ["WEAK_PASSWORD password"], "{password}");
    }
    assert_eq!(app.count("users").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn password_hashes_of_other_systems_are_replaced_at_the_first_sign_in() {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    let hash = bcrypt::hash("correct horse", 4).unwrap();
    app.sql(&format!("UPDATE users SET password_hash = '{hash}'"))
        .await;
    assert!(!app.anonymous().can_sign_in(ADA, "wrong horse").await);
    assert_eq!(app.text("SELECT password_hash FROM users").await, hash);
    assert!(app.anonymous().can_sign_in(ADA, PASSWORD).await);
    let replaced = app.text("SELECT password_hash FROM users").await;
    let is_own = replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1$");
    assert!(is_own, "{replaced}");
    assert!(app.anonymous().can_sign_in(ADA, PASSWORD).await);
    assert_eq!(app.text("SELECT password_hash FROM users").await, replaced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_from_a_new_device_is_mailed_once() {
    let (app, _) = TestApp::keeping_mails().await.with_user("ada").await;
    let sign_in = async |program: &str| {
        let client = app.anonymous().using(program);
        assert!(client.can_sign_in(ADA, PASSWORD).await);
        app.mails("new_device").await
    };
    // Unverified addresses get no mail: they may be a stranger's.
    assert_eq!(sign_in("Browser/0").await, 0);
    app.sql("UPDATE users SET email_verified = true").await;
    assert_eq!(sign_in("Browser/1").await, 1);
    assert_eq!(sign_in("Browser/1").await, 1);
    app.sql("UPDATE sessions SET last_used_at = now() - interval '91 days'")
        .await;
    assert_eq!(sign_in("Browser/1").await, 2);
    let mails = "mails WHERE user_agent = 'Browser/1' AND ip_address = '127.0.0.1'";
    assert_eq!(app.count(mails).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_an_email_address_is_notified_of_sign_up_attempts() {
    let (app, _) = TestApp::keeping_mails().await.with_user("ada").await;
    let anonymous = app.anonymous();
    let payload = anonymous.try_mutate("signUp", newcomer("ADA"), "").await;
    assert_eq!(codes(&payload), ["TAKEN"]);
    let mails = format!("mails WHERE kind = 'sign_up_attempted' AND recipient = '{ADA}'");
    assert_eq!(app.count(&mails).await, 1);
}
