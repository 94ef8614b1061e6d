//! Better Auth's session cookie (`session_data`, strategy `jwt`), sent as a bearer token.
//!
//! It is signed with a secret that Better Auth signs other things with too, the tokens that verify addresses among them,
//! and names neither issuer nor audience. So only what has the whole shape of a session is one.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::{super::tokens::moment, Claims, Identity, refused, settings::bare_type, subject};

/// How far the clocks of two machines may differ, in seconds.
const LEEWAY: u64 = 5;

/// Verifies session cookies.
pub(in crate::auth) struct SessionData {
    name: String,
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Payload {
    session: Session,
    user: User,
    /// A session's token names none; one that does is of another kind.
    iss: Option<Value>,
    exp: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    id: String,
    user_id: String,
    expires_at: Value,
    #[serde(default)]
    created_at: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
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
        validation.set_required_spec_claims(&["exp"]);
        validation.validate_aud = false;
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        SessionData {
            name,
            key: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        }
    }

    /// Whose session that is; `None` if it is none, or has expired.
    pub(super) fn verify(&self, token: &str) -> Option<Identity> {
        let decoded = jsonwebtoken::decode::<Payload>(token, &self.key, &self.validation);
        let TokenData { header, claims, .. } = match decoded {
            Ok(decoded) => decoded,
            Err(error) => return refused(&self.name, error),
        };
        let kind = header.typ.as_deref().map(bare_type);
        if header.crit.is_some() || kind.is_some_and(|kind| kind != "jwt") || claims.iss.is_some() {
            return refused(&self.name, "it is a token of another kind");
        }
        let (session, user) = (claims.session, claims.user);
        let Some(subject) = subject(&user.id) else {
            return refused(&self.name, "its user has no id");
        };
        if session.id.is_empty() || session.user_id != subject {
            return refused(&self.name, "its session is not its user's");
        }
        let end = time(&session.expires_at).filter(|end| *end > Utc::now());
        let (Some(end), Some(expiry)) = (end, moment(claims.exp)) else {
            return refused(&self.name, "its session has expired");
        };
        Some(Identity {
            provider: self.name.clone(),
            subject: subject.to_owned(),
            // The token is made anew every few minutes; the session began when they signed in.
            signed_in_at: time(&session.created_at),
            expires_at: expiry.min(end),
            claims: Claims::new(&user.email, &user.email_verified, &user.name, &user.image),
        })
    }
}

/// A moment as JavaScript writes it: RFC 3339, or milliseconds.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc()),
        Value::Number(milliseconds) => DateTime::from_timestamp_millis(milliseconds.as_i64()?),
        _ => None,
    }
}
