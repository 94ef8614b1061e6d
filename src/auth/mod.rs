//! Authentication: sign-up, sign-in and sign-out, tokens, sessions, passwords, and mailed tokens that prove an email
//! address.
//!
//! A request carries an access token of this service or of an external identity provider ([`Auth::authenticate`]). The
//! commands:
//! - [`sessions`]: sign up, sign in, sign out; list and revoke sessions.
//! - [`refresh`]: exchange refresh tokens.
//! - [`credentials`]: change and confirm a password.
//! - [`recovery`]: mailed tokens (password reset, email verification, email change).
//! - [`external`]: external identity providers.
//!
//! [`model`] has the rows, the `store` modules all SQL. `keys` derives all keys from one secret. `passwords`, `tokens`,
//! `revocation` and `rate_limit` each document their guarantees.

mod cleanups;
pub mod credentials;
pub mod external;
pub mod keys;
pub mod model;
mod password_rules;
mod password_strength;
mod passwords;
mod rate_limit;
pub mod recovery;
pub mod refresh;
mod revocation;
mod session_usage;
pub mod sessions;
mod store;
mod token_times;
mod tokens;

use std::{collections::HashSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) use cleanups::cleanups;
use external::{ExternalProviders, IssuerSettings, KeyAges};
pub(crate) use keys::hmac;
use keys::{Purpose, Secrets};
pub use model::{
    Account, Authenticated, Client, Credential, Session, SignUpInput, SignedIn, UserId, Viewer,
};
pub(crate) use model::{MAX_AVATAR_URL_LENGTH, MAX_NAME_LENGTH, by_user_id};
use passwords::Passwords;
pub(crate) use passwords::is_known_hash;
use rate_limit::RateLimiter;
pub use rate_limit::{Limit, RateLimitSettings, rate_limiter_pool};
use revocation::Revocation;
use tokens::Tokens;

use crate::{
    db::{Connection, Database},
    error::Error,
};

/// Settings of authentication. Not `Debug`: it holds the secret.
#[derive(Clone)]
pub struct AuthSettings {
    /// All keys are derived from these. At least 32 bytes each.
    pub secrets: Secrets,
    /// The `iss` of access tokens.
    pub issuer: String,
    /// The `aud` of access tokens.
    pub audience: String,
    /// Lifetime of an access token.
    pub access_lifetime: Duration,
    /// Grace period: how long after its exchange a refresh token still returns the same successor.
    pub refresh_grace: Duration,
    /// Maximum number of passwords that are hashed at the same time.
    pub hashing_permits: usize,
    /// How often the last use of sessions is stored.
    pub usage_interval: Duration,
    /// Rate limits.
    pub rate_limits: RateLimitSettings,
    /// External identity providers whose tokens are accepted.
    pub issuers: Vec<IssuerSettings>,
    /// Limits on the age of their public keys.
    pub key_ages: KeyAges,
}

/// Signs users in and identifies the sender of a request. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    passwords: Passwords,
    tokens: Tokens,
    revocation: Revocation,
    rate_limiter: RateLimiter,
    external: ExternalProviders,
    /// Sessions used since their last use was last stored.
    used_sessions: Mutex<HashSet<Uuid>>,
    refresh_grace: Duration,
    /// Notified when a mail is added to the outbox.
    mail_queued: Arc<Notify>,
    /// Work that continues after the response to its request.
    background_tasks: TaskTracker,
}

impl Auth {
    /// Creates the service. `limiter_database` is the rate limiter's own pool ([`rate_limiter_pool`]).
    ///
    /// # Errors
    /// A message that names the issuer with invalid settings.
    pub fn new(
        database: Database,
        limiter_database: Database,
        settings: AuthSettings,
    ) -> Result<Auth, String> {
        let (secrets, lifetime) = (&settings.secrets, settings.access_lifetime);
        let rate_limit_key = secrets.keys(Purpose::RateLimits).current;
        let inner = Inner {
            passwords: Passwords::new(settings.hashing_permits),
            tokens: Tokens::new(secrets, &settings.issuer, &settings.audience, lifetime),
            revocation: Revocation::new(database.clone()),
            rate_limiter: RateLimiter::new(limiter_database, settings.rate_limits, rate_limit_key),
            external: ExternalProviders::new(
                settings.issuers,
                settings.key_ages,
                &settings.issuer,
                &settings.secrets,
            )?,
            used_sessions: Mutex::default(),
            refresh_grace: settings.refresh_grace,
            mail_queued: Arc::default(),
            background_tasks: TaskTracker::new(),
            database,
        };
        Ok(Auth {
            inner: Arc::new(inner),
        })
    }

