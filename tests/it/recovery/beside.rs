//! What goes on beside a change of password: a sign-in on its way, and more of the same than there are connections.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{CHANGE, errors, invalid_token, mailed, request_reset, reset, unsent};
use crate::{
    people::sign_in,
    support::{Client, TestApp, superuser},
};

/// Begins a transaction that does something and sleeps a while before it goes on; answers when it is that far.
pub(crate) async fn on_its_way(app: &TestApp, sql: &'static str) -> JoinHandle<()> {
    let database = app.database.clone();
    let working = tokio::spawn(async move {
        let mut conn = superuser(&database).await;
        let text = format!("BEGIN; {sql}; COMMIT");
        conn.batch_execute(&text).await.unwrap();
    });
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    while app.number(sleeping).await == 0 {
        assert!(!working.is_finished(), "it was seen too late");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    working
}

/// A sign-in with the old password that has its session, and commits a second later.
async fn sign_in_on_its_way(app: &TestApp) -> JoinHandle<()> {
    let sql = "UPDATE users SET last_sign_in_at = now();
        INSERT INTO sessions (user_id, id, refresh_token_hash, expires_at)
            SELECT id, gen_random_uuid(), sha256('late'), now() + interval '1 day' FROM users;
        SELECT pg_sleep(1)";
    on_its_way(app, sql).await
}

async fn late_sessions_open(app: &TestApp) -> i64 {
    app.number("SELECT count(*) FROM sessions WHERE refresh_token_hash = sha256('late') AND ended_at IS NULL")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_on_its_way_does_not_survive_a_changed_password() {
    let app = unsent().await;
    let ada = app.signed_up("ada").await;
    let signing_in = sign_in_on_its_way(&app).await;
    let variables = json!({ "current": "correct horse", "new": "another horse" });
    let answer = ada.data(CHANGE, variables).await;
    assert_eq!(answer["changePassword"]["userErrors"], json!([]));
    signing_in.await.unwrap();
    assert_eq!(late_sessions_open(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_on_its_way_does_not_survive_a_reset() {
    let app = unsent().await;
    app.signed_up("ada").await;
    request_reset(&app, "ada@example.com").await;
    let token = mailed(&app, "password_reset").await;
    let signing_in = sign_in_on_its_way(&app).await;
    let answer = reset(&app, &token, "another horse").await;
    assert_eq!(answer["userErrors"], json!([]));
    signing_in.await.unwrap();
    assert_eq!(late_sessions_open(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_voided_while_it_is_used_is_no_fault_of_the_service() {
    let app = unsent().await;
    let ada = app.signed_up("ada").await;
    let change =
        "requestEmailChange(input: { newEmail: \"b@example.com\", password: \"correct horse\" })";
    for purpose in ["password_reset", "email_verification", "email_change"] {
        request_reset(&app, "ada@example.com").await;
        errors(&ada, "requestEmailVerification").await;
        errors(&ada, change).await;
        let token = mailed(&app, purpose).await;
        // As whoever changes a password, takes over or deactivates: first the person, then their tokens.
        let voiding = "SELECT FROM users FOR UPDATE; SELECT pg_sleep(0.5); DELETE FROM mail_tokens";
        let voiding = on_its_way(&app, voiding).await;
        let verify = format!("verifyEmail(input: {{ token: \"{token}\" }})");
        let refused = match purpose {
            "password_reset" => reset(&app, &token, "another horse").await["userErrors"].take(),
            _ => errors(&ada, &verify).await,
        };
        assert_eq!(refused, invalid_token(), "{purpose}");
        voiding.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_second_connection_while_holding_one() {
    let app = TestApp::with(|settings| {
        settings.pool.max_connections = 2;
        settings.auth.rate_limits.mail = "1000/h".parse().unwrap();
        settings.auth.rate_limits.sign_in = "1000/h".parse().unwrap();
    })
    .await;
    let ada = app.signed_up("ada").await;
    let asked = [
        "deactivateMe(input: { password: \"wrong horse\" }) { userErrors { code } }",
        "deleteMe(input: { password: \"wrong horse\" }) { userErrors { code } }",
        "requestEmailVerification { userErrors { code } }",
        "requestEmailChange(input: { newEmail: \"a@b.example\", password: \"wrong horse\" }) { userErrors { code } }",
        "changePassword(input: { currentPassword: \"wrong horse\", newPassword: \"another horse\" }) { userErrors { code } }",
    ];
    let ask = async |client: &Client, mutation: &str| {
        let query = format!("mutation {{ {mutation} }}");
        client.graphql(&query, json!({})).await
    };
    let answers = join_all(
        asked
            .iter()
            .cycle()
            .take(40)
            .map(|mutation| ask(&ada, mutation)),
    )
    .await;
    for answer in answers {
        assert_eq!(answer["errors"], Value::Null, "{answer}");
    }
    let signed_in = sign_in(&app.visitor(), "ada@example.com", "correct horse").await;
    assert_eq!(signed_in["userErrors"], json!([]));
}
