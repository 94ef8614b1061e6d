//! The SQL of sessions, and what signing in needs of users.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::model::{Session, UserId, Viewer};
use crate::{
    db::{
        Connection, Reader, SharedText, Statement, pool::from_database, pool::violated_unique, row,
    },
    email_address::EmailAddress,
    error::Error,
};

/// The columns of a [`Session`], as statements on `sessions` return them.
macro_rules! session_columns {
    () => {
        "id, user_id, generation, host(ip_address), user_agent, created_at, last_used_at, expires_at"
    };
}
pub(super) use session_columns;

/// A session to be opened.
pub(super) struct NewSession {
    pub(super) id: Uuid,
    pub(super) refresh_token_hash: Vec<u8>,
}

impl<R> Statement<R> {
    /// Binds the address and the program of the caller, for log entries, mails and sessions.
    pub(crate) fn bind_origin(self, conn: &Connection) -> Self {
        let (address, program) = conn.origin();
        self.bind(address).bind(program)
    }
}

/// Inserts the user, their profile, their first session and its log entry, or nothing.
const SIGN_UP: &str = concat!(
    "
    WITH person AS (
        INSERT INTO users (id, email, email_key, name, password_hash, last_sign_in_at)
        SELECT $1, $2, $9, $3, $4, now() WHERE (SELECT set_origin($address, $program))
    ), profile AS (
        INSERT INTO user_profiles (user_id) SELECT $1 WHERE (SELECT set_origin($address, $program))
    ), logged AS (
        INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        VALUES ($1, $1, 'SIGN_IN', 'Session', $5, $6::inet, $7)
    )
    INSERT INTO sessions (user_id, id, ip_address, user_agent, refresh_token_hash, expires_at)
    VALUES ($1, $5, $6::inet, $7, $8, now() + interval '30 days')
    RETURNING ",
    session_columns!()
);

/// `None` if another user has the address.
pub(super) async fn sign_up(
    conn: &mut Connection,
    user: UserId,
    email: &EmailAddress,
    name: &str,
    password_hash: &str,
    session: NewSession,
) -> Result<Option<Session>, Error> {
    let statement = Statement::<Session>::write(SIGN_UP, user)
        .bind(email.as_str())
        .bind(name)
        .bind(password_hash)
        .bind(session.id)
        .bind_origin(conn)
        .bind(session.refresh_token_hash)
        .bind(email.key());
    match conn.try_rows(statement).await {
        Ok(mut rows) => Ok(rows.pop()),
        Err(error) if violated_unique(&error) == Some("users_email_key") => Ok(None),
        Err(error) => Err(from_database(error)),
    }
}

const EMAIL_TAKEN: &str = "SELECT id FROM users WHERE email_key = $1";

/// Whether a user has the address.
pub(super) async fn email_taken(
    conn: &mut Connection,
    email: &EmailAddress,
) -> Result<bool, Error> {
    let found = conn.execute(Statement::new(EMAIL_TAKEN).bind(email.key()));
    Ok(found.await? > 0)
}

const MAIL_SIGN_UP_ATTEMPT: &str = "
    INSERT INTO mails (kind, user_id, recipient, ip_address, user_agent)
    SELECT 'sign_up_attempted', id, email, $2::inet, $3 FROM users WHERE email_key = $1 AND is_active";

/// Notifies the owner of the address by mail that it was used in an attempt to sign up.
pub(super) async fn mail_sign_up_attempt(
    conn: &mut Connection,
    email: &EmailAddress,
) -> Result<(), Error> {
    let statement = Statement::new(MAIL_SIGN_UP_ATTEMPT)
        .bind(email.key())
        .bind_origin(conn);
    conn.execute(statement).await?;
    Ok(())
}

