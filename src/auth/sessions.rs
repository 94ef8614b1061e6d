//! Signing up, in and out; sessions. Going on with one is in `refresh`.

use std::{collections::HashMap, time::Duration};

use chrono::Utc;
use uuid::Uuid;

use super::{
    Auth,
    checks::{MOST_PASSWORD, check_new_password},
    credentials::{self, store::Credentials},
    model::{Client, NewUser, Session, SignedIn, UserId, Viewer},
    passwords::Verdict,
    store::{self, End, NewSession},
    tokens,
};
use crate::{
    db::Connection,
    email_address::EmailAddress,
    error::{Error, Failure, Refusal, RefusalCode},
    rules::Problems,
};

const MOST_NAME: usize = 255;
/// How long the log waits with a failed sign-in.
const AFTER_THE_ANSWER: Duration = Duration::from_millis(100);

impl Auth {
    pub(super) fn signed_in(&self, session: Session) -> Result<SignedIn, Error> {
        let (access_token, access_token_expires_at) =
            self.inner
                .tokens
                .access(session.user_id, session.id, Utc::now())?;
        let refresh_token = self.inner.tokens.refresh(session.id, session.generation);
        Ok(SignedIn {
            session,
            access_token,
            access_token_expires_at,
            refresh_token,
        })
    }

    pub(super) fn new_session<'a>(&self, client: &'a Client) -> NewSession<'a> {
        let id = Uuid::now_v7();
        let refresh_token_hash = tokens::stored(&self.inner.tokens.refresh(id, 1));
        NewSession {
            id,
            refresh_token_hash,
            client,
        }
    }
}

/// Makes a person and signs them in at once.
///
/// # Errors
/// What is wrong with the input; WEAK_PASSWORD; TAKEN if another user has the address: its owner gets a mail. RATE_LIMITED.
pub async fn sign_up(auth: &Auth, new: NewUser, client: &Client) -> Result<SignedIn, Failure> {
    let email = EmailAddress::of_input("email", &new.email);
    let mut problems = Problems::default();
    problems.note(&email);
    check_new_password(&mut problems, "password", &new.password);
    problems.text("name", &new.name, MOST_NAME);
    problems.finish()?;
    let email = email?;
    auth.inner.throttle.sign_up(client).await?;
    auth.refuse_weak("password", &new.password, [email.as_str(), &new.name])
        .await?;
    if store::email_taken(&mut auth.connection(client).await?, &email).await? {
        return Err(taken(auth, &email, client).await?.into());
    }
    let hash = auth.inner.passwords.hash(new.password).await?;
    let user = UserId(Uuid::now_v7());
    let session = store::sign_up(
        &mut auth.connection(client).await?,
        user,
        &email,
        &new.name,
        &hash,
        auth.new_session(client),
    )
    .await?;
    match session {
        Some(session) => Ok(auth.signed_in(session)?),
        None => Err(taken(auth, &email, client).await?.into()),
    }
}

/// Whoever has the address is told that somebody tried to sign up with it.
async fn taken(auth: &Auth, email: &EmailAddress, client: &Client) -> Result<Refusal, Error> {
    if auth.inner.throttle.mail(email.key()).await {
        store::tell_of_sign_up(&mut auth.connection(client).await?, email, client).await?;
        auth.inner.mail_waits.notify_one();
    }
    let message = "Somebody has signed up with this address.";
    Ok(Refusal::of("email", RefusalCode::Taken, message))
}

/// Signs somebody in. An unknown address costs what a known one costs.
///
/// # Errors
/// INVALID_CREDENTIALS, whichever of the two is wrong; RATE_LIMITED.
pub async fn sign_in(
    auth: &Auth,
    email: &str,
    password: String,
    client: &Client,
) -> Result<SignedIn, Failure> {
    // No user has an invalid address, or the empty one that is looked up in its place.
    let parsed = EmailAddress::parse(email).ok();
    let searched = parsed.as_ref().map_or("", EmailAddress::key);
    let throttle = &auth.inner.throttle;
    let found = match throttle.sign_in(email, searched, client).await? {
        Some(found) => found,
        None => auth.credentials(searched).await?,
    };
    let user = found.as_ref().map(|found| found.user_id);
    let mut attempt = auth.attempt(found, password.clone(), client).await?;
    if let Attempt::Overtaken = attempt {
        let found = auth.credentials(searched).await?;
        attempt = auth.attempt(found, password, client).await?;
    }
    if let Attempt::Opened(session) = attempt {
        return Ok(auth.signed_in(session)?);
    }
    // Not waited for: the answer would come later than one for an unknown address, which logs nothing.
    let logging = log_failed_sign_in(auth.clone(), user, client.clone());
    auth.inner.unfinished.spawn(logging);
    let message = "The e-mail address or the password is wrong.";
    Err(Refusal::general(RefusalCode::InvalidCredentials, message).into())
}

/// What became of a password and the credentials that were read.
enum Attempt {
    Opened(Session),
    Refused,
    /// The password is right by the hash that was read, but that has been replaced: at two first sign-ins of somebody who
    /// was imported, by the other one.
    Overtaken,
}

