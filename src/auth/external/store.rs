//! The SQL of external accounts.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{super::model::UserId, Identity};
use crate::{
    db::{Connection, Statement, row},
    email_address::EmailAddress,
    error::Error,
};

row! {
    /// The user of an external account.
    pub(super) struct LinkedUser {
        pub(super) user_id: UserId,
        pub(super) is_active: bool,
        /// Whether the claims were read more than an hour ago.
        pub(super) is_stale: bool,
        /// How long this may be trusted, by the database's clock.
        pub(super) until: DateTime<Utc>,
    }
}

const FIND: &str = "
    SELECT user_id, is_active, claims_read_at < now() - interval '1 hour', now() + interval '15 minutes'
    FROM accounts JOIN users ON users.id = user_id WHERE provider = $1 AND provider_account_id = $2";

pub(super) async fn find(
    conn: &mut Connection,
    identity: &Identity,
) -> Result<Option<LinkedUser>, Error> {
    let statement = Statement::new(FIND)
        .bind(identity.provider.as_str())
        .bind(identity.subject.as_str());
    conn.row(statement).await
}

/// The user's name and picture follow the provider's when those change. An address that the provider has verified
/// becomes verified. The user is locked before the account, as in statements that delete accounts.
const REFRESH: &str = "
    WITH owner AS MATERIALIZED (
        SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE
    ), before AS (
        SELECT accounts.id, claimed_name, claimed_avatar_url FROM accounts JOIN owner ON user_id = owner.id
        WHERE provider = $2 AND provider_account_id = $3 AND claims_read_at < now() - interval '1 hour'
        FOR NO KEY UPDATE OF accounts
    ), noted AS (
        UPDATE accounts SET claims_read_at = now(), claimed_name = coalesce($4, accounts.claimed_name),
            claimed_avatar_url = coalesce($5, accounts.claimed_avatar_url)
        FROM before WHERE (SELECT set_origin($address, $program))
            AND accounts.user_id = $1 AND accounts.id = before.id
    )
    UPDATE users SET last_sign_in_at = now(),
        name = CASE WHEN $4 IS DISTINCT FROM before.claimed_name THEN coalesce($4, name) ELSE name END,
        avatar_url = CASE WHEN $5 IS DISTINCT FROM before.claimed_avatar_url THEN coalesce($5, avatar_url)
            ELSE avatar_url END,
        email_verified = email_verified OR ($7 AND email_key = $6)
    FROM before WHERE (SELECT set_origin($address, $program)) AND users.id = $1";

/// Updates user and account from the provider's claims, at most once an hour.
pub(super) async fn refresh(
    conn: &mut Connection,
    identity: &Identity,
    linked: &LinkedUser,
) -> Result<(), Error> {
    let claims = &identity.claims;
    let statement = Statement::write(REFRESH, linked.user_id)
        .bind(identity.provider.as_str())
        .bind(identity.subject.as_str())
        .bind(claims.name.clone())
        .bind(claims.picture.clone())
        .bind(claims.email.as_ref().map(|email| email.key().to_owned()))
        .bind(claims.email_verified);
    conn.execute(statement).await?;
    Ok(())
}

const WAS_DELETED: &str = "SELECT FROM former_accounts WHERE account_hash = account_hash($1, $2)";

/// Whether the account belonged to a user who was deleted.
pub(super) async fn was_deleted(conn: &mut Connection, identity: &Identity) -> Result<bool, Error> {
    let statement = Statement::new(WAS_DELETED)
        .bind(identity.provider.as_str())
        .bind(identity.subject.as_str());
    Ok(conn.execute(statement).await? > 0)
}

/// A user created at their first sign-in with an external identity provider.
pub(super) struct NewExternalUser<'a> {
    pub(super) id: UserId,
    pub(super) email: &'a EmailAddress,
    pub(super) name: String,
    pub(super) avatar_url: Option<String>,
    pub(super) email_verified: bool,
}

const CREATE: &str = "
    WITH person AS (
        INSERT INTO users (id, email, email_key, name, avatar_url, email_verified, last_sign_in_at)
        SELECT $1, $2, $6, $3, $4, $5, now() WHERE (SELECT set_origin($address, $program))
        ON CONFLICT DO NOTHING RETURNING id
    )
    INSERT INTO user_profiles (user_id) SELECT id FROM person";

