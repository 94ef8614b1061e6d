//! Tokens that are mailed: resetting a password, verifying an address, changing it.
//!
//! A token is 256 bits, an HMAC of its id, so that it can be made again when its mail is written, and stands nowhere: its
//! SHA-256 is stored. It is used by one statement that deletes it and does what it is for; a newer one of its kind replaces
//! it. Whoever asks learns nothing of who has which address: all answers are alike, and cost alike. Mails are rows of the
//! outbox, written together with what they tell of; `mail` sends them.

mod store;

use uuid::Uuid;

use self::store::{Purpose, Verified};
use super::{
    Auth,
    checks::check_new_password,
    credentials,
    model::{Client, SignedIn, Viewer},
    tokens,
};
use crate::{
    email_address::EmailAddress,
    error::{Error, Failure, Refusal, RefusalCode},
    rules::Problems,
};

/// A token to be mailed.
struct Mailed {
    id: Uuid,
    hash: Vec<u8>,
}

impl Auth {
    fn new_mailed_token(&self) -> Mailed {
        let id = Uuid::now_v7();
        let hash = tokens::stored(&self.inner.tokens.mail(id));
        Mailed { id, hash }
    }
}

pub(super) fn invalid_token(field: &str) -> Refusal {
    let message = "The token is unknown, used or expired.";
    Refusal::of(field, RefusalCode::InvalidToken, message)
}

/// Mails a token to reset a password with, if an active user has that address.
///
/// # Errors
/// What is wrong with the address; RATE_LIMITED. Never whether somebody has it.
pub async fn request_password_reset(
    auth: &Auth,
    email: &str,
    client: &Client,
) -> Result<(), Failure> {
    let email = EmailAddress::of_input("email", email)?;
    auth.inner.throttle.password_reset(client).await?;
    if auth.inner.throttle.reset_mail(email.key()).await {
        let token = auth.new_mailed_token();
        let mut conn = auth.connection(client).await?;
        store::request_password_reset(&mut conn, &email, token, client).await?;
        auth.inner.mail_waits.notify_one();
    }
    Ok(())
}

/// Sets a new password by a mailed token, ends all sessions, and signs in. The address is verified thereby, and all other
/// tokens are void. If it was not verified before, outside accounts are removed, too: whoever came with them may never
/// have had the address.
///
/// # Errors
/// INVALID_TOKEN; what is wrong with the password; RATE_LIMITED.
pub async fn reset_password(
    auth: &Auth,
    token: &str,
    password: String,
    client: &Client,
) -> Result<SignedIn, Failure> {
    let mut problems = Problems::default();
    check_new_password(&mut problems, "newPassword", &password);
    problems.finish()?;
    auth.inner.throttle.password_reset(client).await?;
    let stored = tokens::stored(token);
    let mut conn = auth.connection(client).await?;
    let whose = store::reset_of(&mut conn, stored.clone()).await?;
    drop(conn);
    // Only then is a password hashed for them.
    let (email, name) = whose.ok_or_else(|| invalid_token("token"))?;
    auth.refuse_weak("newPassword", &password, [&email, &name])
        .await?;
    let hash = auth.inner.passwords.hash(password).await?;
    let mut conn = auth.connection(client).await?;
    let session = auth.new_session(client);
    let session = store::reset_password(&mut conn, stored, &hash, session).await?;
    let session = session.ok_or_else(|| invalid_token("token"))?;
    auth.inner.mail_waits.notify_one();
    Ok(auth.signed_in(session)?)
}

/// Mails the viewer a token to verify their address with; nothing if it is verified.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone.
pub async fn request_email_verification(
    auth: &Auth,
    viewer: &Viewer,
    client: &Client,
) -> Result<(), Error> {
    let mut conn = auth.connection(client).await?;
    let email = store::unverified_email(&mut conn, viewer.user_id).await?;
    // The throttle wants a connection of its own, and nobody holds two.
    drop(conn);
    let Some(email) = email else {
        return Ok(());
    };
    if auth.inner.throttle.mail(&email).await {
        let token = auth.new_mailed_token();
        let mut conn = auth.connection(client).await?;
        store::request_verification(&mut conn, viewer.user_id, token).await?;
        auth.inner.mail_waits.notify_one();
    }
    Ok(())
}

/// Mails a token to the address that the viewer wants to have, and tells the one that they have. If somebody has it
/// already, no token is made; the answer is the same.
///
/// # Errors
/// What is wrong with the address; INVALID_CREDENTIALS; RATE_LIMITED.
pub async fn request_email_change(
    auth: &Auth,
    viewer: &Viewer,
    new_email: &str,
    password: Option<String>,
    client: &Client,
) -> Result<(), Failure> {
    let new_email = EmailAddress::of_input("newEmail", new_email)?;
    credentials::confirm(auth, viewer, password, client).await?;
    auth.inner.throttle.email_change(viewer.user_id).await?;
    if auth.inner.throttle.mail(new_email.key()).await {
        let token = auth.new_mailed_token();
        let mut conn = auth.connection(client).await?;
        store::request_change(&mut conn, viewer.user_id, &new_email, token, client).await?;
        auth.inner.mail_waits.notify_one();
    }
    Ok(())
}

/// Verifies the viewer's address, or changes it, by a mailed token.
///
/// # Errors
/// INVALID_TOKEN if it is not one of theirs; TAKEN if somebody has the new address by now.
pub async fn verify_email(
    auth: &Auth,
    viewer: &Viewer,
    token: &str,
    client: &Client,
) -> Result<(), Failure> {
    let stored = tokens::stored(token);
    let mut conn = auth.connection(client).await?;
    let purpose = store::purpose_of(&mut conn, viewer.user_id, stored.clone()).await?;
    let purpose = purpose.ok_or_else(|| invalid_token("token"))?;
    let user = viewer.user_id;
    let verified = match purpose {
        Purpose::Verification => store::verify(&mut conn, user, stored, client).await?,
        Purpose::Change => store::change_email(&mut conn, user, stored, client).await?,
    };
    match verified {
        Verified::Done => {
            auth.inner.mail_waits.notify_one();
            Ok(())
        }
        Verified::NoSuchToken => Err(invalid_token("token").into()),
        Verified::Taken => {
            let message = "Somebody has signed up with the new address in the meantime.";
            Err(Refusal::of("token", RefusalCode::Taken, message).into())
        }
    }
}
