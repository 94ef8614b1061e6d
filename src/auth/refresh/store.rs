//! The SQL of refresh tokens.

use std::time::Duration;

use uuid::Uuid;

use super::super::{
    model::{Client, Session, UserId},
    store::session_columns,
};
use crate::{
    db::{Connection, Statement, row, sql::Value},
    error::Error,
};

/// The SHA-256 of a refresh token and of its successor.
pub(super) struct Rotation {
    pub(super) session: Uuid,
    /// Number of the token that is exchanged.
    pub(super) generation: i32,
    pub(super) used: Vec<u8>,
    pub(super) successor: Vec<u8>,
}

/// The exchange is one atomic step: of twenty clients that send the same token, one succeeds.
const ROTATE: &str = concat!(
    "
    UPDATE sessions SET generation = generation + 1, refresh_token_hash = $4, last_used_at = now(),
        rotated_at = now(), rotated_ip_address = $5::inet, rotated_user_agent = $6,
        expires_at = least(now() + interval '30 days', created_at + interval '90 days')
    WHERE id = $1 AND generation = $2 AND refresh_token_hash = $3 AND ended_at IS NULL AND expires_at > now()
        AND EXISTS (SELECT FROM users WHERE users.id = sessions.user_id AND is_active)
    RETURNING ",
    session_columns!()
);

/// `None` if the token is not the newest one of an open session.
pub(super) async fn rotate(
    conn: &mut Connection,
    rotation: Rotation,
) -> Result<Option<Session>, Error> {
    let statement = Statement::new(ROTATE)
        .bind(rotation.session)
        .bind(rotation.generation)
        .bind(rotation.used)
        .bind(rotation.successor)
        .bind_origin(conn);
    conn.row(statement).await
}

row! {
    /// An open session, compared with the client that repeats a token.
    pub(super) struct Rotated {
        pub(super) session: Session,
        /// Whether the newest token was made within the grace period.
        pub(super) is_recent: bool,
        /// Whether the newest token was made for another network or another program than the client's.
        pub(super) is_other_client: bool,
        /// The SHA-256 of the newest token.
        pub(super) token_hash: Vec<u8>,
    }
}

const ROTATED: &str = concat!(
    "SELECT ",
    session_columns!(),
    ", rotated_at >= now() - make_interval(secs => $2),
        rotated_user_agent IS DISTINCT FROM $4
            OR NOT coalesce(rotated_ip_address <<= $3::inet, rotated_ip_address IS NULL AND $3 IS NULL),
        refresh_token_hash
    FROM sessions WHERE id = $1 AND ended_at IS NULL AND expires_at > now()
        AND EXISTS (SELECT FROM users WHERE users.id = sessions.user_id AND is_active)"
);

/// `None` if the session has ended or the user may not sign in.
pub(super) async fn rotated(
    conn: &mut Connection,
    session: Uuid,
    grace: Duration,
    client: &Client,
) -> Result<Option<Rotated>, Error> {
    let statement = Statement::new(ROTATED)
        .bind(session)
        .bind(Value::Double(Some(grace.as_secs_f64())))
        .bind(client.network())
        .bind(client.user_agent.clone());
    conn.row(statement).await
}

/// No actor: it is unknown who repeated the token.
const LOG_REPETITION: &str = "
    INSERT INTO people_log (user_id, action, entity_type, entity_id, ip_address, user_agent)
    SELECT user_id, 'REFRESH_TOKEN_REPEATED', 'Session', id, $3::inet, $4
    FROM sessions WHERE user_id = $1 AND id = $2 FOR KEY SHARE";

/// Logs that a replaced token was served to another client.
pub(super) async fn log_repetition(
    conn: &mut Connection,
    user: UserId,
    session: Uuid,
) -> Result<(), Error> {
    let statement = Statement::new(LOG_REPETITION)
        .bind(user)
        .bind(session)
        .bind_origin(conn);
    conn.execute(statement).await?;
    Ok(())
}

/// Unverified addresses get no mail, since they may belong to a stranger.
const END_SESSION: &str = "
    WITH ended AS (
        UPDATE sessions SET ended_at = now()
        WHERE user_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > now() RETURNING user_id, id
    ), logged AS (
        INSERT INTO people_log (user_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT user_id, 'REFRESH_TOKEN_REUSED', 'Session', id, $3::inet, $4 FROM ended
    ), mailed AS (
        INSERT INTO mails (kind, user_id, recipient, ip_address, user_agent)
        SELECT 'refresh_token_reused', users.id, email, $3::inet, $4
        FROM ended JOIN users ON users.id = user_id WHERE email_verified AND is_active
        RETURNING id
    )
    SELECT EXISTS (SELECT FROM ended), EXISTS (SELECT FROM mailed)";

/// Ends a session and logs it; a trigger tells all processes. Returns whether the session was open, and whether a mail
/// was added to the outbox.
pub(super) async fn end_session(
    conn: &mut Connection,
    user: UserId,
    session: Uuid,
) -> Result<(bool, bool), Error> {
    let statement = Statement::new(END_SESSION)
        .bind(user)
        .bind(session)
        .bind_origin(conn);
    Ok(conn.row(statement).await?.unwrap_or_default())
}
