//! Whom an outside address links to, who is not let in, and what somebody without a password can do.

use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    another, ask, bearing,
    issuer::{Issuer, claims, token, token_of},
    me, trusting,
};
use crate::{
    people::sign_in,
    recovery::beside::on_its_way,
    sessions::refused_after,
    support::{Client, TestApp},
};

pub(super) fn unverified(subject: &str) -> String {
    let mut claims = claims(subject);
    claims["email_verified"] = json!(false);
    token_of(&claims)
}

async fn user_errors(client: &Client, mutation: &str) -> Value {
    let query = format!("mutation {{ {mutation} {{ userErrors {{ code field }} }} }}");
    let mut data = client.data(&query, json!({})).await;
    let name = mutation.split('(').next().unwrap();
    data[name]["userErrors"].take()
}

async fn id_of(client: &Client) -> Value {
    client.data("{ me { id } }", json!({})).await["me"]["id"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_address_links_to_the_user_who_verified_it_too() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let ada = app.signed_up("ada").await;
    app.sql("UPDATE users SET email_verified = true").await;
    let mut claims = claims("somebody");
    claims["email"] = json!("ADA@Example.com");
    let outside = me(&app, &token_of(&claims)).await;
    assert_eq!(outside["id"], id_of(&ada).await);
    assert_eq!(outside["accounts"].as_array().unwrap().len(), 2);
    assert_eq!(
        sign_in(&app.visitor(), "ada@example.com", "correct horse").await["userErrors"],
        json!([])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_verified_an_address_loses_all_ways_in_to_who_did() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let squatter = app.signed_up("ada").await;
    let user = id_of(&squatter).await;
    let reset =
        "mutation { requestPasswordReset(input: { email: \"ada@example.com\" }) { accepted } }";
    app.visitor().data(reset, json!({})).await;
    let foreign = "INSERT INTO accounts (user_id, id, provider, provider_account_id)
                   SELECT id, id, 'elsewhere', 'squatter' FROM users";
    app.sql(foreign).await;
    let ada = me(&app, &token("ada")).await;
    assert_eq!((&ada["id"], &ada["emailVerified"]), (&user, &json!(true)));
    let only = json!([{ "provider": "outside", "providerAccountId": "ada" }]);
    assert_eq!(ada["accounts"], only);
    assert!(refused_after(&squatter).await < Duration::from_millis(1500));
    let refused = sign_in(&app.visitor(), "ada@example.com", "correct horse").await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    for (rows, expected) in [
        ("mail_tokens", 0),
        ("audit_logs WHERE action = 'CREDENTIALS_REMOVED'", 1),
        ("audit_logs WHERE action = 'SESSION_REVOKED'", 1),
        ("users WHERE password_hash IS NULL", 1),
    ] {
        assert_eq!(
            app.number(&format!("SELECT count(*) FROM {rows}")).await,
            expected,
            "{rows}"
        );
    }
}

/// Asks for a reset of ada@example.com, and makes it; answers who is signed in by it.
async fn reset(app: &TestApp) -> Client {
    let ask =
        "mutation { requestPasswordReset(input: { email: \"ada@example.com\" }) { accepted } }";
    app.visitor().data(ask, json!({})).await;
    let id = "SELECT id FROM mail_tokens WHERE purpose = 'password_reset'";
    let id = Uuid::parse_str(&app.text(id).await).unwrap();
    let query = "mutation($token: String!) {
        resetPassword(input: { token: $token, newPassword: \"another horse\" }) { accessToken } }";
    let variables = json!({ "token": app.auth.mailed_token(id) });
    let data = app.visitor().data(query, variables).await;
    let token = data["resetPassword"]["accessToken"].as_str().unwrap();
    bearing(app, token.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_with_an_address_of_somebody_else_is_out_when_its_owner_resets_the_password() {
    let issuer = Issuer::start().await;
    let toml = issuer.toml("");
    let app = trusting(&toml).await;
    let there = another(&app, &toml).await;
    let squatter = unverified("ada");
    let user = me(&app, &squatter).await["id"].take();
    assert_eq!(me(&there, &squatter).await["id"], user);
    let ada = reset(&app).await;
    assert_eq!(id_of(&ada).await, user);
    for process in [&app, &there] {
        let began = Instant::now();
        while ask(process, &squatter).await.status != 403 {
            assert!(began.elapsed() < Duration::from_millis(1500), "still in");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let removed = "SELECT count(*) FROM audit_logs WHERE action = 'CREDENTIALS_REMOVED'";
    assert_eq!(app.number(removed).await, 1);
    // Once the issuer has verified the address, it links; and a reset leaves what was verified.
    assert_eq!(me(&app, &token("ada")).await["id"], user);
    reset(&app).await;
    assert_eq!(me(&app, &token("ada")).await["id"], user);
    assert_eq!(app.number(removed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_removed_while_it_is_read_is_no_fault_of_the_service() {
    let issuer = Issuer::start().await;
    let toml = issuer.toml("");
    let app = trusting(&toml).await;
    me(&app, &token("ada")).await;
    app.sql("UPDATE accounts SET claims_read_at = now() - interval '2 hours'")
        .await;
    let there = another(&app, &toml).await;
    // As a reset or a take-over does: first the person, then their accounts.
    let removing = "SELECT FROM users FOR UPDATE; SELECT pg_sleep(0.5); DELETE FROM accounts";
    let removing = on_its_way(&app, removing).await;
    let answer = ask(&there, &token("ada")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    removing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unverified_address_of_another_user_is_forbidden_and_says_why() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    app.signed_up("ada").await;
    let answer = ask(&app, &unverified("ada")).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let error = &answer.json()["errors"][0];
    assert_eq!(error["extensions"]["code"], "FORBIDDEN");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("has not verified"),
        "{error}"
    );
    // One that nobody has makes a user, whose address is not verified.
    assert_eq!(me(&app, &unverified("bob")).await["emailVerified"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_user_is_refused_on_every_process_until_they_are_admitted() {
    let issuer = Issuer::start().await;
    let toml = issuer.toml("");
    let app = trusting(&toml).await;
    let there = another(&app, &toml).await;
    let token = token("ada");
    let clients = [&app, &there].map(|app| bearing(app, token.clone()));
    for client in &clients {
        id_of(client).await;
    }
    app.sql("UPDATE users SET is_active = false").await;
    for client in &clients {
        assert!(refused_after(client).await < Duration::from_millis(1500));
    }
    assert_eq!(ask(&another(&app, &toml).await, &token).await.status, 401);
    app.sql("UPDATE users SET is_active = true").await;
    for client in &clients {
        id_of(client).await;
    }
    assert_eq!(app.number("SELECT count(*) FROM users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_is_not_made_anew() {
    let issuer = Issuer::start().await;
    let toml = issuer.toml("");
    let app = trusting(&toml).await;
    let there = another(&app, &toml).await;
    let clients = [&app, &there].map(|app| bearing(app, token("ada")));
    for client in &clients {
        id_of(client).await;
    }
    assert_eq!(
        user_errors(&clients[0], "deleteMe(input: {})").await,
        json!([])
    );
    for client in &clients {
        assert!(refused_after(client).await < Duration::from_millis(1500));
    }
    assert_eq!(
        ask(&another(&app, &toml).await, &token("ada")).await.status,
        401
    );
    assert_eq!(app.number("SELECT count(*) FROM users").await, 0);
    // The address is free.
    app.signed_up("ada").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outside_token_has_no_session_that_could_end() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let ada = bearing(&app, token("ada"));
    let out = ada
        .data(
            "mutation { signOut { signedOut userErrors { code } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        out["signOut"],
        json!({ "signedOut": false, "userErrors": [] })
    );
    assert_eq!(
        ada.data("{ me { sessions { id } } }", json!({})).await["me"]["sessions"],
        json!([])
    );
}

async fn signed_in_ago(app: &TestApp, subject: &str, minutes: i64) -> Client {
    let mut claims = claims(subject);
    claims["auth_time"] = json!(Utc::now().timestamp() - minutes * 60);
    bearing(app, token_of(&claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_password_must_have_signed_in_lately_for_what_cannot_be_undone() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let refused = json!([{ "code": "INVALID_CREDENTIALS", "field": ["input", "password"] }]);
    let change = "requestEmailChange(input: { newEmail: \"new@example.com\" })";
    for mutation in ["deleteMe(input: {})", "deactivateMe(input: {})", change] {
        let before = signed_in_ago(&app, "ada", 6).await;
        assert_eq!(user_errors(&before, mutation).await, refused, "{mutation}");
        // A clock may be a little fast, but what is far ahead tells nothing.
        let ahead = signed_in_ago(&app, "ada", -2).await;
        assert_eq!(user_errors(&ahead, mutation).await, refused, "{mutation}");
    }
    let mut claims = claims("ada");
    claims["auth_time"] = json!(Utc::now().timestamp_millis());
    let in_milliseconds = bearing(&app, token_of(&claims));
    assert_eq!(
        user_errors(&in_milliseconds, "deleteMe(input: {})").await,
        refused
    );
    let lately = signed_in_ago(&app, "ada", 4).await;
    assert_eq!(user_errors(&lately, change).await, json!([]));
    assert_eq!(
        user_errors(&lately, "deactivateMe(input: {})").await,
        json!([])
    );
    assert_eq!(ask(&app, &lately.token.unwrap()).await.status, 401);
    let bob = signed_in_ago(&app, "bob", 0).await;
    assert_eq!(user_errors(&bob, "deleteMe(input: {})").await, json!([]));
    // Who has a password needs it, however lately they signed in.
    app.signed_up("eve").await;
    app.sql("UPDATE users SET email_verified = true WHERE name = 'eve'")
        .await;
    let eve = signed_in_ago(&app, "eve", 0).await;
    assert_eq!(user_errors(&eve, "deleteMe(input: {})").await, refused);
    assert_eq!(
        user_errors(&eve, "deleteMe(input: { password: \"correct horse\" })").await,
        json!([])
    );
}