/// Changes nothing if the user was deactivated or the password changed since it was read. A device is new if no session
/// in the last 90 days used its network, or none used its program. The owner then gets a mail, unless this is the first
/// sign-in, or the address is unverified and may belong to a stranger.
const SIGN_IN: &str = concat!(
    "
    WITH person AS (
        UPDATE users SET last_sign_in_at = now(), password_hash = coalesce($7, password_hash)
        WHERE id = $1 AND is_active AND password_hash = $6 RETURNING id, email
    ), logged AS (
        INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT id, id, 'SIGN_IN', 'Session', $2, $3::inet, $4 FROM person
    ), seen AS (
        SELECT coalesce(bool_or(ip_address <<= $8::inet), false) AS address,
            coalesce(bool_or(user_agent IS NOT DISTINCT FROM $4), false) AS program
        FROM sessions WHERE user_id = $1 AND last_used_at > now() - interval '90 days'
    ), mailed AS (
        INSERT INTO mails (kind, user_id, recipient, ip_address, user_agent)
        SELECT 'new_device', person.id, person.email, $3::inet, $4
        FROM person JOIN users AS before ON before.id = person.id, seen
        WHERE before.last_sign_in_at IS NOT NULL AND before.email_verified AND NOT (seen.address AND seen.program)
        RETURNING id
    )
    INSERT INTO sessions (user_id, id, ip_address, user_agent, refresh_token_hash, expires_at)
    SELECT id, $2, $3::inet, $4, $5, now() + interval '30 days' FROM person
    RETURNING ",
    session_columns!(),
    ",
        EXISTS (SELECT FROM mailed)"
);

/// The hash that the password matched, and a new hash if that one was another system's.
pub(super) struct VerifiedPassword {
    pub(super) hash: String,
    pub(super) replaced_by: Option<String>,
}

/// Returns the session, and whether a mail was added to the outbox.
pub(super) async fn sign_in(
    conn: &mut Connection,
    user: UserId,
    password: VerifiedPassword,
    session: NewSession,
    network: Option<String>,
) -> Result<Option<(Session, bool)>, Error> {
    let statement = Statement::new(SIGN_IN)
        .bind(user)
        .bind(session.id)
        .bind_origin(conn)
        .bind(session.refresh_token_hash)
        .bind(password.hash)
        .bind(password.replaced_by)
        .bind(network);
    conn.row(statement).await
}

const LOG: &str = "
    INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    SELECT id, $2, $3, 'User', id, $4::inet, $5 FROM users WHERE id = $1 FOR KEY SHARE";

/// Logs an event of a user. `actor` is `None` if it is unknown who acted.
pub(super) async fn log(
    conn: &mut Connection,
    user: UserId,
    actor: Option<UserId>,
    action: &'static str,
) -> Result<(), Error> {
    let statement = Statement::new(LOG)
        .bind(user)
        .bind(actor.map(Uuid::from))
        .bind(action)
        .bind_origin(conn);
    conn.execute(statement).await?;
    Ok(())
}

static OPEN: LazyLock<SharedText> = LazyLock::new(|| {
    SharedText::new(concat!(
        "SELECT ",
        session_columns!(),
        " FROM sessions WHERE id = $1 AND ended_at IS NULL AND expires_at > now()
            AND EXISTS (SELECT FROM users WHERE users.id = sessions.user_id AND is_active)"
    ))
});

/// An open session of a user who may sign in.
pub(super) async fn open_session(
    reader: impl Reader,
    session: Uuid,
) -> Result<Option<Session>, Error> {
    let found = reader.read(Statement::look_up(&OPEN).bind(session));
    Ok(found.await?.pop())
}

const OPEN_ALL: &str = concat!(
    "
    SELECT session.* FROM unnest($1) AS person (id) CROSS JOIN LATERAL (
        SELECT ",
    session_columns!(),
    "
        FROM sessions WHERE user_id = person.id AND ended_at IS NULL AND expires_at > now()
        ORDER BY created_at DESC, id DESC LIMIT 1000
    ) AS session"
);

