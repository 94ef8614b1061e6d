//! Tasks: their columns, the inputs with their limits, and the orders of lists.

use async_graphql::{Enum, ID, InputObject};
use chrono::{NaiveDate, NaiveTime};
use uuid::Uuid;

use crate::{
    db::{
        keyset::{
            KeyValue::{self, Number, Text, TextOr, Time, TimeOr},
            SortKey,
        },
        numbered, row,
    },
    items::{UpdateTarget, checks, filter, item, order},
    scalars::{Date, DateTime, MaybeUndefined, ObjectId},
};

type Timestamp = chrono::DateTime<chrono::Utc>;

row! {
    /// A task as it is stored.
    #[derive(Debug, Clone)]
    pub struct Task from tasks {
        /// Unique among its owner's objects.
        pub id: Uuid,
        /// The course that it is in; `None` if it is in no course.
        pub course_id: Option<Uuid>,
        /// 1–200 characters.
        pub title: String,
        /// Maximum 1,000 characters.
        pub description: Option<String>,
        /// When it was completed; `None` while it is open.
        pub completed_at: Option<Timestamp>,
        /// When it is due.
        pub due_at: Option<Timestamp>,
        /// The date on which it is due, all day. `due_at` and `due_on` are never both set.
        pub due_on: Option<NaiveDate>,
        /// Its manual sort position: 1–100 printable ASCII characters.
        pub position: Option<String>,
        /// Its priority.
        pub priority: TaskPriority,
        /// Counts its changes, from 1.
        pub version: i32,
        /// When it was created.
        pub created_at: Timestamp,
        /// When it last changed. Moving it to the trash and restoring it are not changes.
        pub updated_at: Timestamp,
        /// When it was moved to the trash; `None` while it is active.
        pub deleted_at: Option<Timestamp>,
        /// The course that took it to the trash; `None` if it was trashed itself, and while it is active.
        pub trashed_with: Option<Uuid>,
    }
}

item!(Task);

impl Task {
    /// When it is due. A date counts as its start in UTC, as in the database's function `due_instant`.
    fn due_instant(&self) -> Option<Timestamp> {
        let start = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
        self.due_at.or(self.due_on.map(start))
    }
}

/// The priority of a task.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum TaskPriority {
    /// Low priority.
    Low,
    /// Normal priority, the default.
    #[default]
    Normal,
    /// High priority.
    High,
}

numbered!(TaskPriority {
    Low = 0,
    Normal = 1,
    High = 2,
});

/// A task to create.
#[derive(InputObject, Debug, Clone)]
pub struct CreateTaskInput {
    /// A UUID of your own; the service generates one by default. TAKEN if another of your objects has or had it.
    pub id: Option<ID>,
    /// The id of the course to put the task into, which must be active. By default, the task is in no course. An id that is not a UUID matches nothing.
    pub course_id: Option<ObjectId>,
    /// The title. 1–200 characters, not blank.
    pub title: String,
    /// The description. Maximum 1,000 characters.
    pub description: Option<String>,
    /// When the task is due. By default, it has no due date. INVALID together with `dueOn`.
    pub due_at: Option<DateTime>,
    /// The date on which the task is due, all day. By default, it has none. INVALID together with `dueAt`.
    pub due_on: Option<Date>,
    /// The manual sort position: 1–100 printable ASCII characters, compared byte by byte. By default, the task has none.
    pub position: Option<String>,
    /// The priority. Must not be null.
    #[graphql(default_with = "MaybeUndefined::Value(TaskPriority::Normal)")]
    pub priority: MaybeUndefined<TaskPriority>,
    /// The ids of the task's tags, which must be active (maximum 20). Duplicates count once. By default, it has none. An id that is not a UUID matches nothing.
    pub tag_ids: Option<Vec<ObjectId>>,
}

/// Changes to a task.
#[derive(InputObject, Debug, Clone)]
pub struct UpdateTaskInput {
    /// The task to update.
    #[graphql(flatten)]
    pub target: UpdateTarget,
    /// Moves the task to this course, which must be active. Null moves it out of its course. An id that is not a UUID matches nothing.
    pub course_id: MaybeUndefined<ObjectId>,
    /// The title. 1–200 characters. Must not be null.
    pub title: MaybeUndefined<String>,
    /// The description. Maximum 1,000 characters. Null clears it.
    pub description: MaybeUndefined<String>,
    /// Completes (true) or reopens (false) the task. Must not be null. A task that is already completed keeps its `completedAt`.
    pub completed: MaybeUndefined<bool>,
    /// When the task is due. Setting it clears `dueOn`. INVALID together with `dueOn`. Null clears it.
    pub due_at: MaybeUndefined<DateTime>,
    /// The date on which the task is due, all day. Setting it clears `dueAt`. INVALID together with `dueAt`. Null clears it.
    pub due_on: MaybeUndefined<Date>,
    /// The manual sort position: 1–100 printable ASCII characters, compared byte by byte. Null clears it.
    pub position: MaybeUndefined<String>,
    /// The priority. Must not be null.
    pub priority: MaybeUndefined<TaskPriority>,
    /// The ids of the tags that replace the task's active tags. They must be active (maximum 20, unless it has all of them). Duplicates count once. Null removes
    /// all active tags. Tags in the trash stay assigned. An id that is not a UUID matches nothing.
    pub tag_ids: MaybeUndefined<Vec<ObjectId>>,
}

impl UpdateTaskInput {
    /// The change of `due_at`. Setting `due_on` clears it.
    pub(super) fn due_at(&self) -> &MaybeUndefined<DateTime> {
        match self.due_on {
            MaybeUndefined::Value(_) => &MaybeUndefined::Null,
            _ => &self.due_at,
        }
    }

