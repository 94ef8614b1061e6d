//! Email addresses that look alike: each is a separate account, or invalid, in every part of the API.
//!
//! `identity_providers::email_addresses` tests addresses that external identity providers claim.

use chrono::Utc;
use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use snapnote::{
    db::migrate,
    email_address::EmailAddress,
    users::{self, import},
};

use crate::{
    account_deletion::where_is,
    support::{
        PASSWORD, Person, SIGNED_IN, TestApp, codes, errors, fresh_name, superuser, target_of,
    },
};

/// An address, a lookalike that a case mapping, a normalization or IDNA treats as the same, and whether the lookalike is valid.
pub(crate) const LOOKALIKES: [(&str, &str, bool); 17] = [
    ("idil@example.com", "\u{130}dil@example.com", true),
    ("ada@wiki.example", "ada@w\u{130}ki.example", false),
    ("ada@wiki.example", "ada@wi\u{307}ki.example", true),
    ("kim@example.com", "\u{212A}im@example.com", false),
    ("ada@kiosk.example", "ada@\u{212A}iosk.example", false),
    ("sam@example.com", "\u{17F}am@example.com", true),
    ("ada@shop.example", "ada@\u{17F}hop.example", false),
    ("νοσ@example.com", "νος@example.com", true),
    ("ada@νοσ.example", "ada@νος.example", true),
    ("zo\u{e9}@example.com", "zoe\u{301}@example.com", false),
    ("ada@caf\u{e9}.example", "ada@cafe\u{301}.example", false),
    ("eva@example.com", "\u{FF25}va@example.com", true),
    ("ada@wide.example", "ada@\u{FF57}ide.example", false),
    ("ada@strasse.example", "ada@stra\u{df}e.example", true),
    ("ada@soft.example", "ada@so\u{AD}ft.example", false),
    ("ada@dot.example", "ada@dot\u{3002}example", false),
    ("ädä@example.net", "ÄDÄ@example.net", true),
];

/// The payload of a sign-up with this address.
pub(crate) async fn sign_up(app: &TestApp, email: &str) -> Value {
    let input = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
    app.anonymous().try_mutate("signUp", input, SIGNED_IN).await
}

/// A user who has just signed up with this address.
pub(crate) async fn signed_up(app: &TestApp, email: &str) -> Person {
    Person::of(&app.anonymous(), &sign_up(app, email).await)
}

