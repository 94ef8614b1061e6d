//! The kinds of items.

use diesel::{
    Queryable,
    sql_types::{SmallInt, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::db::Row;

/// What kind of item it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// A course.
    Course,
    /// A document.
    Document,
    /// A task.
    Task,
}

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
}

impl From<ItemKind> for i16 {
    fn from(kind: ItemKind) -> i16 {
        match kind {
            ItemKind::Course => 1,
            ItemKind::Document => 2,
            ItemKind::Task => 3,
        }
    }
}

impl TryFrom<i16> for ItemKind {
    type Error = String;

    fn try_from(number: i16) -> Result<Self, String> {
        match number {
            1 => Ok(ItemKind::Course),
            2 => Ok(ItemKind::Document),
            3 => Ok(ItemKind::Task),
            _ => Err(format!("no kind of item has the number {number}")),
        }
    }
}

/// An item by its kind and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Queryable)]
pub struct ItemRef {
    /// What it is.
    #[diesel(deserialize_as = i16)]
    pub kind: ItemKind,
    /// Its id.
    pub id: Uuid,
}

impl Row for ItemRef {
    type Sql = (SmallInt, SqlUuid);
}
