//! The rows of the audit log.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::db::{named, row};

row! {
    /// An event that a user caused or that concerns them.
    #[derive(Debug, Clone)]
    pub struct Event {
        /// Ascends with time.
        pub id: i64,
        /// Upper case with underscores, e.g. `SIGN_IN`.
        pub action: String,
        /// The type of the affected object, e.g. `Course`.
        pub entity_type: String,
        /// The id of the affected object.
        pub entity_id: Option<Uuid>,
        /// The user who caused it. `None` for the service, or if it is unknown.
        pub actor_id: Option<Uuid>,
        /// Field name to `{old, new}`.
        pub changes: Option<Value>,
        /// The client's IP address.
        pub ip_address: Option<String>,
        /// The client's program.
        pub user_agent: Option<String>,
        /// When it happened.
        pub created_at: DateTime<Utc>,
    }
}

/// Private data of a user that is read by an admin, or exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Profile,
    Sessions,
    Accounts,
    Usage,
    AuditLog,
    Everything,
}

// The log's action for reading it.
named!(Part {
    Profile = "PROFILE_READ",
    Sessions = "SESSIONS_READ",
    Accounts = "ACCOUNTS_READ",
    Usage = "USAGE_READ",
    AuditLog = "AUDIT_LOG_READ",
    Everything = "EXPORTED",
});
