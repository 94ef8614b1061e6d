//! Which addresses of external identity providers link to a user: the canonical one, in any ASCII case, and no other.

use serde_json::{Value, json};

use super::{
    ask, cookie,
    issuer::{Answer, Issuer, claims, token_of},
    me, session, trusting,
};
use crate::{
    email_addresses::{LOOKALIKES, signed_up},
    support::{TestApp, keep_mails},
};

const BETTER_AUTH: &str = super::SESSIONS;

/// A token with this verified email address.
fn token_with(subject: &str, email: &str) -> String {
    let mut claims = claims(subject);
    claims["email"] = json!(email);
    token_of(&claims)
}

fn cookie_with(subject: &str, email: &str) -> String {
    let mut session = session(subject);
    session["user"]["email"] = json!(email);
    cookie(&session)
}

async fn verified(app: &TestApp, email: &str) -> Value {
    app.sql("DELETE FROM users; DELETE FROM mails").await;
    let client = signed_up(app, email).await;
    app.sql("UPDATE users SET email_verified = true").await;
    client.query("{ me { id } }").await["me"]["id"].take()
}

/// Whom that token signs in; null if it is refused.
async fn user_of(app: &TestApp, token: &str) -> Value {
    let answer = ask(app, token).await;
    match answer.status {
        401 | 403 => Value::Null,
        200 => answer.json()["data"]["me"]["id"].take(),
        _ => panic!("{answer:?}"),
    }
}

async fn unsent(toml: &str) -> TestApp {
    let issuers = snapnote::auth::external::IssuerSettings::parse(toml).unwrap();
    TestApp::with(|settings| {
        settings.auth.issuers = issuers;
        keep_mails(settings);
    })
    .await
}

const LINKED: &str = "mails WHERE kind = 'account_linked'";

#[tokio::test(flavor = "multi_thread")]
async fn lookalikes_of_an_email_address_never_link() {
    let issuer = Issuer::start().await;
    let app = unsent(&(issuer.toml("") + BETTER_AUTH)).await;
    let more = [
        ("ada@example.com", "ada\u{7}@example.com"),
        ("ada@example.com", " ada@example.com"),
        ("ada@example.com", "ada@example.com\n"),
        ("ada@example.com", "ada@example.com."),
        ("ada@example.com", "ada@example\u{0}.com"),
        ("ada@bücher.example", "ada@bücher.example"),
    ];
    let pairs = LOOKALIKES.map(|(owner, lookalike, _)| (owner, lookalike));
    let mut linked = Vec::new();
    for (n, (owner, lookalike)) in pairs.into_iter().chain(more).enumerate() {
        let user = verified(&app, owner).await;
        let subject = format!("eve{n}");
        for token in [
            token_with(&subject, lookalike),
            cookie_with(&subject, lookalike),
        ] {
            if user_of(&app, &token).await == user {
                linked.push(lookalike);
            }
        }
        let user = user.as_str().unwrap();
        let accounts = format!("accounts WHERE user_id = '{user}'");
        let notices = format!("{LINKED} AND recipient = '{owner}'");
        if app.count(&accounts).await > 0 || app.count(&notices).await > 0 {
            linked.push(lookalike);
        }
    }
    assert!(linked.is_empty(), "{linked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lookalikes_in_userinfo_never_link() {
    let issuer = Issuer::start().await;
    let userinfo = format!("userinfo_url = \"http://{}/userinfo\"", issuer.address);
    let app = trusting(&issuer.toml(&userinfo)).await;
    let user = verified(&app, "ada@kiosk.example").await;
    for (n, lookalike) in ["ada@\u{212A}iosk.example", "ada@kiosk.example\u{200B}"]
        .iter()
        .enumerate()
    {
        let mut claims = claims(&format!("eve{n}"));
        claims["email"].take();
        let userinfo = json!({ "sub": claims["sub"], "email": lookalike, "email_verified": true });
        issuer.tell(Answer::Json(userinfo));
        assert_ne!(user_of(&app, &token_of(&claims)).await, user, "{lookalike}");
    }
    assert_eq!(issuer.asked("/userinfo"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canonical_address_links_in_any_ascii_case_and_notifies_its_owner() {
    let issuer = Issuer::start().await;
    let app = unsent(&(issuer.toml("") + BETTER_AUTH)).await;
    for (n, (owner, claimed)) in [
        ("Ada@Example.com", "aDA@eXAMPLE.COM"),
        ("ädä@example.com", "äDä@example.com"),
        ("ada@bücher.example", "Ada@XN--BCHER-KVA.example"),
    ]
    .into_iter()
    .enumerate()
    {
        let user = verified(&app, owner).await;
        let subject = format!("ada{n}");
        let tokens = [
            token_with(&subject, claimed),
            cookie_with(&subject, claimed),
        ];
        for (before, token) in tokens.iter().enumerate() {
            assert_eq!(app.count(LINKED).await, before as i64, "{claimed}");
            // A second request finds the account that the first one linked.
            for _ in 0..2 {
                assert_eq!(me(&app, token).await["id"], user, "{claimed}");
            }
        }
        let notices = format!("{LINKED} AND recipient = '{owner}' AND ip_address = '127.0.0.1'");
        assert_eq!(app.count(&notices).await, 2, "{claimed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_external_users_get_no_mail_about_linking() {
    let issuer = Issuer::start().await;
    let app = unsent(&issuer.toml("")).await;
    let bob = me(&app, &token_with("bob", "bob@example.com")).await;
    assert_eq!(bob["emailVerified"], true);
    // Providers differ in how they map such a domain, so its verification is not proof.
    let bea = me(&app, &token_with("bea", "bea@bücher.example")).await;
    assert_eq!(bea["email"], "bea@bücher.example");
    assert_eq!(bea["emailVerified"], false);
    assert_eq!(app.count("mails").await, 0);
}
