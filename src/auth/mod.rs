//! Who somebody is: signing up, in and out, tokens, sessions.
//!
//! Access tokens are short JWTs that are verified here alone ([`Auth::viewer`]); refresh tokens rotate at every use, and one
//! that is used again ends its session. The rules are here, the rows in [`model`], all the SQL in `store`; `passwords`,
//! `tokens` and `revocation` each say what they promise.

pub mod model;
mod passwords;
mod revocation;
mod store;
mod tokens;

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use uuid::Uuid;

pub use model::{Client, NewUser, Session, SignedIn, UserId, Viewer};
use passwords::Passwords;
use revocation::Revocation;
use store::{End, NewSession};
use tokens::Tokens;

use crate::{
    db::Database,
    error::{Error, Failure, Refusal, RefusalCode},
    rules::Problems,
};

const MOST_EMAIL: usize = 255;
const MOST_NAME: usize = 255;
const LEAST_PASSWORD: usize = 8;
const MOST_PASSWORD: usize = 128;
/// How long forgetting rests between two steps, so that it is never what a request waits for.
const REST: Duration = Duration::from_millis(50);

/// How tokens are made and passwords hashed. Not `Debug`: it holds the secret.
#[derive(Clone)]
pub struct AuthSettings {
    /// The key of access tokens, and what that of refresh tokens is made of; 32 bytes at least.
    pub secret: Vec<u8>,
    /// The `iss` of access tokens.
    pub issuer: String,
    /// The `aud` of access tokens.
    pub audience: String,
    /// How long an access token is good.
    pub access_lifetime: Duration,
    /// Passwords that are hashed at a time.
    pub hashing_permits: usize,
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
}

impl Auth {
    /// With these settings, on that database.
    pub fn new(database: Database, settings: &AuthSettings) -> Auth {
        let inner = Inner {
            passwords: Passwords::new(settings.hashing_permits),
            tokens: Tokens::new(
                &settings.secret,
                &settings.issuer,
                &settings.audience,
                settings.access_lifetime,
            ),
            revocation: Revocation::new(database.clone()),
            database,
        };
        Auth {
            inner: Arc::new(inner),
        }
    }

    /// Who sends that access token.
    ///
    /// # Errors
    /// UNAUTHENTICATED if it is none of ours, has expired, or its session has ended; UNAVAILABLE if the latter cannot be
    /// known.
    pub async fn viewer(&self, token: &str) -> Result<Viewer, Error> {
        if let Some(viewer) = self.inner.tokens.verify_access(token)
            && self.inner.revocation.is_open(&viewer).await?
        {
            return Ok(viewer);
        }
        Err(Error::unauthenticated(
            "The access token is not valid, or no longer. Sign in again, or refresh the session.",
        ))
    }

    /// How many passwords were hashed or verified since the process started.
    pub fn passwords_hashed(&self) -> u64 {
        self.inner.passwords.hashed()
    }

