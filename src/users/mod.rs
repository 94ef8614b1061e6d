//! People: what they are called and what they tell of themselves, what admins do, and leaving. How they sign in is
//! `auth`'s.

mod admin;
pub mod import;
mod leaving;
pub mod model;
mod store;

pub use admin::{Admin, UserFilter, admin, grant, set_active, set_role};
pub(crate) use admin::{ORDER, list};
pub use leaving::{deactivate, delete};
pub use model::{Proficiency, Profile, ProfileChanges, Role, User, UserChanges};

use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    auth::{UserId, Viewer},
    db::Connection,
    email_address::EmailAddress,
    error::{Error, Failure, RefusalCode},
    rules::{Change, Problems},
};

const MOST_NAME: usize = 255;
const MOST_AVATAR_URL: usize = 512;
const MOST_PROFILE_TEXT: usize = 10_000;

/// The user with that id.
pub async fn find(conn: &mut Connection, id: UserId) -> Result<Option<User>, Error> {
    store::find(conn, id).await
}

/// The user with that address.
pub async fn find_by_email(
    conn: &mut Connection,
    email: &EmailAddress,
) -> Result<Option<User>, Error> {
    store::find_by_email(conn, email).await
}

/// Changes what the viewer is called.
///
/// # Errors
/// What is wrong with the input.
pub async fn update(
    conn: &mut Connection,
    viewer: &Viewer,
    changes: UserChanges,
) -> Result<User, Failure> {
    let mut problems = Problems::default();
    problems.changed_text("name", &changes.name, MOST_NAME);
    if let Change::Set(url) = &changes.avatar_url
        && url.chars().count() > MOST_AVATAR_URL
    {
        let message = format!("avatarUrl must have {MOST_AVATAR_URL} characters at most.");
        problems.add("avatarUrl", RefusalCode::TooLong, message);
    }
    problems.finish()?;
    let user = store::update(conn, viewer.user_id, &changes).await?;
    Ok(user.ok_or_else(gone)?)
}

/// What these users tell of themselves, by their ids.
pub(crate) async fn profiles(
    conn: &mut Connection,
    users: Vec<Uuid>,
) -> Result<HashMap<Uuid, Profile>, Error> {
    store::profiles(conn, users).await
}

/// Changes what the viewer tells of themselves.
///
/// # Errors
/// What is wrong with the input.
pub async fn update_profile(
    conn: &mut Connection,
    viewer: &Viewer,
    changes: ProfileChanges,
) -> Result<Profile, Failure> {
    let mut problems = Problems::default();
    if changes.proficiency == Change::Clear {
        problems.must_not_be_null("proficiency");
    }
    let texts = [
        ("technicalBackground", &changes.technical_background),
        ("hardwareAccess", &changes.hardware_access),
        ("learningGoals", &changes.learning_goals),
        ("preferences", &changes.preferences),
    ];
    for (field, change) in texts {
        if let Change::Set(text) = change {
            problems.optional_text(field, text, MOST_PROFILE_TEXT);
        }
    }
    problems.finish()?;
    let profile = store::update_profile(conn, viewer.user_id, &changes).await?;
    Ok(profile.ok_or_else(gone)?)
}

/// Whoever was signed in when the request came was deleted while it ran.
fn gone() -> Error {
    Error::unauthenticated("This user is gone.")
}
