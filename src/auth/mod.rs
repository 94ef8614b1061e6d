//! Who somebody is: signing up, in and out, tokens, sessions, and what is mailed to prove an address.
//!
//! A request shows an access token of ours, or one of an outside issuer ([`Auth::viewer`]). Commands are by subject:
//! [`sessions`] (signing up, in and out), [`refresh`] (going on with a session), [`credentials`] (changing and confirming a password), [`recovery`] (tokens that
//! are mailed), [`outside`] (issuers of others). Rows are in [`model`], all the SQL in `store` modules; `passwords`,
//! `tokens`, `revocation` and `throttle` each say what they promise.

mod checks;
pub mod credentials;
pub mod model;
pub mod outside;
mod passwords;
mod past;
pub mod recovery;
pub mod refresh;
mod revocation;
pub mod sessions;
mod store;
mod strength;
mod throttle;
mod tokens;
mod usage;

use std::{collections::HashSet, sync::Arc, sync::Mutex, sync::PoisonError, time::Duration};

use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use model::{
    Account, Admission, Client, Credential, NewUser, Session, SignedIn, UserId, Viewer,
};
use outside::{IssuerSettings, KeyAges, Outside};
use passwords::Passwords;
pub(crate) use passwords::is_known_hash;
pub(crate) use past::cleanups;
use revocation::Revocation;
use throttle::Throttle;
pub use throttle::{Limit, ThrottleSettings, limiter_pool};
use tokens::Tokens;
pub(crate) use tokens::hmac;

use crate::{
    db::{Connection, Database},
    error::Error,
};

/// How tokens are made and passwords hashed, whom else to believe, and how often what may be tried. Not `Debug`: it holds
/// the secret.
#[derive(Clone)]
pub struct AuthSettings {
    /// The key of access tokens, and what all other keys are made of; 32 bytes at least.
    pub secret: Vec<u8>,
    /// The `iss` of access tokens.
    pub issuer: String,
    /// The `aud` of access tokens.
    pub audience: String,
    /// How long an access token is good.
    pub access_lifetime: Duration,
    /// How long after its exchange a refresh token is still served.
    pub refresh_grace: Duration,
    /// Passwords that are hashed at a time.
    pub hashing_permits: usize,
    /// How often it is written down when sessions were last used.
    pub usage_interval: Duration,
    /// How often what may be tried.
    pub throttle: ThrottleSettings,
    /// Outside issuers whose tokens are taken.
    pub issuers: Vec<IssuerSettings>,
    /// How old their keys may be.
    pub key_ages: KeyAges,
}

/// Signing in and knowing who is signed in. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    passwords: Passwords,
    tokens: Tokens,
    revocation: Revocation,
    throttle: Throttle,
    outside: Outside,
    /// Sessions that were used since it was last written down.
    used: Mutex<HashSet<Uuid>>,
    refresh_grace: Duration,
    /// Told when a mail has been put into the outbox.
    mail_waits: Arc<Notify>,
    /// What goes on after its request has been answered.
    unfinished: TaskTracker,
}

impl Auth {
    /// With these settings, on that database. `limiter`: a pool of the rate limiter's own ([`limiter_pool`]).
    ///
    /// # Errors
    /// A message that names the issuer whose settings are wrong.
    pub fn new(
        database: Database,
        limiter: Database,
        settings: AuthSettings,
    ) -> Result<Auth, String> {
        let throttle_key = tokens::hmac(&settings.secret, &[b"snapnote throttle v1"]);
        let inner = Inner {
            passwords: Passwords::new(settings.hashing_permits),
            tokens: Tokens::new(
                &settings.secret,
                &settings.issuer,
                &settings.audience,
                settings.access_lifetime,
            ),
            revocation: Revocation::new(database.clone()),
            throttle: Throttle::new(limiter, settings.throttle, throttle_key),
            outside: Outside::new(
                settings.issuers,
                settings.key_ages,
                &settings.issuer,
                &settings.secret,
            )?,
            used: Mutex::default(),
            refresh_grace: settings.refresh_grace,
            mail_waits: Arc::default(),
            unfinished: TaskTracker::new(),
            database,
        };
        Ok(Auth {
            inner: Arc::new(inner),
        })
    }

