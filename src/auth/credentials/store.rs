//! The SQL of credentials: passwords and external accounts.

use uuid::Uuid;

use super::super::model::{Account, UserId, Viewer};
use crate::{
    db::{Connection, Statement, row},
    error::Error,
};

row! {
    /// A user and their password hash.
    pub(in crate::auth) struct Credentials {
        pub(in crate::auth) user_id: UserId,
        pub(in crate::auth) email: String,
        pub(in crate::auth) email_verified: bool,
        pub(in crate::auth) name: String,
        /// Also `None` if the user is deactivated.
        pub(in crate::auth) password_hash: Option<String>,
    }
}

/// The credentials, and whether a session of the user was used from this network in the last 90 days. The query uses
/// the last use of a session, not its sign-in. A session lasts up to 90 days. By its sign-in, the owner would count as a
/// stranger as soon as a long session ends.
pub(in crate::auth) type CredentialsLookup = (Option<Credentials>, bool);

/// Does the same work for an unknown address. Deactivated users are found, so that attempts are logged, but without
/// their password hash.
const CREDENTIALS: &str = "
    SELECT person.*, EXISTS (
        SELECT FROM sessions
        WHERE user_id = coalesce(person.id, '00000000-0000-0000-0000-000000000000') AND ip_address <<= $2::inet
            AND last_used_at > now() - interval '90 days')
    FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
        SELECT id, email, email_verified, name, CASE WHEN is_active THEN password_hash END
        FROM users WHERE email_key = $1
    ) AS person ON true";

pub(in crate::auth) async fn credentials(
    conn: &mut Connection,
    email_key: &str,
    network: Option<&str>,
) -> Result<CredentialsLookup, Error> {
    let statement = Statement::new(CREDENTIALS)
        .bind(email_key)
        .bind(network.map(str::to_owned));
    Ok(conn.row(statement).await?.unwrap_or_default())
}

const CREDENTIALS_OF: &str = "
    SELECT id, email, email_verified, name, password_hash FROM users WHERE id = $1 AND is_active";

pub(in crate::auth) async fn credentials_of(
    conn: &mut Connection,
    user: UserId,
) -> Result<Option<Credentials>, Error> {
    conn.row(Statement::new(CREDENTIALS_OF).bind(user)).await
}

/// Locks a user inside a transaction. Sign-ins in progress are then committed, and the next statement sees their
/// sessions.
const LOCK: &str = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE";

async fn lock(conn: &mut Connection, user: UserId) -> Result<(), Error> {
    conn.execute(Statement::new(LOCK).bind(user)).await?;
    Ok(())
}

/// Changes nothing if the hash has changed. Returns the ended sessions: all but the current one.
const CHANGE_PASSWORD: &str = "
    WITH person AS (
        UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2 AND is_active RETURNING id, email
    ), ended AS (
        UPDATE sessions SET ended_at = now() FROM person
        WHERE user_id = person.id AND sessions.id IS DISTINCT FROM $4 AND ended_at IS NULL RETURNING sessions.id
    ), voided AS (
        DELETE FROM mail_tokens USING person WHERE user_id = person.id AND purpose = 'password_reset'
    ), logged AS (
        INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT id, id, 'PASSWORD_CHANGED', 'User', id, $5::inet, $6 FROM person
        UNION ALL SELECT $1, $1, 'SESSION_REVOKED', 'Session', id, $5::inet, $6 FROM ended
    ), mailed AS (
        INSERT INTO mails (kind, user_id, recipient, ip_address, user_agent)
        SELECT 'password_changed', id, email, $5::inet, $6 FROM person WHERE $7
    )
    SELECT coalesce(array_agg(ended.id) FILTER (WHERE ended.id IS NOT NULL), '{}')
    FROM person LEFT JOIN ended ON true GROUP BY person.id";

/// The hashes of the current and the new password.
pub(super) struct NewPassword<'a> {
    pub(super) hash: &'a str,
    pub(super) new_hash: &'a str,
    /// Whether to send a mail.
    pub(super) notify: bool,
}

/// Returns the ended sessions. `None` if the password has changed since it was read.
pub(super) async fn change_password(
    conn: &mut Connection,
    viewer: &Viewer,
    password: NewPassword<'_>,
) -> Result<Option<Vec<Uuid>>, Error> {
    let statement = Statement::new(CHANGE_PASSWORD)
        .bind(viewer.user_id)
        .bind(password.hash)
        .bind(password.new_hash)
        .bind(viewer.session_id())
        .bind_origin(conn)
        .bind(password.notify);
    conn.transaction(async |conn| {
        lock(conn, viewer.user_id).await?;
        conn.row(statement.clone()).await
    })
    .await
}

/// A password counts as an account, too.
const ACCOUNTS: &str = "
    SELECT user_id, provider, provider_account_id, created_at FROM (
        SELECT id AS user_id, 'password' AS provider, email AS provider_account_id, created_at
        FROM users WHERE id = ANY($1) AND password_hash IS NOT NULL
        UNION ALL
        SELECT user_id, provider, provider_account_id, created_at FROM accounts WHERE user_id = ANY($1)
    ) AS account ORDER BY created_at, provider";

/// The accounts of these users, oldest first.
pub(super) async fn accounts(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<Vec<(Uuid, Account)>, Error> {
    conn.rows(Statement::new(ACCOUNTS).bind(users)).await
}
