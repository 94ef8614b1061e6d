//! How many mails a stranger can cause: three an hour to one recipient, of a kind that nobody can use up for another.

use serde_json::json;

use super::RESET;
use crate::{
    people::{SIGN_UP, person},
    support::{Client, TestApp},
};

async fn three_an_hour() -> TestApp {
    let app = TestApp::with(|settings| {
        settings.auth.throttle.mail = "3/h".parse().unwrap();
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
