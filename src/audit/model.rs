//! The rows of the audit log as they are read.

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde_json::Value;
use uuid::Uuid;

use crate::db::Row;

/// Something that was done by a user or to them.
#[derive(Debug, Clone, Queryable)]
pub struct Event {
    /// Ascends with time.
    pub id: i64,
    /// Upper case with underscores, e.g. `SIGN_IN`.
    pub action: String,
    /// What it was done to, e.g. `Course`.
    pub entity_type: String,
    /// Which.
    pub entity_id: Option<Uuid>,
    /// Who did it; `None`: the service itself, or nobody knows.
    pub actor_id: Option<Uuid>,
    /// Field name to `{old, new}`.
    pub changes: Option<Value>,
    /// The address that it came from.
    pub ip_address: Option<String>,
    /// The program that it came from.
    pub user_agent: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
}

impl Row for Event {
    type Sql = (
        BigInt,
        Text,
        Text,
        Nullable<SqlUuid>,
        Nullable<SqlUuid>,
        Nullable<Jsonb>,
        Nullable<Text>,
        Nullable<Text>,
        Timestamptz,
    );
}

/// What an admin can read of another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Profile,
    Sessions,
    Accounts,
    AuditLog,
}

impl Part {
    /// What the log calls reading it.
    pub(super) fn action(self) -> &'static str {
        match self {
            Part::Profile => "PROFILE_READ",
            Part::Sessions => "SESSIONS_READ",
            Part::Accounts => "ACCOUNTS_READ",
            Part::AuditLog => "AUDIT_LOG_READ",
        }
    }
}
