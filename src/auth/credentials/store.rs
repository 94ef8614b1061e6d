//! The SQL of what people sign in with: passwords, and outside accounts.

use diesel::{
    Queryable,
    sql_types::{Array, Bool, Nullable, Text, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::super::model::{Account, Client, UserId, Viewer};
use crate::{
    db::{Connection, Row, Statement},
    error::Error,
};

/// Somebody, and what they can show.
#[derive(Queryable)]
pub(in crate::auth) struct Credentials {
    #[diesel(deserialize_as = Uuid)]
    pub(in crate::auth) user_id: UserId,
    pub(in crate::auth) email: String,
    pub(in crate::auth) email_verified: bool,
    pub(in crate::auth) name: String,
    /// `None` for who was deactivated, too.
    pub(in crate::auth) password_hash: Option<String>,
}

impl Row for Credentials {
    type Sql = (SqlUuid, Text, Bool, Text, Nullable<Text>);
}

/// Beside them, whether a session that began in this network was used in the last 90 days. When it began does not count: none
/// gets older than that, so its owner would be a stranger each time that one ends.
pub(in crate::auth) type Found = (Option<Credentials>, bool);

impl Row for Found {
    type Sql = (Nullable<<Credentials as Row>::Sql>, Bool);
}

/// Does the same work for an address that nobody has. Who was deactivated is found, so that the log has what is tried there,
/// but no password is theirs.
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
) -> Result<Found, Error> {
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

/// Locks a person first, in a transaction: a sign-in that is on its way is then over, and its session is among those that
/// the next statement sees.
const LOCK: &str = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE";

async fn lock(conn: &mut Connection, user: UserId) -> Result<(), Error> {
    conn.row(Statement::<(Uuid,)>::new(LOCK).bind(user)).await?;
    Ok(())
}

/// Nothing if the hash is another by now. Answers the sessions that it ended: all but the one that it came from.
const CHANGE_PASSWORD: &str = "
    WITH person AS (
        UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2 AND is_active RETURNING id, email
    ), ended AS (
        UPDATE sessions SET ended_at = now() FROM person
        WHERE user_id = person.id AND sessions.id IS DISTINCT FROM $4 AND ended_at IS NULL RETURNING sessions.id
    ), voided AS (
        DELETE FROM mail_tokens USING person WHERE user_id = person.id AND purpose = 'password_reset'
    ), logged AS (
        INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
        SELECT id, id, 'PASSWORD_CHANGED', 'User', id, $5::inet, $6 FROM person
        UNION ALL SELECT $1, $1, 'SESSION_REVOKED', 'Session', id, $5::inet, $6 FROM ended
    ), mailed AS (
        INSERT INTO mails (kind, user_id, recipient, ip_address, user_agent)
        SELECT 'password_changed', id, email, $5::inet, $6 FROM person WHERE $7
    )
    SELECT person.id, coalesce(array_agg(ended.id) FILTER (WHERE ended.id IS NOT NULL), '{}')
    FROM person LEFT JOIN ended ON true GROUP BY person.id";

type ChangedFor = (Uuid, Vec<Uuid>);

impl Row for ChangedFor {
    type Sql = (SqlUuid, Array<SqlUuid>);
}

/// A new password's hash for an old one's.
pub(super) struct NewPassword<'a> {
    pub(super) hash: &'a str,
    pub(super) new_hash: &'a str,
    /// Whether a mail tells of it.
    pub(super) told: bool,
}

/// Answers the sessions that were ended; `None` if the password is another by now.
pub(super) async fn change_password(
    conn: &mut Connection,
    viewer: &Viewer,
    password: NewPassword<'_>,
    client: &Client,
) -> Result<Option<Vec<Uuid>>, Error> {
    let statement = Statement::<ChangedFor>::new(CHANGE_PASSWORD)
        .bind(viewer.user_id)
        .bind(password.hash)
        .bind(password.new_hash)
        .bind(viewer.session_id())
        .bind(client.address())
        .bind(client.user_agent.clone())
        .bind(password.told);
    let changed = conn.transaction(async |conn| {
        lock(conn, viewer.user_id).await?;
        conn.row(statement.clone()).await
    });
    Ok(changed.await?.map(|(_, ended)| ended))
}

/// A password is a way to sign in, too.
const ACCOUNTS: &str = "
    SELECT user_id, provider, provider_account_id, created_at FROM (
        SELECT id AS user_id, 'password' AS provider, email AS provider_account_id, created_at
        FROM users WHERE id = ANY($1) AND password_hash IS NOT NULL
        UNION ALL
        SELECT user_id, provider, provider_account_id, created_at FROM accounts WHERE user_id = ANY($1)
    ) AS account ORDER BY created_at, provider";

type AccountOf = (Uuid, Account);

impl Row for AccountOf {
    type Sql = (SqlUuid, <Account as Row>::Sql);
}

/// What these users can sign in with, oldest first.
pub(super) async fn accounts(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<Vec<AccountOf>, Error> {
    conn.rows(Statement::new(ACCOUNTS).bind(users)).await
}
