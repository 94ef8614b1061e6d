//! Which email addresses are valid, and which spellings are one account, in every part of the API.
//!
//! Spellings that Unicode normalization (NFC), IDNA or ASCII case make equal are one account; all others are separate.
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
        Manner, PASSWORD, Person, SIGNED_IN, SmtpServer, TestApp, codes, errors, eventually_eq,
        fresh_name, superuser, target_of, with_log,
    },
};

/// An address, another that some mapping treats as the same, and whether both are one account.
pub(crate) const LOOKALIKES: [(&str, &str, bool); 19] = [
    ("idil@example.com", "\u{130}dil@example.com", false),
    ("\u{130}dil@example.com", "I\u{307}dil@example.com", true),
    ("ada@wiki.example", "ada@w\u{130}ki.example", false),
    ("ada@wiki.example", "ada@wi\u{307}ki.example", false),
    ("kim@example.com", "\u{212A}im@example.com", true),
    ("ada@kiosk.example", "ada@\u{212A}iosk.example", true),
    ("sam@example.com", "\u{17F}am@example.com", false),
    ("ada@shop.example", "ada@\u{17F}hop.example", true),
    ("νοσ@example.com", "νος@example.com", false),
    ("ada@νοσ.example", "ada@νος.example", false),
    ("zo\u{e9}@example.com", "zoe\u{301}@example.com", true),
    ("ada@caf\u{e9}.example", "ada@cafe\u{301}.example", true),
    ("eva@example.com", "\u{FF25}va@example.com", false),
    ("ada@wide.example", "ada@\u{FF57}ide.example", true),
    ("ada@strasse.example", "ada@stra\u{df}e.example", false),
    ("ada@soft.example", "ada@so\u{AD}ft.example", true),
    ("ada@dot.example", "ada@dot\u{3002}example", true),
    ("ada@b\u{fc}cher.example", "ada@B\u{dc}CHER.example", true),
    ("ädä@example.net", "ÄDÄ@example.net", false),
];

/// Addresses to which no mail can be sent.
const INVALID: [&str; 24] = [
    "\"ada\"@example.com",
    "\"ada@home\"@example.com",
    "<ada@example.com>",
    "Ada <ada@example.com>",
    "ada,eve@example.com",
    "ada;eve@example.com",
    "ada(home)@example.com",
    "ada..l@example.com",
    ".ada@example.com",
    "ada.@example.com",
    "ada@example..com",
    "ada@example.com.",
    "ada@-example.com",
    "ada@exa_mple.com",
    "ada@[192.0.2.1]",
    "ada@192.0.2.1",
    "ada@[IPv6:2001:db8::1]",
    "ada\u{202E}@example.com",
    "ada\u{200B}@example.com",
    "ada\u{7}@example.com",
    "ada\r\nBcc:eve@example.com",
    "ada\u{2028}@example.com",
    "ada🙂@example.com",
    "ada@xn--a.example",
];

