//! The SQL of mailed tokens: one statement requests a token, and one uses it. Statements that delete tokens lock their
//! user first, as do all others that write both, so that they never deadlock.

use super::{
    super::{
        model::{Session, UserId},
        store::{NewSession, session_columns},
    },
    NewMailToken,
};
use crate::{
    db::{Connection, Statement, named, pool::from_database, pool::violated_unique},
    email_address::EmailAddress,
    error::Error,
};

/// An unknown address gets a row in the outbox as well, but without a token, and nothing is sent for it. So both cost
/// one statement and one commit that writes. A known address adds two rows: the token and the log entry.
const REQUEST_RESET: &str = "
    WITH person AS (
        SELECT id, email, email_key FROM users WHERE email_key = $1 AND is_active
    ), token AS (
        INSERT INTO mail_tokens (user_id, id, purpose, email, email_key, token_hash, expires_at)
        SELECT id, $2, 'password_reset', email, email_key, $3, now() + interval '30 minutes' FROM person
        ON CONFLICT (user_id, purpose) DO UPDATE SET id = excluded.id, email = excluded.email,
            email_key = excluded.email_key, token_hash = excluded.token_hash, created_at = excluded.created_at, expires_at = excluded.expires_at
    ), logged AS (
        INSERT INTO people_log (user_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT id, 'PASSWORD_RESET_REQUESTED', 'User', id, $4::inet, $5 FROM person
    )
    INSERT INTO mails (kind, user_id, recipient, token_id)
    SELECT 'password_reset', id, coalesce(email, $6), CASE WHEN id IS NOT NULL THEN $2 END
    FROM (VALUES (1)) AS one LEFT JOIN person ON true";

pub(super) async fn request_password_reset(
    conn: &mut Connection,
    email: &EmailAddress,
    token: NewMailToken,
) -> Result<(), Error> {
    let statement = Statement::new(REQUEST_RESET)
        .bind(email.key())
        .bind(token.id)
        .bind(token.hash)
        .bind_origin(conn)
        .bind(email.recipient());
    conn.execute(statement).await?;
    Ok(())
}

const RESET_TOKEN_OWNER: &str = "
    SELECT users.email, name FROM mail_tokens JOIN users ON users.id = user_id
    WHERE token_hash = $1 AND purpose = 'password_reset' AND expires_at > now() AND is_active";

/// The address and name of the user of a valid token.
pub(super) async fn reset_token_owner(
    conn: &mut Connection,
    token_hash: Vec<u8>,
) -> Result<Option<(String, String)>, Error> {
    conn.row(Statement::new(RESET_TOKEN_OWNER).bind(token_hash))
        .await
}

/// As for a change of password: sign-ins in progress are committed before the sessions are ended.
const LOCK: &str = "
    SELECT users.id FROM users JOIN mail_tokens ON user_id = users.id WHERE token_hash = $1 FOR NO KEY UPDATE OF users";

/// External accounts that were linked by an unverified address may belong to another person, so they are removed.
const RESET: &str = concat!(
    "
    WITH token AS (
        DELETE FROM mail_tokens WHERE token_hash = $1 AND purpose = 'password_reset' AND expires_at > now()
        RETURNING user_id, email_key
    ), person AS (
        UPDATE users SET password_hash = $2, last_sign_in_at = now(),
            email_verified = email_verified OR users.email_key = token.email_key
        FROM token WHERE (SELECT set_origin($4, $5)) AND users.id = token.user_id AND is_active
        RETURNING users.id, users.email
    ), voided AS (
        DELETE FROM mail_tokens USING person WHERE user_id = person.id AND token_hash <> $1
    ), unlinked AS (
        DELETE FROM accounts USING person JOIN users AS before USING (id)
        WHERE accounts.user_id = person.id AND NOT before.email_verified RETURNING accounts.user_id
    ), ended AS (
        UPDATE sessions SET ended_at = now() FROM person
        WHERE user_id = person.id AND ended_at IS NULL RETURNING user_id, sessions.id
    ), logged AS (
        INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT id, id, 'PASSWORD_CHANGED', 'User', id, $4::inet, $5 FROM person
        UNION ALL SELECT DISTINCT user_id, user_id, 'CREDENTIALS_REMOVED', 'User', user_id, $4::inet, $5 FROM unlinked
        UNION ALL SELECT user_id, user_id, 'SESSION_REVOKED', 'Session', id, $4::inet, $5 FROM ended
        UNION ALL SELECT id, id, 'SIGN_IN', 'Session', $3, $4::inet, $5 FROM person
    ), mailed AS (
        INSERT INTO mails (kind, user_id, recipient, ip_address, user_agent)
        SELECT 'password_changed', id, email, $4::inet, $5 FROM person
    )
    INSERT INTO sessions (user_id, id, ip_address, user_agent, refresh_token_hash, expires_at)
    SELECT id, $3, $4::inet, $5, $6, now() + interval '30 days' FROM person
    RETURNING ",
    session_columns!()
);

/// `None` if the token is no longer valid.
pub(super) async fn reset_password(
    conn: &mut Connection,
    token_hash: Vec<u8>,
    password_hash: &str,
    session: NewSession,
) -> Result<Option<Session>, Error> {
    let statement = Statement::new(RESET)
        .bind(token_hash.clone())
        .bind(password_hash)
        .bind(session.id)
        .bind_origin(conn)
        .bind(session.refresh_token_hash);
    let lock = Statement::new(LOCK).bind(token_hash);
    conn.transaction(async |conn| {
        conn.execute(lock.clone()).await?;
        conn.row(statement.clone()).await
    })
    .await
}

const UNVERIFIED: &str =
    "SELECT email FROM users WHERE id = $1 AND is_active AND NOT email_verified";

/// The user's address, if it is unverified.
pub(super) async fn unverified_email(
    conn: &mut Connection,
    user: UserId,
) -> Result<Option<String>, Error> {
    conn.row(Statement::new(UNVERIFIED).bind(user)).await
}

const REQUEST_VERIFICATION: &str = "
    WITH person AS (
        SELECT id, email, email_key FROM users WHERE id = $1 AND is_active AND NOT email_verified
    ), token AS (
        INSERT INTO mail_tokens (user_id, id, purpose, email, email_key, token_hash, expires_at)
        SELECT id, $2, 'email_verification', email, email_key, $3, now() + interval '24 hours' FROM person
        ON CONFLICT (user_id, purpose) DO UPDATE SET id = excluded.id, email = excluded.email,
            email_key = excluded.email_key, token_hash = excluded.token_hash, created_at = excluded.created_at, expires_at = excluded.expires_at
    )
    INSERT INTO mails (kind, user_id, recipient, token_id)
    SELECT 'email_verification', id, email, $2 FROM person";

pub(super) async fn request_verification(
    conn: &mut Connection,
    user: UserId,
    token: NewMailToken,
) -> Result<(), Error> {
    let statement = Statement::new(REQUEST_VERIFICATION)
        .bind(user)
        .bind(token.id)
        .bind(token.hash);
    conn.execute(statement).await?;
    Ok(())
}

/// A taken address gets a row in the outbox too, but no token, and nothing is sent for it.
const REQUEST_CHANGE: &str = "
    WITH person AS (
        SELECT id, email FROM users WHERE id = $1 AND is_active
    ), free AS (
        SELECT id FROM person
        WHERE NOT EXISTS (SELECT FROM users WHERE email_key = $7 AND users.id <> $1)
    ), voided AS (
        DELETE FROM mail_tokens WHERE user_id = $1 AND purpose = 'email_change' AND NOT EXISTS (SELECT FROM free)
    ), token AS (
        INSERT INTO mail_tokens (user_id, id, purpose, email, email_key, token_hash, expires_at)
        SELECT id, $3, 'email_change', $2, $7, $4, now() + interval '24 hours' FROM free
        ON CONFLICT (user_id, purpose) DO UPDATE SET id = excluded.id, email = excluded.email,
            email_key = excluded.email_key, token_hash = excluded.token_hash, created_at = excluded.created_at, expires_at = excluded.expires_at
    ), logged AS (
        INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT id, id, 'EMAIL_CHANGE_REQUESTED', 'User', id, $5::inet, $6 FROM person
    ), told AS (
        INSERT INTO mails (kind, user_id, recipient, ip_address, user_agent)
        SELECT 'email_change_requested', id, email, $5::inet, $6 FROM person
    )
    INSERT INTO mails (kind, user_id, recipient, token_id)
    SELECT 'email_change', id, $8, $3 FROM person";

pub(super) async fn request_email_change(
    conn: &mut Connection,
    user: UserId,
    new_email: &EmailAddress,
    token: NewMailToken,
) -> Result<(), Error> {
    let statement = Statement::new(REQUEST_CHANGE)
        .bind(user)
        .bind(new_email.as_str())
        .bind(token.id)
        .bind(token.hash)
        .bind_origin(conn)
        .bind(new_email.key())
        .bind(new_email.recipient());
    conn.execute(statement).await?;
    Ok(())
}

/// What a token for `verify_email` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Verification,
    Change,
}

