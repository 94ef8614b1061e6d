//! The SQL of users and their profiles. `auth` has that of signing in.

use std::{collections::HashMap, sync::LazyLock};

use uuid::Uuid;

use super::{
    admin::{AccessChange, UserFilter},
    model::{Profile, Role, UpdateMeInput, UpdateProfileInput, User},
};
use crate::{
    auth::UserId,
    db::{
        Columns, Connection, Reader, SharedText, SqlText, Statement,
        keyset::Slice,
        raw::{RawReads, RawRow},
        sql::SET_ORIGIN,
    },
    email_address::EmailAddress,
    error::Error,
    items::{Changes, Conditions},
};

const COLUMNS: &str = User::COLUMNS;

static FIND: LazyLock<SharedText> = LazyLock::new(|| {
    SharedText::new(format!(
        "SELECT {COLUMNS} FROM users WHERE id = $1 AND deleted_at IS NULL"
    ))
});

/// The user with this id.
pub(crate) async fn find(reader: impl Reader, id: UserId) -> Result<Option<User>, Error> {
    let found = reader.read(Statement::look_up(&FIND).bind(id));
    Ok(found.await?.pop())
}

/// The column of the id in the rows of [`raw_by_id`]. The selected columns follow it.
pub(crate) const RAW_ID: usize = 0;

/// Selected columns of the user with this id. `None` if a shared connection cannot read them now.
pub(crate) async fn raw_by_id(
    reads: &RawReads<'_>,
    id: UserId,
    columns: &[&str],
) -> Option<Vec<RawRow>> {
    let mut text = SqlText::new("SELECT id");
    for column in columns {
        text.sql(", ").sql(column);
    }
    text.sql(" FROM users WHERE id = ").value(id);
    text.sql(" AND deleted_at IS NULL");
    reads.rows(&text).await
}

static FIND_BY_EMAIL: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM users WHERE email_key = $1"));

/// The user with this address.
pub async fn find_by_email(
    conn: &mut Connection,
    email: &EmailAddress,
) -> Result<Option<User>, Error> {
    let statement = Statement::new(FIND_BY_EMAIL.as_str()).bind(email.key());
    conn.row(statement).await
}

pub(super) async fn update(
    conn: &mut Connection,
    id: UserId,
    input: &UpdateMeInput,
) -> Result<Option<User>, Error> {
    let mut statement = Statement::write("", id);
    let assignments = [
        statement.change("name", &input.name),
        statement.change("avatar_url", &input.avatar_url),
    ];
    let assignments = assignments.join(", ");
    statement.sql(&format!(
        "UPDATE users SET {assignments}
        WHERE {SET_ORIGIN} AND id = $1 AND deleted_at IS NULL
        RETURNING {COLUMNS}"
    ));
    conn.row(statement).await
}

/// The profiles of these users, by user id.
pub(crate) async fn profiles(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<HashMap<Uuid, Profile>, Error> {
    let columns = Profile::COLUMNS;
    let text = format!("SELECT user_id, {columns} FROM user_profiles WHERE user_id = ANY($1)");
    let rows: Vec<(Uuid, Profile)> = conn.rows(Statement::new(text).bind(users)).await?;
    Ok(rows.into_iter().collect())
}

pub(super) async fn update_profile(
    conn: &mut Connection,
    user: UserId,
    input: &UpdateProfileInput,
) -> Result<Option<Profile>, Error> {
    let mut statement = Statement::write("", user);
    let assignments = [
        statement.change("proficiency", &input.proficiency),
        statement.change("technical_background", &input.technical_background),
        statement.change("hardware_access", &input.hardware_access),
        statement.change("learning_goals", &input.learning_goals),
        statement.change("preferences", &input.preferences),
    ];
    let (assignments, columns) = (assignments.join(", "), Profile::COLUMNS);
    statement.sql(&format!(
        "UPDATE user_profiles SET {assignments}
        WHERE {SET_ORIGIN} AND user_id = $1
        RETURNING {columns}"
    ));
    conn.row(statement).await
}

const IS_ADMIN: &str = "SELECT id FROM users WHERE id = $1 AND role = 'admin' AND is_active";

pub(super) async fn is_admin(conn: &mut Connection, user: UserId) -> Result<bool, Error> {
    Ok(conn.execute(Statement::new(IS_ADMIN).bind(user)).await? > 0)
}

/// The total and a user. An empty page has one row with the total only.
type ListRow = (Option<i64>, Option<User>);

/// Writes the conditions of a filter.
fn write_filter(statement: &mut SqlText, filter: &UserFilter) {
    statement.sql(" AND deleted_at IS NULL");
    Conditions::new(statement, Uuid::nil())
        .either(filter.active, "is_active", "NOT is_active")
        .contains("lower(email)", filter.email_contains.as_deref());
}

/// Reads one row more than requested, to know whether there is a next page.
pub(super) async fn list(
    conn: &mut Connection,
    filter: &UserFilter,
    slice: &Slice,
    count: bool,
) -> Result<(Vec<User>, Option<i64>), Error> {
    let (key, id) = slice.after_time();
    let mut statement =
        Statement::new("SELECT CASE WHEN $1 THEN (SELECT count(*) FROM users WHERE true")
            .bind(count);
    write_filter(&mut statement, filter);
    statement.sql(") END, listed.* FROM (VALUES (1)) AS one LEFT JOIN LATERAL (SELECT ");
    statement.sql(COLUMNS);
    statement.sql(" FROM users WHERE (created_at, id) < (");
    statement.value(key).sql("::timestamptz, ").value(id);
    statement.sql(")");
    write_filter(&mut statement, filter);
    statement.sql(" ORDER BY created_at DESC, id DESC LIMIT ");
    statement.value(slice.size + 1).sql(") AS listed ON true");
    let rows: Vec<ListRow> = conn.rows(statement).await?;
    let total = rows.first().and_then(|(total, _)| *total);
    Ok((
        rows.into_iter().filter_map(|(_, user)| user).collect(),
        total,
    ))
}

const ROLE: &str = "SELECT role FROM users WHERE id = $1 AND is_active";

/// The user's current role. `None` if the user is not active.
pub(super) async fn role(conn: &mut Connection, user: UserId) -> Result<Option<Role>, Error> {
    conn.row(Statement::new(ROLE).bind(user)).await
}

const LOCK_ADMINS: &str =
    "SELECT id FROM users WHERE role = 'admin' AND is_active ORDER BY id FOR NO KEY UPDATE";

/// Locks and returns all active admins. None of them can lose the role before the transaction ends. Their other writes
/// continue, but sign-ins wait, so the transaction must be short.
pub(super) async fn lock_admins(conn: &mut Connection) -> Result<Vec<UserId>, Error> {
    conn.rows(Statement::new(LOCK_ADMINS)).await
}

/// The change log names this user as the actor until the transaction ends, or the service if there is none.
pub(super) async fn set_actor(conn: &mut Connection, actor: Option<UserId>) -> Result<(), Error> {
    let name = actor.map_or_else(|| "service".to_owned(), |user| user.0.to_string());
    conn.set_local(&[("snapnote.actor", name)]).await
}

static CHANGE_ACCESS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE users SET is_active = coalesce($2, is_active), role = coalesce($3, role)
        WHERE (SELECT set_origin($address, $program)) AND id = $1 AND deleted_at IS NULL
        RETURNING {COLUMNS}"
    )
});

