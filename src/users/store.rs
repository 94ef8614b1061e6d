//! All the SQL of users and their profiles, that of signing in apart, which is `auth`'s.

use std::collections::HashMap;

use diesel::{
    QueryDsl,
    sql_types::{BigInt, Nullable, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::{
    admin::{Standing, UserFilter},
    model::{Profile, ProfileChanges, User, UserChanges},
};
use crate::{
    auth::UserId,
    db::{
        Connection, Row, Statement, keyset::Slice, pool::from_database, schema::users, sql::Value,
    },
    error::Error,
    items::{contains, unless_null},
    rules::Change,
};

pub(super) async fn find(conn: &mut Connection, id: UserId) -> Result<Option<User>, Error> {
    let found = users::table.find(id.0).select((
        users::id,
        users::email,
        users::name,
        users::avatar_url,
        users::email_verified,
        users::is_active,
        users::role,
        users::created_at,
        users::updated_at,
        users::last_sign_in_at,
    ));
    Ok(conn.load(found).await.map_err(from_database)?.pop())
}

const FIND_BY_EMAIL: &str = "
    SELECT id, email, name, avatar_url, email_verified, is_active, role, created_at, updated_at, last_sign_in_at
    FROM users WHERE lower(email) = lower($1)";

pub(super) async fn find_by_email(
    conn: &mut Connection,
    email: &str,
) -> Result<Option<User>, Error> {
    conn.row(Statement::new(FIND_BY_EMAIL).bind(email)).await
}

const UPDATE: &str = "
    UPDATE users SET
        name = CASE WHEN $2 THEN $3 ELSE name END,
        avatar_url = CASE WHEN $4 THEN $5 ELSE avatar_url END
    WHERE id = $1
    RETURNING id, email, name, avatar_url, email_verified, is_active, role, created_at, updated_at, last_sign_in_at";

pub(super) async fn update(
    conn: &mut Connection,
    id: UserId,
    changes: &UserChanges,
) -> Result<Option<User>, Error> {
    let statement = Statement::new(UPDATE)
        .by(id)
        .bind(changes.name.given())
        .bind(text(&changes.name))
        .bind(changes.avatar_url.given())
        .bind(text(&changes.avatar_url));
    conn.row(statement).await
}

const PROFILES: &str = "
    SELECT user_id, proficiency, technical_background, hardware_access, learning_goals, preferences, updated_at
    FROM user_profiles WHERE user_id = ANY($1)";

type ProfileRow = (Uuid, Profile);

impl Row for ProfileRow {
    type Sql = (SqlUuid, <Profile as Row>::Sql);
}

pub(super) async fn profiles(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<HashMap<Uuid, Profile>, Error> {
    let rows: Vec<ProfileRow> = conn.rows(Statement::new(PROFILES).bind(users)).await?;
    Ok(rows.into_iter().collect())
}

const UPDATE_PROFILE: &str = "
    UPDATE user_profiles SET
        proficiency = coalesce($2, proficiency),
        technical_background = CASE WHEN $3 THEN $4 ELSE technical_background END,
        hardware_access = CASE WHEN $5 THEN $6 ELSE hardware_access END,
        learning_goals = CASE WHEN $7 THEN $8 ELSE learning_goals END,
        preferences = CASE WHEN $9 THEN $10 ELSE preferences END
    WHERE user_id = $1
    RETURNING proficiency, technical_background, hardware_access, learning_goals, preferences, updated_at";

pub(super) async fn update_profile(
    conn: &mut Connection,
    user: UserId,
    changes: &ProfileChanges,
) -> Result<Option<Profile>, Error> {
    let statement = Statement::new(UPDATE_PROFILE)
        .by(user)
        .bind(
            changes
                .proficiency
                .value()
                .map(|proficiency| proficiency.as_str().to_owned()),
        )
        .bind(changes.technical_background.given())
        .bind(text(&changes.technical_background))
        .bind(changes.hardware_access.given())
        .bind(text(&changes.hardware_access))
        .bind(changes.learning_goals.given())
        .bind(text(&changes.learning_goals))
        .bind(changes.preferences.given())
        .bind(text(&changes.preferences));
    conn.row(statement).await
}

fn text(change: &Change<String>) -> Value {
    Value::Text(change.value().cloned())
}

const IS_ADMIN: &str = "SELECT id FROM users WHERE id = $1 AND role = 'admin' AND is_active";

pub(super) async fn is_admin(conn: &mut Connection, user: UserId) -> Result<bool, Error> {
    let found = conn.row(Statement::<(Uuid,)>::new(IS_ADMIN).bind(user));
    Ok(found.await?.is_some())
}

/// The total beside a user; an empty page has the total alone.
type ListRow = (Option<i64>, Option<User>);

impl Row for ListRow {
    type Sql = (Nullable<BigInt>, Nullable<<User as Row>::Sql>);
}

/// Writes the conditions of a filter. `contains` is written only if the filter has it: then the trigram index is used.
fn write_filter(statement: &mut Statement<ListRow>, filter: &UserFilter) {
    unless_null(statement, "is_active", " = ", filter.active);
    contains(statement, "lower(email)", filter.email_contains.as_deref());
}

/// One row more than asked for tells whether there are more.
pub(super) async fn list(
    conn: &mut Connection,
    filter: &UserFilter,
    slice: &Slice,
    count: bool,
) -> Result<(Vec<User>, Option<i64>), Error> {
    let after = slice.after.as_ref();
    let mut statement =
        Statement::new("SELECT CASE WHEN $1 THEN (SELECT count(*) FROM users WHERE true")
            .bind(count);
    write_filter(&mut statement, filter);
    statement.sql(
        ") END, listed.* FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
            SELECT id, email, name, avatar_url, email_verified, is_active, role, created_at, updated_at, last_sign_in_at
            FROM users WHERE (created_at, id) < (",
    );
    statement.value(after.map_or("infinity", |position| &position.key));
    statement.sql("::timestamptz, ");
    statement.value(after.map_or(Uuid::max(), |position| position.id));
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

const LOCK_ADMINS: &str =
    "SELECT id FROM users WHERE role = 'admin' AND is_active ORDER BY id FOR UPDATE";

/// All active admins, none of whom can be made less before this transaction ends.
pub(super) async fn lock_admins(conn: &mut Connection) -> Result<Vec<UserId>, Error> {
    let rows: Vec<(Uuid,)> = conn.rows(Statement::new(LOCK_ADMINS)).await?;
    Ok(rows.into_iter().map(|(id,)| UserId(id)).collect())
}

const ACT_FOR: &str = "SELECT set_config('snapnote.actor', $1, true)";

/// The log says from now on, until this transaction ends, that this user did it.
pub(super) async fn act_for(conn: &mut Connection, actor: UserId) -> Result<(), Error> {
    let statement = Statement::new(ACT_FOR).bind(actor.0.to_string());
    conn.execute(statement).await?;
    Ok(())
}

/// The log says from now on, until this transaction ends, that the service did it.
pub(super) async fn act_as_service(conn: &mut Connection) -> Result<(), Error> {
    conn.execute(Statement::new(ACT_FOR).bind("service"))
        .await?;
    Ok(())
}

const SET: &str = "
    UPDATE users SET is_active = coalesce($2, is_active), role = coalesce($3, role) WHERE id = $1
    RETURNING id, email, name, avatar_url, email_verified, is_active, role, created_at, updated_at, last_sign_in_at";

/// A trigger ends the sessions of who is deactivated.
pub(super) async fn set(
    conn: &mut Connection,
    user: UserId,
    standing: Standing,
) -> Result<Option<User>, Error> {
    let (active, role) = match standing {
        Standing::Active(active) => (Some(active), None),
        Standing::Role(role) => (None, Some(role.as_str().to_owned())),
    };
    let statement = Statement::new(SET).by(user).bind(active).bind(role);
    conn.row(statement).await
}

/// The log's rows go last, since what goes before writes some; one without personal data stays, and a mail, if somebody
/// verified the address. A mail that is being sent this moment goes when it is.
const DELETE: [&str; 4] = [
    "WITH person AS (
        DELETE FROM users WHERE id = $1 RETURNING email, email_verified
    ), unsent AS (
        DELETE FROM mails WHERE id IN (
            SELECT mails.id FROM mails, person WHERE user_id = $1 OR lower(recipient) = lower(person.email)
            FOR UPDATE OF mails SKIP LOCKED)
    )
    INSERT INTO mails (kind, recipient) SELECT 'account_deleted', email FROM person WHERE email_verified",
    "UPDATE audit_logs SET ip_address = NULL, user_agent = NULL WHERE actor_id = $1 AND actor_id <> user_id",
    "DELETE FROM audit_logs WHERE user_id = $1",
    "INSERT INTO audit_logs (user_id, actor_id, action, entity_type, entity_id, ip_address, user_agent)
    VALUES ($1, $1, 'DELETED', 'User', $1, NULL, NULL)",
];

/// Deletes a user and all that is theirs.
pub(super) async fn delete(conn: &mut Connection, user: UserId) -> Result<(), Error> {
    for text in DELETE {
        conn.execute(Statement::new(text).bind(user)).await?;
    }
    Ok(())
}
