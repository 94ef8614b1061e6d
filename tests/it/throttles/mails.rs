//! How many mails a stranger can cause: three an hour to one recipient, of a kind that nobody can use up for another.

use serde_json::json;

use super::{RESET, passed};
use crate::{
    people::{SIGN_UP, person},
    support::{Client, TestApp},
};

async fn three_an_hour() -> TestApp {
    let app = TestApp::with(|settings| {
        settings.auth.rate_limits.mail = "3/h".parse().unwrap();
        // Nobody listens there, so all mails stay in the outbox.
        settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned());
    });
    app.await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_gets_three_mails_an_hour_and_nobody_is_told() {
    let app = three_an_hour().await;
    for name in ["ada", "grace"] {
        app.signed_up(name).await;
    }
    let mails = |name: &str| {
        format!(
            "SELECT count(*) FROM mails WHERE kind = 'sign_up_attempted' AND recipient = '{name}@example.com'"
        )
    };
    for name in ["ada", "nobody"] {
        let variables = json!({ "email": format!("{name}@example.com") });
        for _ in 0..5 {
            let data = app.visitor().data(RESET, variables.clone()).await;
            let accepted = json!({ "accepted": true, "userErrors": [] });
            assert_eq!(data["requestPasswordReset"], accepted, "{name}");
        }
    }
    // A mail whose token was replaced is dropped, so it is the log that counts.
    let asked = "SELECT count(*) FROM audit_logs WHERE action = 'PASSWORD_RESET_REQUESTED'";
    assert_eq!(app.number(asked).await, 3);
    for name in ["ada", "grace"] {
        for _ in 0..5 {
            let taken = app.visitor().data(SIGN_UP, person(name)).await;
            assert_eq!(taken["signUp"]["userErrors"][0]["code"], "TAKEN");
        }
        assert_eq!(app.number(&mails(name)).await, 3, "{name}");
    }
}

async fn request_change(client: &Client, new_email: &str) {
    let query = "mutation($email: String!) {
        requestEmailChange(input: { newEmail: $email, password: \"correct horse\" }) { accepted } }";
    let variables = json!({ "email": new_email });
    let data = client.data(query, variables).await;
    assert_eq!(data["requestEmailChange"]["accepted"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_may_be_a_strangers_is_told_three_times_an_hour() {
    let app = three_an_hour().await;
    let ada = app.signed_up("ada").await;
    let change = "mutation($old: String!, $new: String!) {
        changePassword(input: { currentPassword: $old, newPassword: $new }) { userErrors { code } } }";
    let to_and_fro = async |expected: i64| {
        for n in 0..6 {
            let passwords = ["correct horse", "another horse"];
            let (old, new) = (passwords[n % 2], passwords[1 - n % 2]);
            let data = ada.data(change, json!({ "old": old, "new": new })).await;
            assert_eq!(data["changePassword"]["userErrors"], json!([]));
        }
        let told = "SELECT count(*) FROM mails WHERE kind = 'password_changed'";
        assert_eq!(app.number(told).await, expected);
    };
    to_and_fro(3).await;
    // Whose it is is always told.
    app.sql("UPDATE users SET email_verified = true").await;
    to_and_fro(9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_asks_for_three_changes_of_address_an_hour() {
    let app = TestApp::with(|settings| {
        settings.auth.rate_limits.email_change = "3/h".parse().unwrap();
        settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned());
    })
    .await;
    let (ada, grace) = (app.signed_up("ada").await, app.signed_up("grace").await);
    let ask = "mutation($email: String!, $password: String!) {
        requestEmailChange(input: { newEmail: $email, password: $password }) { userErrors { code } } }";
    for n in 0..6 {
        // A wrong password asks for nothing.
        let password = if n == 0 {
            "wrong horse"
        } else {
            "correct horse"
        };
        let variables = json!({ "email": format!("{n}@example.com"), "password": password });
        let answer = ada.post(ask, variables).await;
        assert_eq!(passed(&answer), n < 4, "{n}");
    }
    request_change(&grace, "hopper@example.com").await;
    // A mail with a token that was replaced is dropped, so it is the notices that count.
    let told = "SELECT count(*) FROM mails WHERE kind = 'email_change_requested'";
    assert_eq!(app.number(told).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_use_up_what_is_for_the_reset_of_another() {
    let app = three_an_hour().await;
    app.signed_up("ada").await;
    let mallory = app.signed_up("mallory").await;
    for _ in 0..4 {
        request_change(&mallory, "ada@example.com").await;
        app.visitor().data(SIGN_UP, person("ada")).await;
    }
    let variables = json!({ "email": "ada@example.com" });
    app.visitor().data(RESET, variables).await;
    let good = "SELECT count(*) FROM mails JOIN mail_tokens ON mail_tokens.id = token_id
        WHERE kind = 'password_reset' AND recipient = 'ada@example.com'";
    assert_eq!(app.number(good).await, 1);
}
