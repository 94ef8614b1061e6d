//! Confirming the password counts as signing in. Strangers do not limit users who are signed in.

use serde_json::{Value, json};

use super::{
    ADA, AWAY, HOME, WRONG, addresses::hammered, code, limited, passed, payload, sign_in, sign_up,
    succeeded,
};
use crate::support::{Answer, Client, PASSWORD, Person, TestApp};

/// A session that was opened from this address.
async fn signed_in(app: &TestApp, address: &str) -> Person {
    let answer = sign_in(app, address, ADA, PASSWORD).await;
    Person::of(&app.anonymous(), &payload(&answer))
}

/// An attempt to confirm the password, from this address.
async fn confirm(ada: &Client, address: &str, password: Value) -> Answer {
    let input = json!({ "password": password });
    ada.from(address)
        .post_mutation("deactivateMe", input, "")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn confirming_a_password_counts_as_signing_in() {
    let app = limited(|limits| limits.sign_in = "4/h".parse().unwrap()).await;
    let answer = sign_up(&app, HOME, "ada").await;
    let ada = Person::of(&app.anonymous().from(HOME), &payload(&answer));
    let confirm = async |mutation: &str, password: &str| {
        let input = match mutation {
            "changePassword" => {
                json!({ "currentPassword": password, "newPassword": "battery staple" })
            }
            "requestEmailChange" => json!({ "newEmail": "a@b", "password": password }),
            _ => json!({ "password": password }),
        };
        ada.post_mutation(mutation, input, "").await
    };
    let mutations = [
        "changePassword",
        "deactivateMe",
        "deleteMe",
        "requestEmailChange",
    ];
    for mutation in mutations {
        let answer = confirm(mutation, "no").await;
        assert_eq!(code(&answer), "INVALID_CREDENTIALS");
    }
    for mutation in mutations {
        assert!(!passed(&confirm(mutation, PASSWORD).await), "{mutation}");
    }
    assert!(!passed(&sign_in(&app, HOME, ADA, PASSWORD).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_limit_users_who_are_signed_in() {
    let app = hammered().await;
    let ada = signed_in(&app, HOME).await;
    assert!(!passed(&sign_in(&app, AWAY, ADA, PASSWORD).await));
    // The owner travels with an open session, at an address without a sign-in.
    assert!(succeeded(&confirm(&ada, AWAY, json!(PASSWORD)).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_session_is_limited_at_every_address() {
    let app = limited(|limits| limits.sign_in_account = "2/h".parse().unwrap()).await;
    assert!(passed(&sign_up(&app, HOME, "ada").await));
    let (stolen, ada) = (signed_in(&app, HOME).await, signed_in(&app, HOME).await);
    for n in 0..4 {
        let address = format!("198.51.100.{n}");
        let answer = confirm(&stolen, &address, json!(WRONG)).await;
        assert_eq!(passed(&answer), n < 2, "{n}");
    }
    assert!(succeeded(&confirm(&ada, HOME, json!(PASSWORD)).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmations_of_users_without_a_password_are_not_limited() {
    let app = limited(|limits| {
        limits.sign_in = "1/h".parse().unwrap();
        limits.sign_in_address = "1/h".parse().unwrap();
        limits.sign_in_account = "1/h".parse().unwrap();
    })
    .await;
    let answer = sign_up(&app, HOME, "ada").await;
    let ada = Person::of(&app.anonymous(), &payload(&answer));
    app.sql("UPDATE users SET password_hash = NULL").await;
    sign_in(&app, HOME, ADA, WRONG).await;
    for _ in 0..3 {
        let answer = confirm(&ada, HOME, Value::Null).await;
        assert_eq!(code(&answer), "INVALID_CREDENTIALS");
    }
}