named!(Purpose {
    Verification = "email_verification",
    Change = "email_change",
});

const PURPOSE: &str = "
    SELECT purpose FROM mail_tokens
    WHERE user_id = $1 AND token_hash = $2 AND purpose <> 'password_reset' AND expires_at > now()";

/// The purpose of a valid token. `None` if the token is unknown or another user's.
pub(super) async fn purpose_of(
    conn: &mut Connection,
    user: UserId,
    token_hash: Vec<u8>,
) -> Result<Option<Purpose>, Error> {
    let statement = Statement::new(PURPOSE).bind(user).bind(token_hash);
    conn.row(statement).await
}

/// The result of using a token.
pub(super) enum Verified {
    Done,
    NoSuchToken,
    /// Another user has the new address by now.
    Taken,
}

impl Verified {
    fn of(found: Option<UserId>) -> Self {
        found.map_or(Verified::NoSuchToken, |_| Verified::Done)
    }
}

/// The token only verifies the address that it was mailed to.
const VERIFY: &str = "
    WITH owner AS MATERIALIZED (
        SELECT id FROM users WHERE id = $1 AND is_active FOR NO KEY UPDATE
    ), token AS (
        DELETE FROM mail_tokens USING owner
        WHERE user_id = owner.id AND token_hash = $2 AND purpose = 'email_verification' AND expires_at > now()
        RETURNING mail_tokens.email_key
    ), person AS (
        UPDATE users SET email_verified = true FROM token
        WHERE (SELECT set_origin($3, $4)) AND id = $1 AND is_active AND users.email_key = token.email_key RETURNING id
    ), logged AS (
        INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT id, id, 'EMAIL_VERIFIED', 'User', id, $3::inet, $4 FROM person
    )
    SELECT id FROM person";

