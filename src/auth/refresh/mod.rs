//! Refresh tokens: exchange, repetition within a grace period, and detection of stolen tokens.
//!
//! A refresh token is derived from the server's key, the session and a number; only the SHA-256 of the newest one is
//! stored. Each token can be exchanged once, for its successor. A client that lost the response, or a second tab, may
//! send the token again: within `SNAPNOTE_REFRESH_GRACE` after the exchange it gets the same successor. After that, or
//! with an older token, two clients hold tokens of the session. The session then ends, and its owner gets a mail.
//!
//! # Design decisions
//! - The grace period ends even if the successor was never used. Otherwise a thief and the owner could take turns for
//!   as long as the session lives.
//! - The row keeps the address and program of the last exchange, and a repetition is compared with these. A mobile
//!   client soon has another address than at its sign-in.
//! - A repetition from another network or program within the grace period is served and logged.
//! - All times are the database's.

mod store;

use uuid::Uuid;

use self::store::{Rotated, Rotation};
use super::{
    Auth,
    model::{Client, SignedIn, UserId},
    recovery::invalid_token,
    tokens,
};
use crate::{
    db::Connection,
    error::{Error, Failure},
};

/// Exchanges a refresh token for a new access token and a new refresh token.
///
/// # Errors
/// INVALID_TOKEN if the token is unknown, its grace period has passed, or its session has ended. RATE_LIMITED.
pub async fn refresh_session(
    auth: &Auth,
    token: &str,
    client: &Client,
) -> Result<SignedIn, Failure> {
    let invalid = || invalid_token("refreshToken");
    let (session_id, generation) = auth.inner.tokens.read_refresh(token).ok_or_else(invalid)?;
    auth.inner.rate_limiter.refresh(session_id, client).await?;
    let next = generation.checked_add(1).ok_or_else(invalid)?;
    let rotation = Rotation {
        session: session_id,
        generation,
        used: tokens::token_hash(token),
        successor: tokens::token_hash(&auth.inner.tokens.refresh(session_id, next)),
    };
    let mut conn = auth.connection(client).await?;
    if let Some(session) = store::rotate(&mut conn, rotation).await? {
        return Ok(auth.signed_in(session)?);
    }
    let grace = auth.inner.refresh_grace;
    let rotated = store::rotated(&mut conn, session_id, grace, client).await?;
    let rotated = rotated.ok_or_else(invalid)?;
    if rotated.session.generation == next && rotated.is_recent {
        return Ok(serve_repetition(auth, &mut conn, rotated).await?);
    }
    if rotated.session.generation >= next {
        let user = rotated.session.user_id;
        end_reused_session(auth, &mut conn, user, session_id).await?;
    }
    Err(invalid().into())
}

/// Serves a token that was exchanged within the grace period.
async fn serve_repetition(
    auth: &Auth,
    conn: &mut Connection,
    rotated: Rotated,
) -> Result<SignedIn, Error> {
    let session = rotated.session;
    if rotated.is_other_client {
        store::log_repetition(conn, session.user_id, session.id).await?;
        tracing::warn!(
            session = %session.id,
            "replaced refresh token served to another network or program within the grace period"
        );
    }
    let tokens = &auth.inner.tokens;
    let token = tokens.stored_refresh(session.id, session.generation, &rotated.token_hash);
    // Its successor may have been made with a secret that is not configured any more.
    match token {
        Some(token) => auth.signed_in_with(session, token),
        None => auth.signed_in(session),
    }
}

/// Ends a session whose tokens two clients hold, and notifies its owner by mail.
async fn end_reused_session(
    auth: &Auth,
    conn: &mut Connection,
    user: UserId,
    session: Uuid,
) -> Result<(), Error> {
    let (ended, mailed) = store::end_session(conn, user, session).await?;
    auth.inner.revocation.forget(session);
    if ended {
        tracing::warn!(%session, "replaced refresh token used again; session ended");
    }
    if mailed {
        auth.inner.mail_queued.notify_one();
    }
    Ok(())
}
