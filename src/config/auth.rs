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
    /// The signing key of access tokens. Minimum 32 bytes. Required with DATABASE_URL; otherwise a key is generated and kept
    /// in the data folder.
    #[arg(long, env = "SNAPNOTE_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<Secret>,
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
    /// Minimum length of the signing key, in bytes: the size of an HS256 signature.
    pub(crate) const MIN_SECRET_BYTES: usize = 32;

    /// What is wrong with the external identity providers.
    pub(super) fn issuers_problem(&self) -> Option<String> {
        let issuers = self.issuers.as_ref()?;
        IssuerSettings::read(issuers.reveal()).err()
    }

    /// What is wrong with the signing key. `required`: none is generated.
    pub(super) fn secret_problem(&self, required: bool) -> Option<String> {
        let remedy = "Set it to the output of `openssl rand -base64 48`.";
        match &self.jwt_secret {
            None if required => Some(format!(
                "SNAPNOTE_JWT_SECRET is not set, but DATABASE_URL requires it. {remedy}"
            )),
            Some(secret) if secret.reveal().len() < Self::MIN_SECRET_BYTES => Some(format!(
                "SNAPNOTE_JWT_SECRET has {} bytes; the minimum is {}. {remedy}",
                secret.reveal().len(),
                Self::MIN_SECRET_BYTES
            )),
            _ => None,
        }
    }
}