/// A service without users and mails.
async fn emptied(app: &TestApp) {
    app.sql("DELETE FROM users; DELETE FROM mails").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookalike_of_an_email_address_never_signs_in_or_up_as_its_owner() {
    let app = TestApp::keeping_mails().await;
    let mut same = Vec::new();
    for (owner, lookalike, valid) in LOOKALIKES {
        emptied(&app).await;
        signed_up(&app, owner).await;
        let refused = app.anonymous().sign_in(lookalike, PASSWORD).await;
        if codes(&refused) != ["INVALID_CREDENTIALS"] {
            same.push(lookalike);
        }
        let expected: &[&str] = if valid { &[] } else { &["INVALID email"] };
        let requested = app.anonymous().request_password_reset(lookalike).await;
        assert_eq!(errors(&requested), expected, "{lookalike}");
        assert_eq!(app.count("mail_tokens").await, 0);
        let payload = sign_up(&app, lookalike).await;
        assert_eq!(errors(&payload), expected, "{lookalike}");
        let users = app.count("users").await;
        assert_eq!(users, 1 + i64::from(valid), "{lookalike}");
        assert_eq!(app.mails("sign_up_attempted").await, 0, "{lookalike}");
    }
    assert!(same.is_empty(), "{same:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_address_can_change_to_a_valid_lookalike_of_another() {
    let app = TestApp::keeping_mails().await;
    for (owner, lookalike, valid) in LOOKALIKES {
        emptied(&app).await;
        signed_up(&app, owner).await;
        let eve = signed_up(&app, "eve@elsewhere.example").await;
        let requested = eve.request_email_change(lookalike, PASSWORD).await;
        if !valid {
            assert_eq!(errors(&requested), ["INVALID newEmail"], "{lookalike}");
            continue;
        }
        assert_eq!(errors(&requested), [""; 0], "{lookalike}");
        let token = app.mailed_token("email_change").await;
        let expected = json!({ "user": { "email": lookalike }, "userErrors": [] });
        assert_eq!(eve.verify_email(&token).await, expected);
        let anonymous = app.anonymous();
        let accepted = anonymous.can_sign_in(lookalike, PASSWORD).await;
        assert!(accepted, "{lookalike}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_treats_lookalikes_as_different_addresses() {
    let app = TestApp::start().await;
    for (owner, lookalike, valid) in LOOKALIKES {
        app.sql("DELETE FROM users").await;
        signed_up(&app, owner).await;
        let line = |email: &str| {
            let created_at = "2024-02-29T12:00:00Z";
            json!({ "email": email, "name": "Ada", "created_at": created_at }).to_string()
        };
        let file = [line(owner), line(lookalike)].join("\n");
        let people = match import::read(file.as_bytes(), Utc::now()) {
            Ok(people) => people,
            Err(problems) => {
                assert!(!valid, "{lookalike}: {problems:?}");
                assert_eq!((problems.len(), problems[0].line), (1, 2));
                continue;
            }
        };
        assert!(valid, "{lookalike}");
        let mut conn = app.pool.connection().await.unwrap();
        let imported = import::import(&mut conn, &people).await.unwrap();
        let counts = (imported.added, imported.known);
        assert_eq!(counts, (1, vec![1]), "{lookalike}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_address_is_one_account_in_any_ascii_case_and_both_forms_of_its_domain() {
    let app = TestApp::keeping_mails().await;
    for (owner, same) in [
        ("Grace@Example.com", "\tgRACE@eXAMPLE.COM "),
        ("zoë@example.com", "ZOë@Example.Com"),
        ("eva@bücher.example", "EVA@BüCHER.example"),
        ("max@bücher.example", "Max@XN--Bcher-KVA.example"),
        ("lea@xn--fiqs8s.example", "lea@中国.example"),
    ] {
        signed_up(&app, owner).await;
        assert!(app.anonymous().can_sign_in(same, PASSWORD).await, "{same}");
        let taken = sign_up(&app, same).await;
        assert_eq!(errors(&taken), ["TAKEN email"], "{same}");
        let notices = format!("mails WHERE kind = 'sign_up_attempted' AND recipient = '{owner}'");
        assert_eq!(app.count(&notices).await, 1, "{same}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_grant_roles_to_exact_addresses_only() {
    let app = TestApp::start().await;
    for (owner, lookalike, valid) in LOOKALIKES {
        app.sql("DELETE FROM users").await;
        signed_up(&app, owner).await;
        let mut conn = app.pool.connection().await.unwrap();
        let address = EmailAddress::parse(lookalike);
        assert_eq!(address.is_ok(), valid, "{lookalike}");
        if let Ok(address) = address {
            let granted = users::grant(&mut conn, &address).await.unwrap();
            assert!(granted.is_none(), "{lookalike}");
        }
        let address = EmailAddress::parse(&owner.to_ascii_uppercase()).unwrap();
        let granted = users::grant(&mut conn, &address).await.unwrap();
        assert_eq!(granted.unwrap().email, owner);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_deleted_user_leaves_the_outbox_in_every_form() {
    let app = TestApp::keeping_mails().await;
    let typed = ["zyxomma@BüCHER.example", "ZYXOMMA@xn--bcher-kva.Example"];
    let eve = signed_up(&app, "eve@elsewhere.example").await;
    for email in typed {
        eve.request_email_change(email, PASSWORD).await;
        app.anonymous().request_password_reset(email).await;
    }
    // Dead mails stay for a while, even if their tokens are deleted.
    app.sql("UPDATE mails SET died_at = now(); DELETE FROM mail_tokens")
        .await;
    let given_up = "mails WHERE kind = 'email_change' AND strpos(lower(recipient), 'zyxomma') > 0";
    assert_eq!(app.count(given_up).await, 2);
    let zyxomma = signed_up(&app, "zyxomma@bücher.example").await;
    zyxomma.delete_me(PASSWORD).await;
    assert_eq!(where_is(&app, "zyxomma").await, "");
}

/// A database in which lower('I') is not 'i'; `None` before PostgreSQL 15.
async fn turkish_database() -> Option<String> {
    let name = fresh_name();
    let sql = format!(
        "CREATE DATABASE {name} OWNER snapnote TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'tr'"
    );
    let mut conn = superuser("postgres").await;
    conn.batch_execute(&sql).await.ok().map(|()| name)
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_do_not_depend_on_the_collation_of_the_database() {
    let Some(database) = turkish_database().await else {
        return;
    };
    migrate::up(&target_of(&database).await).await.unwrap();
    let app = TestApp::on(database, |_| {}).await;
    assert_eq!(app.text("lower('I')").await, "ı");
    signed_up(&app, "INFO@KIT.example").await;
    assert!(
        app.anonymous()
            .can_sign_in("info@kit.example", PASSWORD)
            .await
    );
    let taken = sign_up(&app, "Info@kit.example").await;
    assert_eq!(codes(&taken), ["TAKEN"]);
    for other in ["ınfo@kit.example", "İNFO@kit.example"] {
        signed_up(&app, other).await;
    }
    assert_eq!(app.count("users").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_rejects_a_key_that_is_not_that_of_its_address() {
    let (app, _) = TestApp::start().await.with_user("ada").await;
    let mut conn = superuser(&app.database).await;
    for wrong in [
        "UPDATE users SET email = 'eve@example.com'",
        "UPDATE users SET email_key = 'eve@example.com'",
        "UPDATE users SET email_key = NULL",
    ] {
        assert!(conn.batch_execute(wrong).await.is_err(), "{wrong}");
    }
    let right = "UPDATE users SET email = 'Eve@example.com', email_key = 'eve@example.com'";
    conn.batch_execute(right).await.unwrap();
}
