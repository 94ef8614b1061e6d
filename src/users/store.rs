//! All the SQL of users and their profiles, that of signing in apart, which is `auth`'s.

use diesel::QueryDsl;

use super::model::{Profile, ProfileChanges, User, UserChanges};
use crate::{
    auth::UserId,
    db::{
        Connection, Statement,
        schema::{user_profiles, users},
        sql::Value,
    },
    error::Error,
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
    Ok(conn.load(found).await?.pop())
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
        .bind(id)
        .bind(changes.name.given())
        .bind(text(&changes.name))
        .bind(changes.avatar_url.given())
        .bind(text(&changes.avatar_url));
    conn.row(statement).await
}

pub(super) async fn profile(conn: &mut Connection, user: UserId) -> Result<Option<Profile>, Error> {
    let found = user_profiles::table.find(user.0).select((
        user_profiles::proficiency,
        user_profiles::technical_background,
        user_profiles::hardware_access,
        user_profiles::learning_goals,
        user_profiles::preferences,
        user_profiles::updated_at,
    ));
    Ok(conn.load(found).await?.pop())
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
        .bind(user)
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
