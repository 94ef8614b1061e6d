//! All the SQL of sessions, and what signing in needs of users.

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::model::{Client, Session, UserId, Viewer};
use crate::{
    db::{Connection, Row, Statement, pool::from_database, pool::violated_unique},
    error::Error,
};

/// A session to be opened.
pub(super) struct NewSession<'a> {
    pub(super) id: Uuid,
    pub(super) refresh_token_hash: Vec<u8>,
    pub(super) client: &'a Client,
}

/// The person, their profile, their first session and its entry in the log: all or nothing.
const SIGN_UP: &str = "
    WITH person AS (
        INSERT INTO users (id, email, name, password_hash, last_sign_in_at) VALUES ($1, $2, $3, $4, now())
    ), profile AS (
        INSERT INTO user_profiles (user_id) VALUES ($1)
    ), logged AS (
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        VALUES ($1, $1, 'SIGN_IN', 'Session', $5, $6::inet, $7)
    )
    INSERT INTO sessions (user_id, id, ip_address, user_agent, refresh_token_hash, expires_at)
    VALUES ($1, $5, $6::inet, $7, $8, now() + interval '30 days')
    RETURNING id, user_id, generation, host(ip_address), user_agent, created_at, last_used_at, expires_at";

/// `None` if somebody has that address.
pub(super) async fn sign_up(
    conn: &mut Connection,
    user: UserId,
    email: &str,
    name: &str,
    password_hash: &str,
    session: NewSession<'_>,
) -> Result<Option<Session>, Error> {
    let statement = Statement::<Session>::new(SIGN_UP)
        .bind(user)
        .bind(email)
        .bind(name)
        .bind(password_hash)
        .bind(session.id)
        .bind(session.client.address())
        .bind(session.client.user_agent.clone())
        .bind(session.refresh_token_hash);
    match conn.try_load(statement).await {
        Ok(mut rows) => Ok(rows.pop()),
        Err(error) if violated_unique(&error) == Some("users_email_key") => Ok(None),
        Err(error) => Err(from_database(error)),
    }
}

const EMAIL_TAKEN: &str = "SELECT id, NULL::text FROM users WHERE lower(email) = lower($1)";

/// Whether somebody has that address, in upper or lower case.
pub(super) async fn email_taken(conn: &mut Connection, email: &str) -> Result<bool, Error> {
    Ok(conn
        .row(Statement::<Credentials>::new(EMAIL_TAKEN).bind(email))
        .await?
        .is_some())
}

/// Whom an address names, and the hash of their password.
#[derive(Queryable)]
pub(super) struct Credentials {
    #[diesel(deserialize_as = Uuid)]
    pub(super) user_id: UserId,
    pub(super) password_hash: Option<String>,
}

impl Row for Credentials {
    type Sql = (SqlUuid, Nullable<Text>);
}

const CREDENTIALS: &str =
    "SELECT id, password_hash FROM users WHERE lower(email) = lower($1) AND is_active";

pub(super) async fn credentials(
    conn: &mut Connection,
    email: &str,
) -> Result<Option<Credentials>, Error> {
    conn.row(Statement::new(CREDENTIALS).bind(email)).await
}

/// Nothing if the person was deactivated since.
const SIGN_IN: &str = "
    WITH person AS (
        UPDATE users SET last_sign_in_at = now() WHERE id = $1 AND is_active RETURNING id
    ), logged AS (
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT id, id, 'SIGN_IN', 'Session', $2, $3::inet, $4 FROM person
    )
    INSERT INTO sessions (user_id, id, ip_address, user_agent, refresh_token_hash, expires_at)
    SELECT id, $2, $3::inet, $4, $5, now() + interval '30 days' FROM person
    RETURNING id, user_id, generation, host(ip_address), user_agent, created_at, last_used_at, expires_at";

pub(super) async fn sign_in(
    conn: &mut Connection,
    user: UserId,
    session: NewSession<'_>,
) -> Result<Option<Session>, Error> {
    let statement = Statement::new(SIGN_IN)
        .bind(user)
        .bind(session.id)
        .bind(session.client.address())
        .bind(session.client.user_agent.clone())
        .bind(session.refresh_token_hash);
    conn.row(statement).await
}

const LOG: &str = "
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    VALUES ($1, $2, $3, $4, $5, $6::inet, $7)";

/// Notes a sign-in that failed; nobody knows who tried.
pub(super) async fn log_failed_sign_in(
    conn: &mut Connection,
    user: UserId,
    client: &Client,
) -> Result<(), Error> {
    let statement = Statement::<Credentials>::new(LOG)
        .bind(user)
        .bind(None::<Uuid>)
        .bind("SIGN_IN_FAILED")
        .bind("User")
        .bind(user)
        .bind(client.address())
        .bind(client.user_agent.clone());
    conn.execute(statement).await?;
    Ok(())
}

/// The one atomic step of a rotation: of twenty who try it with one token, one succeeds.
const ROTATE: &str = "
    UPDATE sessions SET generation = generation + 1, refresh_token_hash = $4, last_used_at = now(),
        expires_at = least(now() + interval '30 days', created_at + interval '90 days')
    WHERE id = $1 AND generation = $2 AND refresh_token_hash = $3 AND ended_at IS NULL AND expires_at > now()
        AND EXISTS (SELECT FROM users WHERE users.id = sessions.user_id AND is_active)
    RETURNING id, user_id, generation, host(ip_address), user_agent, created_at, last_used_at, expires_at";

