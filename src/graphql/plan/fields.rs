//! The fields that plans support: the only list of them. A test compares it with the schema.

use crate::items::ItemKind;

/// The type of the objects in a set of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectType {
    Item(ItemKind),
    User,
}

/// A field of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldOf {
    /// A column, and how its value is written.
    Column(&'static str, Format),
    /// A list of the items in a course or with a tag.
    List(ItemKind),
    /// The active tags of a document or a task.
    Tags,
    /// The course of a document or a task.
    Course,
    /// The course that a document or a task was moved to the trash with.
    TrashedWith,
    /// The viewer.
    Owner,
}

/// How the value of a column is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Id,
    Text,
    Url,
    Int,
    /// A `bigint`, as an `Int`.
    Count,
    Float,
    Boolean,
    /// Whether the column is not null.
    IsSet,
    Time,
    Date,
    Json,
    /// The status, by the time at which the item was moved to the trash.
    Status,
    Priority,
    Role,
}

impl ObjectType {
    pub(super) const ALL: [ObjectType; 5] = [
        ObjectType::Item(ItemKind::Course),
        ObjectType::Item(ItemKind::Document),
        ObjectType::Item(ItemKind::Task),
        ObjectType::Item(ItemKind::Tag),
        ObjectType::User,
    ];

    /// The name of the type in the schema.
    pub(super) fn name(self) -> &'static str {
        match self {
            ObjectType::Item(kind) => kind.logged_name(),
            ObjectType::User => "User",
        }
    }

    /// Whether its objects have this type: itself, or an interface that it implements.
    pub(super) fn is(self, name: &str) -> bool {
        match name {
            "Node" => true,
            "Item" => self != ObjectType::User,
            "CourseItem" => matches!(self, ObjectType::Item(kind) if kind.is_in_courses()),
            name => name == self.name(),
        }
    }

    /// The field with this name. `None` if plans do not support it.
    pub(super) fn field(self, name: &str) -> Option<FieldOf> {
        let column = self.columns().iter().find(|(known, ..)| *known == name);
        if let Some((_, column, format)) = column {
            return Some(FieldOf::Column(column, *format));
        }
        let ObjectType::Item(kind) = self else {
            return None;
        };
        if let Some((_, column, format)) = OF_ITEMS.iter().find(|(known, ..)| *known == name) {
            return Some(FieldOf::Column(column, *format));
        }
        match (kind, name) {
            (_, "owner") => Some(FieldOf::Owner),
            (ItemKind::Course | ItemKind::Tag, "documents") => {
                Some(FieldOf::List(ItemKind::Document))
            }
            (ItemKind::Course | ItemKind::Tag, "tasks") => Some(FieldOf::List(ItemKind::Task)),
            (ItemKind::Document | ItemKind::Task, "tags") => Some(FieldOf::Tags),
            (ItemKind::Document | ItemKind::Task, "course") => Some(FieldOf::Course),
            (ItemKind::Document | ItemKind::Task, "trashedWith") => Some(FieldOf::TrashedWith),
            _ => None,
        }
    }

    fn columns(self) -> &'static [Column] {
        match self {
            ObjectType::Item(ItemKind::Course) => OF_COURSES,
            ObjectType::Item(ItemKind::Document) => OF_DOCUMENTS,
            ObjectType::Item(ItemKind::Task) => OF_TASKS,
            ObjectType::Item(ItemKind::Tag) => OF_TAGS,
            ObjectType::User => OF_USERS,
        }
    }
}

/// The name of a field, its column, and how the column's value is written.
type Column = (&'static str, &'static str, Format);

const OF_ITEMS: &[Column] = &[
    ("id", "id", Format::Id),
    ("status", "deleted_at", Format::Status),
    ("version", "version", Format::Int),
    ("createdAt", "created_at", Format::Time),
    ("updatedAt", "updated_at", Format::Time),
    ("deletedAt", "deleted_at", Format::Time),
];

const OF_COURSES: &[Column] = &[
    ("name", "name", Format::Text),
    ("description", "description", Format::Text),
    ("color", "color", Format::Text),
    ("icon", "icon", Format::Text),
    ("documentCount", "document_count", Format::Count),
    ("openTaskCount", "open_task_count", Format::Count),
];

/// Without the long texts: the library counts them before they are loaded.
const OF_DOCUMENTS: &[Column] = &[
    ("title", "title", Format::Text),
    ("excerpt", "excerpt", Format::Text),
    ("processingTime", "processing_time", Format::Float),
    ("metadata", "metadata", Format::Json),
    ("courseId", "course_id", Format::Id),
];

const OF_TASKS: &[Column] = &[
    ("title", "title", Format::Text),
    ("description", "description", Format::Text),
    ("completed", "completed_at", Format::IsSet),
    ("completedAt", "completed_at", Format::Time),
    ("dueAt", "due_at", Format::Time),
    ("dueOn", "due_on", Format::Date),
    ("position", "position", Format::Text),
    ("priority", "priority", Format::Priority),
    ("courseId", "course_id", Format::Id),
];

const OF_TAGS: &[Column] = &[
    ("name", "name", Format::Text),
    ("color", "color", Format::Text),
    ("documentCount", "document_count", Format::Count),
    ("openTaskCount", "open_task_count", Format::Count),
];

const OF_USERS: &[Column] = &[
    ("id", "id", Format::Id),
    ("email", "email", Format::Text),
    ("name", "name", Format::Text),
    ("avatarUrl", "avatar_url", Format::Url),
    ("emailVerified", "email_verified", Format::Boolean),
    ("active", "is_active", Format::Boolean),
    ("role", "role", Format::Role),
    ("createdAt", "created_at", Format::Time),
    ("updatedAt", "updated_at", Format::Time),
    ("lastSignInAt", "last_sign_in_at", Format::Time),
];
