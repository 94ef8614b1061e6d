//! Changes of a password that run concurrently with sign-ins, and with more requests than there are connections.

use futures_util::future::join_all;
use serde_json::json;

use super::{ADA, INVALID_TOKEN, reset, reset_token};
use crate::support::{PASSWORD, TestApp, Transaction, errors};

/// Begins a sign-in with the old password. It has inserted its session and not committed.
async fn slow_sign_in(app: &TestApp) -> Transaction {
    let sql = "UPDATE users SET last_sign_in_at = now();
        INSERT INTO sessions (user_id, id, refresh_token_hash, expires_at)
            SELECT id, gen_random_uuid(), sha256('late'), now() + interval '1 day' FROM users";
    app.begin(sql).await
}

async fn assert_late_session_ended(app: &TestApp) {
    let late = "sessions WHERE refresh_token_hash = sha256('late')";
    assert_eq!(app.count(late).await, 1);
    assert_eq!(app.count(&format!("{late} AND ended_at IS NULL")).await, 0);
}

/// Commits a transaction as soon as another statement waits for it.
async fn commit_when_blocking(app: &TestApp, transaction: Transaction) {
    app.eventually_blocked(1).await;
    transaction.commit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_sessions_of_concurrent_sign_ins() {
    let (app, ada) = TestApp::keeping_mails().await.with_user("ada").await;
    let signing_in = slow_sign_in(&app).await;
    let change = ada.change_password(PASSWORD, "another horse");
    let (payload, ()) = tokio::join!(change, commit_when_blocking(&app, signing_in));
    assert_eq!(errors(&payload), [""; 0]);
    assert_late_session_ended(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_password_ends_sessions_of_concurrent_sign_ins() {
    let (app, _) = TestApp::keeping_mails().await.with_user("ada").await;
    let token = reset_token(&app).await;
    let signing_in = slow_sign_in(&app).await;
    let reset = reset(&app, &token, "another horse");
    let (errors, ()) = tokio::join!(reset, commit_when_blocking(&app, signing_in));
    assert_eq!(errors, [""; 0]);
    assert_late_session_ended(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_voided_while_it_is_used_is_invalid() {
    let (app, ada) = TestApp::keeping_mails().await.with_user("ada").await;
    for purpose in ["password_reset", "email_verification", "email_change"] {
        app.anonymous().request_password_reset(ADA).await;
        ada.request_email_verification().await;
        ada.request_email_change("b@example.com", PASSWORD).await;
        let token = app.mailed_token(purpose).await;
        // As a change of password, a takeover or a deactivation does: it locks the user first, then deletes the tokens.
        let mut voiding = app.begin("SELECT FROM users FOR UPDATE").await;
        let void = async {
            app.eventually_blocked(1).await;
            voiding.run("DELETE FROM mail_tokens").await;
            voiding.commit().await;
        };
        let using = async {
            match purpose {
                "password_reset" => reset(&app, &token, "another horse").await,
                _ => errors(&ada.verify_email(&token).await),
            }
        };
        let (refused, ()) = tokio::join!(using, void);
        assert_eq!(refused, [INVALID_TOKEN], "{purpose}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_waits_for_a_second_connection_while_it_holds_one() {
    let app = TestApp::with(|settings| {
        settings.pool.max_connections = 2;
        settings.auth.rate_limits.mail = "1000/h".parse().unwrap();
        settings.auth.rate_limits.sign_in = "1000/h".parse().unwrap();
    })
    .await;
    let ada = app.signed_up("ada").await;
    let wrong = "wrong horse";
    let ask = async |number: usize| match number % 5 {
        0 => ada.deactivate_me(wrong).await,
        1 => ada.delete_me(wrong).await,
        2 => ada.request_email_verification().await,
        3 => ada.request_email_change("a@b.example", wrong).await,
        _ => ada.change_password(wrong, "another horse").await,
    };
    for payload in join_all((0..40).map(ask)).await {
        assert_ne!(payload, json!(null));
    }
    assert!(app.anonymous().can_sign_in(ADA, PASSWORD).await);
}
