//! What courses, documents, tasks and tags share. An item is active or in the trash, its version counts its changes, and its owner may
//! choose its id. Lists of items are filtered, sorted and paginated in the same way.
//!
//! The trait `Item` is all that the rest of the service needs to know about a noun. `model` has kinds, statuses and inputs,
//! `list` has lists of items, `filter` and `order` their arguments, `titles` folded titles, `contents` what is in courses and tags,
//! `tagging` the tags of items, `quota` how many items a user may have, `commands` what creating and updating have in common, and `store` the SQL that reads items of all
//! kinds. `raw` reads selected columns. Each noun has its own rules, rows and SQL.

pub(crate) mod commands;
pub(crate) mod contents;
mod filter;
pub(crate) mod list;
mod model;
mod order;
pub(crate) mod quota;
pub(crate) mod raw;
pub(crate) mod store;
pub(crate) mod tagging;
pub mod titles;

use std::{borrow::Borrow, collections::HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(crate) use commands::{
    Check, Outcome, Written, checks,
    create::{Create, create, store::InsertItems},
    store::{Changes, is_title_taken},
    update::{Update, store::UpdateItems, update},
};

pub use filter::ItemFilter;
pub(crate) use filter::{Filter, filter, store::Conditions};
pub(crate) use list::{INLINE_BYTES, List, Listed};
pub use model::{BatchPolicy, ItemIdsInput, ItemKind, ItemRef, ItemStatus, UpdateTarget};
pub use order::OrderDirection;
pub(crate) use order::{OrderBy, order};
pub use quota::{Quotas, Usage};
pub(crate) use store::{find, find_all, find_by_id, find_kinds, lock};

use crate::{
    db::{
        Columns, Load, SharedText,
        keyset::{Keyed, PageRow},
    },
    error::{Refusal, RefusalCode},
};

/// A row of a noun that is an item.
pub(crate) trait Item: Columns + Load + Keyed + Clone + Sync + Unpin {
    /// Its kind.
    const KIND: ItemKind;
    /// `keyset::PageRow<Self>`, known to be loadable.
    type PageRow: Load + Sync + Borrow<PageRow<Self>> + Into<PageRow<Self>>;
    /// `Written<Self>`, known to be loadable.
    type Written: Load + Sync + Into<Written<Self>>;

    /// The text that finds items by their ids (`store::by_ids`), made once.
    fn by_ids() -> &'static SharedText;

    /// Counts its changes, from 1.
    fn version(&self) -> i32;
    /// When it was moved to the trash; `None` while it is active.
    fn deleted_at(&self) -> Option<DateTime<Utc>>;
    /// Marks it as active, if its row does not say so yet (`pending`).
    fn set_active(&mut self);
}

/// Implements [`Item`] for a row with the usual columns.
macro_rules! item {
    ($row:ident) => {
        impl $crate::items::Item for $row {
            const KIND: $crate::items::ItemKind = $crate::items::ItemKind::$row;
            type PageRow = $crate::db::keyset::PageRow<$row>;
            type Written = $crate::items::Written<$row>;

            fn by_ids() -> &'static $crate::db::SharedText {
                static BY_IDS: std::sync::LazyLock<$crate::db::SharedText> =
                    std::sync::LazyLock::new($crate::items::store::by_ids::<$row>);
                &BY_IDS
            }

            fn version(&self) -> i32 {
                self.version
            }

            fn deleted_at(&self) -> Option<chrono::DateTime<chrono::Utc>> {
                self.deleted_at
            }

            fn set_active(&mut self) {
                self.deleted_at = None;
            }
        }

        impl $crate::db::keyset::Keyed for $row {
            fn id(&self) -> uuid::Uuid {
                self.id
            }
        }
    };
}
pub(crate) use item;

/// The unique index that allows an owner to create each id only once.
pub(crate) const CREATED_ONCE: &str = "audit_logs_created_once";

/// Ids in their order without duplicates, each with its first position.
pub(crate) fn each_once(
    ids: impl IntoIterator<Item: Borrow<Uuid>>,
) -> impl Iterator<Item = (usize, Uuid)> {
    let mut seen = std::collections::HashSet::new();
    ids.into_iter()
        .map(|id| *id.borrow())
        .enumerate()
        .filter(move |(_, id)| seen.insert(*id))
}

/// The refusals of the ids in the list `field` that do not exist or are in the trash. `ids`: each once, with its position. `found`:
/// whether each existing one is in the trash.
pub(crate) fn unusable(
    field: &str,
    ids: impl IntoIterator<Item = (usize, Uuid)>,
    found: &HashMap<Uuid, bool>,
    name: &str,
) -> Vec<Refusal> {
    let refusal = |(index, id): (usize, Uuid)| {
        let (code, message) = match found.get(&id) {
            None => (
                RefusalCode::NotFound,
                format!("There is no {name} with this id."),
            ),
            Some(true) => (
                RefusalCode::InTrash,
                format!("The {name} is in the trash. Restore it first."),
            ),
            Some(false) => return None,
        };
        Some(Refusal::of_element(field, index, code, message))
    };
    ids.into_iter().filter_map(refusal).collect()
}

/// The refusal of an id that is or was in use.
pub(crate) fn taken() -> Refusal {
    let message = "This id is or was used by another object. Choose a new one.";
    Refusal::of("id", RefusalCode::Taken, message)
}

/// The refusal of an object that does not exist.
pub(crate) fn not_found(field: &str, name: &str) -> Refusal {
    let message = format!("There is no {name} with this id.");
    Refusal::of(field, RefusalCode::NotFound, message)
}

/// The refusal of an object that is in the trash.
pub(crate) fn in_trash(field: &str, name: &str) -> Refusal {
    let message = format!("The {name} is in the trash. Restore it first.");
    Refusal::of(field, RefusalCode::InTrash, message)
}
