//! Tokens that are verified with an issuer's published keys: Auth0, Better Auth's JWT plugin, and other OpenID Connect
//! providers.

use std::sync::Arc;

use chrono::Utc;
use jsonwebtoken::{Header, TokenData};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    super::{
        token_times::{NumericDate, TokenTimes},
        tokens::{bare_type, validation},
    },
    Claims, Identity,
    keys::{self, KeyAges, Keys},
    rejected,
    settings::{ClaimNames, OidcSettings},
    subject,
};
use crate::error::Error;

/// Verifies the tokens of one issuer.
pub(in crate::auth) struct Oidc {
    name: String,
    settings: OidcSettings,
    keys: Arc<Keys>,
    client: reqwest::Client,
}

impl Oidc {
    pub(super) fn new(
        name: String,
        settings: OidcSettings,
        client: reqwest::Client,
        ages: KeyAges,
    ) -> Self {
        let jwks_url = settings.jwks_url.clone();
        Oidc {
            keys: Keys::new(name.clone(), jwks_url, client.clone(), ages),
            name,
            settings,
            client,
        }
    }

    /// The exact `iss` of its tokens.
    pub(super) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// The identity in a token. `None` if the issuer did not sign it for this service, or if it has expired.
    ///
    /// # Errors
    /// UNAVAILABLE if there are no keys to verify it.
    pub(super) async fn verify(&self, token: &str) -> Result<Option<Identity>, Error> {
        let Some(header) = self.header(token) else {
            return Ok(None);
        };
        let Some(key) = self.keys.find(header.kid.as_deref(), header.alg).await? else {
            return Ok(rejected(&self.name, "its key is unknown"));
        };
        let OidcSettings {
            issuer, audience, ..
        } = &self.settings;
        let validation = validation(header.alg, issuer, audience);
        match jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation) {
            Ok(TokenData { claims, .. }) => Ok(self.identity(&claims)),
            Err(error) => Ok(rejected(&self.name, error)),
        }
    }

    /// The token's header, if its algorithm and type match the settings. It only selects one of the issuer's own keys.
    fn header(&self, token: &str) -> Option<Header> {
        let header = match jsonwebtoken::decode_header(token) {
            Ok(header) => header,
            Err(error) => return rejected(&self.name, error),
        };
        if !self.settings.algorithms.contains(&header.alg) {
            return rejected(&self.name, "its algorithm is not allowed");
        }
        let kind = header.typ.as_deref().map(bare_type).unwrap_or_default();
        if !self.settings.types.contains(&kind) || header.crit.is_some() {
            return rejected(&self.name, "its type is not allowed");
        }
        Some(header)
    }

    fn identity(&self, claims: &Map<String, Value>) -> Option<Identity> {
        let Some(subject) = claims.get("sub").and_then(subject) else {
            return rejected(&self.name, "its subject is missing or invalid");
        };
        let times = match TokenTimes::of(claims) {
            Ok(times) => times,
            Err(why) => return rejected(&self.name, why),
        };
        if let Err(why) = times.check(Utc::now()) {
            return rejected(&self.name, why);
        }
        // A time that cannot be read proves no recent sign-in.
        let signed_in_at = match claims.get("auth_time") {
            None | Some(Value::Null) => times.iat,
            Some(time) => NumericDate::deserialize(time).ok(),
        };
        Some(Identity {
            provider: self.name.clone(),
            subject: subject.to_owned(),
            signed_in_at: signed_in_at.map(|time| time.0),
            expires_at: times.exp.0,
            claims: claims_of(claims, &self.settings.claims),
        })
    }

    /// The claims of the userinfo endpoint for this subject.
    pub(super) async fn userinfo(&self, subject: &str, token: &str) -> Option<Claims> {
        let url = self.settings.userinfo_url.clone()?;
        let request = self.client.get(url).bearer_auth(token);
        let userinfo = match keys::fetch_json::<Map<String, Value>>(request).await {
            Ok(userinfo) => userinfo,
            Err(error) => {
                tracing::warn!(issuer = self.name, error, "reading userinfo failed");
                return None;
            }
        };
        // OpenID Connect Core, 5.3.2: a response about another subject must not be used.
        if userinfo.get("sub").and_then(Value::as_str) != Some(subject) {
            tracing::warn!(
                issuer = self.name,
                "userinfo rejected: it is about another subject"
            );
            return None;
        }
        Some(claims_of(&userinfo, &self.settings.claims))
    }
}

fn claims_of(claims: &Map<String, Value>, names: &ClaimNames) -> Claims {
    let claim = |name: &String| claims.get(name).unwrap_or(&Value::Null);
    Claims::new(
        claim(&names.email),
        claim(&names.email_verified),
        claim(&names.name),
        claim(&names.picture),
    )
}