/// The open sessions of these users, newest first.
pub(super) async fn open_sessions(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<Vec<Session>, Error> {
    conn.rows(Statement::new(OPEN_ALL).bind(users)).await
}

/// Ends a session and logs it. A trigger tells all processes.
const END: &str = "
    WITH ended AS (
        UPDATE sessions SET ended_at = now()
        WHERE user_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > now() RETURNING id
    )
    INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    SELECT $1, $1, $3, 'Session', id, $4::inet, $5 FROM ended";

/// Whether the session was open. `action`: how the log calls this, `SIGN_OUT` or `SESSION_REVOKED`.
pub(super) async fn end(
    conn: &mut Connection,
    user: UserId,
    session: Uuid,
    action: &'static str,
) -> Result<bool, Error> {
    let statement = Statement::new(END)
        .bind(user)
        .bind(session)
        .bind(action)
        .bind_origin(conn);
    Ok(conn.execute(statement).await? > 0)
}

const END_OTHERS: &str = "
    WITH ended AS (
        UPDATE sessions SET ended_at = now()
        WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND ended_at IS NULL AND expires_at > now() RETURNING id
    ), logged AS (
        INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT $1, $1, 'SESSION_REVOKED', 'Session', id, $3::inet, $4 FROM ended
    )
    SELECT id FROM ended";

/// Ends all sessions except the current one. Returns their ids.
pub(super) async fn end_others(conn: &mut Connection, viewer: &Viewer) -> Result<Vec<Uuid>, Error> {
    let statement = Statement::new(END_OTHERS)
        .bind(viewer.user_id)
        .bind(viewer.session_id())
        .bind_origin(conn);
    conn.rows(statement).await
}

/// Skips locked rows, so that two processes never wait for each other. The next use updates them.
const RECORD_USAGE: &str = "
    UPDATE sessions SET last_used_at = now(), expires_at = least(now() + interval '30 days', created_at + interval '90 days')
    WHERE id IN (
        SELECT id FROM sessions WHERE id = ANY($1) AND ended_at IS NULL AND expires_at > now() FOR UPDATE SKIP LOCKED)";

/// Updates the last use of these sessions to now. Returns how many were updated.
pub(super) async fn record_usage(conn: &mut Connection, sessions: Vec<Uuid>) -> Result<u64, Error> {
    let statement = Statement::new(RECORD_USAGE).bind(sessions);
    Ok(conn.execute(statement).await? as u64)
}

/// Looks back further than a session is trusted.
static REVOKED: LazyLock<SharedText> = LazyLock::new(|| {
    SharedText::new(
        "SELECT now(), coalesce(array_agg(subject_id), '{}')
        FROM revocations WHERE revoked_at > now() - interval '20 minutes'",
    )
});

row! {
    /// The sessions that ended recently, and the users who may no longer sign in.
    pub(super) struct Revoked {
        /// When the list was read, by the database's clock.
        pub(super) at: DateTime<Utc>,
        pub(super) subjects: Vec<Uuid>,
    }
}

pub(super) async fn revoked(reader: impl Reader) -> Result<Revoked, Error> {
    let list = reader.read(Statement::look_up(&REVOKED)).await?.pop();
    list.ok_or_else(|| Error::internal("an aggregate returned no row"))
}

row! {
    /// A session that is trusted for some time.
    #[derive(Debug, Clone)]
    pub(super) struct Trusted {
        pub(super) user_id: UserId,
        /// By the database's clock.
        pub(super) until: DateTime<Utc>,
    }
}

static TRUSTED: LazyLock<SharedText> = LazyLock::new(|| {
    SharedText::new(
        "SELECT user_id, least(expires_at, now() + interval '15 minutes')
        FROM sessions JOIN users ON users.id = user_id
        WHERE sessions.id = $1 AND ended_at IS NULL AND expires_at > now() AND is_active",
    )
});

/// `None` if the session has ended or its user may not sign in.
pub(super) async fn trusted(reader: impl Reader, session: Uuid) -> Result<Option<Trusted>, Error> {
    let found = reader.read(Statement::look_up(&TRUSTED).bind(session));
    Ok(found.await?.pop())
}