    /// Identifies the sender of a token, which this service or an external identity provider issued. On their first
    /// sign-in, users of an external provider get an account.
    ///
    /// # Errors
    /// UNAUTHENTICATED with the reason if the token is not accepted. FORBIDDEN if another user has the email address and
    /// the provider has not verified it. UNAVAILABLE if the database or the provider's keys cannot be read.
    pub async fn authenticate(&self, token: &str, client: &Client) -> Result<Authenticated, Error> {
        let Some(verifier) = self.inner.external.verifier_of(token) else {
            return self.authenticate_access_token(token).await;
        };
        let authenticated = external::authenticate(self, verifier, token, client).await?;
        authenticated.ok_or_else(|| {
            let expired =
                "The access token has expired. Get a new one from your identity provider.";
            rejected(token, expired)
        })
    }

    async fn authenticate_access_token(&self, token: &str) -> Result<Authenticated, Error> {
        let Some(access) = self.inner.tokens.verify_access(token) else {
            let expired = "The access token has expired. Call refreshSession for a new one.";
            return Err(rejected(token, expired));
        };
        let (user_id, session) = (access.user_id, access.session);
        if !self.inner.revocation.is_open(user_id, session).await? {
            return Err(Error::unauthenticated(
                "The session has ended. Sign in again.",
            ));
        }
        self.inner.used_sessions.lock().insert(session);
        Ok(Authenticated {
            viewer: Viewer {
                user_id,
                credential: Credential::Session(session),
            },
            expires_at: access.expires_at,
        })
    }

    /// Counts an export of the viewer's data.
    ///
    /// # Errors
    /// RATE_LIMITED.
    pub(crate) async fn count_export(&self, viewer: &Viewer) -> Result<(), Error> {
        self.inner.rate_limiter.export(viewer.user_id).await
    }

    /// Changes whenever this process learns of a revocation. Connections that outlive one request then authenticate
    /// again. The process learns of its own revocations at once, and of others with the next request or
    /// [`Auth::refresh_revocations`].
    pub fn revocations(&self) -> watch::Receiver<()> {
        self.inner.revocation.changes()
    }

    /// Notified when this process has revoked access, so that it tells the others.
    pub fn revoked(&self) -> Arc<Notify> {
        self.inner.revocation.revoked()
    }

    /// Reads the list of revocations.
    ///
    /// # Errors
    /// UNAVAILABLE if the list cannot be read.
    pub async fn refresh_revocations(&self) -> Result<(), Error> {
        self.inner.revocation.refresh().await
    }

    /// Number of passwords that were hashed or verified since the process started.
    pub fn passwords_hashed(&self) -> u64 {
        self.inner.passwords.hashed()
    }

    /// The measurements of the queue of passwords to hash.
    pub(crate) fn hashing_queue(&self) -> Arc<passwords::HashingQueue> {
        self.inner.passwords.queue().clone()
    }

    /// Notified whenever a mail is added to the outbox.
    pub fn mail_queued(&self) -> Arc<Notify> {
        self.inner.mail_queued.clone()
    }

    /// The mailed token with this id and this stored hash. `None` if it was made with a secret that is not configured.
    pub fn mailed_token(&self, id: Uuid, hash: &[u8]) -> Option<String> {
        self.inner.tokens.stored_mail(id, hash)
    }

    /// Finishes work that outlives its request, and stores the last use of sessions.
    pub async fn finish(&self) {
        self.inner.background_tasks.close();
        self.inner.background_tasks.wait().await;
        if let Err(error) = self.record_usage().await {
            tracing::warn!(
                error = error.log_text(),
                "storing the last use of sessions failed at shutdown"
            );
        }
    }

    /// Call this after a user lost access: this process then reads the list of revocations at the next request.
    pub(crate) fn revoke_user(&self) {
        self.inner.revocation.invalidate();
    }

    /// A connection whose changes are logged with this client's address and program.
    pub(crate) async fn connection(&self, client: &Client) -> Result<Connection, Error> {
        let conn = self.inner.database.connection().await?;
        Ok(conn.for_changes_from(client.origin()))
    }
}

/// Why a token is rejected. The response does not reveal more, since that would help to forge tokens.
fn rejected(token: &str, expired: &'static str) -> Error {
    Error::unauthenticated(match tokens::claims_to_have_expired(token) {
        true => expired,
        false => "The access token is invalid. Sign in again.",
    })
}
