//! Passwords of those who are signed in: changing one, and confirming who one is before what cannot be undone.

pub(super) mod store;

use std::collections::HashMap;

use chrono::{TimeDelta, Utc};
use uuid::Uuid;

use self::store::NewPassword;
use super::{
    Auth,
    checks::check_new_password,
    model::{Account, Client, Credential, Viewer},
    passwords::Verdict,
    strength,
};
use crate::{
    db::Connection,
    error::{Error, Failure, Refusal, RefusalCode},
    rules::Problems,
};

/// How long ago somebody without a password must have signed in at their issuer, at most.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// How far the issuer's clock may be ahead.
const AHEAD: TimeDelta = TimeDelta::minutes(1);

/// Changes the viewer's password, ends all their other sessions, and mails them.
///
/// # Errors
/// INVALID_CREDENTIALS if the current one is wrong, or they have none; what is wrong with the new one; RATE_LIMITED.
pub async fn change_password(
    auth: &Auth,
    viewer: &Viewer,
    current: String,
    new: String,
    client: &Client,
) -> Result<(), Failure> {
    let mut problems = Problems::default();
    check_new_password(&mut problems, "newPassword", &new);
    problems.finish()?;
    let theirs = auth.credentials_of(viewer, client).await?;
    let Some(hash) = theirs.password_hash.clone() else {
        let message = "There is no password yet: ask for a password reset to set one.";
        return Err(wrong_password("currentPassword", message));
    };
    if auth.verify(current, Some(hash.clone())).await? == Verdict::Wrong {
        return Err(auth.refused(viewer, "currentPassword", client).await?);
    }
    auth.refuse_weak("newPassword", &new, [&theirs.email, &theirs.name])
        .await?;
    let new_hash = auth.inner.passwords.hash(new).await?;
    let password = NewPassword {
        hash: &hash,
        new_hash: &new_hash,
        // An address that nobody has verified may be a stranger's.
        told: theirs.email_verified || auth.inner.throttle.mail(&theirs.email).await,
    };
    let mut conn = auth.connection(client).await?;
    let Some(ended) = store::change_password(&mut conn, viewer, password, client).await? else {
        // It was changed, or they were deactivated, since it was read.
        return Err(wrong_password("currentPassword", "The password is wrong."));
    };
    auth.inner.revocation.forget_all(ended);
    auth.inner.mail_waits.notify_one();
    Ok(())
}

/// Makes sure that it is the viewer themselves: by their password; if they have none, by having signed in at their issuer
/// within the last 5 minutes. `field`: of the input, where the password stands.
///
/// # Errors
/// INVALID_CREDENTIALS; RATE_LIMITED: a try at a password counts as one to sign in from there.
pub async fn confirm(
    auth: &Auth,
    viewer: &Viewer,
    password: Option<String>,
    client: &Client,
) -> Result<(), Failure> {
    let field = "password";
    let theirs = auth.credentials_of(viewer, client).await?;
    match (theirs.password_hash, password) {
        (Some(hash), Some(password)) => match auth.verify(password, Some(hash)).await? {
            Verdict::Wrong => Err(auth.refused(viewer, field, client).await?),
            Verdict::Right | Verdict::RightButOld => Ok(()),
        },
        (Some(_), None) => Err(wrong_password(field, "Your password is needed for this.")),
        (None, _) if signed_in_lately(viewer) => Ok(()),
        (None, _) => Err(wrong_password(
            field,
            "Sign in at your identity provider again first: it must have been within the last 5 minutes.",
        )),
    }
}

fn signed_in_lately(viewer: &Viewer) -> bool {
    let Credential::Outside {
        signed_in_at: Some(at),
    } = viewer.credential
    else {
        return false;
    };
    (-AHEAD..=FRESH).contains(&(Utc::now() - at))
}

fn wrong_password(field: &str, message: &str) -> Failure {
    Refusal::of(field, RefusalCode::InvalidCredentials, message).into()
}

/// What these users can sign in with, by their ids, oldest first.
pub(crate) async fn accounts(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<Account>>, Error> {
    let mut accounts: HashMap<Uuid, Vec<Account>> =
        users.iter().map(|user| (*user, Vec::new())).collect();
    for (user, account) in store::accounts(conn, users).await? {
        accounts.entry(user).or_default().push(account);
    }
    Ok(accounts)
}

impl Auth {
    /// What the viewer could show; a try at their password is counted.
    async fn credentials_of(
        &self,
        viewer: &Viewer,
        client: &Client,
    ) -> Result<store::Credentials, Failure> {
        let mut conn = self.connection(client).await?;
        let found = store::credentials_of(&mut conn, viewer.user_id).await?;
        drop(conn);
        let theirs = found.ok_or_else(|| Error::unauthenticated("This user is gone."))?;
        if theirs.password_hash.is_some() {
            let throttle = &self.inner.throttle;
            throttle.confirm(&theirs.email, viewer, client).await?;
        }
        Ok(theirs)
    }

    /// Logs that a password was wrong, and says so.
    async fn refused(
        &self,
        viewer: &Viewer,
        field: &str,
        client: &Client,
    ) -> Result<Failure, Error> {
        let user = viewer.user_id;
        let mut conn = self.connection(client).await?;
        super::store::log(&mut conn, user, Some(user), "PASSWORD_REFUSED", client).await?;
        Ok(wrong_password(field, "The password is wrong."))
    }

    /// Refuses a new password that is known from leaks or easy to guess, `about_them` being known to whoever guesses.
    ///
    /// # Errors
    /// WEAK_PASSWORD.
    pub(super) async fn refuse_weak(
        &self,
        field: &str,
        password: &str,
        about_them: [&str; 2],
    ) -> Result<(), Failure> {
        let (judged, about_them) = (password.to_owned(), about_them.map(str::to_owned));
        let is_weak = self.inner.passwords.off_the_async_threads(move || {
            let [email, name] = &about_them;
            strength::is_weak(&judged, &[email, name])
        });
        if is_weak.await? {
            let message = "This password is known from leaks or too easy to guess.";
            return Err(Refusal::of(field, RefusalCode::WeakPassword, message).into());
        }
        Ok(())
    }
}
