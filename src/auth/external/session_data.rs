//! Better Auth's session cookie (`session_data`, strategy `jwt`), sent as a bearer token.
//!
//! Better Auth signs other tokens with the same secret, such as those that verify email addresses, and names neither
//! issuer nor audience. So a token is only accepted if it has the complete structure of a session.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{
        token_times::{NumericDate, TokenTimes},
        tokens::bare_type,
    },
    Claims, Identity, rejected, subject,
};

/// Verifies session cookies.
pub(in crate::auth) struct SessionData {
    name: String,
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Payload {
    session: BetterAuthSession,
    user: BetterAuthUser,
    /// Session tokens have no issuer. A token with one is of another kind.
    iss: Option<Value>,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BetterAuthSession {
    id: String,
    user_id: String,
    expires_at: Value,
    #[serde(default)]
    created_at: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BetterAuthUser {
    id: Value,
    email: Value,
    #[serde(default)]
    email_verified: Value,
    #[serde(default)]
    name: Value,
    #[serde(default)]
    image: Value,
}

impl SessionData {
    pub(super) fn new(name: String, secret: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        SessionData {
            name,
            key: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        }
    }

    /// The identity in a session token. `None` if it is invalid or has expired.
    pub(super) fn verify(&self, token: &str) -> Option<Identity> {
        let decoded = jsonwebtoken::decode::<Payload>(token, &self.key, &self.validation);
        let TokenData { header, claims, .. } = match decoded {
            Ok(decoded) => decoded,
            Err(error) => return rejected(&self.name, error),
        };
        let kind = header.typ.as_deref().map(bare_type);
        if header.crit.is_some() || kind.is_some_and(|kind| kind != "jwt") || claims.iss.is_some() {
            return rejected(&self.name, "it is not a session token");
        }
        let Payload { exp, nbf, iat, .. } = claims;
        if let Err(why) = (TokenTimes { exp, nbf, iat }).check(Utc::now()) {
            return rejected(&self.name, why);
        }
        let (session, user) = (claims.session, claims.user);
        let Some(subject) = subject(&user.id) else {
            return rejected(&self.name, "its user has no valid id");
        };
        if session.id.is_empty() || session.user_id != subject {
            return rejected(&self.name, "its session belongs to another user");
        }
        let end = time(&session.expires_at).filter(|end| *end > Utc::now());
        let Some(end) = end else {
            return rejected(&self.name, "its session has expired");
        };
        Some(Identity {
            provider: self.name.clone(),
            subject: subject.to_owned(),
            // The token is renewed every few minutes; the session began at the sign-in.
            signed_in_at: time(&session.created_at),
            expires_at: exp.0.min(end),
            claims: Claims::new(&user.email, &user.email_verified, &user.name, &user.image),
        })
    }
}

/// A time as JavaScript writes it: RFC 3339, or milliseconds.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc()),
        Value::Number(milliseconds) => DateTime::from_timestamp_millis(milliseconds.as_i64()?),
        _ => None,
    }
}
