//! Verifying and changing the email address.

use serde_json::{Value, json};

use super::{ADA, INVALID_TOKEN, reset, reset_token};
use crate::support::{Client, PASSWORD, TestApp, errors};

async fn email_of(client: &Client) -> (Value, Value) {
    let mut me = client.query("{ me { email emailVerified } }").await;
    (me["me"]["email"].take(), me["me"]["emailVerified"].take())
}

/// Requests a change of address. Returns the user errors.
async fn request_change(client: &Client, new_email: &str) -> Vec<String> {
    errors(&client.request_email_change(new_email, PASSWORD).await)
}

/// Uses a token that was mailed to an address. Returns the user errors.
async fn verify(client: &Client, token: &str) -> Vec<String> {
    errors(&client.verify_email(token).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_address_is_verified_by_its_signed_in_user() {
    let (app, ada) = TestApp::keeping_mails().await.with_user("ada").await;
    let bob = app.signed_up("bob").await;
    assert_eq!(errors(&ada.request_email_verification().await), [""; 0]);
    let token = app.mailed_token("email_verification").await;
    assert_eq!(verify(&bob, &token).await, [INVALID_TOKEN]);
    let input = json!({ "token": token });
    let code = app.anonymous().mutation_error("verifyEmail", input).await;
    assert_eq!(code, "UNAUTHENTICATED");
    assert_eq!(email_of(&ada).await.1, json!(false));
    assert_eq!(verify(&ada, &token).await, [""; 0]);
    assert_eq!(email_of(&ada).await.1, json!(true));
    assert_eq!(verify(&ada, &token).await, [INVALID_TOKEN]);
    // A verified address gets no further mail.
    let sent = app.mails("email_verification").await;
    assert_eq!(errors(&ada.request_email_verification().await), [""; 0]);
    assert_eq!(app.mails("email_verification").await, sent);
    assert_eq!(app.logged("EMAIL_VERIFIED").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_token_is_valid_for_a_day_and_cannot_reset_the_password() {
    let (app, ada) = TestApp::keeping_mails().await.with_user("ada").await;
    ada.request_email_verification().await;
    let token = app.mailed_token("email_verification").await;
    assert_eq!(reset(&app, &token, "another horse").await, [INVALID_TOKEN]);
    let other = reset_token(&app).await;
    assert_eq!(verify(&ada, &other).await, [INVALID_TOKEN]);
    let hours = "SELECT extract(epoch FROM expires_at - created_at) / 3600 FROM mail_tokens
        WHERE purpose = 'email_verification'";
    assert_eq!(app.number(hours).await, 24);
    app.sql("UPDATE mail_tokens SET expires_at = now()").await;
    assert_eq!(verify(&ada, &token).await, [INVALID_TOKEN]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_address_changes_when_the_new_one_is_verified() {
    let (app, ada) = TestApp::keeping_mails().await.with_user("ada").await;
    let reset_token = reset_token(&app).await;
    for password in [json!("wrong horse"), Value::Null] {
        let refused = ada.request_email_change("new@example.com", password).await;
        assert_eq!(errors(&refused), ["INVALID_CREDENTIALS password"]);
    }
    assert_eq!(request_change(&ada, " New@example.com ").await, [""; 0]);
    assert_eq!(email_of(&ada).await.0, ADA);
    let to_old = |kind: &str| format!("mails WHERE kind = '{kind}' AND recipient = '{ADA}'");
    assert_eq!(app.count(&to_old("email_change_requested")).await, 1);
    let recipient = "SELECT recipient FROM mails WHERE kind = 'email_change'";
    assert_eq!(app.text(recipient).await, "New@example.com");
    let token = app.mailed_token("email_change").await;
    assert_eq!(verify(&ada, &token).await, [""; 0]);
    let expected = (json!("New@example.com"), json!(true));
    assert_eq!(email_of(&ada).await, expected);
    assert_eq!(app.count(&to_old("email_changed")).await, 1);
    // Tokens that were mailed to the old address are void.
    let refused = reset(&app, &reset_token, "another horse").await;
    assert_eq!(refused, [INVALID_TOKEN]);
    assert!(!app.anonymous().can_sign_in(ADA, PASSWORD).await);
    assert!(
        app.anonymous()
            .can_sign_in("new@example.com", PASSWORD)
            .await
    );
    let logged = "SELECT changes FROM audit_logs WHERE action = 'EMAIL_CHANGED'";
    let changes: Value = serde_json::from_str(&app.text(logged).await).unwrap();
    let expected = json!({ "email": { "old": ADA, "new": "New@example.com" } });
    assert_eq!(changes, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_to_a_taken_email_address_has_the_same_response_and_changes_nothing() {
    let (app, ada) = TestApp::keeping_mails().await.with_user("ada").await;
    app.signed_up("bob").await;
    assert_eq!(request_change(&ada, "BOB@example.com").await, [""; 0]);
    assert_eq!(app.count("mail_tokens").await, 0);
    // An address that is taken after the request.
    assert_eq!(request_change(&ada, "eve@example.com").await, [""; 0]);
    let token = app.mailed_token("email_change").await;
    app.signed_up("eve").await;
    assert_eq!(verify(&ada, &token).await, ["TAKEN token"]);
    assert_eq!(email_of(&ada).await, (json!(ADA), json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_can_change_the_case_of_their_email_address() {
    let (app, ada) = TestApp::keeping_mails().await.with_user("ada").await;
    assert_eq!(request_change(&ada, "Ada@Example.com").await, [""; 0]);
    let token = app.mailed_token("email_change").await;
    assert_eq!(verify(&ada, &token).await, [""; 0]);
    assert_eq!(email_of(&ada).await.0, "Ada@Example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_email_addresses_are_rejected() {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    for (email, code) in [
        ("", "BLANK"),
        ("ada", "INVALID"),
        ("a b@c", "INVALID"),
        ("a\0b@c", "INVALID"),
    ] {
        let errors = request_change(&ada, email).await;
        assert_eq!(errors, [format!("{code} newEmail")], "{email}");
    }
    assert_eq!(app.count("mails").await, 0);
}