    /// The change of `due_on`. Setting `due_at` clears it.
    pub(super) fn due_on(&self) -> &MaybeUndefined<Date> {
        match self.due_at {
            MaybeUndefined::Value(_) => &MaybeUndefined::Null,
            _ => &self.due_on,
        }
    }
}

checks! {
    tagged CreateTaskInput, UpdateTaskInput: |input, problems| {
        problems.text("title", &input.title, 200);
        problems.optional_text("description", &input.description, 1_000);
        problems.either("dueAt", &input.due_at, "dueOn", &input.due_on);
        problems.printable_ascii("position", &input.position, 100);
        problems.not_null("priority", &input.priority);
    }
}

filter! {
    /// Which tasks a list contains.
    /// Example: `{ completed: false, or: [{ priority: [HIGH] }, { dueBefore: "2026-12-14T00:00:00Z" }], not: { titleContains: "draft" } }`.
    TaskFilter, title part: title_contains {
        /// Only completed tasks (true), or only open ones (false). Null does not filter.
        completed: Option<bool>,
        /// Only tasks that were completed at or after this time. Null does not filter.
        completed_after: Option<DateTime>,
        /// Only tasks that were completed before this time. Null does not filter.
        completed_before: Option<DateTime>,
        /// Only tasks in this course. Null selects tasks in no course. An id that is not a UUID matches nothing.
        course_id: MaybeUndefined<ObjectId>,
        /// Only tasks in one of these courses. Maximum 100 different ids. An empty list matches nothing, as does an id that is not a UUID. Null does not filter.
        course_ids: Option<Vec<ObjectId>>,
        /// Only tasks that have at least one of these tags. Maximum 100 different ids. An empty list matches nothing, as does a tag in the trash, or an id that is not a UUID. Null does not filter.
        tag_ids: Option<Vec<ObjectId>>,
        /// Only tasks with one of these priorities. An empty list matches nothing. Null does not filter.
        priority: Option<Vec<TaskPriority>>,
        /// Only tasks whose title contains this text. Case and accents are ignored. Adds 5 to the cost. Null does not filter.
        title_contains: Option<String>,
        /// Only tasks in a course (true), or only those in no course (false). Null does not filter.
        has_course: Option<bool>,
        /// Only tasks with `dueAt` or `dueOn` (true), or only those with neither (false). Null does not filter.
        has_due_date: Option<bool>,
        /// Only tasks that are due at or after this time. `dueOn` counts as the start of its date in UTC. Null does not filter.
        due_after: Option<DateTime>,
        /// Only tasks that are due before this time. `dueOn` counts as the start of its date in UTC. Null does not filter.
        due_before: Option<DateTime>,
    }
}

order! {
    /// The order of a list of tasks. Tasks with equal values are sorted by id, in the direction of the last element of `orderBy`.
    /// Example: `orderBy: [{ field: DUE_AT }, { field: PRIORITY, direction: DESC }]`.
    TaskOrder {
        /// The direction. Default: ascending for `DUE_AT`, `POSITION` and `TITLE`, and descending for the others. Null means the default.
        direction
    }
    /// What tasks can be sorted by.
    TaskOrderField for Task, |descending| {
        /// When they were created.
        CreatedAt: Desc => SortKey::new("task.created", "created_at", Time(|it| it.created_at)),
        /// When they last changed.
        UpdatedAt: Desc => SortKey::new("task.updated", "updated_at", Time(|it| it.updated_at)),
        /// When they are due. `dueOn` counts as the start of its date in UTC. Tasks without a due date come last, in both directions.
        DueAt: Asc => nullable("task.due", DUE, descending, |missing| TimeOr(missing, Task::due_instant)),
        /// When they were completed. Open tasks come last, in both directions.
        CompletedAt: Desc => nullable("task.completed", COMPLETED, descending, |missing| TimeOr(missing, |it| it.completed_at)),
        /// The manual sort position, byte by byte. Tasks without one come last, in both directions.
        Position: Asc => nullable("task.position", POSITION, descending, |missing| TextOr(missing, |it| it.position.as_deref())),
        /// Their priority. `DESC` lists high priorities first.
        Priority: Desc => SortKey::new("task.priority", "priority", Number(|it| it.priority.into())),
        /// The title, in Unicode collation order, the same on every server.
        Title: Asc => SortKey::new("task.title", "title", Text(|it| &it.title)),
    }
}

/// A key's expression with what stands for null, and the text that stands for null in cursors.
type Missing = (&'static str, &'static str);

/// A key that may be null: its value in SQL, and the same with what stands for null in ascending and in descending orders.
type NullableKey = (&'static str, [Missing; 2]);

const DUE: NullableKey = (
    "due_instant(due_at, due_on)",
    [
        (
            "coalesce(due_instant(due_at, due_on), 'infinity')",
            "infinity",
        ),
        (
            "coalesce(due_instant(due_at, due_on), '-infinity')",
            "-infinity",
        ),
    ],
);
const COMPLETED: NullableKey = (
    "completed_at",
    [
        ("coalesce(completed_at, 'infinity')", "infinity"),
        ("coalesce(completed_at, '-infinity')", "-infinity"),
    ],
);
const POSITION: NullableKey = (
    "position",
    [
        (r"coalesce(position, E'\x7F')", "\u{7F}"),
        ("coalesce(position, '')", ""),
    ],
);

/// The key of a nullable column. `value`: its value, for the text that stands for null.
fn nullable(
    name: &'static str,
    (column, [ascending, descending]): NullableKey,
    is_descending: bool,
    value: impl FnOnce(&'static str) -> KeyValue<Task>,
) -> SortKey<Task> {
    let (expression, missing) = match is_descending {
        true => descending,
        false => ascending,
    };
    SortKey::nullable(name, column, expression, value(missing))
}