pub(super) async fn verify_email(
    conn: &mut Connection,
    user: UserId,
    token_hash: Vec<u8>,
) -> Result<Verified, Error> {
    let statement = Statement::new(VERIFY)
        .bind(user)
        .bind(token_hash)
        .bind_origin(conn);
    Ok(Verified::of(conn.row(statement).await?))
}

/// The old address gets a mail, and all other tokens are void, since they were mailed there.
const CHANGE: &str = "
    WITH owner AS MATERIALIZED (
        SELECT id, email FROM users WHERE id = $1 AND is_active FOR NO KEY UPDATE
    ), token AS (
        DELETE FROM mail_tokens USING owner
        WHERE user_id = owner.id AND token_hash = $2 AND purpose = 'email_change' AND expires_at > now()
        RETURNING mail_tokens.email, mail_tokens.email_key
    ), person AS (
        UPDATE users SET email = token.email, email_key = token.email_key, email_verified = true FROM token
        WHERE (SELECT set_origin($3, $4)) AND id = $1 AND is_active RETURNING id, users.email
    ), voided AS (
        DELETE FROM mail_tokens USING person WHERE user_id = person.id AND token_hash <> $2
    ), logged AS (
        INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, changes, ip_address, user_agent)
        SELECT person.id, person.id, 'EMAIL_CHANGED', 'User', person.id, changed('email', owner.email, person.email), $3::inet, $4
        FROM person, owner
    ), told AS (
        INSERT INTO mails (kind, user_id, recipient, ip_address, user_agent)
        SELECT 'email_changed', person.id, owner.email, $3::inet, $4 FROM person, owner
    )
    SELECT id FROM person";

pub(super) async fn change_email(
    conn: &mut Connection,
    user: UserId,
    token_hash: Vec<u8>,
) -> Result<Verified, Error> {
    let statement = Statement::new(CHANGE)
        .bind(user)
        .bind(token_hash)
        .bind_origin(conn);
    match conn.try_rows(statement).await {
        Ok(mut rows) => Ok(Verified::of(rows.pop())),
        Err(error) if violated_unique(&error) == Some("users_email_key") => Ok(Verified::Taken),
        Err(error) => Err(from_database(error)),
    }
}