    /// Deletes now and then what is long past, for as long as the process runs.
    pub async fn forget_what_is_past(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(3600));
        loop {
            ticks.tick().await;
            if let Err(error) = self.forget_once().await {
                tracing::warn!(
                    error = error.log_text(),
                    "old sessions could not be deleted; it tries again"
                );
            }
        }
    }

    async fn forget_once(&self) -> Result<(), Error> {
        loop {
            let mut conn = self.inner.database.connection().await?;
            conn.begin().await?;
            let outcome = store::forget(&mut conn).await;
            if conn.end(outcome).await? == 0 {
                return Ok(());
            }
            drop(conn);
            tokio::time::sleep(REST).await;
        }
    }

    fn signed_in(&self, session: Session) -> Result<SignedIn, Error> {
        let viewer = Viewer {
            user_id: session.user_id,
            session_id: session.id,
        };
        let (access_token, access_token_expires_at) =
            self.inner.tokens.access(viewer, Utc::now())?;
        let refresh_token = self.inner.tokens.refresh(session.id, session.generation);
        Ok(SignedIn {
            session,
            access_token,
            access_token_expires_at,
            refresh_token,
        })
    }

    fn new_session<'a>(&self, client: &'a Client) -> NewSession<'a> {
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
/// What is wrong with the input; TAKEN if somebody has the address, in upper or lower case.
pub async fn sign_up(auth: &Auth, new: NewUser, client: &Client) -> Result<SignedIn, Failure> {
    let email = new.email.trim();
    let mut problems = Problems::default();
    check_email(&mut problems, email);
    check_new_password(&mut problems, &new.password);
    problems.text("name", &new.name, MOST_NAME);
    problems.finish()?;
    let taken = || {
        Refusal::of(
            "email",
            RefusalCode::Taken,
            "Somebody has signed up with this address.",
        )
    };
    if store::email_taken(&mut auth.inner.database.connection().await?, email).await? {
        return Err(taken().into());
    }
    let hash = auth.inner.passwords.hash(new.password).await?;
    let mut conn = auth.inner.database.connection().await?;
    let user = UserId(Uuid::now_v7());
    let session = store::sign_up(
        &mut conn,
        user,
        email,
        &new.name,
        &hash,
        auth.new_session(client),
    )
    .await?;
    Ok(auth.signed_in(session.ok_or_else(taken)?)?)
}

/// Signs somebody in. An unknown address costs what a known one costs.
///
/// # Errors
/// INVALID_CREDENTIALS, whichever of the two is wrong.
pub async fn sign_in(
    auth: &Auth,
    email: &str,
    password: String,
    client: &Client,
) -> Result<SignedIn, Failure> {
    let email = email.trim();
    // What PostgreSQL cannot hold, nobody has.
    let searched = if email.contains('\0') { "" } else { email };
    let found = store::credentials(&mut auth.inner.database.connection().await?, searched).await?;
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    // Nobody's password is longer: hashing a megabyte would be a way to keep the service busy.
    let fits = password.chars().count() <= MOST_PASSWORD;
    let password = if fits { password } else { String::new() };
    let right = auth.inner.passwords.verify(password, hash).await? && fits;
    if let Some(found) = found {
        if right {
            let mut conn = auth.inner.database.connection().await?;
            if let Some(session) =
                store::sign_in(&mut conn, found.user_id, auth.new_session(client)).await?
            {
                return Ok(auth.signed_in(session)?);
            }
        }
        // Not waited for: the answer would come later than one for an unknown address.
        tokio::spawn(log_failed_sign_in(
            auth.clone(),
            found.user_id,
            client.clone(),
        ));
    }
    Err(Refusal::general(
        RefusalCode::InvalidCredentials,
        "The e-mail address or the password is wrong.",
    )
    .into())
}

async fn log_failed_sign_in(auth: Auth, user: UserId, client: Client) {
    let logged = match auth.inner.database.connection().await {
        Ok(mut conn) => store::log_failed_sign_in(&mut conn, user, &client).await,
        Err(error) => Err(error),
    };
    if let Err(error) = logged {
        tracing::warn!(
            error = error.log_text(),
            "a failed sign-in could not be logged"
        );
    }
}

/// A new access token and a new refresh token for a refresh token.
///
/// The token that was used last gets the same successor again (two open tabs, a lost reply) until that is used itself; an
/// older one ends the session, since somebody has a copy.
///
/// # Errors
/// INVALID_TOKEN if it is none of ours, too old, or its session has ended.
pub async fn refresh(auth: &Auth, token: &str, client: &Client) -> Result<SignedIn, Failure> {
    let invalid = || {
        Refusal::of(
            "refreshToken",
            RefusalCode::InvalidToken,
            "The token is unknown, used or expired.",
        )
    };
    let (session_id, generation) = auth.inner.tokens.read_refresh(token).ok_or_else(invalid)?;
    let next = generation.checked_add(1).ok_or_else(invalid)?;
    let successor = tokens::stored(&auth.inner.tokens.refresh(session_id, next));
    let mut conn = auth.inner.database.connection().await?;
    let rotated = store::rotate(
        &mut conn,
        session_id,
        generation,
        tokens::stored(token),
        successor,
    )
    .await?;
    if let Some(session) = rotated {
        return Ok(auth.signed_in(session)?);
    }
    let session = store::open_session(&mut conn, session_id)
        .await?
        .ok_or_else(invalid)?;
    if session.generation == next {
        return Ok(auth.signed_in(session)?);
    }
    if session.generation > next {
        let viewer = Viewer {
            user_id: session.user_id,
            session_id,
        };
        store::end(&mut conn, viewer, End::RefreshTokenReused, client).await?;
        auth.inner.revocation.forget(session_id);
        tracing::warn!(session = %session_id, "an old refresh token was used: its session was ended");
    }
    Err(invalid().into())
}