/// A trigger ends the sessions of a deactivated user.
pub(super) async fn change_access(
    conn: &mut Connection,
    user: UserId,
    change: AccessChange,
) -> Result<Option<User>, Error> {
    let (active, role) = match change {
        AccessChange::Active(active) => (Some(active), None),
        AccessChange::Role(role) => (None, Some(role)),
    };
    let statement = Statement::write(CHANGE_ACCESS.as_str(), user)
        .bind(active)
        .bind(role);
    conn.row(statement).await
}

/// Removes the user's email address, password and external accounts; a trigger ends the sessions. A mail confirms the
/// deletion if the address was verified. Returns no row if the role has changed since it was read, or the user was deactivated. Without a
/// role, only a deleted user is no row.
const MARK_DELETED: &str = "
    WITH before AS (
        SELECT email, email_key, email_verified, gen_random_uuid() || '@deleted.invalid' AS tombstone
        FROM users WHERE id = $1 AND deleted_at IS NULL AND ($2 IS NULL OR is_active AND role = $2)
    ), left_behind AS (
        UPDATE users SET is_active = false, deleted_at = now(), email = tombstone, email_key = tombstone,
            email_verified = false, password_hash = NULL
        FROM before WHERE id = $1 AND deleted_at IS NULL AND ($2 IS NULL OR is_active AND role = $2) RETURNING id
    ), unsent AS (
        DELETE FROM mails WHERE id IN (
            SELECT mails.id FROM mails, before WHERE user_id = $1 OR lower(recipient COLLATE \"C\") = before.email_key
            FOR UPDATE OF mails SKIP LOCKED)
    ), farewell AS (
        INSERT INTO mails (kind, recipient) SELECT 'account_deleted', before.email FROM before, left_behind
        WHERE before.email_verified
    ), former AS (
        INSERT INTO former_accounts (account_hash) SELECT account_hash(provider, provider_account_id)
        FROM accounts, left_behind WHERE user_id = $1 ON CONFLICT DO NOTHING
    ), unlinked AS (
        DELETE FROM accounts USING left_behind WHERE user_id = $1
    )
    SELECT id FROM left_behind";

/// Signs a user out everywhere and releases the email address. `false` if the role has changed. The caller has locked
/// the user, and adds the operation that deletes everything else.
pub(super) async fn mark_deleted(
    conn: &mut Connection,
    user: UserId,
    role: Role,
) -> Result<bool, Error> {
    let statement = Statement::new(MARK_DELETED).bind(user).bind(Some(role));
    Ok(conn.execute(statement).await? > 0)
}

/// As [`mark_deleted`], whatever the role, also for a deactivated user. `false` if the user was deleted before.
pub(super) async fn mark_any_deleted(conn: &mut Connection, user: UserId) -> Result<bool, Error> {
    let statement = Statement::new(MARK_DELETED).bind(user).bind(None::<Role>);
    Ok(conn.execute(statement).await? > 0)
}
