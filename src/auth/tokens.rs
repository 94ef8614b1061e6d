//! Access tokens, refresh tokens and mailed tokens of this service. None of them is stored: access tokens are verified
//! by their signature; the others are derived from the server's key, and only their SHA-256 is stored.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{
    model::UserId,
    token_times::{NumericDate, TokenTimes},
};
use crate::error::Error;

/// The type of an access token (RFC 9068). Tokens of other types that are signed with the same key are rejected.
const ACCESS_TOKEN: &str = "at+jwt";

/// Makes and reads tokens.
pub(super) struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    refresh_key: Vec<u8>,
    mail_key: Vec<u8>,
    issuer: String,
    audience: String,
    lifetime: Duration,
}

#[derive(Serialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    jti: Uuid,
    iat: i64,
    exp: i64,
}

/// The claims that are read. The library has checked the others.
#[derive(Deserialize)]
struct AccessClaims {
    sub: Uuid,
    sid: Uuid,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
}

/// A verified access token.
pub(super) struct AccessToken {
    pub(super) user_id: UserId,
    pub(super) session: Uuid,
    pub(super) expires_at: DateTime<Utc>,
}

impl Tokens {
    pub(super) fn new(secret: &[u8], issuer: &str, audience: &str, lifetime: Duration) -> Self {
        Tokens {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            validation: validation(Algorithm::HS256, issuer, &[audience]),
            // Separate keys, so that a token of one kind is never valid as another.
            refresh_key: hmac(secret, &[b"snapnote refresh token v1"]),
            mail_key: hmac(secret, &[b"snapnote mail token v1"]),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            lifetime,
        }
    }

    /// Makes an access token. Returns it with its expiry.
    pub(super) fn access(
        &self,
        user: UserId,
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(String, DateTime<Utc>), Error> {
        let lifetime = TimeDelta::from_std(self.lifetime).map_err(Error::internal)?;
        let expires_at = now + lifetime;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user.0,
            sid: session,
            jti: Uuid::new_v4(),
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        let header = Header {
            typ: Some(ACCESS_TOKEN.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let token =
            jsonwebtoken::encode(&header, &claims, &self.signing).map_err(Error::internal)?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0).unwrap_or(expires_at);
        Ok((token, expires_at))
    }

    /// Verifies an access token. `None` if it is invalid or has expired. Only the log says why.
    pub(super) fn verify_access(&self, token: &str) -> Option<AccessToken> {
        let decoded =
            jsonwebtoken::decode::<AccessClaims>(token, &self.verifying, &self.validation);
        let TokenData { header, claims, .. } = match decoded {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::debug!(%error, "access token rejected");
                return None;
            }
        };
        // RFC 7515: critical extensions must be understood, and this service knows none.
        if header.crit.is_some() {
            tracing::debug!("access token with critical extensions rejected");
            return None;
        }
        let kind = header.typ.as_deref().map(bare_type).unwrap_or_default();
        if kind != ACCESS_TOKEN {
            tracing::debug!(kind, "token of another type rejected");
            return None;
        }
        let AccessClaims { exp, nbf, iat, .. } = claims;
        if let Err(why) = (TokenTimes { exp, nbf, iat }).check(Utc::now()) {
            tracing::debug!("access token rejected: {why}");
            return None;
        }
        Some(AccessToken {
            user_id: UserId(claims.sub),
            session: claims.sid,
            expires_at: exp.0,
        })
    }

    /// The refresh token of a session with this number. The same at every call.
    pub(super) fn refresh(&self, session: Uuid, generation: i32) -> String {
        let number = generation.to_be_bytes();
        let proof = hmac(&self.refresh_key, &[session.as_bytes(), &number]);
        URL_SAFE_NO_PAD.encode([session.as_bytes().as_slice(), &number, &proof].concat())
    }

    /// The mailed token with this id: 256 bits, the same at every call.
    pub(super) fn mail(&self, id: Uuid) -> String {
        URL_SAFE_NO_PAD.encode(hmac(&self.mail_key, &[id.as_bytes()]))
    }

    /// The session and the number of a refresh token. `None` if it is not genuine.
    pub(super) fn read_refresh(&self, token: &str) -> Option<(Uuid, i32)> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (session, rest) = bytes.split_first_chunk::<16>()?;
        let (number, _) = rest.split_first_chunk::<4>()?;
        let (session, generation) = (Uuid::from_bytes(*session), i32::from_be_bytes(*number));
        let genuine = self.refresh(session, generation);
        bool::from(genuine.as_bytes().ct_eq(token.as_bytes())).then_some((session, generation))
    }
}

/// Requires a signature with this algorithm, this issuer, one of these audiences, and a subject. [`TokenTimes`] checks
/// times.
pub(super) fn validation<A: ToString>(
    algorithm: Algorithm,
    issuer: &str,
    audience: &[A],
) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[issuer]);
    validation.set_audience(audience);
    validation.set_required_spec_claims(&["iss", "aud", "sub"]);
    validation.validate_exp = false;
    validation
}

/// Whether a rejected token claims to have expired. The claim is not verified, so it only selects the message.
pub(super) fn claims_to_have_expired(token: &str) -> bool {
    #[derive(Deserialize)]
    struct Expiry {
        exp: f64,
    }
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Expiry>(token);
    claims.is_ok_and(|claims| claims.exp < Utc::now().timestamp() as f64)
}

/// A media type's short name in lower case. RFC 7515 allows omitting `application/`.
pub(super) fn bare_type(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let bare = lower.strip_prefix("application/").unwrap_or(&lower);
    bare.to_owned()
}

/// The SHA-256 of a token, which is stored.
pub(super) fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// HMAC-SHA-256 of the concatenated parts. The caller must make sure that different parts cannot yield the same bytes.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

    fn tokens() -> Tokens {
        Tokens::new(SECRET, "snapnote", "snapnote", Duration::from_secs(900))
    }

    fn verified(tokens: &Tokens, token: &str) -> Option<(UserId, Uuid)> {
        let access = tokens.verify_access(token)?;
        Some((access.user_id, access.session))
    }

    fn identity() -> (UserId, Uuid) {
        (UserId(Uuid::from_u128(1)), Uuid::from_u128(2))
    }

    fn signed(header: &Header, claims: &serde_json::Value, secret: &[u8]) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret))
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
    fn refresh_tokens_are_deterministic_and_cannot_be_forged() {
        let token = tokens().refresh(Uuid::from_u128(2), 7);
        assert_eq!(token, tokens().refresh(Uuid::from_u128(2), 7));
        assert_eq!(tokens().read_refresh(&token), Some((Uuid::from_u128(2), 7)));
        let other = Tokens::new(b"another secret", "snapnote", "snapnote", Duration::ZERO);
        assert_eq!(other.read_refresh(&token), None);
        let mut forged = URL_SAFE_NO_PAD.decode(&token).expect("it is base64");
        forged[19] += 1;
        assert_eq!(tokens().read_refresh(&URL_SAFE_NO_PAD.encode(forged)), None);
        for nonsense in ["", "!", "AAAA"] {
            assert_eq!(tokens().read_refresh(nonsense), None);
        }
    }
}
