//! The rows of tasks, and what a caller can ask of them.

use chrono::{DateTime, Utc};
use diesel::{
    Queryable,
    sql_types::{Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
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

/// A task as it is stored.
#[derive(Debug, Clone, Queryable)]
pub struct Task {
    /// Unique among its owner's objects.
    pub id: Uuid,
    /// The course that it stands in; `None`: in none.
    pub course_id: Option<Uuid>,
    /// 1 to 200 characters.
    pub title: String,
    /// 1,000 characters at most.
    pub description: Option<String>,
    /// When it was completed; `None` while it is open.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it is to be done; `None`: at no certain time.
    pub due_at: Option<DateTime<Utc>>,
    /// How important it is.
    #[diesel(deserialize_as = i16)]
    pub priority: TaskPriority,
    /// Counts up with every change, from 1.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed; moving to the trash and back is no change.
    pub updated_at: DateTime<Utc>,
    /// When it went to the trash; `None` while active.
    pub deleted_at: Option<DateTime<Utc>>,
    /// The course that took it to the trash; `None` if it went alone, and while active.
    pub trashed_with: Option<Uuid>,
}

impl Row for Task {
    type Sql = (
        SqlUuid,
        Nullable<SqlUuid>,
        Text,
        Nullable<Text>,
        Nullable<Timestamptz>,
        Nullable<Timestamptz>,
        SmallInt,
        Integer,
        Timestamptz,
        Timestamptz,
        Nullable<Timestamptz>,
        Nullable<SqlUuid>,
    );
}

impl Task {
    /// Its place in that order. Without a due date it comes last, whichever the direction.
    pub(crate) fn position(&self, order: TaskOrder) -> Position {
        let never = if order.descending {
            "-infinity"
        } else {
            "infinity"
        };
        let key = match order.key {
            TaskSortKey::CreatedAt => time_key(self.created_at),
            TaskSortKey::UpdatedAt => time_key(self.updated_at),
            TaskSortKey::DueAt => self.due_at.map_or_else(|| never.to_owned(), time_key),
            TaskSortKey::Priority => i16::from(self.priority).to_string(),
            TaskSortKey::Title => self.title.clone(),
        };
        Position { key, id: self.id }
    }
}

/// How important a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum TaskPriority {
    /// Can wait.
    Low,
    /// As most are.
    #[default]
    Normal,
    /// Comes first.
    High,
}

impl From<TaskPriority> for i16 {
    fn from(priority: TaskPriority) -> Self {
        match priority {
            TaskPriority::Low => 0,
            TaskPriority::Normal => 1,
            TaskPriority::High => 2,
        }
    }
}

impl TryFrom<i16> for TaskPriority {
    type Error = String;

    fn try_from(number: i16) -> Result<Self, String> {
        match number {
            0 => Ok(TaskPriority::Low),
            1 => Ok(TaskPriority::Normal),
            2 => Ok(TaskPriority::High),
            _ => Err(format!("no task has the priority {number}")),
        }
    }
}

/// A task to be made.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// The caller's own id, if it gave one.
    pub id: Option<String>,
    /// The active course that it goes into; `None`: none.
    pub course_id: Option<Uuid>,
    /// 1 to 200 characters.
    pub title: String,
    /// 1,000 characters at most.
    pub description: Option<String>,
    /// When it is to be done.
    pub due_at: Option<DateTime<Utc>>,
    /// How important it is; `None` is refused.
    pub priority: Option<TaskPriority>,
}

/// What to change of a task.
#[derive(Debug, Clone)]
pub struct TaskChanges {
    /// Which task.
    pub id: Uuid,
    /// The version that the caller has seen; `None`: whichever it is.
    pub version: Option<i32>,
    /// The active course that it moves to; cleared: into none.
    pub course_id: Change<Uuid>,
    /// 1 to 200 characters.
    pub title: Change<String>,
    /// 1,000 characters at most.
    pub description: Change<String>,
    /// Whether it is completed; one that is keeps the time at which it was.
    pub completed: Change<bool>,
    /// When it is to be done.
    pub due_at: Change<DateTime<Utc>>,
    /// How important it is.
    pub priority: Change<TaskPriority>,
}

/// Which tasks a list holds. What is `None` is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskFilter {
    /// Completed, or open.
    pub completed: Option<bool>,
    /// Those of one course.
    pub course_id: Option<Uuid>,
    /// Active, in the trash, or both.
    pub status: StatusFilter,
    /// Any of these.
    pub priority: Option<Vec<TaskPriority>>,
    /// Text that the title contains, whatever the case.
    pub title_contains: Option<String>,
    /// In a course, or in none.
    pub has_course: Option<bool>,
    /// With a due date, or without.
    pub has_due_date: Option<bool>,
    /// Due at this moment or later.
    pub due_after: Option<DateTime<Utc>>,
    /// Due before this moment.
    pub due_before: Option<DateTime<Utc>>,
}

impl TaskFilter {
    /// Whether it asks for anything but the status, the course and completion.
    pub(crate) fn is_special(&self) -> bool {
        self.priority.is_some()
            || self.title_contains.is_some()
            || self.has_course.is_some()
            || self.has_due_date.is_some()
            || self.due_after.is_some()
            || self.due_before.is_some()
    }
}

/// How a list of tasks is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskOrder {
    /// By what.
    pub key: TaskSortKey,
    /// Largest first.
    pub descending: bool,
}

/// What tasks sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskSortKey {
    /// When they were made.
    CreatedAt,
    /// When they last changed.
    UpdatedAt,
    /// When they are due; those without a due date last, in either direction.
    DueAt,
    /// How important they are.
    Priority,
    /// The title, by the Unicode collation order.
    Title,
}

impl From<TaskOrder> for Order {
    fn from(order: TaskOrder) -> Self {
        let time = |name, expression| SortKey {
            name,
            kind: KeyKind::Time,
            expression,
        };
        let key = match order.key {
            TaskSortKey::CreatedAt => time("task.created", "created_at"),
            TaskSortKey::UpdatedAt => time("task.updated", "updated_at"),
            TaskSortKey::DueAt if order.descending => {
                time("task.due", "coalesce(due_at, '-infinity')")
            }
            TaskSortKey::DueAt => time("task.due", "coalesce(due_at, 'infinity')"),
            TaskSortKey::Priority => SortKey {
                name: "task.priority",
                kind: KeyKind::Number,
                expression: "priority",
            },
            TaskSortKey::Title => SortKey {
                name: "task.title",
                kind: KeyKind::Text,
                expression: "title",
            },
        };
        Order {
            key,
            descending: order.descending,
        }
    }
}

/// A list of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskList {
    pub(crate) filter: TaskFilter,
    pub(crate) order: TaskOrder,
}
