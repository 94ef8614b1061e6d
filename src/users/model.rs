//! The rows of users and their profiles, and what a caller can change of them.

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::{auth::UserId, db::Row, rules::Change};

/// A user as they are stored, the password's hash apart.
#[derive(Debug, Clone, Queryable)]
pub struct User {
    /// Unique among all users.
    #[diesel(deserialize_as = Uuid)]
    pub id: UserId,
    /// As it was typed; its canonical form is unique.
    pub email: String,
    /// 1 to 255 characters.
    pub name: String,
    /// An absolute http or https URL; 512 characters at most.
    pub avatar_url: Option<String>,
    /// Whether they have shown that the address is theirs.
    pub email_verified: bool,
    /// Whether they may sign in.
    pub is_active: bool,
    /// What they may do.
    #[diesel(deserialize_as = String)]
    pub role: Role,
    /// When they signed up.
    pub created_at: DateTime<Utc>,
    /// When their name, address, picture, role or state last changed.
    pub updated_at: DateTime<Utc>,
    /// When they last signed in.
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

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Works with what is theirs.
    User,
    /// Sees to other users, too.
    Admin,
}

impl Role {
    /// As it is stored.
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

/// What somebody tells of themselves. `None`: nothing.
#[derive(Debug, Clone, Queryable)]
pub struct Profile {
    /// How much they know already.
    #[diesel(deserialize_as = String)]
    pub proficiency: Proficiency,
    /// 10,000 characters at most, as each of the following.
    pub technical_background: Option<String>,
    /// What machines they can use.
    pub hardware_access: Option<String>,
    /// What they want to learn.
    pub learning_goals: Option<String>,
    /// How they like things to be.
    pub preferences: Option<String>,
    /// When it last changed.
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

/// How much somebody knows already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proficiency {
    /// Little.
    Beginner,
    /// Something.
    Intermediate,
    /// A lot; so at first.
    Pro,
}

impl Proficiency {
    /// As it is stored.
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

/// What to change of a user.
#[derive(Debug, Clone)]
pub struct UserChanges {
    /// 1 to 255 characters.
    pub name: Change<String>,
    /// An absolute http or https URL; 512 characters at most.
    pub avatar_url: Change<String>,
}

/// What to change of a profile.
#[derive(Debug, Clone)]
pub struct ProfileChanges {
    /// How much they know already.
    pub proficiency: Change<Proficiency>,
    /// 10,000 characters at most, as each of the following.
    pub technical_background: Change<String>,
    /// What machines they can use.
    pub hardware_access: Change<String>,
    /// What they want to learn.
    pub learning_goals: Change<String>,
    /// How they like things to be.
    pub preferences: Change<String>,
}
