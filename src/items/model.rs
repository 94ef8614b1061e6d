//! What all items share: kinds, statuses, and the inputs of the API.

use async_graphql::{Enum, InputObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    db::{numbered, row},
    scalars::ObjectId,
};

/// The kind of an item.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[graphql(name = "ItemType")]
pub enum ItemKind {
    /// A course.
    Course,
    /// A document.
    Document,
    /// A task.
    Task,
    /// A tag.
    Tag,
}

numbered!(ItemKind {
    Course = 1,
    Document = 2,
    Task = 3,
    Tag = 4,
});

impl ItemKind {
    /// All kinds, in the order in which statements lock their rows.
    pub(crate) const ALL: [ItemKind; 4] = [
        ItemKind::Tag,
        ItemKind::Course,
        ItemKind::Document,
        ItemKind::Task,
    ];

    /// The kinds of items that are in courses and have tags.
    pub(crate) const IN_COURSES: [ItemKind; 2] = [ItemKind::Document, ItemKind::Task];

    /// Whether items of this kind are in courses and have tags.
    pub(crate) fn is_in_courses(self) -> bool {
        ItemKind::IN_COURSES.contains(&self)
    }

    /// The name of the kind's table.
    pub(crate) fn table(self) -> &'static str {
        match self {
            ItemKind::Course => "courses",
            ItemKind::Document => "documents",
            ItemKind::Task => "tasks",
            ItemKind::Tag => "tags",
        }
    }

    /// The columns that the search reads: the title, the note or description, and the recognized text.
    pub(crate) fn searched_columns(self) -> [&'static str; 3] {
        match self {
            ItemKind::Course => ["name", "description", "''"],
            ItemKind::Document => ["title", "formatted_note", "original_text"],
            ItemKind::Task => ["title", "description", "''"],
            ItemKind::Tag => ["name", "''", "''"],
        }
    }

    /// The columns with the searched texts.
    pub(crate) fn text_columns(self) -> impl Iterator<Item = &'static str> {
        let columns = self.searched_columns().into_iter();
        columns.filter(|column| *column != "''")
    }

    /// The columns with JSON.
    pub(crate) fn json_columns(self) -> &'static [&'static str] {
        match self {
            ItemKind::Document => &["metadata"],
            ItemKind::Course | ItemKind::Task | ItemKind::Tag => &[],
        }
    }

    /// The column of the title.
    pub(crate) fn title_column(self) -> &'static str {
        let [title, ..] = self.searched_columns();
        title
    }

    /// The column of the folded title ([`titles`](super::titles)).
    pub(crate) fn folded_title_column(self) -> &'static str {
        match self {
            ItemKind::Course | ItemKind::Tag => "name_folded",
            ItemKind::Document | ItemKind::Task => "title_folded",
        }
    }

    /// The unique index of the titles of an owner's active items. `None` if several items may have the same title.
    pub(crate) fn unique_title_index(self) -> Option<&'static str> {
        match self {
            ItemKind::Tag => Some("tags_active_name_idx"),
            ItemKind::Course | ItemKind::Document | ItemKind::Task => None,
        }
    }

    /// The kind's name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ItemKind::Course => "course",
            ItemKind::Document => "document",
            ItemKind::Task => "task",
            ItemKind::Tag => "tag",
        }
    }

    /// The kind's name in the change log.
    pub(crate) fn logged_name(self) -> &'static str {
        match self {
            ItemKind::Course => "Course",
            ItemKind::Document => "Document",
            ItemKind::Task => "Task",
            ItemKind::Tag => "Tag",
        }
    }
}

row! {
    /// An item, by its kind and id.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct ItemRef {
        /// Its kind.
        pub kind: ItemKind,
        /// Its id.
        pub id: Uuid,
    }
}

/// Whether an item is active or in the trash.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemStatus {
    /// Not in the trash.
    Active,
    /// In the trash. It can be restored until the service deletes it permanently (by default after 30 days).
    Trash,
}

impl ItemStatus {
    /// The status of an item, by when it was moved to the trash.
    pub(crate) fn of(deleted_at: Option<DateTime<Utc>>) -> Self {
        match deleted_at {
            Some(_) => ItemStatus::Trash,
            None => ItemStatus::Active,
        }
    }
}

/// The item that an update changes.
#[derive(InputObject, Debug, Clone, Copy)]
pub struct UpdateTarget {
    /// The item's id. An id that is not a UUID matches nothing.
    pub id: ObjectId,
    /// The version that you have seen. Omit it to update any version.
    pub version: Option<i32>,
}

/// The items that a mutation changes: all of them or none.
#[derive(InputObject)]
pub struct ItemIdsInput {
    /// The items' ids (1–100). Duplicates count once. An id that is not a UUID matches nothing.
    pub ids: Vec<ObjectId>,
}

impl ItemIdsInput {
    /// The ids.
    pub(crate) fn ids(self) -> Vec<Uuid> {
        self.ids.into_iter().map(|id| id.0).collect()
    }
}

/// Whether errors in one entry of a batch prevent the others.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BatchPolicy {
    /// All entries are applied, or none if one of them has an error.
    #[default]
    AllOrNothing,
    /// Each entry succeeds or fails by itself.
    Each,
}
