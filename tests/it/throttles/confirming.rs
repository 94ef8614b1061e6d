//! Confirming who one is counts as signing in; but strangers hold nobody back who is signed in.

use serde_json::{Value, json};

use super::{AWAY, HOME, code, from, hammered, limited, passed, sign_in, sign_up, told};
use crate::{
    session_list::Person,
    support::{Answer, Client, TestApp},
};

#[tokio::test(flavor = "multi_thread")]
async fn confirming_a_password_counts_as_signing_in() {
    let app = limited(|limits| limits.sign_in = "4/h".parse().unwrap()).await;
    let answer = sign_up(&app, HOME, "ada").await;
    let ada = Person::of(&app, &told(&answer, "signUp")).client;
    let confirming = [
        "changePassword(input: { currentPassword: \"no\", newPassword: \"battery staple\" }) { userErrors { code } }",
        "deactivateMe(input: { password: \"no\" }) { userErrors { code } }",
        "deleteMe(input: { password: \"no\" }) { userErrors { code } }",
        "requestEmailChange(input: { newEmail: \"a@b\", password: \"no\" }) { userErrors { code } }",
    ];
    for mutation in confirming {
        let answer = from(HOME, &ada, &format!("mutation {{ {mutation} }}"), json!({})).await;
        let field = mutation.split('(').next().unwrap();
        assert_eq!(code(&answer, field), "INVALID_CREDENTIALS");
    }
    for mutation in confirming {
        let right = mutation.replace("\"no\"", "\"correct horse\"");
        let answer = from(HOME, &ada, &format!("mutation {{ {right} }}"), json!({})).await;
        assert!(!passed(&answer), "{mutation}");
    }
    let answer = sign_in(&app, HOME, "ada@example.com", "correct horse").await;
    assert!(!passed(&answer));
}

/// Somebody who signed in from there.
async fn signed_in(app: &TestApp, address: &str) -> Client {
    let answer = sign_in(app, address, "ada@example.com", "correct horse").await;
    Person::of(app, &told(&answer, "signIn")).client
}

/// An attempt to confirm who one is, from that address.
async fn confirm(ada: &Client, address: &str, password: Value) -> Answer {
    let query = "mutation($password: String) {
        deactivateMe(input: { password: $password }) { userErrors { code } } }";
    from(address, ada, query, json!({ "password": password })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_hold_back_who_is_signed_in() {
    let app = hammered().await;
    let ada = signed_in(&app, HOME).await;
    assert!(!passed(
        &sign_in(&app, AWAY, "ada@example.com", "correct horse").await
    ));
    // On their way with the session that they have, from where nobody signed in.
    let answer = confirm(&ada, AWAY, json!("correct horse")).await;
    assert_eq!(told(&answer, "deactivateMe")["userErrors"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_somebodys_session_must_wait_wherever_they_are() {
    let app = limited(|limits| limits.sign_in_account = "2/h".parse().unwrap()).await;
    assert!(passed(&sign_up(&app, HOME, "ada").await));
    let (stolen, ada) = (signed_in(&app, HOME).await, signed_in(&app, HOME).await);
    for n in 0..4 {
        let address = format!("198.51.100.{n}");
        let answer = confirm(&stolen, &address, json!("wrong horse")).await;
        assert_eq!(passed(&answer), n < 2, "{n}");
    }
    let answer = confirm(&ada, HOME, json!("correct horse")).await;
    assert_eq!(told(&answer, "deactivateMe")["userErrors"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_password_there_is_nothing_to_guess() {
    let app = limited(|limits| {
        limits.sign_in = "1/h".parse().unwrap();
        limits.sign_in_address = "1/h".parse().unwrap();
        limits.sign_in_account = "1/h".parse().unwrap();
    })
    .await;
    let ada = Person::of(&app, &told(&sign_up(&app, HOME, "ada").await, "signUp"));
    app.sql("UPDATE users SET password_hash = NULL").await;
    sign_in(&app, HOME, "ada@example.com", "wrong horse").await;
    for _ in 0..3 {
        let answer = confirm(&ada.client, HOME, Value::Null).await;
        assert_eq!(code(&answer, "deactivateMe"), "INVALID_CREDENTIALS");
    }
}