/// `false` if another user has the address.
pub(super) async fn create(
    conn: &mut Connection,
    new_user: &NewExternalUser<'_>,
) -> Result<bool, Error> {
    let statement = Statement::write(CREATE, new_user.id)
        .bind(new_user.email.as_str())
        .bind(new_user.name.as_str())
        .bind(new_user.avatar_url.clone())
        .bind(new_user.email_verified)
        .bind(new_user.email.key());
    Ok(conn.execute(statement).await? > 0)
}

const UNDO_CREATE: [&str; 2] = [
    "DELETE FROM users WHERE id = $1",
    "DELETE FROM audit_logs WHERE user_id = $1",
];

/// Deletes a user who was created in this transaction.
pub(super) async fn undo_create(conn: &mut Connection, user: UserId) -> Result<(), Error> {
    for text in UNDO_CREATE {
        conn.execute(Statement::new(text).bind(user)).await?;
    }
    Ok(())
}

/// Notifies the owner by mail, unless this sign-in created the user.
const LINK: &str = "
    WITH account AS (
        INSERT INTO accounts (user_id, id, provider, provider_account_id, claimed_name, claimed_avatar_url)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id
    ), logged AS (
        INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, changes, ip_address, user_agent)
        SELECT $1, $1, 'ACCOUNT_LINKED', 'Account', id, changed('provider', NULL, $3), $7::inet, $8 FROM account
    ), mailed AS (
        INSERT INTO mails (kind, user_id, recipient, ip_address, user_agent)
        SELECT 'account_linked', users.id, email, $7::inet, $8 FROM users, account WHERE users.id = $1 AND $9
    )
    SELECT id FROM account";

/// The user to whom an account is linked.
#[derive(Debug, Clone, Copy)]
pub(super) enum LinkTo {
    /// Created by this sign-in.
    New(UserId),
    /// Existed before.
    Existing(UserId),
}

/// `false` if another request has just created the account.
pub(super) async fn link(
    conn: &mut Connection,
    identity: &Identity,
    to: LinkTo,
) -> Result<bool, Error> {
    let (user, is_notified) = match to {
        LinkTo::New(user) => (user, false),
        LinkTo::Existing(user) => (user, true),
    };
    let statement = Statement::new(LINK)
        .bind(user)
        .bind(Uuid::now_v7())
        .bind(identity.provider.as_str())
        .bind(identity.subject.as_str())
        .bind(identity.claims.name.clone())
        .bind(identity.claims.picture.clone())
        .bind_origin(conn)
        .bind(is_notified);
    Ok(conn.execute(statement).await? > 0)
}

row! {
    /// The user who has an address.
    pub(super) struct Owner {
        pub(super) id: UserId,
        pub(super) email_verified: bool,
        pub(super) is_active: bool,
    }
}

const LOCK_OWNER: &str =
    "SELECT id, email_verified, is_active FROM users WHERE email_key = $1 FOR UPDATE";

pub(super) async fn lock_owner(
    conn: &mut Connection,
    email: &EmailAddress,
) -> Result<Option<Owner>, Error> {
    let statement = Statement::new(LOCK_OWNER).bind(email.key());
    conn.row(statement).await
}

/// Verifies the address, and removes everything that was accepted for signing in before.
const TAKE_OVER: &str = "
    WITH person AS (
        UPDATE users SET password_hash = NULL, email_verified = true, last_sign_in_at = now()
        WHERE (SELECT set_origin($address, $program)) AND id = $1 RETURNING id
    ), ended AS (
        UPDATE sessions SET ended_at = now() WHERE user_id = $1 AND ended_at IS NULL RETURNING id
    ), voided AS (
        DELETE FROM mail_tokens WHERE user_id = $1
    ), unlinked AS (
        DELETE FROM accounts WHERE (SELECT set_origin($address, $program)) AND user_id = $1
    )
    INSERT INTO people_log (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    SELECT id, NULL::uuid, 'CREDENTIALS_REMOVED', 'User', id, $2::inet, $3 FROM person
    UNION ALL SELECT $1, NULL, 'SESSION_REVOKED', 'Session', id, $2::inet, $3 FROM ended";

/// Removes the password, sessions, tokens and accounts of a user who never verified their address.
pub(super) async fn take_over(conn: &mut Connection, user: UserId) -> Result<(), Error> {
    let statement = Statement::write(TAKE_OVER, user).bind_origin(conn);
    conn.execute(statement).await?;
    Ok(())
}
