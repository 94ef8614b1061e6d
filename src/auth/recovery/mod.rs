//! Mailed tokens: reset a password, verify an email address, change it.
//!
//! A token is 256 bits, an HMAC of its id, so that it can be derived again when its mail is rendered. Only its SHA-256
//! is stored. One statement deletes the token and does what the token is for. A newer token of the same kind replaces
//! it.
//!
//! # Design decision
//! **An unknown address costs the same as a known one.** Responses are alike, and a request for a reset adds a row to
//! the outbox either way. The worker drops the row that has no token. Outbox rows are written in the same statement as
//! the change that they report; `mail` sends them.

mod store;

use uuid::Uuid;

use self::store::{Purpose, Verified};
use super::{
    Auth, credentials,
    model::{Client, SignedIn, Viewer},
    password_rules::{Password, check_new_password},
    tokens,
};
use crate::{
    email_address::EmailAddress,
    error::{Error, Failure, Refusal, RefusalCode},
    rules::Problems,
};

/// A new token to be mailed.
struct NewMailToken {
    id: Uuid,
    hash: Vec<u8>,
}

impl Auth {
    fn new_mail_token(&self) -> NewMailToken {
        let id = Uuid::now_v7();
        let hash = tokens::token_hash(&self.inner.tokens.mail(id));
        NewMailToken { id, hash }
    }
}

pub(super) fn invalid_token(field: &str) -> Refusal {
    let message = "The token is unknown, used or expired. Request a new one.";
    Refusal::of(field, RefusalCode::InvalidToken, message)
}

/// Mails a password reset token, if an active user has the address.
///
/// # Errors
/// The errors of the address. RATE_LIMITED. The result never reveals whether a user has the address.
pub async fn request_password_reset(
    auth: &Auth,
    email: &str,
    client: &Client,
) -> Result<(), Failure> {
    let email = EmailAddress::of_input("email", email)?;
    auth.inner.rate_limiter.password_reset(client).await?;
    let rate_limiter = &auth.inner.rate_limiter;
    if rate_limiter.reset_mail(email.key()).await {
        let token = auth.new_mail_token();
        let mut conn = auth.connection(client).await?;
        store::request_password_reset(&mut conn, &email, token).await?;
        auth.inner.mail_queued.notify_one();
    }
    Ok(())
}

/// Sets a new password with a mailed token, ends all sessions, and signs in. This verifies the address and voids all
/// other tokens. If the address was not verified before, external accounts are removed as well: their owner may never
/// have had the address.
///
/// # Errors
/// INVALID_TOKEN. The errors of the password. RATE_LIMITED.
pub async fn reset_password(
    auth: &Auth,
    token: &str,
    password: String,
    client: &Client,
) -> Result<SignedIn, Failure> {
    let password = Password::new(password);
    let mut problems = Problems::default();
    check_new_password(&mut problems, "newPassword", &password);
    problems.finish()?;
    auth.inner.rate_limiter.password_reset(client).await?;
    let token_hash = tokens::token_hash(token);
    let mut conn = auth.connection(client).await?;
    let owner = store::reset_token_owner(&mut conn, token_hash.clone()).await?;
    drop(conn);
    // Passwords are only hashed for valid tokens.
    let (email, name) = owner.ok_or_else(|| invalid_token("token"))?;
    auth.reject_weak_password("newPassword", &password, [&email, &name])
        .await?;
    let hash = auth.inner.passwords.hash(password).await?;
    let mut conn = auth.connection(client).await?;
    let session = auth.new_session();
    let session = store::reset_password(&mut conn, token_hash, &hash, session).await?;
    let session = session.ok_or_else(|| invalid_token("token"))?;
    auth.inner.mail_queued.notify_one();
    Ok(auth.signed_in(session)?)
}

/// Mails the viewer a token to verify their address. Does nothing if it is verified.
///
/// # Errors
/// Only UNAVAILABLE, TIMEOUT or INTERNAL.
pub async fn request_email_verification(
    auth: &Auth,
    viewer: &Viewer,
    client: &Client,
) -> Result<(), Error> {
    let mut conn = auth.connection(client).await?;
    let email = store::unverified_email(&mut conn, viewer.user_id).await?;
    // The rate limiter uses another connection, and no request holds two.
    drop(conn);
    let Some(email) = email else {
        return Ok(());
    };
    if auth.inner.rate_limiter.mail(&email).await {
        let token = auth.new_mail_token();
        let mut conn = auth.connection(client).await?;
        store::request_verification(&mut conn, viewer.user_id, token).await?;
        auth.inner.mail_queued.notify_one();
    }
    Ok(())
}

/// Mails a token to the new address, and notifies the current one. If another user has the new address, no token is
/// made, and the response is the same.
///
/// # Errors
/// The errors of the address. INVALID_CREDENTIALS. RATE_LIMITED.
pub async fn request_email_change(
    auth: &Auth,
    viewer: &Viewer,
    new_email: &str,
    password: Option<String>,
    client: &Client,
) -> Result<(), Failure> {
    let new_email = EmailAddress::of_input("newEmail", new_email)?;
    credentials::confirm(auth, viewer, password, client).await?;
    auth.inner.rate_limiter.email_change(viewer.user_id).await?;
    if auth.inner.rate_limiter.mail(new_email.key()).await {
        let token = auth.new_mail_token();
        let mut conn = auth.connection(client).await?;
        store::request_email_change(&mut conn, viewer.user_id, &new_email, token).await?;
        auth.inner.mail_queued.notify_one();
    }
    Ok(())
}

/// Verifies or changes the viewer's address with a mailed token.
///
/// # Errors
/// INVALID_TOKEN if the token is not one of the viewer's. TAKEN if another user has the new address by now.
pub async fn verify_email(
    auth: &Auth,
    viewer: &Viewer,
    token: &str,
    client: &Client,
) -> Result<(), Failure> {
    let token_hash = tokens::token_hash(token);
    let mut conn = auth.connection(client).await?;
    let purpose = store::purpose_of(&mut conn, viewer.user_id, token_hash.clone()).await?;
    let purpose = purpose.ok_or_else(|| invalid_token("token"))?;
    let user = viewer.user_id;
    let verified = match purpose {
        Purpose::Verification => store::verify_email(&mut conn, user, token_hash).await?,
        Purpose::Change => store::change_email(&mut conn, user, token_hash).await?,
    };
    match verified {
        Verified::Done => {
            auth.inner.mail_queued.notify_one();
            Ok(())
        }
        Verified::NoSuchToken => Err(invalid_token("token").into()),
        Verified::Taken => {
            let message =
                "Another user has the new address by now. Request a change to another address.";
            Err(Refusal::of("token", RefusalCode::Taken, message).into())
        }
    }
}
