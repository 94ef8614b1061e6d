//! Importing users of another system: they keep their passwords, no user is added twice, and a file with an error adds none.

use chrono::Utc;
use futures_util::future::join_all;
use serde_json::{Value, json};
use snapnote::users::import::{self, Imported};

use crate::support::{PASSWORD, TestApp, codes};

/// Another system's hash of `correct horse`, at the minimum cost.
fn bcrypt_hash(version: bcrypt::Version) -> String {
    bcrypt::hash_with_result("correct horse", 4)
        .unwrap()
        .format_for_version(version)
}

fn newcomer(name: &str, password_hash: Option<String>) -> Value {
    json!({ "email": format!("{name}@example.com"), "name": name, "password_hash": password_hash,
            "created_at": "2024-02-29T12:00:00+02:00" })
}

fn file(people: &[Value]) -> Vec<u8> {
    let lines: Vec<String> = people.iter().map(Value::to_string).collect();
    lines.join("\n").into_bytes()
}

async fn import(app: &TestApp, people: &[Value]) -> Imported {
    let people = import::read(&file(people), Utc::now()).unwrap_or_else(|all| panic!("{all:?}"));
    let mut conn = app.pool.connection().await.unwrap();
    import::import(&mut conn, &people, |_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_users_sign_in_with_their_existing_passwords() {
    let app = TestApp::start().await;
    let people = [
        newcomer("twoa", Some(bcrypt_hash(bcrypt::Version::TwoA))),
        newcomer("twob", Some(bcrypt_hash(bcrypt::Version::TwoB))),
        newcomer("twoy", Some(bcrypt_hash(bcrypt::Version::TwoY))),
        newcomer("none", None),
    ];
    let imported = import(&app, &people).await;
    let known = Vec::new();
    assert_eq!(imported, Imported { added: 4, known });
    for name in ["twoa", "twob", "twoy"] {
        let email = format!("{name}@Example.com");
        let accepted = app.anonymous().can_sign_in(&email, PASSWORD).await;
        assert!(accepted, "{name}");
        let refused = app.anonymous().sign_in(&email, "wrong horse").await;
        assert_eq!(codes(&refused), ["INVALID_CREDENTIALS"], "{name}");
    }
    let refused = app.anonymous().sign_in("none@example.com", PASSWORD).await;
    assert_eq!(codes(&refused), ["INVALID_CREDENTIALS"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_first_sign_ins_of_an_imported_user_succeed() {
    let app = TestApp::start().await;
    let hash = bcrypt_hash(bcrypt::Version::TwoB);
    import(&app, &[newcomer("ada", Some(hash))]).await;
    let anonymous = app.anonymous();
    let sign_ins = (0..6).map(|_| anonymous.can_sign_in("ada@example.com", PASSWORD));
    assert_eq!(join_all(sign_ins).await, [true; 6]);
    let failed = "audit_logs WHERE action = 'SIGN_IN_FAILED'";
    assert_eq!(app.count(failed).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_fields_are_stored_and_the_import_is_logged_without_an_actor() {
    let app = TestApp::start().await;
    let mut person = newcomer("ada", None);
    person["id"] = json!("0190163d-8694-739b-aea5-966c26f8ad91");
    person["email_verified"] = json!(true);
    person["avatar_url"] = json!("https://example.com/ada.png");
    person["last_sign_in_at"] = json!("2025-01-02T03:04:05Z");
    import(&app, &[person]).await;
    let as_told = "users JOIN user_profiles ON user_id = id
        WHERE id = '0190163d-8694-739b-aea5-966c26f8ad91' AND email = 'ada@example.com' AND name = 'ada'
            AND email_verified AND is_active AND role = 'user' AND avatar_url = 'https://example.com/ada.png'
            AND created_at = '2024-02-29T10:00:00Z' AND users.updated_at = created_at
            AND last_sign_in_at = '2025-01-02T03:04:05Z'";
    assert_eq!(app.count(as_told).await, 1);
    let logged =
        "audit_logs WHERE action = 'CREATED' AND entity_type = 'User' AND actor_id IS NULL";
    assert_eq!(app.count(logged).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_users_are_not_changed() {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    let mut ada = newcomer("ADA", Some(bcrypt_hash(bcrypt::Version::TwoB)));
    ada["name"] = json!("Somebody else");
    let people = [newcomer("bob", None), ada, newcomer("cem", None)];
    let (added, known) = (2, vec![2]);
    assert_eq!(import(&app, &people).await, Imported { added, known });
    let (added, known) = (0, vec![1, 2, 3]);
    assert_eq!(import(&app, &people).await, Imported { added, known });
    assert_eq!(app.count("users").await, 3);
    assert_eq!(app.count("user_profiles").await, 3);
    let changed = "users WHERE name = 'Somebody else'";
    assert_eq!(app.count(changed).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_import_adds_no_user() {
    let app = TestApp::start().await;
    app.sql("ALTER TABLE users ADD CONSTRAINT no_last CHECK (name <> 'last')")
        .await;
    let mut people: Vec<Value> = (0..1500)
        .map(|index| newcomer(&format!("p{index}"), None))
        .collect();
    people.push(newcomer("last", None));
    let Ok(people) = import::read(&file(&people), Utc::now()) else {
        panic!("the file is good");
    };
    let mut conn = app.pool.connection().await.unwrap();
    assert!(import::import(&mut conn, &people, |_| {}).await.is_err());
    assert_eq!(app.count("users").await, 0);
}

#[test]
fn an_invalid_line_stops_the_import() {
    let hash = Some("5f4dcc3b5aa765d61d8327deb882cf99".to_owned());
    let people = [newcomer("ada", None), newcomer("bob", hash)];
    let Err(problems) = import::read(&file(&people), Utc::now()) else {
        panic!("that is no hash");
    };
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].line, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_users_are_imported_at_once() {
    let app = TestApp::start().await;
    let hash = bcrypt_hash(bcrypt::Version::TwoB);
    let people: Vec<Value> = (0..10_000)
        .map(|index| newcomer(&format!("person{index}"), Some(hash.clone())))
        .collect();
    assert_eq!(import(&app, &people).await.added, 10_000);
}
