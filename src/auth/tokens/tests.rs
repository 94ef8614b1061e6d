//! Tests of tokens: which are accepted, and by which secret.

use super::*;

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

fn tokens() -> Tokens {
    tokens_of(SECRET, None)
}

fn tokens_of(current: &[u8], previous: Option<&[u8]>) -> Tokens {
    let secrets = Secrets::new(current.to_vec(), previous.map(<[u8]>::to_vec));
    Tokens::new(&secrets, "snapnote", "snapnote", Duration::from_secs(900))
}

fn verified(tokens: &Tokens, token: &str) -> Option<(UserId, Uuid)> {
    let access = tokens.verify_access(token)?;
    Some((access.user_id, access.session))
}

fn identity() -> (UserId, Uuid) {
    (UserId(Uuid::from_u128(1)), Uuid::from_u128(2))
}

fn signed(header: &Header, claims: &serde_json::Value, secret: &[u8]) -> String {
    let keys = Secrets::new(secret.to_vec(), None).keys(Purpose::AccessTokens);
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(&keys.current))
        .expect("it can be signed")
}

fn claims() -> serde_json::Value {
    let now = Utc::now().timestamp();
    serde_json::json!({
        "iss": "snapnote", "aud": "snapnote", "sub": Uuid::from_u128(1), "sid": Uuid::from_u128(2),
        "iat": now, "exp": now + 900,
    })
}

fn header() -> Header {
    Header {
        typ: Some(ACCESS_TOKEN.to_owned()),
        ..Header::new(Algorithm::HS256)
    }
}

#[test]
fn access_tokens_identify_their_viewer() {
    let (token, expires_at) = tokens()
        .access(identity().0, identity().1, Utc::now())
        .expect("it can be made");
    assert_eq!(verified(&tokens(), &token), Some(identity()));
    assert!(expires_at > Utc::now());
    assert_eq!(
        verified(&tokens(), &signed(&header(), &claims(), SECRET)),
        Some(identity()),
        "without jti"
    );
    let mut fractions = claims();
    for name in ["exp", "nbf", "iat"] {
        fractions[name] = (Utc::now().timestamp() as f64 + 30.5).into();
    }
    assert_eq!(
        verified(&tokens(), &signed(&header(), &fractions, SECRET)),
        Some(identity()),
        "with fractions"
    );
}

#[test]
fn other_tokens_are_rejected() {
    let with = |field: &str, value: serde_json::Value| {
        let mut claims = claims();
        claims[field] = value;
        signed(&header(), &claims, SECRET)
    };
    let without = |field: &str| {
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove(field);
        signed(&header(), &claims, SECRET)
    };
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = serde_json::json!({ "alg": "none", "typ": "at+jwt" });
    let with_header = |header: Header| signed(&header, &claims(), SECRET);
    let untyped = Header::new(Algorithm::HS256);
    let no_type = Header {
        typ: None,
        ..header()
    };
    let longer = Header {
        alg: Algorithm::HS512,
        ..header()
    };
    let critical = Header {
        crit: Some(vec!["b64".to_owned()]),
        ..header()
    };
    let foreign = signed(
        &header(),
        &claims(),
        b"another secret of thirty-two bytes!!",
    );
    let past = Utc::now().timestamp() - 60;
    let future = Utc::now().timestamp() + 60;
    let refused = [
        ("alg none", format!("{}.{}.", part(&none), part(&claims()))),
        ("another key", foreign),
        ("another algorithm", with_header(longer)),
        ("another type", with_header(untyped)),
        ("no type", with_header(no_type)),
        ("a critical extension", with_header(critical)),
        ("another issuer", with("iss", "someone".into())),
        ("another audience", with("aud", "something".into())),
        ("expired", with("exp", past.into())),
        ("not yet valid", with("nbf", future.into())),
        ("issued in the future", with("iat", future.into())),
        ("an expiry that is text", with("exp", "2099".into())),
        ("a negative expiry", with("exp", (-1).into())),
        ("a time beyond all calendars", with("nbf", 1e300.into())),
        ("a subject that is no UUID", with("sub", "me".into())),
        ("no expiry", without("exp")),
        ("no issuer", without("iss")),
        ("no audience", without("aud")),
        ("no session", without("sid")),
        ("nothing", String::new()),
        ("no token", "a.b.c".to_owned()),
    ];
    for (what, token) in refused {
        assert_eq!(verified(&tokens(), &token), None, "{what}");
        let is_past = matches!(what, "expired" | "a negative expiry");
        assert_eq!(claims_to_have_expired(&token), is_past, "{what}");
    }
}

#[test]
fn tokens_of_the_previous_secret_are_accepted_in_both_directions() {
    let other = b"another secret of thirty-two bytes!!";
    let (before, during) = (tokens(), tokens_of(other, Some(SECRET)));
    let prepared = tokens_of(SECRET, Some(other));
    let access = |tokens: &Tokens| {
        let made = tokens.access(identity().0, identity().1, Utc::now());
        made.expect("it can be made").0
    };
    let refresh = |tokens: &Tokens| tokens.refresh(Uuid::from_u128(2), 7);
    for (maker, reader) in [
        (&before, &during),
        (&during, &during),
        (&during, &prepared),
        (&prepared, &before),
    ] {
        assert_eq!(verified(reader, &access(maker)), Some(identity()));
        let token = refresh(maker);
        assert_eq!(reader.read_refresh(&token), Some((Uuid::from_u128(2), 7)));
        let stored = reader.stored_refresh(Uuid::from_u128(2), 7, &token_hash(&token));
        assert_eq!(stored, Some(token));
        let mailed = maker.mail(Uuid::from_u128(3));
        let stored = reader.stored_mail(Uuid::from_u128(3), &token_hash(&mailed));
        assert_eq!(stored, Some(mailed));
    }
    let after = tokens_of(other, None);
    assert_eq!(verified(&after, &access(&before)), None);
    assert_eq!(after.read_refresh(&refresh(&before)), None);
    let mailed = token_hash(&before.mail(Uuid::from_u128(3)));
    assert_eq!(after.stored_mail(Uuid::from_u128(3), &mailed), None);
}

#[test]
fn refresh_tokens_are_deterministic_and_cannot_be_forged() {
    let token = tokens().refresh(Uuid::from_u128(2), 7);
    assert_eq!(token, tokens().refresh(Uuid::from_u128(2), 7));
    assert_eq!(tokens().read_refresh(&token), Some((Uuid::from_u128(2), 7)));
    let other = tokens_of(b"another secret", None);
    assert_eq!(other.read_refresh(&token), None);
    let mut forged = URL_SAFE_NO_PAD.decode(&token).expect("it is base64");
    forged[19] += 1;
    assert_eq!(tokens().read_refresh(&URL_SAFE_NO_PAD.encode(forged)), None);
    for nonsense in ["", "!", "AAAA"] {
        assert_eq!(tokens().read_refresh(nonsense), None);
    }
}
