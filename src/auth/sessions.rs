//! Signing up, in and out, and sessions. `refresh` continues a session.
//!
//! # Design decisions
//! - **An unknown address costs the same time as a known one.** A sign-in hashes a password in both cases, and logs a
//!   failure after the response.
//! - Signing up does reveal that an address is taken, and notifies its owner by mail.

use std::{collections::HashMap, time::Duration};

use chrono::Utc;
use uuid::Uuid;

use super::{
    Auth,
    credentials::{self, store::Credentials},
    model::{Client, MAX_NAME_LENGTH, Session, SignUpInput, SignedIn, UserId, Viewer, by_user_id},
    password_rules::{Password, check_new_password},
    passwords::Verdict,
    store::{self, NewSession},
    tokens,
};
use crate::{
    db::Connection,
    email_address::EmailAddress,
    error::{Error, Failure, Refusal, RefusalCode},
    rules::Problems,
};

/// Delay before a failed sign-in is logged.
const LOG_DELAY: Duration = Duration::from_millis(100);

impl Auth {
    /// The tokens of a session whose newest refresh token this process made.
    pub(super) fn signed_in(&self, session: Session) -> Result<SignedIn, Error> {
        let refresh_token = self.inner.tokens.refresh(session.id, session.generation);
        self.signed_in_with(session, refresh_token)
    }

    /// The tokens of a session with this newest refresh token.
    pub(super) fn signed_in_with(
        &self,
        session: Session,
        refresh_token: String,
    ) -> Result<SignedIn, Error> {
        let (access_token, access_token_expires_at) =
            self.inner
                .tokens
                .access(session.user_id, session.id, Utc::now())?;
        Ok(SignedIn {
            session,
            access_token,
            access_token_expires_at,
            refresh_token,
        })
    }

    pub(super) fn new_session(&self) -> NewSession {
        let id = Uuid::now_v7();
        NewSession {
            id,
            refresh_token_hash: tokens::token_hash(&self.inner.tokens.refresh(id, 1)),
        }
    }
}

/// Creates a user and signs them in.
///
/// # Errors
/// The errors of the input. WEAK_PASSWORD. TAKEN if another user has the address; that user gets a mail. RATE_LIMITED.
pub async fn sign_up(auth: &Auth, new: SignUpInput, client: &Client) -> Result<SignedIn, Failure> {
    let email = EmailAddress::of_input("email", &new.email);
    let password = Password::new(new.password);
    let mut problems = Problems::default();
    problems.note(&email);
    check_new_password(&mut problems, "password", &password);
    problems.text("name", &new.name, MAX_NAME_LENGTH);
    problems.finish()?;
    let email = email?;
    let reserved = auth.inner.rate_limiter.sign_up(client).await?;
    let signed_up = create_user(auth, &email, &new.name, password, client).await;
    if signed_up.is_err() {
        auth.inner.rate_limiter.give_back(reserved).await;
    }
    signed_up
}

async fn create_user(
    auth: &Auth,
    email: &EmailAddress,
    name: &str,
    password: Password,
    client: &Client,
) -> Result<SignedIn, Failure> {
    auth.reject_weak_password("password", &password, [email.as_str(), name])
        .await?;
    if store::email_taken(&mut auth.connection(client).await?, email).await? {
        return Err(email_taken(auth, email, client).await?.into());
    }
    let hash = auth.inner.passwords.hash(password).await?;
    let user = UserId(Uuid::now_v7());
    let session = store::sign_up(
        &mut auth.connection(client).await?,
        user,
        email,
        name,
        &hash,
        auth.new_session(),
    )
    .await?;
    match session {
        Some(session) => Ok(auth.signed_in(session)?),
        None => Err(email_taken(auth, email, client).await?.into()),
    }
}

/// Notifies the owner of the address by mail about the attempt to sign up.
async fn email_taken(auth: &Auth, email: &EmailAddress, client: &Client) -> Result<Refusal, Error> {
    if auth.inner.rate_limiter.mail(email.key()).await {
        store::mail_sign_up_attempt(&mut auth.connection(client).await?, email).await?;
        auth.inner.mail_queued.notify_one();
    }
    let message = "Another user has this email address. Sign in, or use another address.";
    Ok(Refusal::of("email", RefusalCode::Taken, message))
}

/// Signs a user in. Unknown addresses cost the same time as known ones.
///
/// # Errors
/// INVALID_CREDENTIALS if the address or the password is wrong; the error does not reveal which. RATE_LIMITED.
pub async fn sign_in(
    auth: &Auth,
    email: &str,
    password: String,
    client: &Client,
) -> Result<SignedIn, Failure> {
    let password = Password::new(password);
    // No user has an invalid address, nor the empty one that replaces it in the lookup.
    let parsed = EmailAddress::parse(email).ok();
    let searched = parsed.as_ref().map_or("", EmailAddress::key);
    let rate_limiter = &auth.inner.rate_limiter;
    let found = match rate_limiter.sign_in(email, searched, client).await? {
        Some(found) => found,
        None => auth.credentials(searched).await?,
    };
    let user = found.as_ref().map(|found| found.user_id);
    let mut attempt = auth.attempt(found, password.clone(), client).await?;
    if let Attempt::HashReplaced = attempt {
        let found = auth.credentials(searched).await?;
        attempt = auth.attempt(found, password, client).await?;
    }
    if let Attempt::Opened(session) = attempt {
        return Ok(auth.signed_in(session)?);
    }
    // Runs in the background: waiting for it would make the response slower than for an unknown address, which logs
    // nothing.
    let logging = log_failed_sign_in(auth.clone(), user, client.clone());
    auth.inner.background_tasks.spawn(logging);
    let message = "The email address or the password is wrong.";
    Err(Refusal::general(RefusalCode::InvalidCredentials, message).into())
}

