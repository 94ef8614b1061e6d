//! External identity providers: accepted and rejected tokens, and the users that they sign in.
//!
//! `forged_tokens` are rejected, `linking` and `email_addresses` find the user, `key_rotation` tests providers that change or
//! fail, `userinfo` how often they are asked about a user. `issuer` is a provider and its tokens.

mod email_addresses;
mod forged_tokens;
mod issuer;
mod key_rotation;
mod linking;
mod userinfo;

use std::time::Duration;

use chrono::Utc;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use snapnote::auth::external::IssuerSettings;

use crate::support::{Answer as Reply, Client, TestApp};
use issuer::{EC, ED, Issuer, RSA, claims, header, key, signed, token, token_of};

const ME: &str =
    "{ me { id email name avatarUrl emailVerified accounts { provider providerAccountId } } }";
/// Better Auth's.
const SHARED: &str = "a secret of Better Auth's, long enough";

const SESSIONS: &str = "[[issuer]]\nname = \"better-auth\"\nkind = \"better-auth-session\"\n\
                        secret = \"a secret of Better Auth's, long enough\"\n";

async fn trusting(toml: &str) -> TestApp {
    let issuers = IssuerSettings::parse(toml).unwrap();
    TestApp::with(|settings| settings.auth.issuers = issuers).await
}

/// Another process on the same database, which has seen nobody yet.
async fn another(app: &TestApp, toml: &str) -> TestApp {
    let issuers = IssuerSettings::parse(toml).unwrap();
    TestApp::on(app.database.clone(), |settings| {
        settings.auth.issuers = issuers;
    })
    .await
}

fn bearing(app: &TestApp, token: String) -> Client {
    app.anonymous().with_token(token)
}

async fn ask(app: &TestApp, token: &str) -> Reply {
    bearing(app, token.to_owned()).post(ME, json!({})).await
}

/// Who a token's sender is here.
async fn me(app: &TestApp, token: &str) -> Value {
    let answer = ask(app, token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"]["me"].take()
}

/// What Better Auth puts into its session cookie.
fn session(user: &str) -> Value {
    let now = Utc::now();
    json!({
        "session": { "id": "s1", "userId": user, "token": "t", "createdAt": now.to_rfc3339(),
                     "expiresAt": (now + Duration::from_secs(3600)).to_rfc3339() },
        "user": { "id": user, "email": format!("{user}@example.com"), "emailVerified": true, "name": "Bea", "image": null },
        "updatedAt": now.timestamp_millis(), "version": "1", "iat": now.timestamp(), "exp": now.timestamp() + 300,
    })
}

fn cookie(payload: &Value) -> String {
    let header = Header {
        typ: None,
        ..Header::new(Algorithm::HS256)
    };
    signed(
        &header,
        payload,
        &EncodingKey::from_secret(SHARED.as_bytes()),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_every_key_type_are_accepted() {
    let issuer = Issuer::start().await;
    let toml = issuer.toml("types = [\"at+jwt\", \"JWT\", \"\"]") + SESSIONS;
    let app = trusting(&toml).await;
    let keys = [
        ("rsa", RSA, Algorithm::RS256),
        ("ec", EC, Algorithm::ES256),
        ("ed", ED, Algorithm::EdDSA),
    ];
    for (id, der, algorithm) in keys {
        for kind in [Some("JWT"), Some("application/at+jwt"), None] {
            let header = Header {
                typ: kind.map(str::to_owned),
                ..header(algorithm, id)
            };
            let token = signed(&header, &claims(id), &key(der, algorithm));
            let me = me(&app, &token).await;
            assert_eq!(me["email"], format!("{id}@example.com"), "{id} {kind:?}");
            let linked = json!([{ "provider": "outside", "providerAccountId": id }]);
            assert_eq!(me["accounts"], linked);
        }
    }
    let bea = me(&app, &cookie(&session("bea"))).await;
    assert_eq!(bea["name"], "Bea");
    assert_eq!(bea["emailVerified"], true);
    assert_eq!(bea["accounts"][0]["provider"], "better-auth");
    assert_eq!(app.count("users").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_accepted_only_in_the_authorization_header() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let cookie = format!("token={0}; better-auth.session_data={0}", token("ada"));
    let headers = [("content-type", "application/json"), ("cookie", &*cookie)];
    let body = json!({ "query": ME }).to_string();
    let answer = app.anonymous().post_body(&headers, body).await;
    assert_eq!(answer.json(), json!({ "data": { "me": null } }));
    assert_eq!(issuer.asked("/keys"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_first_requests_create_one_user() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let token = token("ada");
    let users = join_all((0..50).map(|_| me(&app, &token))).await;
    assert!(
        users.iter().all(|user| user["id"] == users[0]["id"]),
        "{users:#?}"
    );
    assert_eq!(issuer.asked("/keys"), 1);
    for table in ["users", "accounts", "user_profiles"] {
        let rows = app.count(table).await;
        assert_eq!(rows, 1, "{table}");
    }
    let logged = "audit_logs WHERE action IN ('CREATED', 'ACCOUNT_LINKED')";
    assert_eq!(app.count(logged).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_first_requests_with_different_addresses_create_one_user() {
    let issuer = Issuer::start().await;
    let app = trusting(&issuer.toml("")).await;
    let tokens: Vec<String> = (0..50)
        .map(|number| {
            let mut claims = claims("ada");
            claims["email"] = json!(format!("ada{number}@example.com"));
            token_of(&claims)
        })
        .collect();
    let users = join_all(tokens.iter().map(|token| me(&app, token))).await;
    assert!(
        users.iter().all(|user| user["id"] == users[0]["id"]),
        "{users:#?}"
    );
    assert_eq!(app.count("users").await, 1);
    let logged = "SELECT count(DISTINCT user_id) FROM audit_logs";
    assert_eq!(app.number(logged).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_claims_are_copied_at_most_once_per_hour() {
    let issuer = Issuer::start().await;
    let toml = issuer.toml("");
    let app = trusting(&toml).await;
    let telling = |name: &str, verified: bool| {
        let mut claims = claims("ada");
        claims["name"] = json!(name);
        claims["picture"] = json!(format!("https://pictures.example/{name}.png"));
        claims["email_verified"] = json!(verified);
        token_of(&claims)
    };
    assert_eq!(me(&app, &telling("Ada", false)).await["name"], "Ada");
    let later = async |hours: &str, token: String| {
        app.sql(&format!(
            "UPDATE accounts SET claims_read_at = claims_read_at - interval '{hours} hours'"
        ))
        .await;
        let process = another(&app, &toml).await;
        let me = me(&process, &token).await;
        (
            me["name"].clone(),
            me["avatarUrl"].clone(),
            me["emailVerified"].clone(),
        )
    };
    let picture = |name: &str| json!(format!("https://pictures.example/{name}.png"));
    let soon = later("0.9", telling("Countess", true)).await;
    assert_eq!(soon, (json!("Ada"), picture("Ada"), json!(false)));
    let then = later("0.2", telling("Countess", true)).await;
    assert_eq!(then, (json!("Countess"), picture("Countess"), json!(true)));
    // Their own changes stay until a claim changes; a verified address stays verified.
    let ada = bearing(&app, telling("Countess", true));
    ada.mutate("updateMe", json!({ "name": "Augusta" }), "")
        .await;
    let own = later("2", telling("Countess", false)).await;
    assert_eq!(own, (json!("Augusta"), picture("Countess"), json!(true)));
}
