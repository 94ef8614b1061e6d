//! Verifying an address, and changing it.

use serde_json::json;

use super::{errors, invalid_token, mailed, mails, request_reset, reset, signs_in, unsent};
use crate::support::{Client, TestApp};

fn verify(token: &str) -> String {
    format!("verifyEmail(input: {{ token: \"{token}\" }})")
}

async fn email_of(client: &Client) -> (serde_json::Value, serde_json::Value) {
    let mut me = client
        .data("{ me { email emailVerified } }", json!({}))
        .await;
    (me["me"]["email"].take(), me["me"]["emailVerified"].take())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_verified_by_who_can_read_its_mail_and_is_signed_in() {
    let app = unsent().await;
    let (ada, bob) = (app.signed_up("ada").await, app.signed_up("bob").await);
    assert_eq!(errors(&ada, "requestEmailVerification").await, json!([]));
    let token = mailed(&app, "email_verification").await;
    assert_eq!(errors(&bob, &verify(&token)).await, invalid_token());
    let query = format!("mutation {{ {} {{ user {{ id }} }} }}", verify(&token));
    assert_eq!(
        app.visitor().error_code(&query, json!({})).await,
        "UNAUTHENTICATED"
    );
    assert_eq!(email_of(&ada).await.1, json!(false));
    assert_eq!(errors(&ada, &verify(&token)).await, json!([]));
    assert_eq!(email_of(&ada).await.1, json!(true));
    assert_eq!(errors(&ada, &verify(&token)).await, invalid_token());
    // It is known: there is nothing to send.
    let sent = mails(&app, "email_verification").await;
    assert_eq!(errors(&ada, "requestEmailVerification").await, json!([]));
    assert_eq!(mails(&app, "email_verification").await, sent);
    let logged = "SELECT count(*) FROM audit_logs WHERE action = 'EMAIL_VERIFIED'";
    assert_eq!(app.number(logged).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_is_good_for_a_day_and_is_no_reset() {
    let app = unsent().await;
    let ada = app.signed_up("ada").await;
    errors(&ada, "requestEmailVerification").await;
    let token = mailed(&app, "email_verification").await;
    assert_eq!(
        reset(&app, &token, "another horse").await["userErrors"],
        invalid_token()
    );
    request_reset(&app, "ada@example.com").await;
    let other = mailed(&app, "password_reset").await;
    assert_eq!(errors(&ada, &verify(&other)).await, invalid_token());
    let hours = "SELECT extract(epoch FROM expires_at - created_at) / 3600 FROM mail_tokens
        WHERE purpose = 'email_verification'";
    assert_eq!(app.number(hours).await, 24);
    app.sql("UPDATE mail_tokens SET expires_at = now()").await;
    assert_eq!(errors(&ada, &verify(&token)).await, invalid_token());
}

async fn request_change(client: &Client, new_email: &str) -> serde_json::Value {
    let input = format!("{{ newEmail: \"{new_email}\", password: \"correct horse\" }}");
    errors(client, &format!("requestEmailChange(input: {input})")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_changes_when_the_new_one_is_verified_and_the_old_one_is_told() {
    let app = unsent().await;
    let ada = app.signed_up("ada").await;
    request_reset(&app, "ada@example.com").await;
    let reset_token = mailed(&app, "password_reset").await;
    let wrong =
        "requestEmailChange(input: { newEmail: \"new@example.com\", password: \"wrong horse\" })";
    let refused = json!([{ "code": "INVALID_CREDENTIALS", "field": ["input", "password"] }]);
    assert_eq!(errors(&ada, wrong).await, refused);
    let missing = "requestEmailChange(input: { newEmail: \"new@example.com\" })";
    assert_eq!(errors(&ada, missing).await, refused);
    assert_eq!(request_change(&ada, " New@example.com ").await, json!([]));
    assert_eq!(email_of(&ada).await.0, "ada@example.com");
    let to_old = |kind: &str| {
        format!(
            "SELECT count(*) FROM mails WHERE kind = '{kind}' AND recipient = 'ada@example.com'"
        )
    };
    assert_eq!(app.number(&to_old("email_change_requested")).await, 1);
    assert_eq!(
        app.text("SELECT recipient FROM mails WHERE kind = 'email_change'")
            .await,
        "New@example.com"
    );
    let token = mailed(&app, "email_change").await;
    assert_eq!(errors(&ada, &verify(&token)).await, json!([]));
    assert_eq!(
        email_of(&ada).await,
        (json!("New@example.com"), json!(true))
    );
    assert_eq!(app.number(&to_old("email_changed")).await, 1);
    // What was mailed to the old address opens nothing any more.
    assert_eq!(
        reset(&app, &reset_token, "another horse").await["userErrors"],
        invalid_token()
    );
    assert!(!signs_in(&app, "ada@example.com", "correct horse").await);
    assert!(signs_in(&app, "new@example.com", "correct horse").await);
    let logged = "SELECT changes FROM audit_logs WHERE action = 'EMAIL_CHANGED'";
    let told: serde_json::Value = serde_json::from_str(&app.text(logged).await).unwrap();
    assert_eq!(
        told,
        json!({ "email": { "old": "ada@example.com", "new": "New@example.com" } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_is_answered_alike_and_changes_nothing() {
    let app = unsent().await;
    let ada = app.signed_up("ada").await;
    app.signed_up("bob").await;
    assert_eq!(request_change(&ada, "BOB@example.com").await, json!([]));
    assert_eq!(app.number("SELECT count(*) FROM mail_tokens").await, 0);
    // One that is taken only afterwards.
    assert_eq!(request_change(&ada, "eve@example.com").await, json!([]));
    let token = mailed(&app, "email_change").await;
    app.signed_up("eve").await;
    let taken = json!([{ "code": "TAKEN", "field": ["input", "token"] }]);
    assert_eq!(errors(&ada, &verify(&token)).await, taken);
    assert_eq!(
        email_of(&ada).await,
        (json!("ada@example.com"), json!(false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_address_can_be_written_otherwise() {
    let app = unsent().await;
    let ada = app.signed_up("ada").await;
    assert_eq!(request_change(&ada, "Ada@Example.com").await, json!([]));
    let token = mailed(&app, "email_change").await;
    assert_eq!(errors(&ada, &verify(&token)).await, json!([]));
    assert_eq!(email_of(&ada).await.0, "Ada@Example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_is_refused() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    for (email, code) in [
        ("", "BLANK"),
        ("ada", "INVALID"),
        ("a b@c", "INVALID"),
        ("a\\u0000b@c", "INVALID"),
    ] {
        let expected = json!([{ "code": code, "field": ["input", "newEmail"] }]);
        assert_eq!(request_change(&ada, email).await, expected, "{email}");
    }
    assert_eq!(app.number("SELECT count(*) FROM mails").await, 0);
}