/// The result of comparing a password with the credentials that were read.
enum Attempt {
    Opened(Session),
    Refused,
    /// The password matches the hash that was read, but that hash has been replaced since. This happens when an
    /// imported user signs in for the first time twice at once.
    HashReplaced,
}

/// Starts after the response was sent, so as not to delay it. For an unknown user the same statement runs and writes
/// nothing.
async fn log_failed_sign_in(auth: Auth, user: Option<UserId>, client: Client) {
    tokio::time::sleep(LOG_DELAY).await;
    let user = user.unwrap_or(UserId(Uuid::nil()));
    let logging = async {
        let mut conn = auth.connection(&client).await?;
        store::log(&mut conn, user, None, "SIGN_IN_FAILED").await
    };
    if let Err(error) = logging.await {
        tracing::warn!(error = error.log_text(), "logging a failed sign-in failed");
    }
}

impl Auth {
    /// The credentials of the account with this address.
    async fn credentials(&self, email: &str) -> Result<Option<Credentials>, Error> {
        let mut conn = self.inner.database.connection().await?;
        let (found, _) = credentials::store::credentials(&mut conn, email, None).await?;
        Ok(found)
    }

    /// Opens a session if the password is right.
    async fn attempt(
        &self,
        credentials: Option<Credentials>,
        password: Password,
        client: &Client,
    ) -> Result<Attempt, Error> {
        let user = credentials.as_ref().map(|credentials| credentials.user_id);
        let hash = credentials.and_then(|credentials| credentials.password_hash);
        let verdict = self.verify(password.clone(), hash.clone()).await?;
        let (Some(user), Some(hash), Verdict::Right | Verdict::RightButOutdated) =
            (user, hash, verdict)
        else {
            return Ok(Attempt::Refused);
        };
        let replaced_by = match verdict {
            Verdict::RightButOutdated => Some(self.inner.passwords.hash(password).await?),
            Verdict::Right | Verdict::Wrong => None,
        };
        let checked = store::VerifiedPassword { hash, replaced_by };
        let session = self.new_session();
        let mut conn = self.connection(client).await?;
        let opened = store::sign_in(&mut conn, user, checked, session, client.network()).await?;
        let Some((session, mailed)) = opened else {
            return Ok(Attempt::HashReplaced);
        };
        if mailed {
            self.inner.mail_queued.notify_one();
        }
        Ok(Attempt::Opened(session))
    }

    /// Longer passwords are never right. They are not hashed, since hashing a megabyte would keep the service busy.
    pub(super) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
    ) -> Result<Verdict, Error> {
        let fits = password.fits();
        let password = if fits {
            password
        } else {
            Password::new(String::new())
        };
        let verdict = self.inner.passwords.verify(password, hash).await?;
        Ok(if fits { verdict } else { Verdict::Wrong })
    }
}

/// Ends the viewer's session. `false` if the token is an external provider's, which has no session here.
///
/// # Errors
/// Only UNAVAILABLE, TIMEOUT or INTERNAL.
pub async fn sign_out(auth: &Auth, viewer: &Viewer, client: &Client) -> Result<bool, Error> {
    let Some(session) = viewer.session_id() else {
        return Ok(false);
    };
    let mut conn = auth.connection(client).await?;
    store::end(&mut conn, viewer.user_id, session, "SIGN_OUT").await?;
    auth.inner.revocation.forget(session);
    Ok(true)
}

/// Ends one of the viewer's sessions. Returns those that are still open, newest first.
///
/// # Errors
/// NOT_FOUND if the session is not open or belongs to another user.
pub async fn revoke_session(
    auth: &Auth,
    viewer: &Viewer,
    session: Uuid,
    client: &Client,
) -> Result<Vec<Session>, Failure> {
    let mut conn = auth.connection(client).await?;
    if !store::end(&mut conn, viewer.user_id, session, "SESSION_REVOKED").await? {
        let message = "No open session has this id.";
        return Err(Refusal::of("sessionId", RefusalCode::NotFound, message).into());
    }
    auth.inner.revocation.forget(session);
    Ok(store::open_sessions(&mut conn, vec![viewer.user_id.0]).await?)
}

/// Ends all of the viewer's sessions except the current one. Returns those that are still open.
///
/// # Errors
/// Only UNAVAILABLE, TIMEOUT or INTERNAL.
pub async fn revoke_other_sessions(
    auth: &Auth,
    viewer: &Viewer,
    client: &Client,
) -> Result<Vec<Session>, Error> {
    let mut conn = auth.connection(client).await?;
    let ended = store::end_others(&mut conn, viewer).await?;
    auth.inner.revocation.forget_all(ended);
    store::open_sessions(&mut conn, vec![viewer.user_id.0]).await
}

/// The viewer's open session with this id.
///
/// # Errors
/// Only UNAVAILABLE, TIMEOUT or INTERNAL.
pub async fn find_session(
    auth: &Auth,
    viewer: &Viewer,
    id: Uuid,
) -> Result<Option<Session>, Error> {
    let session = store::open_session(&auth.inner.database, id).await?;
    Ok(session.filter(|session| session.user_id == viewer.user_id))
}

/// The open sessions of these users by user id, newest first. Maximum 1,000 per user.
pub(crate) async fn open_sessions(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<Session>>, Error> {
    let sessions = store::open_sessions(conn, users.clone()).await?;
    let by_user = sessions
        .into_iter()
        .map(|session| (session.user_id.0, session));
    Ok(by_user_id(users, by_user))
}
