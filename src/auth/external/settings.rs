//! The settings of external identity providers: a TOML file, or its text.

use std::fs;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use url::{Host, Url};

use super::super::{keys::Secrets, tokens::bare_type};

/// Minimum length of a shared secret in bytes: that of an HS256 signature.
const MIN_SECRET_BYTES: usize = 32;

/// An issuer. Not `Debug`: it may hold a secret.
#[derive(Clone)]
pub struct IssuerSettings {
    /// The provider of linked accounts.
    pub(super) name: String,
    pub(super) kind: IssuerKind,
}

impl IssuerSettings {
    /// The name of the issuer.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Clone)]
pub(super) enum IssuerKind {
    Oidc(Box<OidcSettings>),
    /// Better Auth's session cookie.
    SessionData {
        secret: String,
    },
}

/// How the tokens of one issuer are verified.
#[derive(Clone)]
pub(super) struct OidcSettings {
    pub(super) issuer: String,
    pub(super) audience: Vec<String>,
    pub(super) jwks_url: Url,
    pub(super) algorithms: Vec<Algorithm>,
    /// In lower case. The empty string stands for tokens without a type.
    pub(super) types: Vec<String>,
    pub(super) userinfo_url: Option<Url>,
    pub(super) claims: ClaimNames,
}

/// The names of an issuer's claims.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClaimNames {
    pub(super) email: String,
    pub(super) email_verified: String,
    pub(super) name: String,
    pub(super) picture: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        ClaimNames {
            email: "email".to_owned(),
            email_verified: "email_verified".to_owned(),
            name: "name".to_owned(),
            picture: "picture".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    issuer: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    kind: String,
    issuer: Option<String>,
    audience: Option<OneOrMore>,
    jwks_url: Option<String>,
    algorithms: Option<Vec<Algorithm>>,
    types: Option<Vec<String>>,
    userinfo_url: Option<String>,
    claims: Option<ClaimNames>,
    secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl IssuerSettings {
    /// Reads a TOML file, or the TOML itself.
    ///
    /// # Errors
    /// A message that names the issuer and the invalid setting, never a secret.
    pub fn read(path_or_toml: &str) -> Result<Vec<IssuerSettings>, String> {
        if path_or_toml.contains("[[issuer]]") {
            return IssuerSettings::parse(path_or_toml);
        }
        let text = fs::read_to_string(path_or_toml).map_err(|error| {
            format!("SNAPNOTE_ISSUERS: reading {path_or_toml} failed: {error}.")
        })?;
        IssuerSettings::parse(&text)
    }

    /// Reads the text of a TOML file.
    ///
    /// # Errors
    /// Same as [`IssuerSettings::read`].
    pub fn parse(toml: &str) -> Result<Vec<IssuerSettings>, String> {
        let file: File = toml::from_str(toml).map_err(|error| {
            // The error's own text shows the line, which may contain a secret.
            let line = error.span().map_or(1, |span| {
                toml[..span.start.min(toml.len())].matches('\n').count() + 1
            });
            format!("SNAPNOTE_ISSUERS, line {line}: {}.", error.message())
        })?;
        file.issuer.into_iter().map(Entry::checked).collect()
    }
}

impl Entry {
    fn checked(self) -> Result<IssuerSettings, String> {
        let name = self.name.clone();
        let wrong = |what: &str| format!("SNAPNOTE_ISSUERS, issuer {name}: {what}");
        if name.trim().is_empty() || name.chars().count() > 255 || name == "password" {
            return Err(wrong(
                "name must have 1 to 255 characters and must not be \"password\".",
            ));
        }
        let kind = match self.kind.as_str() {
            "oidc" => IssuerKind::Oidc(Box::new(self.oidc().map_err(|what| wrong(&what))?)),
            "better-auth-session" => IssuerKind::SessionData {
                secret: self.session_data().map_err(|what| wrong(&what))?,
            },
            _ => return Err(wrong("kind must be \"oidc\" or \"better-auth-session\".")),
        };
        Ok(IssuerSettings { name, kind })
    }

    fn oidc(self) -> Result<OidcSettings, String> {
        if self.secret.is_some() {
            return Err("secret is only allowed with kind \"better-auth-session\".".to_owned());
        }
        let issuer = self.issuer.filter(|issuer| !issuer.is_empty());
        let issuer = issuer.ok_or("issuer must be set: the exact iss of its tokens.")?;
        let audience = match self.audience {
            Some(OneOrMore::One(audience)) => vec![audience],
            Some(OneOrMore::More(audience)) => audience,
            None => Vec::new(),
        };
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err(
                "audience must be set: the aud that its tokens have for this service.".to_owned(),
            );
        }
        let algorithms = self.algorithms.unwrap_or_else(|| vec![Algorithm::RS256]);
        let shared = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        if algorithms.is_empty() || algorithms.iter().any(|one| shared.contains(one)) {
            return Err("algorithms must be one or more of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA.".to_owned());
        }
        let default_jwks = format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'));
        let jwks_url = url("jwks_url", &self.jwks_url.unwrap_or(default_jwks))?;
        let userinfo_url = self.userinfo_url.map(|text| url("userinfo_url", &text));
        let default_types = || vec!["at+jwt".to_owned(), "JWT".to_owned()];
        let types = self.types.unwrap_or_else(default_types);
        Ok(OidcSettings {
            issuer,
            audience,
            jwks_url,
            algorithms,
            types: types.iter().map(|name| bare_type(name)).collect(),
            userinfo_url: userinfo_url.transpose()?,
            claims: self.claims.unwrap_or_default(),
        })
    }

    fn session_data(self) -> Result<String, String> {
        let of_oidc = self.issuer.is_some()
            || self.audience.is_some()
            || self.jwks_url.is_some()
            || self.algorithms.is_some()
            || self.types.is_some()
            || self.userinfo_url.is_some()
            || self.claims.is_some();
        if of_oidc {
            return Err("kind \"better-auth-session\" only allows name and secret.".to_owned());
        }
        let secret = self.secret.unwrap_or_default();
        if secret.len() < MIN_SECRET_BYTES {
            return Err(format!(
                "secret must be Better Auth's secret, with at least {MIN_SECRET_BYTES} bytes."
            ));
        }
        Ok(secret)
    }
}

/// Keys that are fetched over plain HTTP can be forged, so HTTP is only allowed for this machine.
fn url(setting: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok();
    let safe = |url: &Url| match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost",
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    };
    url.filter(safe).ok_or_else(|| {
        format!("{setting} must be an https URL. http is only allowed for localhost and loopback addresses.")
    })
}

