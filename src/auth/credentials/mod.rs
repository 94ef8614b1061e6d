//! Passwords of signed-in users: changing one, and confirming the user's identity before irreversible commands.

pub(super) mod store;

use std::collections::HashMap;

use chrono::{TimeDelta, Utc};
use uuid::Uuid;

use self::store::NewPassword;
use super::{
    Auth,
    model::{Account, Client, Credential, Viewer, by_user_id},
    password_rules::{Password, check_new_password},
    password_strength,
    passwords::Verdict,
    token_times::LEEWAY,
};
use crate::{
    db::Connection,
    error::{Error, Failure, Refusal, RefusalCode},
    rules::Problems,
};

/// Users without a password must have signed in with their provider within this time.
const MAX_SIGN_IN_AGE: TimeDelta = TimeDelta::minutes(5);

/// Changes the viewer's password, ends all their other sessions, and notifies them by mail.
///
/// # Errors
/// INVALID_CREDENTIALS if the current password is wrong or there is none. The errors of the new password. RATE_LIMITED.
pub async fn change_password(
    auth: &Auth,
    viewer: &Viewer,
    current: String,
    new: String,
    client: &Client,
) -> Result<(), Failure> {
    let (current, new) = (Password::new(current), Password::new(new));
    let mut problems = Problems::default();
    check_new_password(&mut problems, "newPassword", &new);
    problems.finish()?;
    let credentials = auth.credentials_of(viewer, client).await?;
    let Some(hash) = credentials.password_hash.clone() else {
        let message = "This account has no password. Request a password reset to set one.";
        return Err(wrong_password("currentPassword", message));
    };
    if auth.verify(current, Some(hash.clone())).await? == Verdict::Wrong {
        return Err(auth
            .log_wrong_password(viewer, "currentPassword", client)
            .await?);
    }
    auth.reject_weak_password("newPassword", &new, [&credentials.email, &credentials.name])
        .await?;
    let new_hash = auth.inner.passwords.hash(new).await?;
    let password = NewPassword {
        hash: &hash,
        new_hash: &new_hash,
        // An unverified address may belong to a stranger.
        notify: credentials.email_verified
            || auth.inner.rate_limiter.mail(&credentials.email).await,
    };
    let mut conn = auth.connection(client).await?;
    let Some(ended) = store::change_password(&mut conn, viewer, password).await? else {
        // The password was changed, or the user deactivated, since the hash was read.
        return Err(wrong_password("currentPassword", "The password is wrong."));
    };
    auth.inner.revocation.forget_all(ended);
    auth.inner.mail_queued.notify_one();
    Ok(())
}

/// Confirms the viewer's identity: by their password, or, if they have none, by a sign-in with their provider within
/// the last 5 minutes.
///
/// # Errors
/// INVALID_CREDENTIALS for `input.password`. RATE_LIMITED: each attempt counts as an attempt to sign in.
pub async fn confirm(
    auth: &Auth,
    viewer: &Viewer,
    password: Option<String>,
    client: &Client,
) -> Result<(), Failure> {
    let field = "password";
    let credentials = auth.credentials_of(viewer, client).await?;
    match (credentials.password_hash, password.map(Password::new)) {
        (Some(hash), Some(password)) => match auth.verify(password, Some(hash)).await? {
            Verdict::Wrong => Err(auth.log_wrong_password(viewer, field, client).await?),
            Verdict::Right | Verdict::RightButOutdated => Ok(()),
        },
        (Some(_), None) => Err(wrong_password(field, "This change requires your password.")),
        (None, _) if signed_in_recently(viewer) => Ok(()),
        (None, _) => Err(wrong_password(
            field,
            "This change requires a sign-in within the last 5 minutes. Sign in with your identity provider again.",
        )),
    }
}

fn signed_in_recently(viewer: &Viewer) -> bool {
    let Credential::External {
        signed_in_at: Some(at),
    } = viewer.credential
    else {
        return false;
    };
    (-LEEWAY..=MAX_SIGN_IN_AGE).contains(&(Utc::now() - at))
}

fn wrong_password(field: &str, message: &str) -> Failure {
    Refusal::of(field, RefusalCode::InvalidCredentials, message).into()
}

/// The accounts of these users by user id, oldest first.
pub(crate) async fn accounts(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<Account>>, Error> {
    let accounts = store::accounts(conn, users.clone()).await?;
    Ok(by_user_id(users, accounts))
}

impl Auth {
    /// The viewer's credentials. Counts an attempt against the rate limits if there is a password.
    async fn credentials_of(
        &self,
        viewer: &Viewer,
        client: &Client,
    ) -> Result<store::Credentials, Failure> {
        let mut conn = self.connection(client).await?;
        let found = store::credentials_of(&mut conn, viewer.user_id).await?;
        drop(conn);
        let credentials = found.ok_or_else(|| Error::unauthenticated("This user was deleted."))?;
        if credentials.password_hash.is_some() {
            let rate_limiter = &self.inner.rate_limiter;
            rate_limiter
                .confirm(&credentials.email, viewer, client)
                .await?;
        }
        Ok(credentials)
    }

    /// Logs a wrong password, and returns the error for the caller.
    async fn log_wrong_password(
        &self,
        viewer: &Viewer,
        field: &str,
        client: &Client,
    ) -> Result<Failure, Error> {
        let user = viewer.user_id;
        let mut conn = self.connection(client).await?;
        super::store::log(&mut conn, user, Some(user), "PASSWORD_REFUSED").await?;
        Ok(wrong_password(field, "The password is wrong."))
    }

    /// Rejects a new password that is leaked or easy to guess, also for attackers who know `known_about_user`.
    ///
    /// # Errors
    /// WEAK_PASSWORD.
    pub(super) async fn reject_weak_password(
        &self,
        field: &str,
        password: &Password,
        known_about_user: [&str; 2],
    ) -> Result<(), Failure> {
        let (password, known_about_user) = (password.clone(), known_about_user.map(str::to_owned));
        let is_weak = self.inner.passwords.run_blocking(move || {
            let [email, name] = &known_about_user;
            password_strength::is_weak(password.normalized(), &[email, name])
        });
        if is_weak.await? {
            let message =
                "This password has been leaked or is too easy to guess. Choose another one.";
            return Err(Refusal::of(field, RefusalCode::WeakPassword, message).into());
        }
        Ok(())
    }
}
