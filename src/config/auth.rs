//! The settings of authentication: tokens, passwords, external identity providers and the audit log.

use clap::Args;

use super::{
    Secret, Span,
    values::{at_least_one, grace},
};
use crate::auth::external::IssuerSettings;

/// Tokens, passwords, external identity providers and the audit log.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Authentication")]
pub struct AuthConfig {
    /// The secret from which the keys of tokens and links are derived. Minimum 32 bytes. Required with DATABASE_URL; otherwise
    /// a secret is generated and kept in the data folder.
    #[arg(long, env = "SNAPNOTE_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<Secret>,
    /// The other secret during a rotation. Sessions, emailed tokens and links that were made with it stay valid; new ones are made
    /// with SNAPNOTE_JWT_SECRET (docs/auth.md). Minimum 32 bytes.
    #[arg(long, env = "SNAPNOTE_JWT_SECRET_PREVIOUS", hide_env_values = true)]
    pub jwt_secret_previous: Option<Secret>,
    /// The issuer (iss) of access tokens.
    #[arg(long, env = "SNAPNOTE_JWT_ISSUER", default_value = "snapnote")]
    pub jwt_issuer: String,
    /// The audience (aud) of access tokens.
    #[arg(long, env = "SNAPNOTE_JWT_AUDIENCE", default_value = "snapnote")]
    pub jwt_audience: String,
    /// Lifetime of access tokens.
    #[arg(long, env = "SNAPNOTE_ACCESS_TOKEN_LIFETIME", default_value = "15m")]
    pub access_token_lifetime: Span,
    /// How long an exchanged refresh token still returns the same successor (1s–10m), for lost responses and several tabs. After
    /// that, using it ends the session.
    #[arg(long, env = "SNAPNOTE_REFRESH_GRACE", default_value = "60s", value_parser = grace)]
    pub refresh_grace: Span,
    /// Maximum passwords hashed at the same time. Higher values let sign-ins slow down other requests.
    #[arg(long, env = "SNAPNOTE_HASHING_PERMITS", default_value = "1", value_parser = at_least_one)]
    pub hashing_permits: usize,
    /// External identity providers whose tokens are accepted: the path of a TOML file, or the TOML itself (docs/auth.md).
    #[arg(long, env = "SNAPNOTE_ISSUERS", hide_env_values = true)]
    pub issuers: Option<Secret>,
    /// Days that the audit log is kept (0 keeps it forever).
    #[arg(long, env = "SNAPNOTE_AUDIT_DAYS", default_value_t = 365)]
    pub audit_days: u32,
}

impl AuthConfig {
    /// Minimum length of a secret, in bytes: the size of an HS256 signature.
    pub(crate) const MIN_SECRET_BYTES: usize = 32;

    /// What is wrong with the external identity providers.
    pub(super) fn issuers_problem(&self) -> Option<String> {
        let issuers = self.issuers.as_ref()?;
        IssuerSettings::read(issuers.reveal()).err()
    }

    /// What is wrong with the secrets. `required`: none is generated.
    pub(super) fn secret_problems(&self, required: bool) -> Vec<String> {
        let remedy = "Set it to the output of `openssl rand -base64 48`.";
        let (current, previous) = (&self.jwt_secret, &self.jwt_secret_previous);
        let mut problems = Vec::new();
        if current.is_none() && required {
            problems.push(format!(
                "SNAPNOTE_JWT_SECRET is not set, but DATABASE_URL requires it. {remedy}"
            ));
        }
        for (name, secret, remedy) in [
            ("SNAPNOTE_JWT_SECRET", current, remedy),
            (
                "SNAPNOTE_JWT_SECRET_PREVIOUS",
                previous,
                "Set it to the former SNAPNOTE_JWT_SECRET, or remove it.",
            ),
        ] {
            let length = secret.as_ref().map(|secret| secret.reveal().len());
            if let Some(length) = length.filter(|length| *length < Self::MIN_SECRET_BYTES) {
                problems.push(format!(
                    "{name} has {length} bytes; the minimum is {}. {remedy}",
                    Self::MIN_SECRET_BYTES
                ));
            }
        }
        if current.is_some() && current == previous {
            problems.push(
                "SNAPNOTE_JWT_SECRET_PREVIOUS is the same as SNAPNOTE_JWT_SECRET. Set the second to a new secret, or remove the first."
                    .to_owned(),
            );
        }
        problems
    }
}
