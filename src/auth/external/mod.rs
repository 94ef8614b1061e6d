//! External identity providers. The issuer that a token names decides which verifier checks it; nothing else in the
//! token does.
//!
//! - `settings`: the configured issuers.
//! - `oidc`: tokens that are verified with an issuer's published keys; `keys` fetches and caches these.
//! - `session_data`: Better Auth's session cookie, which is signed with a shared secret.
//! - `resolve`: finds, creates or links the user of an identity; `rejections` remembers recent rejections; `store` has
//!   the SQL.
//!
//! A token selects one verifier by its `iss`. Tokens without `iss` go to the verifier of session cookies. Each verifier
//! has its own keys, algorithms, audience and token types, and ignores key references in the token's header. All
//! rejections look the same to the client; only the log says why.

mod keys;
mod oidc;
mod rejections;
mod resolve;
mod session_data;
mod settings;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

pub use keys::KeyAges;
use oidc::Oidc;
use rejections::RecentRejections;
pub(super) use resolve::authenticate;
use session_data::SessionData;
use settings::IssuerKind;
pub use settings::IssuerSettings;

use super::{
    keys::Secrets,
    model::{MAX_AVATAR_URL_LENGTH, MAX_NAME_LENGTH, clean_text},
};
use crate::{email_address::EmailAddress, error::Error, rules::is_blank};

/// Maximum length of a subject in characters.
const MAX_SUBJECT_LENGTH: usize = 255;

/// The verifiers of all configured issuers.
pub(super) struct ExternalProviders {
    by_issuer: HashMap<String, Oidc>,
    by_session: Option<SessionData>,
    /// Recently rejected identities of all issuers.
    rejections: RecentRejections,
}

/// The identity in a verified token.
pub(super) struct Identity {
    /// The issuer's name in the settings.
    pub(super) provider: String,
    /// The user's id at the provider.
    pub(super) subject: String,
    /// When the user signed in there. `None` if the token does not say.
    pub(super) signed_in_at: Option<DateTime<Utc>>,
    /// When the token expires.
    pub(super) expires_at: DateTime<Utc>,
    pub(super) claims: Claims,
}

/// What a provider says about a user, in a form that can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// Also `None` if the claim is not a valid address.
    pub(super) email: Option<EmailAddress>,
    /// Whether the provider has verified the address and sends it in canonical form.
    pub(super) email_verified: bool,
    pub(super) name: Option<String>,
    pub(super) picture: Option<String>,
}

impl Claims {
    fn new(email: &Value, email_verified: &Value, name: &Value, picture: &Value) -> Self {
        let text = |value: &Value, max| clean_text(value.as_str()?.trim(), max);
        let address = |url: &String| {
            let url = url::Url::parse(url);
            url.is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        let exact = |text| EmailAddress::exactly(text).ok();
        let email = email.as_str().and_then(exact);
        // Some providers send it as text.
        let verified = *email_verified == Value::Bool(true) || email_verified == "true";
        Claims {
            email_verified: verified && email.as_ref().is_some_and(EmailAddress::is_canonical),
            email,
            name: text(name, MAX_NAME_LENGTH).filter(|name| !is_blank(name)),
            picture: text(picture, MAX_AVATAR_URL_LENGTH + 1)
                .filter(|url| url.chars().count() <= MAX_AVATAR_URL_LENGTH)
                .filter(address),
        }
    }
}

/// Selects the verifier. Not trusted until the token is verified.
#[derive(Deserialize)]
struct Peek {
    iss: Option<String>,
}

/// Fetches the keys of an issuer, to check its settings. Returns the number of usable keys, or `None` if it publishes none.
///
/// # Errors
/// Why the keys cannot be used.
pub(crate) async fn probe(issuer: &IssuerSettings) -> Result<Option<usize>, String> {
    let IssuerKind::Oidc(settings) = &issuer.kind else {
        return Ok(None);
    };
    let client = keys::http_client()?;
    let found = keys::fetch_keys(&client, settings.jwks_url.clone()).await;
    let found = found.map_err(|why| format!("{}: {why}", settings.jwks_url))?;
    Ok(Some(found.len()))
}

impl ExternalProviders {
    /// Creates the verifiers of these issuers.
    ///
    /// # Errors
    /// A message that names the issuer with invalid settings, or that conflicts with another one.
    pub(super) fn new(
        issuers: Vec<IssuerSettings>,
        ages: KeyAges,
        own_issuer: &str,
        own_secrets: &Secrets,
    ) -> Result<ExternalProviders, String> {
        settings::check(&issuers, own_issuer, own_secrets)?;
        let mut providers = ExternalProviders {
            by_issuer: HashMap::new(),
            by_session: None,
            rejections: RecentRejections::new(),
        };
        if issuers.is_empty() {
            return Ok(providers);
        }
        let client = keys::http_client()?;
        for issuer in issuers {
            match issuer.kind {
                IssuerKind::Oidc(settings) => {
                    let oidc = Oidc::new(issuer.name, *settings, client.clone(), ages);
                    providers.by_issuer.insert(oidc.issuer().to_owned(), oidc);
                }
                IssuerKind::SessionData { secret } => {
                    providers.by_session = Some(SessionData::new(issuer.name, &secret));
                }
            }
        }
        Ok(providers)
    }

    /// The verifier of a token. `None` if the token names no configured issuer.
    pub(super) fn verifier_of(&self, token: &str) -> Option<Verifier<'_>> {
        if self.by_issuer.is_empty() && self.by_session.is_none() {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        match serde_json::from_slice::<Peek>(&payload).ok()?.iss {
            Some(issuer) => self.by_issuer.get(&issuer).map(Verifier::Oidc),
            None => self.by_session.as_ref().map(Verifier::SessionData),
        }
    }
}

/// Verifies the tokens of one issuer.
#[derive(Clone, Copy)]
pub(super) enum Verifier<'a> {
    Oidc(&'a Oidc),
    SessionData(&'a SessionData),
}

impl Verifier<'_> {
    /// The identity in a token. `None` if the token is invalid.
    ///
    /// # Errors
    /// UNAVAILABLE if the issuer's keys cannot be fetched.
    async fn verify(self, token: &str) -> Result<Option<Identity>, Error> {
        match self {
            Verifier::Oidc(oidc) => oidc.verify(token).await,
            Verifier::SessionData(session) => Ok(session.verify(token)),
        }
    }

    /// The claims of the provider's userinfo endpoint. `None` if there is none or its response is invalid.
    async fn userinfo(self, identity: &Identity, token: &str) -> Option<Claims> {
        match self {
            Verifier::Oidc(oidc) => oidc.userinfo(&identity.subject, token).await,
            Verifier::SessionData(_) => None,
        }
    }
}

/// A subject that can be stored: 1 to 255 characters, no control characters.
fn subject(value: &Value) -> Option<&str> {
    let text = value.as_str()?;
    let fits = (1..=MAX_SUBJECT_LENGTH).contains(&text.chars().count());
    (fits && !text.contains(char::is_control)).then_some(text)
}

/// Logs why a token is rejected.
fn rejected<T>(issuer: &str, why: impl std::fmt::Display) -> Option<T> {
    tracing::debug!(
        issuer,
        "token of an external identity provider rejected: {why}"
    );
    None
}