/// Addresses whose parts are one byte too long.
fn too_long() -> [String; 3] {
    [
        format!("{}@example.com", "a".repeat(65)),
        format!("{}@example.com", "ä".repeat(33)),
        format!("ada@{}.example", "a".repeat(64)),
    ]
}

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
async fn equal_spellings_of_an_email_address_sign_in_to_one_account() {
    let app = TestApp::keeping_mails().await;
    for (owner, lookalike, same) in LOOKALIKES {
        emptied(&app).await;
        let signed_up = signed_up(&app, owner).await;
        let signed_in = app.anonymous().sign_in(lookalike, PASSWORD).await;
        match same {
            true => assert_eq!(signed_in["user"]["id"], signed_up.id, "{lookalike}"),
            false => assert_eq!(codes(&signed_in), ["INVALID_CREDENTIALS"], "{lookalike}"),
        }
        let requested = app.anonymous().request_password_reset(lookalike).await;
        assert_eq!(errors(&requested), [""; 0], "{lookalike}");
        let known = i64::from(same);
        assert_eq!(app.count("mail_tokens").await, known, "{lookalike}");
        let expected: &[&str] = if same { &["TAKEN email"] } else { &[] };
        let payload = sign_up(&app, lookalike).await;
        assert_eq!(errors(&payload), expected, "{lookalike}");
        assert_eq!(app.count("users").await, 2 - known, "{lookalike}");
        // Mails go to the spelling that the owner typed.
        let attempts = format!("mails WHERE kind = 'sign_up_attempted' AND recipient = '{owner}'");
        assert_eq!(app.count(&attempts).await, known, "{lookalike}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_address_can_change_to_a_lookalike_that_is_another_address() {
    let app = TestApp::keeping_mails().await;
    for (owner, lookalike, same) in LOOKALIKES {
        emptied(&app).await;
        signed_up(&app, owner).await;
        let eve = signed_up(&app, "eve@elsewhere.example").await;
        let requested = eve.request_email_change(lookalike, PASSWORD).await;
        assert_eq!(errors(&requested), [""; 0], "{lookalike}");
        if same {
            assert_eq!(app.count("mail_tokens").await, 0, "{lookalike}");
            continue;
        }
        let token = app.mailed_token("email_change").await;
        let shown = EmailAddress::parse(lookalike).unwrap();
        let expected = json!({ "user": { "email": shown.as_str() }, "userErrors": [] });
        assert_eq!(eve.verify_email(&token).await, expected);
        let anonymous = app.anonymous();
        let accepted = anonymous.can_sign_in(lookalike, PASSWORD).await;
        assert!(accepted, "{lookalike}");
    }
}

/// A line of an import.
fn imported(email: &str) -> String {
    let created_at = "2024-02-29T12:00:00Z";
    json!({ "email": email, "name": "Ada", "created_at": created_at }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_treats_equal_spellings_as_one_address() {
    let app = TestApp::start().await;
    for (owner, lookalike, same) in LOOKALIKES {
        app.sql("DELETE FROM users").await;
        signed_up(&app, owner).await;
        let file = [imported(owner), imported(lookalike)].join("\n");
        match import::read(file.as_bytes(), Utc::now()) {
            Ok(_) => assert!(!same, "{lookalike}"),
            Err(problems) => {
                assert!(same, "{lookalike}: {problems:?}");
                let message = "line 2: email is already used in line 1.";
                assert_eq!(problems[0].to_string(), message);
            }
        }
        let people = import::read(imported(lookalike).as_bytes(), Utc::now());
        let people = people.unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut conn = app.pool.connection().await.unwrap();
        let imported = import::import(&mut conn, &people, |_| {}).await.unwrap();
        assert_eq!(imported.added, usize::from(!same), "{lookalike}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_to_which_no_mail_can_be_sent_are_invalid_everywhere() {
    let app = TestApp::keeping_mails().await;
    let eve = signed_up(&app, "eve@elsewhere.example").await;
    let too_long = too_long();
    let invalid = INVALID
        .into_iter()
        .chain(too_long.iter().map(String::as_str));
    for email in invalid {
        let payload = sign_up(&app, email).await;
        assert_eq!(errors(&payload), ["INVALID email"], "{email:?}");
        let requested = eve.request_email_change(email, PASSWORD).await;
        assert_eq!(errors(&requested), ["INVALID newEmail"], "{email:?}");
        let requested = app.anonymous().request_password_reset(email).await;
        assert_eq!(errors(&requested), ["INVALID email"], "{email:?}");
        let Err(problems) = import::read(imported(email).as_bytes(), Utc::now()) else {
            panic!("{email:?} was read");
        };
        assert!(
            problems[0].message.starts_with("email must "),
            "{problems:?}"
        );
    }
    let whole = format!("{}@{}example", "a".repeat(64), "bbbb.".repeat(37));
    assert_eq!(whole.len(), 257);
    assert_eq!(errors(&sign_up(&app, &whole).await), ["TOO_LONG email"]);
    assert_eq!(app.count("users").await, 1);
    assert_eq!(app.count("mails").await, 0);
}

#[test]
fn mails_reach_every_valid_address_and_callers_cause_no_errors_in_the_log() {
    with_log(tracing::Level::ERROR, |log| async move {
        let server = SmtpServer::start().await;
        let url = format!("smtp://127.0.0.1:{}", server.port);
        let app = TestApp::with(|settings| settings.mail.smtp_url = Some(url)).await;
        let longest = format!("{}@example.com", "a".repeat(64));
        let valid = [
            "o'hara+x_y{z}~@example.com",
            "a!#$%&'*-/=?^`|@sub.example.com",
            "संपर्क@डाटामेल.भारत",
            "用户@例子.广告",
            "zoe\u{301}@b\u{fc}cher.example",
            &longest,
        ];
        for email in valid {
            signed_up(&app, email)
                .await
                .request_email_verification()
                .await;
        }
        eventually_eq("mails arrive", valid.len(), async || server.mails().len()).await;
        // The server rejects what a caller has made up.
        server.becomes(Manner::Answers("RCPT", "550 5.1.1 no such user"));
        let eve = signed_up(&app, "eve@elsewhere.example").await;
        eve.request_email_verification().await;
        app.eventually_count("mails WHERE died_at IS NOT NULL", 1)
            .await;
        app.stop().await;
        assert_eq!(log.text(), "");
    });
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
async fn operators_grant_roles_to_equal_addresses_only() {
    let app = TestApp::start().await;
    for (owner, lookalike, same) in LOOKALIKES {
        app.sql("DELETE FROM users").await;
        signed_up(&app, owner).await;
        let mut conn = app.pool.connection().await.unwrap();
        let address = EmailAddress::parse(lookalike).unwrap();
        let granted = users::grant(&mut conn, &address).await.unwrap();
        assert_eq!(granted.is_some(), same, "{lookalike}");
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