/// Checks that no two issuers have the same name or the same tokens, and none has the service's own.
///
/// # Errors
/// A message that names the issuer.
pub(super) fn check(
    issuers: &[IssuerSettings],
    own_issuer: &str,
    own_secrets: &Secrets,
) -> Result<(), String> {
    let (mut names, mut claimed) = (Vec::new(), vec![own_issuer]);
    let mut sessions = 0;
    for issuer in issuers {
        let name = issuer.name.as_str();
        let wrong = |what: &str| Err(format!("SNAPNOTE_ISSUERS, issuer {name}: {what}"));
        if names.contains(&name) {
            return wrong("another issuer has the same name.");
        }
        names.push(name);
        match &issuer.kind {
            IssuerKind::Oidc(settings) if claimed.contains(&settings.issuer.as_str()) => {
                return wrong(
                    "its issuer is used by another one or by this service (SNAPNOTE_JWT_ISSUER).",
                );
            }
            IssuerKind::Oidc(settings) => claimed.push(&settings.issuer),
            IssuerKind::SessionData { secret } => {
                sessions += 1;
                if sessions > 1 {
                    return wrong(
                        "only one better-auth-session is allowed, since its tokens name no issuer.",
                    );
                }
                if own_secrets.contain(secret.as_bytes()) {
                    return wrong("its secret must differ from SNAPNOTE_JWT_SECRET.");
                }
            }
        }
    }
    Ok(())
}
