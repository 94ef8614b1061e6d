//! Tags: their columns, the inputs with their limits, and the orders of lists.

use async_graphql::{ID, InputObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    db::{
        keyset::{
            KeyValue::{Text, Time},
            SortKey,
        },
        row,
    },
    items::{UpdateTarget, checks, filter, item, order},
    scalars::{MaybeUndefined, ObjectId},
};

row! {
    /// A tag as it is stored.
    #[derive(Debug, Clone)]
    pub struct Tag from tags {
        /// Unique among its owner's objects.
        pub id: Uuid,
        /// 1–100 characters. Unique among its owner's active tags, without regard to case.
        pub name: String,
        /// `#RRGGBB`
        pub color: Option<String>,
        /// Counts its changes, from 1.
        pub version: i32,
        /// When it was created.
        pub created_at: DateTime<Utc>,
        /// When it last changed. Moving it to the trash and restoring it are not changes.
        pub updated_at: DateTime<Utc>,
        /// When it was moved to the trash; `None` while it is active.
        pub deleted_at: Option<DateTime<Utc>>;
        on demand
        /// The active documents with it; `None` if they were not counted.
        pub document_count: Option<i64>,
        /// The active tasks with it that are not completed; `None` if they were not counted.
        pub open_task_count: Option<i64>,
    }
}

item!(Tag);

/// A tag to create.
#[derive(InputObject, Debug, Clone)]
pub struct CreateTagInput {
    /// A UUID of your own; the service generates one by default. TAKEN if another of your objects has or had it.
    pub id: Option<ID>,
    /// The name. 1–100 characters, not blank. TAKEN if another of your active tags has it, without regard to case.
    pub name: String,
    /// The color: `#RRGGBB`.
    pub color: Option<String>,
}

/// Changes to a tag. They do not change the documents and tasks that have it.
#[derive(InputObject, Debug, Clone)]
pub struct UpdateTagInput {
    /// The tag to update.
    #[graphql(flatten)]
    pub target: UpdateTarget,
    /// The name. 1–100 characters. Must not be null. TAKEN if another of your active tags has it, without regard to case.
    pub name: MaybeUndefined<String>,
    /// The color: `#RRGGBB`. Null clears it.
    pub color: MaybeUndefined<String>,
}

checks! {
    CreateTagInput, UpdateTagInput: |input, problems| {
        problems.text("name", &input.name, 100);
        problems.color("color", &input.color);
    }
}

/// Tags to add to and remove from documents and tasks.
#[derive(InputObject, Debug, Clone)]
pub struct TagItemsInput {
    /// The ids of documents and tasks (1–100). Duplicates count once. An id that is not a UUID matches nothing.
    pub ids: Vec<ObjectId>,
    /// The ids of active tags to add (maximum 20, default none). Duplicates count once. TOO_LONG for an item that gets a tag and would then have more than 20 active tags. An id that is not a UUID matches nothing.
    pub add: Option<Vec<ObjectId>>,
    /// The ids of active tags to remove (maximum 20, default none). Duplicates count once. INVALID for a tag that is also in `add`. An id that is not a UUID matches nothing.
    pub remove: Option<Vec<ObjectId>>,
}

filter! {
    /// Which tags a list contains.
    /// Example: `{ or: [{ nameContains: "exam" }, { nameContains: "homework" }] }`.
    TagFilter, title part: name_contains {
        /// Only tags whose name contains this text. Case and accents are ignored. Adds 5 to the cost. Null does not filter.
        name_contains: Option<String>,
    }
}

order! {
    /// The order of a list of tags. Tags with equal values are sorted by id, in the direction of the last element of `orderBy`.
    /// Example: `orderBy: [{ field: UPDATED_AT }, { field: NAME }]`.
    TagOrder {
        /// The direction. Default: ascending for `NAME`, and descending for the others. Null means the default.
        direction
    }
    /// What tags can be sorted by.
    TagOrderField for Tag, |descending| {
        /// The name, in Unicode collation order, the same on every server.
        Name: Asc => SortKey::new("tag.name", "name", Text(|it| &it.name)),
        /// When they were created.
        CreatedAt: Desc => SortKey::new("tag.created", "created_at", Time(|it| it.created_at)),
        /// When they last changed.
        UpdatedAt: Desc => SortKey::new("tag.updated", "updated_at", Time(|it| it.updated_at)),
    }
}
