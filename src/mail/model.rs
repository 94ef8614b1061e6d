//! The rows of the outbox.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::db::Row;

/// What a mail tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    PasswordReset,
    EmailVerification,
    EmailChange,
    EmailChangeRequested,
    EmailChanged,
    PasswordChanged,
    NewDevice,
    SignUpAttempted,
    AccountLinked,
    AccountDeleted,
}

impl Kind {
    pub(super) const ALL: [Kind; 10] = [
        Kind::PasswordReset,
        Kind::EmailVerification,
        Kind::EmailChange,
        Kind::EmailChangeRequested,
        Kind::EmailChanged,
        Kind::PasswordChanged,
        Kind::NewDevice,
        Kind::SignUpAttempted,
        Kind::AccountLinked,
        Kind::AccountDeleted,
    ];

    /// As it is stored.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::PasswordReset => "password_reset",
            Kind::EmailVerification => "email_verification",
            Kind::EmailChange => "email_change",
            Kind::EmailChangeRequested => "email_change_requested",
            Kind::EmailChanged => "email_changed",
            Kind::PasswordChanged => "password_changed",
            Kind::NewDevice => "new_device",
            Kind::SignUpAttempted => "sign_up_attempted",
            Kind::AccountLinked => "account_linked",
            Kind::AccountDeleted => "account_deleted",
        }
    }

    /// Whether it is nothing without a good token.
    pub(super) fn needs_token(self) -> bool {
        matches!(
            self,
            Kind::PasswordReset | Kind::EmailVerification | Kind::EmailChange
        )
    }
}

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
        known.ok_or_else(|| format!("there is no mail of the kind {name}"))
    }
}

/// A mail that is to be sent now.
#[derive(Debug, Clone, Queryable)]
pub(super) struct DueMail {
    pub(super) id: Uuid,
    #[diesel(deserialize_as = String)]
    pub(super) kind: Kind,
    pub(super) recipient: String,
    pub(super) token_id: Option<Uuid>,
    /// Whether the token is good still.
    pub(super) has_token: bool,
    pub(super) ip_address: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) created_at: DateTime<Utc>,
}

impl Row for DueMail {
    type Sql = (
        SqlUuid,
        Text,
        Text,
        Nullable<SqlUuid>,
        Bool,
        Nullable<Text>,
        Nullable<Text>,
        Timestamptz,
    );
}

/// A mail that has not been sent, for an operator to see.
#[derive(Debug, Clone, Queryable)]
pub struct WaitingMail {
    /// Unique among all mails.
    pub id: Uuid,
    /// What it tells.
    pub kind: String,
    /// To whom.
    pub recipient: String,
    /// When it was put into the outbox.
    pub created_at: DateTime<Utc>,
    /// How often sending it failed.
    pub attempts: i32,
    /// When it is tried next.
    pub next_attempt_at: DateTime<Utc>,
    /// Why it could not be sent the last time.
    pub last_error: Option<String>,
    /// When it was given up; `None` while it waits.
    pub died_at: Option<DateTime<Utc>>,
}

impl Row for WaitingMail {
    type Sql = (
        SqlUuid,
        Text,
        Text,
        Timestamptz,
        Integer,
        Timestamptz,
        Nullable<Text>,
        Nullable<Timestamptz>,
    );
}

impl fmt::Display for WaitingMail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, kind, recipient) = (self.id, &self.kind, &self.recipient);
        let seconds = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        write!(formatter, "{id} {kind} to {recipient}, ")?;
        match self.died_at {
            Some(at) => write!(formatter, "given up {}", seconds(at))?,
            None => write!(formatter, "next try {}", seconds(self.next_attempt_at))?,
        }
        let error = self.last_error.as_deref().unwrap_or("not tried yet");
        write!(formatter, ", {} tries: {error}", self.attempts)
    }
}
