//! The rows of users and profiles, and the changes that a caller can make.

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::{auth::UserId, db::Row, rules::Change};

/// A row of `users` without the password hash.
#[derive(Debug, Clone, Queryable)]
pub struct User {
    /// Unique among all users.
    #[diesel(deserialize_as = Uuid)]
    pub id: UserId,
    /// As typed. Its canonical form is unique.
    pub email: String,
    /// 1 to 255 characters.
    pub name: String,
    /// An absolute http or https URL. Maximum 512 characters.
    pub avatar_url: Option<String>,
    /// Whether the user has proven that the address is theirs.
    pub email_verified: bool,
    /// Whether the user may sign in.
    pub is_active: bool,
    /// The user's role.
    #[diesel(deserialize_as = String)]
    pub role: Role,
    /// When the user signed up.
    pub created_at: DateTime<Utc>,
    /// When name, address, picture, role or status last changed.
    pub updated_at: DateTime<Utc>,
    /// When the user last signed in.
    pub last_sign_in_at: Option<DateTime<Utc>>,
}

impl Row for User {
    type Sql = (
        SqlUuid,
        Text,
        Text,
        Nullable<Text>,
        Bool,
        Bool,
        Text,
        Timestamptz,
        Timestamptz,
        Nullable<Timestamptz>,
    );
}

/// The role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Works with their own data.
    User,
    /// Also manages other users.
    Admin,
}

impl Role {
    /// As stored.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Admin => "admin",
        }
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "user" => Ok(Role::User),
            "admin" => Ok(Role::Admin),
            _ => Err(format!("there is no role {name}")),
        }
    }
}

/// What a user says about themselves.
#[derive(Debug, Clone, Queryable)]
pub struct Profile {
    /// How much the user already knows.
    #[diesel(deserialize_as = String)]
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

impl Row for Profile {
    type Sql = (
        Text,
        Nullable<Text>,
        Nullable<Text>,
        Nullable<Text>,
        Nullable<Text>,
        Timestamptz,
    );
}

/// How much a user already knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proficiency {
    /// Little.
    Beginner,
    /// Something.
    Intermediate,
    /// A lot. The default.
    Pro,
}

impl Proficiency {
    /// As stored.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Proficiency::Beginner => "beginner",
            Proficiency::Intermediate => "intermediate",
            Proficiency::Pro => "pro",
        }
    }
}

impl TryFrom<String> for Proficiency {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let all = [
            Proficiency::Beginner,
            Proficiency::Intermediate,
            Proficiency::Pro,
        ];
        let known = all
            .into_iter()
            .find(|proficiency| proficiency.as_str() == name);
        known.ok_or_else(|| format!("there is no proficiency {name}"))
    }
}

/// Changes to a user.
#[derive(Debug, Clone)]
pub struct UserChanges {
    /// 1 to 255 characters.
    pub name: Change<String>,
    /// An absolute http or https URL. Maximum 512 characters.
    pub avatar_url: Change<String>,
}

/// Changes to a profile.
#[derive(Debug, Clone)]
pub struct ProfileChanges {
    /// How much the user already knows.
    pub proficiency: Change<Proficiency>,
    /// Maximum 10,000 characters, as for each of the following.
    pub technical_background: Change<String>,
    /// The machines that the user can use.
    pub hardware_access: Change<String>,
    /// What the user wants to learn.
    pub learning_goals: Change<String>,
    /// The user's preferences.
    pub preferences: Change<String>,
}
