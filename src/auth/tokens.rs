//! Access tokens, refresh tokens and mailed tokens of this service. None of them is stored: access tokens are verified
//! by their signature; the others are derived from the server's key, and only their SHA-256 is stored.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{
    keys::{Keys, Purpose, Secrets, hmac},
    model::UserId,
    token_times::{NumericDate, TokenTimes},
};
use crate::error::Error;

/// The type of an access token (RFC 9068). Tokens of other types that are signed with the same key are rejected.
const ACCESS_TOKEN: &str = "at+jwt";
/// Length of the id of a secret, in bytes. It only has to tell two secrets apart.
const KEY_ID_BYTES: usize = 6;

/// Makes and reads tokens.
pub(super) struct Tokens {
    /// The id of the current secret, in the header of access tokens.
    key_id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    /// The id of the previous secret, and its key.
    previous: Option<(String, DecodingKey)>,
    validation: Validation,
    refresh_keys: Keys,
    mail_keys: Keys,
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
    pub(super) fn new(secrets: &Secrets, issuer: &str, audience: &str, lifetime: Duration) -> Self {
        let ids = secrets.keys(Purpose::KeyId);
        let keys = secrets.keys(Purpose::AccessTokens);
        let previous = ids.previous.zip(keys.previous);
        Tokens {
            key_id: key_id(&ids.current),
            signing: EncodingKey::from_secret(&keys.current),
            verifying: DecodingKey::from_secret(&keys.current),
            previous: previous.map(|(id, key)| (key_id(&id), DecodingKey::from_secret(&key))),
            validation: validation(Algorithm::HS256, issuer, &[audience]),
            refresh_keys: secrets.keys(Purpose::RefreshTokens),
            mail_keys: secrets.keys(Purpose::MailTokens),
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
            kid: Some(self.key_id.clone()),
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
            jsonwebtoken::decode::<AccessClaims>(token, self.key_of(token), &self.validation);
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

    /// The key that an access token names. The current one if it names none.
    fn key_of(&self, token: &str) -> &DecodingKey {
        let key_id = jsonwebtoken::decode_header(token)
            .ok()
            .and_then(|header| header.kid);
        match &self.previous {
            Some((id, key)) if key_id.as_ref() == Some(id) => key,
            _ => &self.verifying,
        }
    }

    /// The refresh token of a session with this number, made with the current secret. The same at every call.
    pub(super) fn refresh(&self, session: Uuid, generation: i32) -> String {
        refresh_with(&self.refresh_keys.current, session, generation)
    }

    /// The refresh token with this number and this stored hash. `None` if neither secret made it.
    pub(super) fn stored_refresh(
        &self,
        session: Uuid,
        generation: i32,
        hash: &[u8],
    ) -> Option<String> {
        let make = |key: &[u8]| refresh_with(key, session, generation);
        self.refresh_keys
            .matching(make, |token| token_hash(token) == hash)
    }

    /// A new mailed token with this id: 256 bits, the same at every call.
    pub(super) fn mail(&self, id: Uuid) -> String {
        mail_with(&self.mail_keys.current, id)
    }

    /// The mailed token with this id and this stored hash. `None` if neither secret made it.
    pub(super) fn stored_mail(&self, id: Uuid, hash: &[u8]) -> Option<String> {
        let make = |key: &[u8]| mail_with(key, id);
        self.mail_keys
            .matching(make, |token| token_hash(token) == hash)
    }

    /// The session and the number of a refresh token. `None` if it is not genuine.
    pub(super) fn read_refresh(&self, token: &str) -> Option<(Uuid, i32)> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (session, rest) = bytes.split_first_chunk::<16>()?;
        let (number, _) = rest.split_first_chunk::<4>()?;
        let (session, generation) = (Uuid::from_bytes(*session), i32::from_be_bytes(*number));
        let make = |key: &[u8]| refresh_with(key, session, generation);
        let is_it = |genuine: &String| genuine.as_bytes().ct_eq(token.as_bytes()).into();
        let genuine = self.refresh_keys.matching(make, is_it);
        genuine.map(|_| (session, generation))
    }
}

fn key_id(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&bytes[..KEY_ID_BYTES])
}

fn refresh_with(key: &[u8], session: Uuid, generation: i32) -> String {
    let number = generation.to_be_bytes();
    let proof = hmac(key, &[session.as_bytes(), &number]);
    URL_SAFE_NO_PAD.encode([session.as_bytes().as_slice(), &number, &proof].concat())
}

fn mail_with(key: &[u8], id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(hmac(key, &[id.as_bytes()]))
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

#[cfg(test)]
mod tests;
