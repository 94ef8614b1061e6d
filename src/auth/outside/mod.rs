//! Outside issuers: others who vouch for people. Whom a token is of is decided by the issuer that it names, and by nothing
//! else in it.
//!
//! - `settings`: which issuers there are. `oidc`: tokens that are verified by an issuer's published keys, which `keys`
//!   fetches and keeps. `session_data`: Better Auth's session cookie, which is signed with a shared secret.
//! - `sight`: who an identity is here. `refusals`: who was refused lately. `store`: the SQL of that.
//!
//! A token picks one verifier by its `iss`, or, naming none, the one of session cookies; that verifier has its own keys,
//! algorithms, audience and types, and what the token's header says of keys is never followed. All that is refused is
//! refused alike; only the log is told why.

mod keys;
mod oidc;
mod refusals;
mod session_data;
mod settings;
mod sight;
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
use refusals::Refusals;
use session_data::SessionData;
pub use settings::IssuerSettings;
use settings::Kind;
pub(super) use sight::admission;

use crate::{email_address::EmailAddress, error::Error};

/// Characters of a subject at most, as of a name.
const MOST_TEXT: usize = 255;
/// Characters of a picture's address at most.
const MOST_PICTURE: usize = 512;

/// All verifiers of outside tokens.
pub(super) struct Outside {
    by_issuer: HashMap<String, Oidc>,
    by_session: Option<SessionData>,
    /// Who was refused at first sight, whosever token it was.
    refusals: Refusals,
}

/// Whom an issuer vouches for.
pub(super) struct Identity {
    /// The issuer's name in the settings.
    pub(super) provider: String,
    /// Who it is there.
    pub(super) subject: String,
    /// When they signed in there; `None` if the token does not say.
    pub(super) signed_in_at: Option<DateTime<Utc>>,
    /// When the token expires.
    pub(super) expires_at: DateTime<Utc>,
    pub(super) claims: Claims,
}

/// What an issuer tells of somebody, in a form that can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// `None`, too, if what it tells is not a valid address as it stands.
    pub(super) email: Option<EmailAddress>,
    /// Whether the issuer has verified the address, and names it in the canonical form.
    pub(super) email_verified: bool,
    pub(super) name: Option<String>,
    pub(super) picture: Option<String>,
}

impl Claims {
    fn new(email: &Value, email_verified: &Value, name: &Value, picture: &Value) -> Self {
        let text = |value: &Value, most: usize| -> Option<String> {
            let clean: String = value
                .as_str()?
                .trim()
                .chars()
                .filter(|character| !character.is_control())
                .take(most)
                .collect();
            (!clean.is_empty()).then_some(clean)
        };
        let address = |url: &String| {
            let url = url::Url::parse(url);
            url.is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        let exact = |text| EmailAddress::exactly(text).ok();
        let email = email.as_str().and_then(exact);
        // Some issuers write it as text.
        let verified = *email_verified == Value::Bool(true) || email_verified == "true";
        Claims {
            email_verified: verified && email.as_ref().is_some_and(EmailAddress::is_canonical),
            email,
            name: text(name, MOST_TEXT),
            picture: text(picture, MOST_PICTURE + 1)
                .filter(|url| url.chars().count() <= MOST_PICTURE)
                .filter(address),
        }
    }
}

/// What picks the verifier; it is believed only once that has verified it.
#[derive(Deserialize)]
struct Peek {
    iss: Option<String>,
}

impl Outside {
    /// Verifiers for these issuers, beside the service's own.
    ///
    /// # Errors
    /// A message that names the issuer that cannot be, or two that cannot be told apart.
    pub(super) fn new(
        issuers: Vec<IssuerSettings>,
        ages: KeyAges,
        own_issuer: &str,
        own_secret: &[u8],
    ) -> Result<Outside, String> {
        settings::check(&issuers, own_issuer, own_secret)?;
        let mut outside = Outside {
            by_issuer: HashMap::new(),
            by_session: None,
            refusals: Refusals::new(),
        };
        if issuers.is_empty() {
            return Ok(outside);
        }
        let client = keys::client()?;
        for issuer in issuers {
            match issuer.kind {
                Kind::Oidc(settings) => {
                    let oidc = Oidc::new(issuer.name, *settings, client.clone(), ages);
                    outside.by_issuer.insert(oidc.issuer().to_owned(), oidc);
                }
                Kind::SessionData { secret } => {
                    outside.by_session = Some(SessionData::new(issuer.name, &secret));
                }
            }
        }
        Ok(outside)
    }

    /// The one verifier for that token; `None` if it names no outside issuer.
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

/// What verifies the tokens of one outside issuer.
#[derive(Clone, Copy)]
pub(super) enum Verifier<'a> {
    Oidc(&'a Oidc),
    SessionData(&'a SessionData),
}

impl Verifier<'_> {
    /// Whom that token is of; `None` if it is nobody's.
    ///
    /// # Errors
    /// UNAVAILABLE if the issuer's keys were never had and cannot be fetched now.
    async fn verify(self, token: &str) -> Result<Option<Identity>, Error> {
        match self {
            Verifier::Oidc(oidc) => oidc.verify(token).await,
            Verifier::SessionData(session) => Ok(session.verify(token)),
        }
    }

    /// What the issuer's userinfo tells of who sent that token; `None` if it has none, or does not answer as it should.
    async fn userinfo(self, identity: &Identity, token: &str) -> Option<Claims> {
        match self {
            Verifier::Oidc(oidc) => oidc.userinfo(&identity.subject, token).await,
            Verifier::SessionData(_) => None,
        }
    }
}

/// A subject that can be stored: some text, not too long, without control characters.
fn subject(value: &Value) -> Option<&str> {
    let text = value.as_str()?;
    let fits = (1..=MOST_TEXT).contains(&text.chars().count());
    (fits && !text.contains(char::is_control)).then_some(text)
}

/// Tells the log alone why a token is none.
fn refused<T>(issuer: &str, why: impl std::fmt::Display) -> Option<T> {
    tracing::debug!(issuer, "an outside token was refused: {why}");
    None
}
