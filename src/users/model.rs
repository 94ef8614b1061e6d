//! Users and profiles: their columns, and what callers can ask of them.

use async_graphql::{Enum, InputObject};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::{
    auth::UserId,
    db::{named, row},
    scalars::{MaybeUndefined, Url},
};

row! {
    /// A user, without the password hash.
    #[derive(Debug, Clone)]
    pub struct User from users {
        /// Unique among all users.
        pub id: UserId,
        /// As typed. Its canonical form is unique.
        pub email: String,
        /// 1–255 characters.
        pub name: String,
        /// An absolute http or https URL. Maximum 512 characters.
        pub avatar_url: Option<String>,
        /// Whether the user has proven that the address is theirs.
        pub email_verified: bool,
        /// Whether the user may sign in.
        pub is_active: bool,
        /// The user's role.
        pub role: Role,
        /// When the user signed up.
        pub created_at: DateTime<Utc>,
        /// When name, email address, avatar, role or `is_active` last changed.
        pub updated_at: DateTime<Utc>,
        /// When the user last signed in.
        pub last_sign_in_at: Option<DateTime<Utc>>,
    }
}

/// What a user is allowed to do.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Works with their own data.
    User,
    /// Also manages other users.
    Admin,
}

named!(Role {
    User = "user",
    Admin = "admin",
});

row! {
    /// What a user says about themselves.
    #[derive(Debug, Clone)]
    pub struct Profile from user_profiles {
        /// How much the user already knows.
        pub proficiency: Proficiency,
        /// Maximum 10,000 characters, as for each of the following.
        pub technical_background: Option<String>,
        /// The machines that the user can use.
        pub hardware_access: Option<String>,
        /// What the user wants to learn.
        pub learning_goals: Option<String>,
        /// The user's preferences.
        pub preferences: Option<String>,
        /// When the profile last changed.
        pub updated_at: DateTime<Utc>,
    }
}

/// How much a user already knows. `PRO` by default.
#[derive(Enum, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Proficiency {
    /// Knows little.
    Beginner,
    /// Knows something.
    Intermediate,
    /// Knows a lot.
    Pro,
}

named!(Proficiency {
    Beginner = "beginner",
    Intermediate = "intermediate",
    Pro = "pro",
});

/// A change of your user. Omitted fields keep their values; null clears a field that can be null. This applies to every update
/// mutation.
#[derive(InputObject, Debug, Clone)]
pub struct UpdateMeInput {
    /// Your name. 1–255 characters. Must not be null.
    pub name: MaybeUndefined<String>,
    /// The URL of your avatar image. Maximum 512 characters.
    pub avatar_url: MaybeUndefined<Url>,
}

/// A change of your profile.
#[derive(InputObject, Deserialize, Debug, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateProfileInput {
    /// How much you already know. Must not be null.
    pub proficiency: MaybeUndefined<Proficiency>,
    /// What you have learnt. Maximum 10,000 characters.
    pub technical_background: MaybeUndefined<String>,
    /// The machines that you can use. Maximum 10,000 characters.
    pub hardware_access: MaybeUndefined<String>,
    /// What you want to learn. Maximum 10,000 characters.
    pub learning_goals: MaybeUndefined<String>,
    /// Your preferences. Maximum 10,000 characters.
    pub preferences: MaybeUndefined<String>,
}