/// Begins when the answer is gone, so that it does not slow it; an unknown user's is the same statement, which writes nothing.
async fn log_failed_sign_in(auth: Auth, user: Option<UserId>, client: Client) {
    tokio::time::sleep(AFTER_THE_ANSWER).await;
    let user = user.unwrap_or(UserId(Uuid::nil()));
    let logged = match auth.connection(&client).await {
        Ok(mut conn) => store::log(&mut conn, user, None, "SIGN_IN_FAILED", &client).await,
        Err(error) => Err(error),
    };
    if let Err(error) = logged {
        tracing::warn!(
            error = error.log_text(),
            "a failed sign-in could not be logged"
        );
    }
}

impl Auth {
    /// Whose account that is, and what they can show.
    async fn credentials(&self, email: &str) -> Result<Option<Credentials>, Error> {
        let mut conn = self.inner.database.connection().await?;
        let (found, _) = credentials::store::credentials(&mut conn, email, None).await?;
        Ok(found)
    }

    /// Opens a session if that is their password.
    async fn attempt(
        &self,
        theirs: Option<Credentials>,
        password: String,
        client: &Client,
    ) -> Result<Attempt, Error> {
        let user = theirs.as_ref().map(|theirs| theirs.user_id);
        let hash = theirs.and_then(|theirs| theirs.password_hash);
        let verdict = self.verify(password.clone(), hash.clone()).await?;
        let (Some(user), Some(hash), Verdict::Right | Verdict::RightButOld) = (user, hash, verdict)
        else {
            return Ok(Attempt::Refused);
        };
        let replaced_by = self.rehash(verdict, password).await?;
        let checked = store::Checked { hash, replaced_by };
        let session = self.new_session(client);
        let mut conn = self.connection(client).await?;
        let opened = store::sign_in(&mut conn, user, checked, session, client.network()).await?;
        let Some((session, mailed)) = opened else {
            return Ok(Attempt::Overtaken);
        };
        if mailed {
            self.inner.mail_waits.notify_one();
        }
        Ok(Attempt::Opened(session))
    }

    /// Nobody's password is longer than it may be: hashing a megabyte would be a way to keep the service busy.
    pub(super) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<Verdict, Error> {
        let fits = password.chars().count() <= MOST_PASSWORD;
        let password = if fits { password } else { String::new() };
        let verdict = self.inner.passwords.verify(password, hash).await?;
        Ok(if fits { verdict } else { Verdict::Wrong })
    }

    /// A hash of our own for a password that is right by one of another system.
    async fn rehash(&self, verdict: Verdict, password: String) -> Result<Option<String>, Error> {
        match verdict {
            Verdict::RightButOld => Ok(Some(self.inner.passwords.hash(password).await?)),
            Verdict::Right | Verdict::Wrong => Ok(None),
        }
    }
}

/// Ends the viewer's session; `false` if they have none here, an outside issuer vouching for them.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone.
pub async fn sign_out(auth: &Auth, viewer: &Viewer, client: &Client) -> Result<bool, Error> {
    let Some(session) = viewer.session_id() else {
        return Ok(false);
    };
    let mut conn = auth.connection(client).await?;
    store::end(&mut conn, viewer.user_id, session, End::SignedOut, client).await?;
    auth.inner.revocation.forget(session);
    Ok(true)
}

/// Ends one of the viewer's sessions; answers those that are still open, newest first.
///
/// # Errors
/// NOT_FOUND if it is not open, or not theirs.
pub async fn revoke_session(
    auth: &Auth,
    viewer: &Viewer,
    session: Uuid,
    client: &Client,
) -> Result<Vec<Session>, Failure> {
    let mut conn = auth.connection(client).await?;
    let how = End::Revoked;
    if !store::end(&mut conn, viewer.user_id, session, how, client).await? {
        let message = "There is no such open session.";
        return Err(Refusal::of("sessionId", RefusalCode::NotFound, message).into());
    }
    auth.inner.revocation.forget(session);
    Ok(store::open_sessions(&mut conn, vec![viewer.user_id.0]).await?)
}

/// Ends all of the viewer's sessions but the current one; answers those that are still open.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone.
pub async fn revoke_other_sessions(
    auth: &Auth,
    viewer: &Viewer,
    client: &Client,
) -> Result<Vec<Session>, Error> {
    let mut conn = auth.connection(client).await?;
    let ended = store::end_others(&mut conn, viewer, client).await?;
    auth.inner.revocation.forget_all(ended);
    store::open_sessions(&mut conn, vec![viewer.user_id.0]).await
}

/// The viewer's open session with that id.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone.
pub async fn find_session(
    auth: &Auth,
    viewer: &Viewer,
    id: Uuid,
) -> Result<Option<Session>, Error> {
    let mut conn = auth.inner.database.connection().await?;
    let session = store::open_session(&mut conn, id).await?;
    Ok(session.filter(|session| session.user_id == viewer.user_id))
}

/// The open sessions of these users, by their ids, newest first; 1,000 of each at most.
pub(crate) async fn open_sessions(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<HashMap<Uuid, Vec<Session>>, Error> {
    let mut sessions: HashMap<Uuid, Vec<Session>> =
        users.iter().map(|user| (*user, Vec::new())).collect();
    for session in store::open_sessions(conn, users).await? {
        sessions.entry(session.user_id.0).or_default().push(session);
    }
    Ok(sessions)
}
