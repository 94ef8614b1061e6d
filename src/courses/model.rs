//! Courses: their columns, the inputs with their limits, and the orders of lists.

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
    scalars::MaybeUndefined,
};

row! {
    /// A course as it is stored.
    #[derive(Debug, Clone)]
    pub struct Course from courses {
        /// Unique among its owner's objects.
        pub id: Uuid,
        /// 1–255 characters.
        pub name: String,
        /// Maximum 10,000 characters.
        pub description: Option<String>,
        /// `#RRGGBB`
        pub color: Option<String>,
        /// An emoji or the name of an icon. Maximum 50 characters.
        pub icon: Option<String>,
        /// Counts its changes, from 1.
        pub version: i32,
        /// When it was created.
        pub created_at: DateTime<Utc>,
        /// When it last changed. Moving it to the trash and restoring it are not changes.
        pub updated_at: DateTime<Utc>,
        /// When it was moved to the trash; `None` while it is active.
        pub deleted_at: Option<DateTime<Utc>>;
        on demand
        /// Its active documents; `None` if they were not counted.
        pub document_count: Option<i64>,
        /// Its active tasks that are not completed; `None` if they were not counted.
        pub open_task_count: Option<i64>,
    }
}

item!(Course);

/// A course to create. If you choose the `id` yourself, you can safely repeat the request. A repeated request returns the
/// existing object unchanged. This applies to every create mutation of an item.
#[derive(InputObject, Debug, Clone)]
pub struct CreateCourseInput {
    /// A UUID of your own; the service generates one by default. TAKEN if another of your objects has or had it.
    pub id: Option<ID>,
    /// The name. 1–255 characters, not blank.
    pub name: String,
    /// The description. Maximum 10,000 characters.
    pub description: Option<String>,
    /// The color: `#RRGGBB`.
    pub color: Option<String>,
    /// The icon: an emoji or the name of an icon. Maximum 50 characters.
    pub icon: Option<String>,
}

/// Changes to a course. With a `version`, the item is updated only if it still has that version; otherwise CONFLICT. Omitted
/// fields keep their values. Null clears a field, unless its description forbids null. This applies to every update of an item.
#[derive(InputObject, Debug, Clone)]
pub struct UpdateCourseInput {
    /// The course to update.
    #[graphql(flatten)]
    pub target: UpdateTarget,
    /// The name. 1–255 characters. Must not be null.
    pub name: MaybeUndefined<String>,
    /// The description. Maximum 10,000 characters. Null clears it.
    pub description: MaybeUndefined<String>,
    /// The color: `#RRGGBB`. Null clears it.
    pub color: MaybeUndefined<String>,
    /// The icon: an emoji or the name of an icon. Maximum 50 characters. Null clears it.
    pub icon: MaybeUndefined<String>,
}

checks! {
    CreateCourseInput, UpdateCourseInput: |input, problems| {
        problems.text("name", &input.name, 255);
        problems.optional_text("description", &input.description, 10_000);
        problems.color("color", &input.color);
        problems.optional_text("icon", &input.icon, 50);
    }
}

filter! {
    /// Which courses a list contains.
    /// Example: `{ nameContains: "analysis", createdAfter: "2026-09-01T00:00:00Z" }`.
    CourseFilter, title part: name_contains {
        /// Only courses whose name contains this text. Case and accents are ignored. Adds 5 to the cost. Null does not filter.
        name_contains: Option<String>,
    }
}

order! {
    /// The order of a list of courses. Courses with equal values are sorted by id, in the direction of the last element of `orderBy`.
    /// Example: `orderBy: [{ field: NAME, direction: DESC }]`.
    CourseOrder {
        /// The direction. Default: ascending for `NAME`, and descending for the others. Null means the default.
        direction
    }
    /// What courses can be sorted by.
    CourseOrderField for Course, |descending| {
        /// When they last changed.
        UpdatedAt: Desc => SortKey::new("course.updated", "updated_at", Time(|it| it.updated_at)),
        /// When they were created.
        CreatedAt: Desc => SortKey::new("course.created", "created_at", Time(|it| it.created_at)),
        /// The name, in Unicode collation order, the same on every server.
        Name: Asc => SortKey::new("course.name", "name", Text(|it| &it.name)),
    }
}
