//! Limits of the mails that a stranger can cause: three per hour to one recipient, with separate limits for password resets.

use serde_json::json;

use super::{ADA, passed};
use crate::support::{Client, PASSWORD, TestApp, codes, errors, keep_mails, newcomer};

async fn three_per_hour() -> TestApp {
    TestApp::with(|settings| {
        settings.auth.rate_limits.mail = "3/h".parse().unwrap();
        keep_mails(settings);
    })
    .await
}

/// A sign-up with a taken address, which sends a mail to its owner.
async fn sign_up_again(app: &TestApp, name: &str) {
    let anonymous = app.anonymous();
    let payload = anonymous.try_mutate("signUp", newcomer(name), "").await;
    assert_eq!(codes(&payload), ["TAKEN"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_gets_three_mails_per_hour_and_responses_do_not_show_it() {
    let app = three_per_hour().await;
    for name in ["ada", "grace"] {
        app.signed_up(name).await;
    }
    for email in [ADA, "nobody@example.com"] {
        for _ in 0..5 {
            let payload = app.anonymous().request_password_reset(email).await;
            let accepted = json!({ "accepted": true, "userErrors": [] });
            assert_eq!(payload, accepted, "{email}");
        }
    }
    // Mails with replaced tokens are dropped, so entries of the audit log are counted.
    assert_eq!(app.logged("PASSWORD_RESET_REQUESTED").await, 3);
    for name in ["ada", "grace"] {
        for _ in 0..5 {
            sign_up_again(&app, name).await;
        }
        let mails =
            format!("mails WHERE kind = 'sign_up_attempted' AND recipient = '{name}@example.com'");
        assert_eq!(app.count(&mails).await, 3, "{name}");
    }
}

async fn request_change(client: &Client, new_email: &str) {
    let payload = client.request_email_change(new_email, PASSWORD).await;
    assert_eq!(payload["accepted"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unverified_address_gets_three_notices_per_hour() {
    let app = three_per_hour().await;
    let ada = app.signed_up("ada").await;
    let change_six_times = async || {
        for n in 0..6 {
            let passwords = [PASSWORD, "another horse"];
            let changed = ada
                .change_password(passwords[n % 2], passwords[1 - n % 2])
                .await;
            assert_eq!(errors(&changed), [""; 0]);
        }
        app.mails("password_changed").await
    };
    assert_eq!(change_six_times().await, 3);
    // Verified addresses get every notice.
    app.sql("UPDATE users SET email_verified = true").await;
    assert_eq!(change_six_times().await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_can_request_three_email_changes_per_hour() {
    let app = TestApp::with(|settings| {
        settings.auth.rate_limits.email_change = "3/h".parse().unwrap();
        keep_mails(settings);
    })
    .await;
    let (ada, grace) = (app.signed_up("ada").await, app.signed_up("grace").await);
    for n in 0..6 {
        // A wrong password does not count as a request.
        let password = if n == 0 { "wrong horse" } else { PASSWORD };
        let input = json!({ "newEmail": format!("{n}@example.com"), "password": password });
        let answer = ada.post_mutation("requestEmailChange", input, "").await;
        assert_eq!(passed(&answer), n < 4, "{n}");
    }
    request_change(&grace, "hopper@example.com").await;
    // Mails with a replaced token are dropped, so the notices are counted.
    assert_eq!(app.mails("email_change_requested").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_mails_do_not_use_up_the_limit_of_password_resets() {
    let app = three_per_hour().await;
    app.signed_up("ada").await;
    let mallory = app.signed_up("mallory").await;
    for _ in 0..4 {
        request_change(&mallory, ADA).await;
        sign_up_again(&app, "ada").await;
    }
    app.anonymous().request_password_reset(ADA).await;
    let valid = format!(
        "mails JOIN mail_tokens ON mail_tokens.id = token_id
         WHERE kind = 'password_reset' AND recipient = '{ADA}'"
    );
    assert_eq!(app.count(&valid).await, 1);
}
