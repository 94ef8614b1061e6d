//! The audit log in the API.

use async_graphql::{ID, Object, SimpleObject};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    page::PageInfo,
    scalars::{DateTime, JsonObject, id_of},
};
use crate::audit::Event;

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

/// An event of the log, with its place.
#[derive(SimpleObject, Clone)]
pub(crate) struct AuditEventEdge {
    /// Its place in this log; opaque. Give it as `after`.
    cursor: String,
    /// The event.
    node: AuditEvent,
}

/// A page of the log.
#[derive(SimpleObject)]
pub(crate) struct AuditEventConnection {
    /// The events with their cursors.
    edges: Vec<AuditEventEdge>,
    /// The events alone.
    nodes: Vec<AuditEvent>,
    /// Where this page stands in the log.
    page_info: PageInfo,
}

impl AuditEventConnection {
    /// A page of so many; `events` holds one more if there are more. `continued`: it does not begin with the newest.
    pub(crate) fn new(mut events: Vec<Event>, size: usize, continued: bool) -> Self {
        let has_next = events.len() > size;
        events.truncate(size);
        let cursors: Vec<String> = events.iter().map(|event| cursor(event.id)).collect();
        let page_info = PageInfo {
            has_next_page: has_next,
            has_previous_page: continued,
            start_cursor: cursors.first().cloned(),
            end_cursor: cursors.last().cloned(),
        };
        let nodes: Vec<AuditEvent> = events.into_iter().map(AuditEvent).collect();
        let edges = cursors
            .into_iter()
            .zip(nodes.iter().cloned())
            .map(|(cursor, node)| AuditEventEdge { cursor, node })
            .collect();
        AuditEventConnection {
            edges,
            nodes,
            page_info,
        }
    }
}

fn cursor(id: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("event-{id}"))
}

/// The event that a cursor names; `None` if it is no cursor of a log.
pub(crate) fn position(cursor: &str) -> Option<i64> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("event-")?.parse().ok()
}
