//! A password is the same however a keyboard encodes it: spaces and composed letters are normalized (RFC 8265).

use chrono::Utc;
use serde_json::json;
use snapnote::users::import;

use crate::support::{Client, Person, SIGNED_IN, TestApp, codes, errors};

const ADA: &str = "ada@example.com";
/// A password with composed letters and a space.
const COMPOSED: &str = "na\u{ef}ve z\u{e8}bre q9";
/// The same with decomposed letters and other spaces.
const SPELLINGS: [&str; 3] = [
    COMPOSED,
    "nai\u{308}ve ze\u{300}bre q9",
    "nai\u{308}ve\u{A0}z\u{e8}bre\u{3000}q9",
];
/// Others, which no normalization may make equal.
const OTHERS: [&str; 3] = [
    "naive zebre q9",
    "Na\u{ef}ve z\u{e8}bre q9",
    "na\u{ef}ve\u{200B} z\u{e8}bre \u{FF51}9",
];

async fn signed_up(app: &TestApp, password: &str) -> Person {
    let input = json!({ "email": ADA, "password": password, "name": "Ada" });
    let payload = app.anonymous().mutate("signUp", input, SIGNED_IN).await;
    Person::of(&app.anonymous(), &payload)
}

/// Asserts that all spellings sign in, and others do not.
async fn assert_right(client: &Client) {
    for spelling in SPELLINGS {
        assert!(client.can_sign_in(ADA, spelling).await, "{spelling:?}");
    }
    for other in OTHERS {
        let refused = client.sign_in(ADA, other).await;
        assert_eq!(codes(&refused), ["INVALID_CREDENTIALS"], "{other:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_password_signs_in() {
    let app = TestApp::keeping_mails().await;
    for spelling in SPELLINGS {
        app.sql("DELETE FROM users; DELETE FROM mails").await;
        let ada = signed_up(&app, spelling).await;
        assert_right(&app.anonymous()).await;

        let payload = ada.change_password(SPELLINGS[1], "another zebra").await;
        assert_eq!(errors(&payload), [""; 0]);
        let payload = ada.change_password("another\u{2003}zebra", spelling).await;
        assert_eq!(errors(&payload), [""; 0]);
        assert_right(&app.anonymous()).await;

        app.anonymous().request_password_reset(ADA).await;
        let token = app.mailed_token("password_reset").await;
        let payload = app.anonymous().reset_password(&token, spelling).await;
        assert_eq!(errors(&payload), [""; 0]);
        assert_right(&app.anonymous()).await;

        let payload = app.anonymous().sign_in(ADA, spelling).await;
        let ada = Person::of(&app.anonymous(), &payload);
        assert_eq!(errors(&ada.deactivate_me(SPELLINGS[2]).await), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_are_those_of_the_normalized_password() {
    let app = TestApp::start().await;
    for (password, expected) in [
        ("e\u{301}".repeat(7), "TOO_SHORT password"),
        ("e\u{301}".repeat(129), "TOO_LONG password"),
        ("e\u{301}".repeat(100_000), "TOO_LONG password"),
    ] {
        let input = json!({ "email": ADA, "password": password, "name": "Ada" });
        let payload = app.anonymous().try_mutate("signUp", input, "").await;
        assert_eq!(errors(&payload), [expected]);
    }
    // 128 characters, and 164 as typed.
    let longest = "ze\u{301}ba\u{300}q9!wo\u{302}k".repeat(12) + "abcdefgh";
    assert_eq!(longest.chars().count(), 164);
    signed_up(&app, &longest).await;
    assert!(app.anonymous().can_sign_in(ADA, &longest).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_passwords_are_weak_in_every_spelling() {
    let app = TestApp::start().await;
    let input = json!({ "email": ADA, "password": "Ada\u{A0}Lovelace", "name": "Ada Lovelace" });
    let payload = app.anonymous().try_mutate("signUp", input, "").await;
    assert_eq!(errors(&payload), ["WEAK_PASSWORD password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_users_sign_in_as_they_typed_elsewhere_and_in_every_spelling_afterwards() {
    let app = TestApp::start().await;
    for spelling in [SPELLINGS[1], SPELLINGS[2], COMPOSED] {
        app.sql("DELETE FROM users").await;
        let line = json!({ "email": ADA, "name": "Ada", "password_hash": bcrypt::hash(spelling, 4).unwrap(),
            "created_at": "2024-02-29T12:00:00Z" });
        let people = import::read(line.to_string().as_bytes(), Utc::now());
        let people = people.unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut conn = app.pool.connection().await.unwrap();
        import::import(&mut conn, &people, |_| {}).await.unwrap();
        drop(conn);
        assert!(!app.anonymous().can_sign_in(ADA, OTHERS[0]).await);
        assert!(app.anonymous().can_sign_in(ADA, spelling).await);
        let replaced = "users WHERE password_hash LIKE '$argon2id$%'";
        assert_eq!(app.count(replaced).await, 1, "{spelling:?}");
        assert_right(&app.anonymous()).await;
    }
}
