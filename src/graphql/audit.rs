//! The audit log in the API.

use async_graphql::{ID, Object};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::page::{HasCursor, LogConnection};
use crate::{
    audit::Event,
    db::keyset::Page,
    scalars::{DateTime, JsonObject, id_of},
};

/// Something that was done by a user or to them.
#[derive(Clone)]
pub(crate) struct AuditEvent(Event);

/// Something that was done by a user or to them.
#[Object]
impl AuditEvent {
    /// What was done, in upper case, e.g. SIGN_IN, SIGN_IN_FAILED, SIGN_OUT, SESSION_REVOKED, REFRESH_TOKEN_REUSED,
    /// REFRESH_TOKEN_REPEATED, PASSWORD_CHANGED, EMAIL_CHANGED, CREATED, UPDATED, TRASHED, RESTORED, DELETED. New ones may
    /// come.
    fn action(&self) -> &str {
        &self.0.action
    }

    /// What it was done to: Course, Document, Task, User, Profile, Session or Account.
    fn entity_type(&self) -> &str {
        &self.0.entity_type
    }

    /// Which one; it may be gone.
    fn entity_id(&self) -> Option<ID> {
        self.0.entity_id.map(id_of)
    }

    /// The user who did it: the owner of this log or an admin; null if nobody knows, or the service did it.
    fn actor_id(&self) -> Option<ID> {
        self.0.actor_id.map(id_of)
    }

    /// Field name to {old, new}; null where nothing is to be told. A long text stands there by its length and SHA-256, and
    /// so does every text of a note. Secrets never stand here.
    fn changes(&self) -> Option<JsonObject> {
        self.0.changes.clone().map(JsonObject)
    }

    /// The address that the request came from; null if no request did it.
    fn ip_address(&self) -> Option<&str> {
        self.0.ip_address.as_deref()
    }

    /// The program that the request came from.
    fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    /// When it was done.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

impl HasCursor for AuditEvent {
    type Cursor = ();

    fn cursor(&self, (): &()) -> String {
        cursor(self.0.id)
    }
}

/// A page of the log. `events` has one more than `size` if there are more; `continued`: it does not begin with the newest.
pub(crate) fn page(events: Vec<Event>, size: usize, continued: bool) -> LogConnection<AuditEvent> {
    LogConnection::new(Page::of(events, size, continued), None, AuditEvent)
}

fn cursor(id: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("event-{id}"))
}

/// The event that a cursor names; `None` if it is no cursor of a log.
pub(crate) fn position(cursor: &str) -> Option<i64> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("event-")?.parse().ok()
}