pub(super) async fn rotate(
    conn: &mut Connection,
    session: Uuid,
    generation: i32,
    used: Vec<u8>,
    successor: Vec<u8>,
) -> Result<Option<Session>, Error> {
    conn.row(
        Statement::new(ROTATE)
            .bind(session)
            .bind(generation)
            .bind(used)
            .bind(successor),
    )
    .await
}

const OPEN: &str = "
    SELECT sessions.id, user_id, generation, host(ip_address), user_agent, sessions.created_at, last_used_at, expires_at
    FROM sessions JOIN users ON users.id = user_id
    WHERE sessions.id = $1 AND ended_at IS NULL AND expires_at > now() AND is_active";

/// A session that is open, of somebody who may sign in.
pub(super) async fn open_session(
    conn: &mut Connection,
    session: Uuid,
) -> Result<Option<Session>, Error> {
    conn.row(Statement::new(OPEN).bind(session)).await
}

/// Ends a session and says so in the log. A trigger tells all processes.
const END: &str = "
    WITH ended AS (
        UPDATE sessions SET ended_at = now() WHERE user_id = $1 AND id = $2 AND ended_at IS NULL RETURNING id
    )
    INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    SELECT $1, $3, $4, 'Session', id, $5::inet, $6 FROM ended";

/// How a session ends.
pub(super) enum End {
    SignedOut,
    /// An old refresh token was used: somebody has a copy.
    RefreshTokenReused,
}

pub(super) async fn end(
    conn: &mut Connection,
    session: Viewer,
    how: End,
    client: &Client,
) -> Result<(), Error> {
    let (actor, action) = match how {
        End::SignedOut => (Some(session.user_id.0), "SIGN_OUT"),
        End::RefreshTokenReused => (None, "REFRESH_TOKEN_REUSED"),
    };
    let statement = Statement::<Credentials>::new(END)
        .bind(session.user_id)
        .bind(session.session_id)
        .bind(actor)
        .bind(action)
        .bind(client.address())
        .bind(client.user_agent.clone());
    conn.execute(statement).await?;
    Ok(())
}

/// Looks back further than a session is trusted.
const REVOKED: &str = "
    SELECT now(), coalesce(array_agg(subject_id), '{}')
    FROM revocations WHERE revoked_at > now() - interval '20 minutes'";

/// The sessions that ended lately.
#[derive(Queryable)]
pub(super) struct Revoked {
    /// When the list was read, by the database's clock.
    pub(super) at: DateTime<Utc>,
    pub(super) sessions: Vec<Uuid>,
}

impl Row for Revoked {
    type Sql = (Timestamptz, Array<SqlUuid>);
}

pub(super) async fn revoked(conn: &mut Connection) -> Result<Revoked, Error> {
    let list = conn.row(Statement::new(REVOKED)).await?;
    list.ok_or_else(|| Error::internal("an aggregate answered no row"))
}

/// A session that need not be read again for a while.
#[derive(Debug, Clone, Queryable)]
pub(super) struct Trusted {
    #[diesel(deserialize_as = Uuid)]
    pub(super) user_id: UserId,
    /// By the database's clock.
    pub(super) until: DateTime<Utc>,
}

impl Row for Trusted {
    type Sql = (SqlUuid, Timestamptz);
}

const TRUSTED: &str = "
    SELECT user_id, least(expires_at, now() + interval '15 minutes')
    FROM sessions JOIN users ON users.id = user_id
    WHERE sessions.id = $1 AND ended_at IS NULL AND expires_at > now() AND is_active";

/// `None` if the session has ended, or is of somebody who may not sign in.
pub(super) async fn trusted(
    conn: &mut Connection,
    session: Uuid,
) -> Result<Option<Trusted>, Error> {
    conn.row(Statement::new(TRUSTED).bind(session)).await
}

/// What nobody needs any more, by one process at a time, in small steps.
const FORGET: [&str; 2] = [
    "DELETE FROM revocations WHERE id IN (
        SELECT id FROM revocations WHERE revoked_at < now() - interval '1 hour' ORDER BY id LIMIT 1000)",
    "DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions WHERE coalesce(ended_at, expires_at) < now() - interval '90 days' LIMIT 1000)",
];

const FORGET_LOCK: &str = "SELECT pg_try_advisory_xact_lock(8315168184020661351)";

#[derive(Queryable)]
struct Locked {
    locked: bool,
}

impl Row for Locked {
    type Sql = (Bool,);
}

/// Deletes revocations and sessions that are long past, one step of them; answers how many. 0 if another process does it.
pub(super) async fn forget(conn: &mut Connection) -> Result<usize, Error> {
    let locked: Option<Locked> = conn.row(Statement::new(FORGET_LOCK)).await?;
    if !locked.is_some_and(|lock| lock.locked) {
        return Ok(0);
    }
    let mut rows = 0;
    for text in FORGET {
        rows += conn.execute(Statement::<Locked>::new(text)).await?;
    }
    Ok(rows)
}
