//! Linking of external users by email address, rejected users, and what users without a password can do.

use chrono::Utc;
use serde_json::{Value, json};

use super::{
    another, ask, bearing,
    issuer::{Issuer, claims, token, token_of},
    me, trusting,
};
use crate::support::{Client, PASSWORD, TestApp, codes, errors, eventually_eq, list, text};

pub(super) fn unverified(subject: &str) -> String {
    let mut claims = claims(subject);
    claims["email_verified"] = json!(false);
    token_of(&claims)
}

async fn id_of(client: &Client) -> Value {
    client.query("{ me { id } }").await["me"]["id"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_address_links_to_the_user_who_has_verified_it() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let ada = app.signed_up("ada").await;
    app.sql("UPDATE users SET email_verified = true").await;
    let mut claims = claims("somebody");
    claims["email"] = json!("ADA@Example.com");
    let outside = me(&app, &token_of(&claims)).await;
    assert_eq!(outside["id"], id_of(&ada).await);
    assert_eq!(list(&outside["accounts"]).len(), 2);
    assert!(
        app.anonymous()
            .can_sign_in("ada@example.com", PASSWORD)
            .await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unverified_user_loses_all_credentials_to_the_verified_owner() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let squatter = app.signed_up("ada").await;
    let user = id_of(&squatter).await;
    app.anonymous()
        .request_password_reset("ada@example.com")
        .await;
    let foreign = "INSERT INTO accounts (user_id, id, provider, provider_account_id)
                   SELECT id, id, 'elsewhere', 'squatter' FROM users";
    app.sql(foreign).await;
    let ada = me(&app, &token("ada")).await;
    assert_eq!((&ada["id"], &ada["emailVerified"]), (&user, &json!(true)));
    let only = json!([{ "provider": "outside", "providerAccountId": "ada" }]);
    assert_eq!(ada["accounts"], only);
    squatter.eventually_rejected().await;
    let refused = app.anonymous().sign_in("ada@example.com", PASSWORD).await;
    assert_eq!(codes(&refused), ["INVALID_CREDENTIALS"]);
    for (rows, expected) in [
        ("mail_tokens", 0),
        ("audit_logs WHERE action = 'CREDENTIALS_REMOVED'", 1),
        ("audit_logs WHERE action = 'SESSION_REVOKED'", 1),
        ("users WHERE password_hash IS NULL", 1),
    ] {
        assert_eq!(app.count(rows).await, expected, "{rows}");
    }
}

/// Resets the password of ada@example.com. Returns the client that this signs in.
async fn reset(app: &TestApp) -> Client {
    app.anonymous()
        .request_password_reset("ada@example.com")
        .await;
    let token = app.mailed_token("password_reset").await;
    let payload = app
        .anonymous()
        .reset_password(&token, "another horse")
        .await;
    bearing(app, text(&payload["accessToken"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_reset_removes_external_accounts_with_an_unverified_address() {
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
        eventually_eq("the squatter is rejected", 403, async || {
            ask(process, &squatter).await.status
        })
        .await;
    }
    let removed = "audit_logs WHERE action = 'CREDENTIALS_REMOVED'";
    assert_eq!(app.count(removed).await, 1);
    // Once the issuer has verified the address, it links, and a reset keeps the account.
    assert_eq!(me(&app, &token("ada")).await["id"], user);
    reset(&app).await;
    assert_eq!(me(&app, &token("ada")).await["id"], user);
    assert_eq!(app.count(removed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_deleted_while_it_is_read_causes_no_error() {
    let issuer = Issuer::start().await;
    let toml = issuer.toml("");
    let app = trusting(&toml).await;
    me(&app, &token("ada")).await;
    app.sql("UPDATE accounts SET claims_read_at = now() - interval '2 hours'")
        .await;
    let there = another(&app, &toml).await;
    // As a reset or a take-over does: first the person, then their accounts.
    let mut removing = app.begin("SELECT FROM users FOR UPDATE").await;
    let remove = async {
        app.eventually_blocked(1).await;
        removing.run("DELETE FROM accounts").await;
        removing.commit().await;
    };
    let token = token("ada");
    let (answer, ()) = tokio::join!(ask(&there, &token), remove);
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unverified_address_of_another_user_is_forbidden_with_a_reason() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    app.signed_up("ada").await;
    let answer = ask(&app, &unverified("ada")).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let error = &answer.json()["errors"][0];
    assert_eq!(error["extensions"]["code"], "FORBIDDEN");
    let message = text(&error["message"]);
    assert!(message.contains("has not verified"), "{message}");
    // An unknown address creates a user with an unverified address.
    assert_eq!(me(&app, &unverified("bob")).await["emailVerified"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_external_user_is_rejected_everywhere_until_reactivated() {
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
        client.eventually_rejected().await;
    }
    assert_eq!(ask(&another(&app, &toml).await, &token).await.status, 401);
    app.sql("UPDATE users SET is_active = true").await;
    for client in &clients {
        id_of(client).await;
    }
    assert_eq!(app.count("users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_external_user_is_not_created_again() {
    let issuer = Issuer::start().await;
    let toml = issuer.toml("");
    let app = trusting(&toml).await;
    let there = another(&app, &toml).await;
    let clients = [&app, &there].map(|app| bearing(app, token("ada")));
    for client in &clients {
        id_of(client).await;
    }
    clients[0].mutate("deleteMe", json!({}), "").await;
    for client in &clients {
        client.eventually_rejected().await;
    }
    let elsewhere = ask(&another(&app, &toml).await, &token("ada")).await.status;
    assert_eq!(elsewhere, 401);
    assert_eq!(app.count("users").await, 0);
    // The address is free.
    app.signed_up("ada").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn external_tokens_have_no_session() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let ada = bearing(&app, token("ada"));
    let nothing = json!({ "signedOut": false, "userErrors": [] });
    assert_eq!(ada.sign_out().await, nothing);
    let me = ada.query("{ me { sessions { id } } }").await;
    assert_eq!(me["me"]["sessions"], json!([]));
}

fn signed_in_ago(app: &TestApp, subject: &str, minutes: i64) -> Client {
    let mut claims = claims(subject);
    claims["auth_time"] = json!(Utc::now().timestamp() - minutes * 60);
    bearing(app, token_of(&claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn users_without_password_must_have_signed_in_recently_for_destructive_mutations() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let refused = ["INVALID_CREDENTIALS password"];
    let change = json!({ "newEmail": "new@example.com" });
    for (mutation, input) in [
        ("deleteMe", json!({})),
        ("deactivateMe", json!({})),
        ("requestEmailChange", change.clone()),
    ] {
        // A clock may be a little fast, but a time far in the future is no proof.
        for minutes in [6, -2] {
            let ada = signed_in_ago(&app, "ada", minutes);
            let payload = ada.try_mutate(mutation, input.clone(), "").await;
            assert_eq!(errors(&payload), refused, "{mutation}");
        }
    }
    let mut claims = claims("ada");
    claims["auth_time"] = json!(Utc::now().timestamp_millis());
    let in_milliseconds = bearing(&app, token_of(&claims));
    let payload = in_milliseconds.try_mutate("deleteMe", json!({}), "").await;
    assert_eq!(errors(&payload), refused);
    let lately = signed_in_ago(&app, "ada", 4);
    lately.mutate("requestEmailChange", change, "").await;
    lately.mutate("deactivateMe", json!({}), "").await;
    assert!(!lately.is_accepted().await);
    let bob = signed_in_ago(&app, "bob", 0);
    bob.mutate("deleteMe", json!({}), "").await;
    // A user who has a password needs it, however recently they signed in.
    app.signed_up("eve").await;
    app.sql("UPDATE users SET email_verified = true WHERE name = 'eve'")
        .await;
    let eve = signed_in_ago(&app, "eve", 0);
    let payload = eve.try_mutate("deleteMe", json!({}), "").await;
    assert_eq!(errors(&payload), refused);
    assert_eq!(errors(&eve.delete_me(PASSWORD).await), [""; 0]);
}
