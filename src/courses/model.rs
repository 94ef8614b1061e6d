//! The rows of courses, and what a caller can ask of them.

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::{
    db::{
        Row,
        keyset::{KeyKind, Order, Position, SortKey, time_key},
    },
    items::StatusFilter,
    rules::Change,
};

/// A course as it is stored.
#[derive(Debug, Clone, Queryable)]
pub struct Course {
    /// Unique among its owner's objects.
    pub id: Uuid,
    /// 1 to 255 characters.
    pub name: String,
    /// 10,000 characters at most.
    pub description: Option<String>,
    /// `#RRGGBB`
    pub color: Option<String>,
    /// An emoji or the name of an icon; 50 characters at most.
    pub icon: Option<String>,
    /// Counts up with every change, from 1.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed; moving to the trash and back is no change.
    pub updated_at: DateTime<Utc>,
    /// When it went to the trash; `None` while active.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Active documents in it; `None` where the list was not asked for it.
    pub document_count: Option<i64>,
    /// Active tasks in it that are not completed; `None` where the list was not asked for it.
    pub open_task_count: Option<i64>,
}

impl Row for Course {
    type Sql = (
        SqlUuid,
        Text,
        Nullable<Text>,
        Nullable<Text>,
        Nullable<Text>,
        Integer,
        Timestamptz,
        Timestamptz,
        Nullable<Timestamptz>,
        Nullable<BigInt>,
        Nullable<BigInt>,
    );
}

impl Course {
    /// Its place in that order.
    pub(crate) fn position(&self, order: CourseOrder) -> Position {
        let key = match order.key {
            CourseSortKey::UpdatedAt => time_key(self.updated_at),
            CourseSortKey::CreatedAt => time_key(self.created_at),
            CourseSortKey::Name => self.name.clone(),
        };
        Position { key, id: self.id }
    }
}

/// What stands in a course.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Queryable)]
pub(crate) struct CourseCounts {
    /// Active documents.
    pub(crate) documents: i64,
    /// Active tasks that are not completed.
    pub(crate) open_tasks: i64,
}

/// A course to be made.
#[derive(Debug, Clone)]
pub struct NewCourse {
    /// The caller's own id, if it gave one.
    pub id: Option<String>,
    /// 1 to 255 characters.
    pub name: String,
    /// 10,000 characters at most.
    pub description: Option<String>,
    /// `#RRGGBB`
    pub color: Option<String>,
    /// 50 characters at most.
    pub icon: Option<String>,
}

/// What to change of a course.
#[derive(Debug, Clone)]
pub struct CourseChanges {
    /// Which course.
    pub id: Uuid,
    /// The version that the caller has seen; `None`: whichever it is.
    pub version: Option<i32>,
    /// 1 to 255 characters.
    pub name: Change<String>,
    /// 10,000 characters at most.
    pub description: Change<String>,
    /// `#RRGGBB`
    pub color: Change<String>,
    /// 50 characters at most.
    pub icon: Change<String>,
}

/// Which courses a list holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CourseFilter {
    /// Active, in the trash, or both.
    pub status: StatusFilter,
    /// Text that the name contains, whatever the case.
    pub name_contains: Option<String>,
}

/// How a list of courses is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CourseOrder {
    /// By what.
    pub key: CourseSortKey,
    /// Largest first.
    pub descending: bool,
}

/// What courses sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CourseSortKey {
    /// When they last changed.
    UpdatedAt,
    /// When they were made.
    CreatedAt,
    /// The name, by the Unicode collation order.
    Name,
}

impl From<CourseOrder> for Order {
    fn from(order: CourseOrder) -> Self {
        let key = match order.key {
            CourseSortKey::UpdatedAt => SortKey {
                name: "course.updated",
                kind: KeyKind::Time,
                expression: "updated_at",
            },
            CourseSortKey::CreatedAt => SortKey {
                name: "course.created",
                kind: KeyKind::Time,
                expression: "created_at",
            },
            CourseSortKey::Name => SortKey {
                name: "course.name",
                kind: KeyKind::Text,
                expression: "name",
            },
        };
        Order {
            key,
            descending: order.descending,
        }
    }
}

/// Columns that cost something, so that they are read only where they are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct CourseColumns {
    pub(crate) document_count: bool,
    pub(crate) open_task_count: bool,
}

/// A list of courses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CourseList {
    pub(crate) filter: CourseFilter,
    pub(crate) order: CourseOrder,
    pub(crate) columns: CourseColumns,
}
