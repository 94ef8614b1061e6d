//! The kinds of items.

use async_graphql::Enum;
use uuid::Uuid;

use crate::db::{numbered, row};

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
}

numbered!(ItemKind {
    Course = 1,
    Document = 2,
    Task = 3,
});

impl ItemKind {
    /// All kinds.
    pub(crate) const ALL: [ItemKind; 3] = [ItemKind::Course, ItemKind::Document, ItemKind::Task];

    /// The kinds of items that a course contains.
    pub(crate) const IN_COURSES: [ItemKind; 2] = [ItemKind::Document, ItemKind::Task];

    /// The name of the kind's table.
    pub(crate) fn table(self) -> &'static str {
        match self {
            ItemKind::Course => "courses",
            ItemKind::Document => "documents",
            ItemKind::Task => "tasks",
        }
    }

    /// The kind's name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ItemKind::Course => "course",
            ItemKind::Document => "document",
            ItemKind::Task => "task",
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
