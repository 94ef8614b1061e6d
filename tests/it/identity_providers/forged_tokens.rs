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
use crate::support::access_key;

/// The claims of a forged token, with one changed. Null removes it.
fn with(field: &str, value: Value) -> Value {
    let mut claims = claims("mallory");
    claims[field] = value;
    let claims = claims.as_object_mut().unwrap();
    claims.retain(|_, value| !value.is_null());
    json!(claims)
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Names the key with which the token is signed.
fn own_key(header: &mut Header) {
    let key = issuer::published(issuer::NEW_RSA, Algorithm::RS256, "rsa");
    header.jwk = Some(serde_json::from_value(key).unwrap());
    header.jku = Some("http://127.0.0.1:1/keys".to_owned());
    header.x5u = Some("http://127.0.0.1:1/x5u".to_owned());
}

/// Tokens with a wrong key, algorithm or header, and what is wrong with each.
fn wrong_headers(own_secret: &[u8]) -> Vec<(&'static str, String)> {
    let rs256 = Algorithm::RS256;
    let (rsa, new_rsa) = (key(RSA, rs256), key(issuer::NEW_RSA, rs256));
    let claims = claims("mallory");
    let unsigned = |alg: &str| {
        let header = encoded(&json!({ "alg": alg, "typ": "JWT", "kid": "rsa" }));
        format!("{header}.{}.", encoded(&claims))
    };
    let public = serde_json::to_vec(&issuer::published(RSA, rs256, "rsa")).unwrap();
    let hs256 = |secret: &[u8]| {
        let header = header(Algorithm::HS256, "rsa");
        signed(&header, &claims, &EncodingKey::from_secret(secret))
    };
    let of_kid = |kid: &str| signed(&header(rs256, kid), &claims, &rsa);
    let of_header = |change: fn(&mut Header), key: &EncodingKey| {
        let mut header = header(rs256, "rsa");
        change(&mut header);
        signed(&header, &claims, key)
    };
    let critical = |header: &mut Header| header.crit = Some(vec!["b64".to_owned()]);
    let logout = |header: &mut Header| header.typ = Some("logout+jwt".to_owned());
    let rs384 = |header: &mut Header| header.alg = Algorithm::RS384;
    vec![
        ("alg none", unsigned("none")),
        ("alg NoNe", unsigned("NoNe")),
        ("the public key as a shared secret", hs256(&public)),
        ("this service's secret", hs256(own_secret)),
        ("an unknown key id", of_kid("nobody")),
        ("a key id with a path", of_kid("../../../../dev/null")),
        ("a key id with SQL", of_kid("' OR 1=1 --")),
        ("another key's id", of_kid("ec")),
        ("its own key in the header", of_header(own_key, &new_rsa)),
        ("a critical extension", of_header(critical, &rsa)),
        ("not the issuer's algorithm", of_header(rs384, &rsa)),
        ("no type", of_header(|header| header.typ = None, &rsa)),
        ("another type", of_header(logout, &rsa)),
    ]
}

/// Tokens with wrong claims, and what is wrong with each.
fn wrong_claims() -> Vec<(&'static str, String)> {
    let now = Utc::now().timestamp();
    let token = token("mallory");
    let (head, rest) = token.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let changed = format!("{head}.{}.{signature}", encoded(&claims("ada")));
    let with = |what, field, value| (what, token_of(&with(field, value)));
    vec![
        with("expired", "exp", json!(now - 60)),
        with("no expiry", "exp", Value::Null),
        with("not valid yet", "nbf", json!(now + 120)),
        with("issued in the future", "iat", json!(now + 3600)),
        with(
            "valid and issued in more than the leeway",
            "nbf",
            json!(now + 60),
        ),
        with(
            "issued in more than the leeway",
            "iat",
            json!(now as f64 + 60.5),
        ),
        with("expired by a fraction", "exp", json!(now as f64 - 45.5)),
        with("a negative expiry", "exp", json!(-1)),
        with("an expiry beyond all calendars", "exp", json!(1e300)),
        with(
            "an expiry in milliseconds",
            "exp",
            json!((now + 600) * 1000),
        ),
        with("an expiry as text", "exp", json!((now + 600).to_string())),
        with("a negative beginning", "nbf", json!(-0.5)),
        with("a beginning as text", "nbf", json!("0")),
        with("a huge time of issue", "iat", json!(u64::MAX)),
        with("a list as time of issue", "iat", json!([now])),
        with("no issuer", "iss", Value::Null),
        with("another issuer", "iss", json!("https://issuer.example")),
        with("issuers", "iss", json!(["https://issuer.example/"])),
        with("this service as issuer", "iss", json!("snapnote")),
        with("no audience", "aud", Value::Null),
        with("another audience", "aud", json!(["other"])),
        with("no subject", "sub", Value::Null),
        with("an empty subject", "sub", json!("")),
        with("a number as subject", "sub", json!(7)),
        with("a subject with U+0000", "sub", json!("a\0b")),
        with("a subject that is too long", "sub", json!("x".repeat(256))),
        ("a changed payload", changed),
        ("no token at all", "a.b.c".to_owned()),
    ]
}

/// Tokens that Better Auth's secret signed, and that are no sessions.
fn no_sessions() -> Vec<(&'static str, String)> {
    let now = Utc::now().timestamp();
    let with = |what, pointer: &str, value: Value| {
        let mut payload = session("mallory");
        *payload.pointer_mut(pointer).unwrap() = value;
        (what, cookie(&payload))
    };
    let with_issuer = |what, issuer: &str| {
        let mut payload = session("mallory");
        payload["iss"] = json!(issuer);
        (what, cookie(&payload))
    };
    let mut eternal = session("mallory");
    eternal.as_object_mut().unwrap().remove("exp");
    let verification = json!({ "email": "ada@example.com", "iat": now, "exp": now + 600 });
    let signed_by = |header: Header, key: &EncodingKey| signed(&header, &session("mallory"), key);
    let secret = EncodingKey::from_secret(SHARED.as_bytes());
    let another = EncodingKey::from_secret(b"another");
    let (hs256, hs512) = (Header::new(Algorithm::HS256), Header::new(Algorithm::HS512));
    let rs256 = header(Algorithm::RS256, "rsa");
    let past = json!("2020-01-01T00:00:00Z");
    vec![
        ("a verification token", cookie(&verification)),
        with("another's session", "/session/userId", json!("ada")),
        with("no session", "/session", Value::Null),
        with("a session without an id", "/session/id", json!("")),
        with("an expired session", "/session/expiresAt", past),
        with("an expired token", "/exp", json!(now - 60)),
        ("no expiry", cookie(&eternal)),
        with("issued in the future", "/iat", json!(now + 60)),
        with("an expiry as text", "/exp", json!("2099")),
        with_issuer("an issuer", "https://better.example"),
        with_issuer("the outside issuer", "https://issuer.example/"),
        ("another algorithm", signed_by(hs512, &secret)),
        ("another secret", signed_by(hs256, &another)),
        (
            "the issuer's key",
            signed_by(rs256, &key(RSA, Algorithm::RS256)),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_response_to_a_forged_token_tells_only_whether_it_has_expired() {
    let issuer = Issuer::start().await;
    let other = "[[issuer]]\nname = \"other\"\nkind = \"oidc\"\nissuer = \"https://other.example/\"\naudience = \"notes\"\n";
    let other = format!("{other}jwks_url = \"http://{}/other\"\n", issuer.address);
    let app = trusting(&format!("{}{other}{SESSIONS}", issuer.toml(""))).await;
    assert_eq!(ask(&app, &token("ada")).await.status, 200);
    let forged = wrong_headers(&access_key())
        .into_iter()
        .chain(wrong_claims());
    for (trick, token) in forged.chain(no_sessions()) {
        let answer = ask(&app, &token).await;
        assert_eq!(answer.status, 401, "{trick}: {answer:?}");
        let reason = match trick {
            "expired" | "expired by a fraction" | "an expired token" | "a negative expiry" => {
                "The access token has expired. Get a new one from your identity provider."
            }
            _ => "The access token is invalid. Sign in again.",
        };
        let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"");
        let seen = answer.header("www-authenticate");
        assert_eq!(seen, Some(challenge.as_str()), "{trick}");
        assert_eq!(answer.json()["errors"][0]["message"], reason, "{trick}");
    }
    assert_eq!(app.count("users").await, 1);
    // A token that names another issuer is checked with that issuer's keys, which are unavailable.
    let of_other = with("iss", json!("https://other.example/"));
    let swapped = ask(&app, &token_of(&of_other)).await;
    assert_eq!(swapped.status, 503, "{swapped:?}");
}
