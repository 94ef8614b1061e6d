//! Changes of items.

use async_graphql::Enum;
use chrono::{DateTime, Utc};

use super::Cursor;
use crate::{db::named, items::ItemRef};

/// What happened to an item.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeAction {
    /// The item was created.
    Created,
    /// The item was updated.
    Updated,
    /// The item was moved to the trash.
    Trashed,
    /// The item was restored from the trash.
    Restored,
    /// The item was deleted permanently.
    Deleted,
}

named!(ChangeAction {
    Created = "CREATED",
    Updated = "UPDATED",
    Trashed = "TRASHED",
    Restored = "RESTORED",
    Deleted = "DELETED",
});

/// One change of an item.
#[derive(Debug, Clone)]
pub struct Change {
    /// The cursor after this change.
    pub cursor: Cursor,
    /// What happened.
    pub action: ChangeAction,
    /// The item. It may have changed again or been deleted since.
    pub item: ItemRef,
    /// The item's version after this change. Of a deletion, its last version.
    pub version: i32,
    /// When the item changed.
    pub changed_at: DateTime<Utc>,
}
