//! Tokens that an issuer signs with its own key and publishes the public half of: Auth0, Better Auth's JWT plugin, and
//! whoever else does as OpenID Connect says.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Header, TokenData, Validation};
use serde_json::{Map, Value};

use super::{
    super::tokens::moment,
    Claims, Identity,
    keys::{self, KeyAges, Keys},
    refused,
    settings::{ClaimNames, OidcSettings, bare_type},
    subject,
};
use crate::error::Error;

/// How far the clocks of two machines may differ, in seconds.
const LEEWAY: u64 = 5;
/// How far in the future a token may have been issued, in seconds.
const FUTURE: i64 = 60;

/// Verifies the tokens of one issuer.
pub(in crate::auth) struct Oidc {
    name: String,
    settings: OidcSettings,
    keys: Keys,
    client: reqwest::Client,
}

impl Oidc {
    pub(super) fn new(
        name: String,
        settings: OidcSettings,
        client: reqwest::Client,
        ages: KeyAges,
    ) -> Self {
        Oidc {
            keys: Keys::new(
                name.clone(),
                settings.jwks_url.clone(),
                client.clone(),
                ages,
            ),
            name,
            settings,
            client,
        }
    }

    /// The exact `iss` of its tokens.
    pub(super) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Whom that token is of; `None` if it is none of this issuer's for us, or has expired.
    ///
    /// # Errors
    /// UNAVAILABLE if there are no keys to verify it with.
    pub(super) async fn verify(&self, token: &str) -> Result<Option<Identity>, Error> {
        let Some(header) = self.header(token) else {
            return Ok(None);
        };
        let Some(key) = self.keys.find(header.kid.as_deref(), header.alg).await? else {
            return Ok(refused(&self.name, "its key is none of the issuer's"));
        };
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&self.settings.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        match jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation) {
            Ok(TokenData { claims, .. }) => Ok(self.identity(&claims)),
            Err(error) => Ok(refused(&self.name, error)),
        }
    }

    /// The header, if it is of a token that this issuer would make: it picks a key among the issuer's own, nothing more.
    fn header(&self, token: &str) -> Option<Header> {
        let header = match jsonwebtoken::decode_header(token) {
            Ok(header) => header,
            Err(error) => return refused(&self.name, error),
        };
        if !self.settings.algorithms.contains(&header.alg) {
            return refused(&self.name, "its algorithm is not the issuer's");
        }
        let kind = header.typ.as_deref().map(bare_type).unwrap_or_default();
        if !self.settings.types.contains(&kind) || header.crit.is_some() {
            return refused(&self.name, "it is a token of another kind");
        }
        Some(header)
    }

    fn identity(&self, claims: &Map<String, Value>) -> Option<Identity> {
        let Some(subject) = claims.get("sub").and_then(subject) else {
            return refused(&self.name, "its subject cannot be stored");
        };
        let seconds = |name: &str| {
            let value = claims.get(name)?;
            DateTime::from_timestamp(value.as_i64()?, 0)
        };
        let issued_at = seconds("iat");
        if issued_at.is_some_and(|at| at.timestamp() > Utc::now().timestamp() + FUTURE) {
            return refused(&self.name, "it was issued in the future");
        }
        let expiry = claims.get("exp").and_then(Value::as_f64);
        let Some(expires_at) = expiry.and_then(moment) else {
            return refused(&self.name, "it expires at no moment");
        };
        Some(Identity {
            provider: self.name.clone(),
            subject: subject.to_owned(),
            signed_in_at: seconds("auth_time").or(issued_at),
            expires_at,
            claims: told(claims, &self.settings.claims),
        })
    }

    /// What the userinfo endpoint tells of that subject.
    pub(super) async fn userinfo(&self, subject: &str, token: &str) -> Option<Claims> {
        let url = self.settings.userinfo_url.clone()?;
        let request = self.client.get(url).bearer_auth(token);
        let answer = match keys::fetch::<Map<String, Value>>(request).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(issuer = self.name, error, "userinfo could not be read");
                return None;
            }
        };
        // OpenID Connect Core, 5.3.2: an answer on somebody else must not be used.
        if answer.get("sub").and_then(Value::as_str) != Some(subject) {
            tracing::warn!(issuer = self.name, "userinfo told of another subject");
            return None;
        }
        Some(told(&answer, &self.settings.claims))
    }
}

fn told(claims: &Map<String, Value>, names: &ClaimNames) -> Claims {
    let claim = |name: &String| claims.get(name).unwrap_or(&Value::Null);
    Claims::new(
        claim(&names.email),
        claim(&names.email_verified),
        claim(&names.name),
        claim(&names.picture),
    )
}
