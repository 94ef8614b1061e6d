//! The audit log in the API: events, and pages of them.

use async_graphql::{ID, Object};

use super::connection::{HasCursor, LogConnection};
use crate::{
    audit::Event,
    db::{cursor as opaque, keyset::Page},
    scalars::{DateTime, JsonObject, id_of},
};

/// An event of the audit log.
#[derive(Clone)]
pub(crate) struct AuditEvent(Event);

/// An event that the user caused or that affected the user.
#[Object]
impl AuditEvent {
    /// What happened, in upper case, e.g. SIGN_IN, SIGN_IN_FAILED, SIGN_OUT, SESSION_REVOKED, REFRESH_TOKEN_REUSED,
    /// REFRESH_TOKEN_REPEATED, PASSWORD_CHANGED, EMAIL_CHANGED, EXPORTED, CREATED, UPDATED, TRASHED, RESTORED, DELETED. More may
    /// be added.
    fn action(&self) -> &str {
        &self.0.action
    }

    /// The type of the affected object: Course, Document, Task, User, Profile, Session or Account.
    fn entity_type(&self) -> &str {
        &self.0.entity_type
    }

    /// The id of the affected object, which may have been deleted since. Null if the event has no such object.
    fn entity_id(&self) -> Option<ID> {
        self.0.entity_id.map(id_of)
    }

    /// The user who caused the event: the owner of this log or an admin. Null if the service caused it, or if the user is
    /// unknown.
    fn actor_id(&self) -> Option<ID> {
        self.0.actor_id.map(id_of)
    }

    /// The changed fields: field name to `{old, new}`. Null if the event records no fields. Texts of documents and other
    /// long texts are replaced by their length and SHA-256. Never contains secrets.
    fn changes(&self) -> Option<JsonObject> {
        self.0.changes.clone().map(JsonObject)
    }

    /// The IP address that the request came from. Null if no request caused the event, or if it is unknown.
    fn ip_address(&self) -> Option<&str> {
        self.0.ip_address.as_deref()
    }

    /// The `User-Agent` of the request. Null if no request caused the event, or if it had none.
    fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    /// When it happened.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

impl HasCursor for AuditEvent {
    type Order = ();

    fn cursor(&self, (): &()) -> String {
        cursor(self.0.id)
    }
}

/// A page of `size` events. `events` has one extra event if there are more. `continued`: whether a cursor was given.
pub(crate) fn page(events: Vec<Event>, size: usize, continued: bool) -> LogConnection<AuditEvent> {
    LogConnection::new(Page::of(events, size, continued), None, AuditEvent)
}

fn cursor(id: i64) -> String {
    opaque::encode(format!("event-{id}"))
}

/// The id of the event that a cursor points to; `None` if it is not a cursor of an audit log.
pub(crate) fn event_of_cursor(cursor: &str) -> Option<i64> {
    let text = opaque::decode_text(cursor)?;
    text.strip_prefix("event-")?.parse().ok()
}