    /// Who sends that token, one of ours or of an outside issuer. Somebody whom an issuer vouches for is made a user at
    /// first sight.
    ///
    /// # Errors
    /// UNAUTHENTICATED if it is nobody's, has expired, or has been revoked; FORBIDDEN if an issuer does not vouch for an
    /// address that another user has; UNAVAILABLE if it cannot be known.
    pub async fn viewer(&self, token: &str, client: &Client) -> Result<Viewer, Error> {
        Ok(self.admission(token, client).await?.viewer)
    }

    /// Who sends that token, as [`Auth::viewer`] finds out, and when it expires: for what goes on for longer than a request.
    ///
    /// # Errors
    /// As [`Auth::viewer`].
    pub async fn admission(&self, token: &str, client: &Client) -> Result<Admission, Error> {
        let admission = match self.inner.outside.verifier_of(token) {
            Some(verifier) => outside::admission(self, verifier, token, client).await?,
            None => self.of_access_token(token).await?,
        };
        admission.ok_or_else(|| {
            Error::unauthenticated(
                "The access token is not valid, or no longer. Sign in again, or refresh the session.",
            )
        })
    }

    async fn of_access_token(&self, token: &str) -> Result<Option<Admission>, Error> {
        let Some(access) = self.inner.tokens.verify_access(token) else {
            return Ok(None);
        };
        let (user_id, session) = (access.user_id, access.session);
        if !self.inner.revocation.is_open(user_id, session).await? {
            return Ok(None);
        }
        self.lock_used().insert(session);
        Ok(Some(Admission {
            viewer: Viewer {
                user_id,
                credential: Credential::Session(session),
            },
            expires_at: access.expires_at,
        }))
    }

    /// Changes whenever this process learns that something was revoked: whoever was admitted for longer than a request asks
    /// again then. That is at once for what this process revokes itself, and for the rest when any request comes, or with
    /// [`Auth::look_for_revoked`].
    pub fn revocations(&self) -> watch::Receiver<()> {
        self.inner.revocation.news()
    }

    /// Reads what was revoked, if nobody has within the last second.
    ///
    /// # Errors
    /// UNAVAILABLE if it cannot be known.
    pub async fn look_for_revoked(&self) -> Result<(), Error> {
        self.inner.revocation.look().await
    }

    /// How many passwords were hashed or verified since the process started.
    pub fn passwords_hashed(&self) -> u64 {
        self.inner.passwords.hashed()
    }

    /// Told whenever a mail has been put into the outbox.
    pub fn mail_waits(&self) -> Arc<Notify> {
        self.inner.mail_waits.clone()
    }

    /// The token that is mailed under that id.
    pub fn mailed_token(&self, id: Uuid) -> String {
        self.inner.tokens.mail(id)
    }

    /// Finishes what goes on though its request has been answered, and writes down what is only remembered.
    pub async fn finish(&self) {
        self.inner.unfinished.close();
        self.inner.unfinished.wait().await;
        if let Err(error) = self.note_usage().await {
            tracing::warn!(
                error = error.log_text(),
                "writing down when sessions were last used failed at the stop"
            );
        }
    }

    fn lock_used(&self) -> std::sync::MutexGuard<'_, HashSet<Uuid>> {
        self.inner
            .used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody may no longer sign in: this process asks at the next request, and need not wait to be told.
    pub(crate) fn somebody_left(&self) {
        self.inner.revocation.ask_again();
    }

    /// A connection on which what is written is logged as that client's.
    pub(crate) async fn connection(&self, client: &Client) -> Result<Connection, Error> {
        let conn = self.inner.database.connection().await?;
        Ok(conn.for_changes_from(client.origin()))
    }
}
