//! Addresses that resemble each other: each is an account of its own, or is invalid, at every door.
//!
//! What external identity providers claim is in `issuers::addresses`.

use chrono::Utc;
use diesel_async::SimpleAsyncConnection;
use serde_json::{Value, json};
use snapnote::{
    db::{connect::Target, migrate},
    email_address::EmailAddress,
    users::{self, import},
};
use uuid::Uuid;

use crate::{
    leaving::where_is,
    people::{SIGN_UP, sign_in},
    support::{Client, TestApp, fresh_name, superuser, url_of},
};

/// An owner's address, one that a case mapping, a normalization or IDNA takes for the same, and whether that is valid.
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

/// What signUp answers to that address.
pub(crate) async fn sign_up(app: &TestApp, email: &str) -> Value {
    let input = json!({ "email": email, "password": "correct horse", "name": "Ada" });
    app.visitor().data(SIGN_UP, json!({ "input": input })).await["signUp"].take()
}

/// A caller who has just signed up with that address.
pub(crate) async fn signed_up(app: &TestApp, email: &str) -> Client {
    let payload = sign_up(app, email).await;
    let token = payload["accessToken"].as_str();
    Client {
        token: Some(
            token
                .unwrap_or_else(|| panic!("{email}: {payload}"))
                .to_owned(),
        ),
        ..app.visitor()
    }
}

fn invalid(field: &str) -> Value {
    json!([{ "code": "INVALID", "field": ["input", field] }])
}

async fn errors(client: &Client, mutation: &str, email: &str) -> Value {
    let query =
        format!("mutation($email: String!) {{ {mutation} {{ userErrors {{ code field }} }} }}");
    let data = client.data(&query, json!({ "email": email })).await;
    data.as_object().unwrap().values().next().unwrap()["userErrors"].clone()
}

