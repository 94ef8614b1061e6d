//! Which outside issuers there are: a TOML file, or its text.

use std::fs;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use subtle::ConstantTimeEq;
use url::{Host, Url};

/// Bytes of a shared secret at least, as long as what HS256 makes.
const LEAST_SECRET: usize = 32;

/// An outside issuer. Not `Debug`: it may hold a secret.
#[derive(Clone)]
pub struct IssuerSettings {
    /// What accounts show as their provider.
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    Oidc(Box<OidcSettings>),
    /// Better Auth's session cookie.
    SessionData {
        secret: String,
    },
}

/// How tokens of one issuer are verified.
#[derive(Clone)]
pub(super) struct OidcSettings {
    pub(super) issuer: String,
    pub(super) audience: Vec<String>,
    pub(super) jwks_url: Url,
    pub(super) algorithms: Vec<Algorithm>,
    /// In lower case; the empty text: no type at all.
    pub(super) types: Vec<String>,
    pub(super) userinfo_url: Option<Url>,
    pub(super) claims: ClaimNames,
}

/// Under which names an issuer tells what it tells.
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
    /// Reads a TOML file, or the text itself.
    ///
    /// # Errors
    /// A message that names the issuer and the setting that is wrong; never a secret.
    pub fn read(path_or_toml: &str) -> Result<Vec<IssuerSettings>, String> {
        if path_or_toml.contains("[[issuer]]") {
            return IssuerSettings::parse(path_or_toml);
        }
        let text = fs::read_to_string(path_or_toml).map_err(|error| {
            format!("SNAPNOTE_ISSUERS: {path_or_toml} cannot be read: {error}.")
        })?;
        IssuerSettings::parse(&text)
    }

    /// Reads the text of a TOML file.
    ///
    /// # Errors
    /// As [`IssuerSettings::read`].
    pub fn parse(toml: &str) -> Result<Vec<IssuerSettings>, String> {
        let file: File = toml::from_str(toml).map_err(|error| {
            // The error's own text shows the line, which may hold a secret.
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
                "name must have 1 to 255 characters, and not be \"password\".",
            ));
        }
        let kind = match self.kind.as_str() {
            "oidc" => Kind::Oidc(Box::new(self.oidc().map_err(|what| wrong(&what))?)),
            "better-auth-session" => Kind::SessionData {
                secret: self.session_data().map_err(|what| wrong(&what))?,
            },
            _ => return Err(wrong("kind must be \"oidc\" or \"better-auth-session\".")),
        };
        Ok(IssuerSettings { name, kind })
    }

    fn oidc(self) -> Result<OidcSettings, String> {
        if self.secret.is_some() {
            return Err("secret goes with the kind \"better-auth-session\" alone.".to_owned());
        }
        let issuer = self.issuer.filter(|issuer| !issuer.is_empty());
        let issuer = issuer.ok_or("issuer must be set: the exact iss of its tokens.")?;
        let audience = match self.audience {
            Some(OneOrMore::One(audience)) => vec![audience],
            Some(OneOrMore::More(audience)) => audience,
            None => Vec::new(),
        };
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err("audience must be set: who its tokens are for, which is you.".to_owned());
        }
        let algorithms = self.algorithms.unwrap_or_else(|| vec![Algorithm::RS256]);
        let shared = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        if algorithms.is_empty() || algorithms.iter().any(|one| shared.contains(one)) {
            return Err("algorithms must be of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA.".to_owned());
        }
        let default_jwks = format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'));
        let jwks_url = url("jwks_url", &self.jwks_url.unwrap_or(default_jwks))?;
        let userinfo_url = self.userinfo_url.as_deref();
        let types = self.types;
        let types = types.unwrap_or_else(|| vec!["at+jwt".to_owned(), "JWT".to_owned()]);
        Ok(OidcSettings {
            issuer,
            audience,
            jwks_url,
            algorithms,
            types: types.iter().map(|name| bare_type(name)).collect(),
            userinfo_url: userinfo_url
                .map(|text| url("userinfo_url", text))
                .transpose()?,
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
            return Err(
                "besides name and kind, only secret goes with \"better-auth-session\".".to_owned(),
            );
        }
        let secret = self.secret.unwrap_or_default();
        if secret.len() < LEAST_SECRET {
            return Err(format!(
                "secret must be Better Auth's own, of {LEAST_SECRET} bytes at least."
            ));
        }
        Ok(secret)
    }
}

/// A media type's short name in lower case: RFC 7515 lets `application/` be left out.
pub(super) fn bare_type(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower
        .strip_prefix("application/")
        .unwrap_or(&lower)
        .to_owned()
}

/// Keys that come over plain HTTP could be anybody's.
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
        format!("{setting} must be an https URL; http is for this machine's own addresses.")
    })
}

/// Whether these issuers can be told apart, from each other and from the service itself.
///
/// # Errors
/// A message that names the issuer.
pub(super) fn check(
    issuers: &[IssuerSettings],
    own_issuer: &str,
    own_secret: &[u8],
) -> Result<(), String> {
    let (mut names, mut claimed) = (Vec::new(), vec![own_issuer]);
    let mut sessions = 0;
    for issuer in issuers {
        let name = issuer.name.as_str();
        let wrong = |what: &str| Err(format!("SNAPNOTE_ISSUERS, issuer {name}: {what}"));
        if names.contains(&name) {
            return wrong("there are two of this name.");
        }
        names.push(name);
        match &issuer.kind {
            Kind::Oidc(settings) if claimed.contains(&settings.issuer.as_str()) => {
                return wrong(
                    "its issuer is another's, or this service's own (SNAPNOTE_JWT_ISSUER).",
                );
            }
            Kind::Oidc(settings) => claimed.push(&settings.issuer),
            Kind::SessionData { secret } => {
                sessions += 1;
                if sessions > 1 {
                    return wrong(
                        "there can be one better-auth-session: its tokens name no issuer.",
                    );
                }
                if bool::from(secret.as_bytes().ct_eq(own_secret)) {
                    return wrong(
                        "its secret is SNAPNOTE_JWT_SECRET: two verifiers must not share one.",
                    );
                }
            }
        }
    }
    Ok(())
}
