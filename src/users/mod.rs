//! Users: their names and profiles, commands of admins, and closing an account. `auth` is responsible for signing in.

mod account_closure;
mod admin;
pub mod import;
pub mod model;
mod store;

pub use account_closure::{deactivate, delete};
pub use admin::{Admin, UserFilter, admin, grant, set_active, set_role};
pub(crate) use admin::{ORDER, list};
pub use model::{Proficiency, Profile, Role, UpdateMeInput, UpdateProfileInput, User};

use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    auth::{UserId, Viewer},
    db::Connection,
    email_address::EmailAddress,
    error::{Error, Failure, RefusalCode},
    rules::Problems,
};

const MAX_NAME_LENGTH: usize = 255;
const MAX_AVATAR_URL_LENGTH: usize = 512;
const MAX_PROFILE_TEXT_LENGTH: usize = 10_000;

/// The user with this id.
pub async fn find(conn: &mut Connection, id: UserId) -> Result<Option<User>, Error> {
    store::find(conn, id).await
}

/// The user with this address.
pub async fn find_by_email(
    conn: &mut Connection,
    email: &EmailAddress,
) -> Result<Option<User>, Error> {
    store::find_by_email(conn, email).await
}

/// Changes the viewer's name and avatar.
///
/// # Errors
/// The errors of the input.
pub async fn update(
    conn: &mut Connection,
    viewer: &Viewer,
    input: &UpdateMeInput,
) -> Result<User, Failure> {
    let mut problems = Problems::default();
    problems.changed_text("name", &input.name, MAX_NAME_LENGTH);
    if let Some(url) = input.avatar_url.value()
        && url.0.chars().count() > MAX_AVATAR_URL_LENGTH
    {
        let message = format!("avatarUrl must have at most {MAX_AVATAR_URL_LENGTH} characters.");
        problems.add("avatarUrl", RefusalCode::TooLong, message);
    }
    problems.finish()?;
    let user = store::update(conn, viewer.user_id, input).await?;
    Ok(user.ok_or_else(user_deleted)?)
}

/// The profiles of these users, by user id.
pub(crate) async fn profiles(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<HashMap<Uuid, Profile>, Error> {
    store::profiles(conn, users).await
}

/// Changes the viewer's profile.
///
/// # Errors
/// The errors of the input.
pub async fn update_profile(
    conn: &mut Connection,
    viewer: &Viewer,
    input: &UpdateProfileInput,
) -> Result<Profile, Failure> {
    let mut problems = Problems::default();
    problems.not_null("proficiency", &input.proficiency);
    for (field, text) in [
        ("technicalBackground", &input.technical_background),
        ("hardwareAccess", &input.hardware_access),
        ("learningGoals", &input.learning_goals),
        ("preferences", &input.preferences),
    ] {
        problems.optional_text(field, text.value(), MAX_PROFILE_TEXT_LENGTH);
    }
    problems.finish()?;
    let profile = store::update_profile(conn, viewer.user_id, input).await?;
    Ok(profile.ok_or_else(user_deleted)?)
}

/// The viewer was deleted after the request was authenticated.
fn user_deleted() -> Error {
    Error::unauthenticated("This user was deleted.")
}
