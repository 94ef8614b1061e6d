//! Users: their names and profiles, commands of admins, and closing an account. `auth` is responsible for signing in.

mod account_closure;
mod admin;
pub mod import;
pub mod model;
mod store;

pub use account_closure::{deactivate, delete};
pub use admin::{
    Admin, UserFilter, admin, delete as delete_as_operator, grant, set_active, set_role,
};
pub(crate) use admin::{ORDER, list};
pub use model::{Proficiency, Profile, Role, UpdateMeInput, UpdateProfileInput, User};
pub use store::find_by_email;
pub(crate) use store::{RAW_ID, find, profiles, raw_by_id};

use crate::{
    auth::{MAX_AVATAR_URL_LENGTH, MAX_NAME_LENGTH, Viewer},
    db::Connection,
    error::{Error, Failure, RefusalCode},
    rules::Problems,
};

const MAX_PROFILE_TEXT_LENGTH: usize = 10_000;

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
    problems.text("name", &input.name, MAX_NAME_LENGTH);
    if let Some(url) = input.avatar_url.value()
        && url.0.chars().count() > MAX_AVATAR_URL_LENGTH
    {
        let message = format!("`avatarUrl` must have at most {MAX_AVATAR_URL_LENGTH} characters.");
        problems.add("avatarUrl", RefusalCode::TooLong, message);
    }
    problems.finish()?;
    let user = store::update(conn, viewer.user_id, input).await?;
    Ok(user.ok_or_else(user_deleted)?)
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
        problems.optional_text(field, text, MAX_PROFILE_TEXT_LENGTH);
    }
    problems.finish()?;
    let profile = store::update_profile(conn, viewer.user_id, input).await?;
    Ok(profile.ok_or_else(user_deleted)?)
}

/// The viewer was deleted after the request was authenticated.
fn user_deleted() -> Error {
    Error::unauthenticated("This user was deleted.")
}
