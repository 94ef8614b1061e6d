//! Refresh tokens: going on with a session, and noticing that a token was stolen.
//!
//! Each token is exchanged once, for its successor. A client that lost the reply, or a second tab, sends the token again
//! within seconds: for a grace period after the exchange it gets the same successor. After that, or for an older token, two
//! clients hold the session's tokens: the session ends and its owner is told. A repetition within the grace period from
//! another network or program is served and logged. All times are the database's.

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
/// INVALID_TOKEN if the token is not one of the service's, was replaced longer ago than the grace period, or its session has
/// ended; RATE_LIMITED.
pub async fn refresh_session(
    auth: &Auth,
    token: &str,
    client: &Client,
) -> Result<SignedIn, Failure> {
    let invalid = || invalid_token("refreshToken");
    let (session_id, generation) = auth.inner.tokens.read_refresh(token).ok_or_else(invalid)?;
    auth.inner.throttle.refresh(session_id, client).await?;
    let next = generation.checked_add(1).ok_or_else(invalid)?;
    let rotation = Rotation {
        session: session_id,
        generation,
        used: tokens::stored(token),
        successor: tokens::stored(&auth.inner.tokens.refresh(session_id, next)),
    };
    let mut conn = auth.connection(client).await?;
    if let Some(session) = store::rotate(&mut conn, rotation, client).await? {
        return Ok(auth.signed_in(session)?);
    }
    let grace = auth.inner.refresh_grace;
    let rotated = store::rotated(&mut conn, session_id, grace, client).await?;
    let rotated = rotated.ok_or_else(invalid)?;
    if rotated.session.generation == next && rotated.lately {
        return Ok(repeat(auth, &mut conn, rotated, client).await?);
    }
    if rotated.session.generation >= next {
        let user = rotated.session.user_id;
        end(auth, &mut conn, user, session_id, client).await?;
    }
    Err(invalid().into())
}

/// Serves a token that was exchanged a moment ago.
async fn repeat(
    auth: &Auth,
    conn: &mut Connection,
    rotated: Rotated,
    client: &Client,
) -> Result<SignedIn, Error> {
    let session = rotated.session;
    if rotated.elsewhere {
        store::log_repetition(conn, session.user_id, session.id, client).await?;
        tracing::warn!(
            session = %session.id,
            "a replaced refresh token was served to another network or program within the grace period"
        );
    }
    auth.signed_in(session)
}

/// Ends a session two clients of which hold tokens, and tells its owner.
async fn end(
    auth: &Auth,
    conn: &mut Connection,
    user: UserId,
    session: Uuid,
    client: &Client,
) -> Result<(), Error> {
    let (ended, mailed) = store::end_reused(conn, user, session, client).await?;
    auth.inner.revocation.forget(session);
    if ended {
        tracing::warn!(%session, "a replaced refresh token was used again; its session was ended");
    }
    if mailed {
        auth.inner.mail_waits.notify_one();
    }
    Ok(())
}
