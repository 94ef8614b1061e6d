//! Forged and invalid tokens, all rejected with the same response.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{
    SESSIONS, SHARED, ask, cookie,
    issuer::{self, Issuer, RSA, claims, header, key, signed, token, token_of},
    session, trusting,
};

fn with(field: &str, value: Value) -> Value {
    let mut claims = claims("mallory");
    claims[field] = value;
    claims
}

fn without(field: &str) -> Value {
    let mut claims = claims("mallory");
    claims.as_object_mut().unwrap().remove(field);
    claims
}

/// Forged tokens, and what is wrong with each.
fn attacks(own_secret: &[u8]) -> Vec<(&'static str, String)> {
    let rs256 = Algorithm::RS256;
    let rsa = key(RSA, rs256);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |alg: &str| {
        format!(
            "{}.{}.",
            part(&json!({ "alg": alg, "typ": "JWT", "kid": "rsa" })),
            part(&claims("mallory"))
        )
    };
    let public = serde_json::to_vec(&issuer::published(RSA, rs256, "rsa")).unwrap();
    let hs256 = header(Algorithm::HS256, "rsa");
    let of_kid = |kid: &str| signed(&header(rs256, kid), &claims("mallory"), &rsa);
    let of_type = |kind: Option<&str>| {
        let typ = kind.map(str::to_owned);
        signed(
            &Header {
                typ,
                ..header(rs256, "rsa")
            },
            &claims("mallory"),
            &rsa,
        )
    };
    let now = Utc::now().timestamp();
    let embedded =
        serde_json::from_value(issuer::published(issuer::NEW_RSA, rs256, "rsa")).unwrap();
    let forged = Header {
        jwk: Some(embedded),
        jku: Some("http://127.0.0.1:1/keys".to_owned()),
        x5u: Some("http://127.0.0.1:1/x5u".to_owned()),
        ..header(rs256, "rsa")
    };
    let critical = Header {
        crit: Some(vec!["b64".to_owned()]),
        ..header(rs256, "rsa")
    };
    vec![
        ("alg none", unsigned("none")),
        ("alg NoNe", unsigned("NoNe")),
        (
            "the public key as a shared secret",
            signed(
                &hs256,
                &claims("mallory"),
                &EncodingKey::from_secret(&public),
            ),
        ),
        (
            "this service's secret",
            signed(
                &hs256,
                &claims("mallory"),
                &EncodingKey::from_secret(own_secret),
            ),
        ),
        ("an unknown key id", of_kid("nobody")),
        ("a key id with a path", of_kid("../../../../dev/null")),
        ("a key id with SQL", of_kid("' OR 1=1 --")),
        ("another key's id", of_kid("ec")),
        (
            "its own key in the header",
            signed(&forged, &claims("mallory"), &key(issuer::NEW_RSA, rs256)),
        ),
        (
            "a critical extension",
            signed(&critical, &claims("mallory"), &rsa),
        ),
        (
            "an algorithm that is not the issuer's",
            signed(&header(Algorithm::RS384, "rsa"), &claims("mallory"), &rsa),
        ),
        ("no type", of_type(None)),
        ("another type", of_type(Some("logout+jwt"))),
        ("expired", token_of(&with("exp", json!(now - 60)))),
        ("no expiry", token_of(&without("exp"))),
        ("not valid yet", token_of(&with("nbf", json!(now + 120)))),
        (
            "issued in the future",
            token_of(&with("iat", json!(now + 3600))),
        ),
        ("no issuer", token_of(&without("iss"))),
        (
            "another issuer",
            token_of(&with("iss", json!("https://issuer.example"))),
        ),
        (
            "a list of issuers",
            token_of(&with("iss", json!(["https://issuer.example/"]))),
        ),
        (
            "this service as issuer",
            token_of(&with("iss", json!("snapnote"))),
        ),
        ("no audience", token_of(&without("aud"))),
        ("another audience", token_of(&with("aud", json!(["other"])))),
        ("no subject", token_of(&without("sub"))),
        ("an empty subject", token_of(&with("sub", json!("")))),
        ("a subject that is none", token_of(&with("sub", json!(7)))),
        (
            "a subject with U+0000",
            token_of(&with("sub", json!("a\0b"))),
        ),
        (
            "a subject that is too long",
            token_of(&with("sub", json!("x".repeat(256)))),
        ),
        ("a changed payload", {
            let token = token("mallory");
            let (head, rest) = token.split_once('.').unwrap();
            let (_, signature) = rest.split_once('.').unwrap();
            format!("{head}.{}.{signature}", part(&claims("ada")))
        }),
        ("no token at all", "a.b.c".to_owned()),
    ]
}

/// Tokens that Better Auth's secret signed, and that are no sessions.
fn no_sessions() -> Vec<(&'static str, String)> {
    let now = Utc::now().timestamp();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut payload = session("mallory");
        change(&mut payload);
        cookie(&payload)
    };
    let secret = EncodingKey::from_secret(SHARED.as_bytes());
    vec![
        (
            "a verification token",
            cookie(&json!({ "email": "ada@example.com", "iat": now, "exp": now + 600 })),
        ),
        (
            "another's session",
            changed(&|payload| payload["session"]["userId"] = json!("ada")),
        ),
        (
            "no session",
            changed(&|payload| payload["session"] = Value::Null),
        ),
        (
            "a session without an id",
            changed(&|payload| payload["session"]["id"] = json!("")),
        ),
        (
            "an expired session",
            changed(&|payload| payload["session"]["expiresAt"] = json!("2020-01-01T00:00:00Z")),
        ),
        (
            "an expired token",
            changed(&|payload| payload["exp"] = json!(now - 60)),
        ),
        (
            "no expiry",
            changed(&|payload| {
                payload.as_object_mut().unwrap().remove("exp");
            }),
        ),
        (
            "an issuer",
            changed(&|payload| payload["iss"] = json!("https://better.example")),
        ),
        (
            "the outside issuer",
            changed(&|payload| payload["iss"] = json!("https://issuer.example/")),
        ),
        (
            "another algorithm",
            signed(&Header::new(Algorithm::HS512), &session("mallory"), &secret),
        ),
        (
            "another secret",
            signed(
                &Header::new(Algorithm::HS256),
                &session("mallory"),
                &EncodingKey::from_secret(b"another"),
            ),
        ),
        (
            "the issuer's key",
            signed(
                &header(Algorithm::RS256, "rsa"),
                &session("mallory"),
                &key(RSA, Algorithm::RS256),
            ),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forged_token_is_rejected_with_the_same_response() {
    let issuer = Issuer::start().await;
    let other = "[[issuer]]\nname = \"other\"\nkind = \"oidc\"\nissuer = \"https://other.example/\"\naudience = \"notes\"\n";
    let other = format!("{other}jwks_url = \"http://{}/other\"\n", issuer.address);
    let app = trusting(&format!("{}{other}{SESSIONS}", issuer.toml(""))).await;
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    let mut bodies = Vec::new();
    for (trick, token) in attacks(crate::support::SECRET)
        .into_iter()
        .chain(no_sessions())
    {
        let answer = ask(&app, &token).await;
        assert_eq!(answer.status, 401, "{trick}: {answer:?}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer error=\"invalid_token\""),
            "{trick}"
        );
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:#?}");
    assert_eq!(app.count("users").await, 1);
    // A token of one issuer that names another goes to that other's keys, which are none.
    let swapped = ask(
        &app,
        &token_of(&with("iss", json!("https://other.example/"))),
    )
    .await;
    assert_eq!(swapped.status, 503, "{swapped:?}");
}