async fn unsent() -> TestApp {
    TestApp::with(|settings| settings.mail.smtp_url = Some("smtp://127.0.0.1:1".to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_resembles_another_never_signs_in_or_up_as_it() {
    let app = unsent().await;
    let mut same = Vec::new();
    for (owner, lookalike, _) in LOOKALIKES {
        app.sql("DELETE FROM users; DELETE FROM mails").await;
        signed_up(&app, owner).await;
        let answer = sign_in(&app.visitor(), lookalike, "correct horse").await;
        if answer["userErrors"][0]["code"] != "INVALID_CREDENTIALS" {
            same.push(lookalike);
        }
    }
    assert!(same.is_empty(), "{same:?}");
    for (owner, lookalike, valid) in LOOKALIKES {
        app.sql("DELETE FROM users; DELETE FROM mails").await;
        signed_up(&app, owner).await;
        let expected = if valid { json!([]) } else { invalid("email") };
        let reset = "requestPasswordReset(input: { email: $email })";
        let told = errors(&app.visitor(), reset, lookalike).await;
        assert_eq!(told, expected, "{lookalike}");
        assert_eq!(app.number("SELECT count(*) FROM mail_tokens").await, 0);
        let payload = sign_up(&app, lookalike).await;
        assert_eq!(payload["userErrors"], expected, "{lookalike}");
        let users = app.number("SELECT count(*) FROM users").await;
        assert_eq!(users, 1 + i64::from(valid), "{lookalike}");
        let told = "SELECT count(*) FROM mails WHERE kind = 'sign_up_attempted'";
        assert_eq!(app.number(told).await, 0, "{lookalike}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_can_change_to_one_that_resembles_another_users_if_it_is_valid() {
    let app = unsent().await;
    for (owner, lookalike, valid) in LOOKALIKES {
        app.sql("DELETE FROM users; DELETE FROM mails").await;
        signed_up(&app, owner).await;
        let eve = signed_up(&app, "eve@elsewhere.example").await;
        let change = "requestEmailChange(input: { newEmail: $email, password: \"correct horse\" })";
        let told = errors(&eve, change, lookalike).await;
        if !valid {
            assert_eq!(told, invalid("newEmail"), "{lookalike}");
            continue;
        }
        assert_eq!(told, json!([]), "{lookalike}");
        let id = app.text("SELECT id FROM mail_tokens").await;
        let token = app.auth.mailed_token(Uuid::parse_str(&id).unwrap());
        let verify = format!("verifyEmail(input: {{ token: \"{token}\" }})");
        let query = format!("mutation {{ {verify} {{ user {{ email }} userErrors {{ code }} }} }}");
        let changed = eve.data(&query, json!({})).await["verifyEmail"].take();
        let expected = json!({ "user": { "email": lookalike }, "userErrors": [] });
        assert_eq!(changed, expected);
        let signed_in = sign_in(&app.visitor(), lookalike, "correct horse").await;
        assert_eq!(signed_in["userErrors"], json!([]), "{lookalike}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_takes_addresses_that_resemble_each_other_for_different_ones() {
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
        assert_eq!(
            (imported.added, imported.known),
            (1, vec![1]),
            "{lookalike}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_one_account_in_any_ascii_case_and_in_both_forms_of_its_domain() {
    let app = unsent().await;
    for (owner, same) in [
        ("Grace@Example.com", "\tgRACE@eXAMPLE.COM "),
        ("zoë@example.com", "ZOë@Example.Com"),
        ("eva@bücher.example", "EVA@BüCHER.example"),
        ("max@bücher.example", "Max@XN--Bcher-KVA.example"),
        ("lea@xn--fiqs8s.example", "lea@中国.example"),
    ] {
        signed_up(&app, owner).await;
        let signed_in = sign_in(&app.visitor(), same, "correct horse").await;
        assert_eq!(signed_in["userErrors"], json!([]), "{same}");
        let taken = json!([{ "code": "TAKEN", "field": ["input", "email"] }]);
        assert_eq!(sign_up(&app, same).await["userErrors"], taken, "{same}");
        let told = format!(
            "SELECT count(*) FROM mails WHERE kind = 'sign_up_attempted' AND recipient = '{owner}'"
        );
        assert_eq!(app.number(&told).await, 1, "{same}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_grants_to_the_address_itself_and_to_none_that_resembles_it() {
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
async fn a_deleted_users_address_leaves_the_outbox_in_every_form_that_others_typed() {
    let app = unsent().await;
    let typed = ["zyxo@BüCHER.example", "ZYXO@xn--bcher-kva.Example"];
    let eve = signed_up(&app, "eve@elsewhere.example").await;
    let change = "requestEmailChange(input: { newEmail: $email, password: \"correct horse\" })";
    let reset = "requestPasswordReset(input: { email: $email })";
    for email in typed {
        assert_eq!(errors(&eve, change, email).await, json!([]));
        assert_eq!(errors(&app.visitor(), reset, email).await, json!([]));
    }
    // Mails that were given up stay for a while, whatever becomes of their tokens.
    app.sql("UPDATE mails SET died_at = now(); DELETE FROM mail_tokens")
        .await;
    let given_up = "SELECT count(*) FROM mails WHERE kind = 'email_change' AND strpos(lower(recipient), 'zyxo') > 0";
    assert_eq!(app.number(given_up).await, 2);
    let zyxo = signed_up(&app, "zyxo@bücher.example").await;
    let delete =
        "mutation { deleteMe(input: { password: \"correct horse\" }) { userErrors { code } } }";
    zyxo.data(delete, json!({})).await;
    assert_eq!(where_is(&app, "zyxo").await, "");
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
async fn accounts_are_the_same_whatever_the_databases_collation_takes_for_lower_case() {
    let Some(database) = turkish_database().await else {
        return;
    };
    migrate::up(&Target::parse(&url_of(&database).await).unwrap())
        .await
        .unwrap();
    let app = TestApp::on(database, |_| {}).await;
    assert_eq!(app.text("lower('I')").await, "ı");
    signed_up(&app, "INFO@KIT.example").await;
    let answer = sign_in(&app.visitor(), "info@kit.example", "correct horse").await;
    assert_eq!(answer["userErrors"], json!([]));
    let taken = sign_up(&app, "Info@kit.example").await;
    assert_eq!(taken["userErrors"][0]["code"], "TAKEN");
    for other in ["ınfo@kit.example", "İNFO@kit.example"] {
        signed_up(&app, other).await;
    }
    assert_eq!(app.number("SELECT count(*) FROM users").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_a_key_that_is_not_that_of_its_address() {
    let app = TestApp::start().await;
    app.signed_up("ada").await;
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
