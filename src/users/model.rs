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
    /// Can only access their own data.
    User,
    /// Can also manage other users.
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
        /// The hardware that the user has access to.
        pub hardware_access: Option<String>,
        /// What the user wants to learn.
        pub learning_goals: Option<String>,
        /// The user's preferences.
        pub preferences: Option<String>,
        /// When the profile last changed.
        pub updated_at: DateTime<Utc>,
    }
}

/// How much a user already knows (default `PRO`).
#[derive(Enum, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Proficiency {
    /// Little prior knowledge.
    Beginner,
    /// Some prior knowledge.
    Intermediate,
    /// Extensive prior knowledge. The default.
    Pro,
}

named!(Proficiency {
    Beginner = "beginner",
    Intermediate = "intermediate",
    Pro = "pro",
});

/// Changes to your user. Omitted fields keep their values. Null clears a field, unless its description forbids null.
#[derive(InputObject, Debug, Clone)]
pub struct UpdateMeInput {
    /// Your name. 1–255 characters. Must not be null.
    pub name: MaybeUndefined<String>,
    /// The URL of your avatar image. Maximum 512 characters. Null removes it.
    pub avatar_url: MaybeUndefined<Url>,
}

/// Changes to your profile. Omitted fields keep their values.
#[derive(InputObject, Deserialize, Debug, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateProfileInput {
    /// How much you already know. Must not be null.
    pub proficiency: MaybeUndefined<Proficiency>,
    /// Your technical background. Maximum 10,000 characters. Null clears it.
    pub technical_background: MaybeUndefined<String>,
    /// The hardware that you have access to. Maximum 10,000 characters. Null clears it.
    pub hardware_access: MaybeUndefined<String>,
    /// What you want to learn. Maximum 10,000 characters. Null clears it.
    pub learning_goals: MaybeUndefined<String>,
    /// Your preferences. Maximum 10,000 characters. Null clears it.
    pub preferences: MaybeUndefined<String>,
}