/// Ends the viewer's session.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone.
pub async fn sign_out(auth: &Auth, viewer: &Viewer, client: &Client) -> Result<(), Error> {
    let mut conn = auth.inner.database.connection().await?;
    store::end(&mut conn, *viewer, End::SignedOut, client).await?;
    auth.inner.revocation.forget(viewer.session_id);
    Ok(())
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

fn check_email(problems: &mut Problems, email: &str) {
    problems.text("email", email, MOST_EMAIL);
    if email.is_empty() {
        return;
    }
    // U+0000 has been found already.
    let wrong = |character: char| {
        character.is_whitespace() || (character.is_control() && character != '\0')
    };
    let formed = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
    });
    if !formed || email.contains(wrong) {
        problems.add(
            "email",
            RefusalCode::Invalid,
            "email must be an e-mail address.",
        );
    }
}

fn check_new_password(problems: &mut Problems, password: &str) {
    problems.storable("password", password);
    let length = password.chars().count();
    if length < LEAST_PASSWORD {
        let message = format!("password must have {LEAST_PASSWORD} characters at least.");
        problems.add("password", RefusalCode::TooShort, message);
    } else if length > MOST_PASSWORD {
        problems.add(
            "password",
            RefusalCode::TooLong,
            format!("password must have {MOST_PASSWORD} characters at most."),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(check: impl FnOnce(&mut Problems)) -> Vec<RefusalCode> {
        let mut problems = Problems::default();
        check(&mut problems);
        match problems.finish() {
            Err(Failure::Refused(refusals)) => {
                refusals.iter().map(|refusal| refusal.code).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn an_address_has_one_at_sign_with_something_on_either_side() {
        let long = format!("{}@b", "a".repeat(254));
        let cases: [(&str, &[RefusalCode]); 14] = [
            ("ada@example.com", &[]),
            ("ada+notes@localhost", &[]),
            ("ädä@bücher.example", &[]),
            (&long[1..], &[]),
            ("", &[RefusalCode::Blank]),
            ("ada", &[RefusalCode::Invalid]),
            ("@example.com", &[RefusalCode::Invalid]),
            ("ada@", &[RefusalCode::Invalid]),
            ("ada@home@example.com", &[RefusalCode::Invalid]),
            ("ada@.example.com", &[RefusalCode::Invalid]),
            ("ada lovelace@example.com", &[RefusalCode::Invalid]),
            ("ada\u{7}@example.com", &[RefusalCode::Invalid]),
            ("ada\0@example.com", &[RefusalCode::Invalid]),
            (&long, &[RefusalCode::TooLong]),
        ];
        for (email, expected) in cases {
            assert_eq!(
                codes(|problems| check_email(problems, email)),
                expected,
                "{email:?}"
            );
        }
    }

    #[test]
    fn a_password_is_measured_in_code_points_and_may_be_of_anything_else() {
        let cases: [(&str, &[RefusalCode]); 6] = [
            (&"語".repeat(8), &[]),
            (&" ".repeat(128), &[]),
            (&"語".repeat(7), &[RefusalCode::TooShort]),
            ("", &[RefusalCode::TooShort]),
            (&"x".repeat(129), &[RefusalCode::TooLong]),
            ("1234567\0", &[RefusalCode::Invalid]),
        ];
        for (password, expected) in cases {
            assert_eq!(
                codes(|problems| check_new_password(problems, password)),
                expected,
                "{password:?}"
            );
        }
    }
}
