//! SQL that creates and updates items, the same for all kinds. Every statement is scoped to one owner.
//!
//! A noun names each column once, beside its value. The SQL text depends only on the columns, so each noun has one INSERT and one
//! UPDATE, and a connection prepares each of them once.

use diesel::result::Error as DieselError;

use super::{NewId, Written};
use crate::{
    auth::UserId,
    db::{
        Connection, Statement,
        pool::{from_database, violated_unique},
        sql::{SET_ORIGIN, Value},
    },
    error::{Error, Failure, Refusal, RefusalCode},
    items::{CREATED_ONCE, Item, ItemKind, UpdateTarget, taken, titles},
    scalars::{MaybeUndefined, ObjectId},
};

/// Sends a statement that inserts an item. It returns exactly one row.
pub(super) async fn insert<T: Item>(
    conn: &mut Connection,
    statement: Statement<T::Written>,
) -> Result<Written<T>, Failure> {
    match conn.try_rows(statement).await {
        Ok(mut rows) => match rows.pop() {
            Some(written) => Ok(written.into()),
            None => Err(Error::internal("an INSERT returned no row").into()),
        },
        Err(error) if violated_unique(&error) == Some(CREATED_ONCE) => Err(taken()),
        Err(error) => Err(write_failure(error, T::KIND, T::KIND.title_column())),
    }
}

/// Sends a statement that updates an item. It returns exactly one row.
pub(super) async fn update<T: Item>(
    conn: &mut Connection,
    statement: Statement<T::Written>,
) -> Result<Written<T>, Failure> {
    match conn.try_rows(statement).await {
        Ok(mut rows) => Ok(rows.pop().map(Into::into).unwrap_or_default()),
        Err(error) => Err(write_failure(error, T::KIND, T::KIND.title_column())),
    }
}

/// The failure of a statement that writes items of this kind: TAKEN for `field` if an active item has the title.
pub(crate) fn write_failure(error: DieselError, kind: ItemKind, field: &str) -> Failure {
    let violated = violated_unique(&error);
    if violated.is_none() || violated != kind.unique_title_index() {
        return from_database(error).into();
    }
    let (name, title) = (kind.name(), kind.title_column());
    let message =
        format!("You have another {name} with this {title}. Upper and lower case count as equal.");
    Refusal::of(field, RefusalCode::Taken, message).into()
}

/// Writes the assignments of an update.
pub(crate) trait Changes {
    /// Binds the value of a field, and whether it was given. Returns the assignment that changes the column if it was.
    fn change<V: Clone>(&mut self, column: &str, field: &MaybeUndefined<V>) -> String
    where
        Option<V>: Into<Value>;
}

impl<R> Changes for Statement<R> {
    fn change<V: Clone>(&mut self, column: &str, field: &MaybeUndefined<V>) -> String
    where
        Option<V>: Into<Value>,
    {
        let given = self.placeholder(!field.is_undefined());
        let value = self.placeholder(field.value().cloned().into());
        format!("{column} = CASE WHEN {given} THEN {value} ELSE {column} END")
    }
}

/// A statement that inserts an item, if its id is free and its course is active.
pub(crate) struct InsertItem<T: Item> {
    statement: Statement<T::Written>,
    columns: Vec<&'static str>,
    values: Vec<String>,
    course: Option<String>,
}

impl<T: Item> InsertItem<T> {
    /// Binds the owner as `$1`, the id as `$2`, and whether the owner chose it as `$3`.
    pub(crate) fn new(owner: UserId, id: NewId) -> Self {
        let statement = Statement::write("", owner).bind(id.id).bind(id.chosen);
        InsertItem {
            statement,
            columns: vec!["user_id", "id"],
            values: vec!["$1".to_owned(), "$2".to_owned()],
            course: None,
        }
    }

    /// Puts the item into a course.
    pub(crate) fn into_course(mut self, course: Option<ObjectId>) -> Self {
        self = self.value("course_id", course);
        self.course = self.values.last().cloned();
        self
    }

    /// Sets a column.
    pub(crate) fn value(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.columns.push(column);
        self.values.push(self.statement.placeholder(value));
        self
    }

    /// Sets the title and the folded title.
    pub(crate) fn title(self, title: &str) -> Self {
        let folded = titles::fold(title);
        self.value(T::KIND.title_column(), title)
            .value(T::KIND.folded_title_column(), folded)
    }

    /// The statement. `on_demand`: what it returns for the row's columns on demand.
    pub(crate) fn returning(mut self, on_demand: &[&str]) -> Statement<T::Written> {
        let (table, returned) = (T::KIND.table(), returned::<T>(on_demand));
        let (columns, values) = (self.columns.join(", "), self.values.join(", "));
        let course = self.course.as_deref();
        let (course_is_active, id_is_free) = (is_active(course), id_is_free::<T>());
        let insert = format!(
            "INSERT INTO {table} ({columns})
            SELECT {values}
            WHERE {SET_ORIGIN} AND {course_is_active} AND {id_is_free}
            ON CONFLICT (user_id, id) DO NOTHING
            RETURNING {returned}"
        );
        self.statement.sql(&written(course, &insert));
        self.statement
    }
}

/// A statement that updates an item, if it is active, has the given version, and its new course is active.
pub(crate) struct UpdateItem<T: Item> {
    statement: Statement<T::Written>,
    assignments: Vec<String>,
    course: Option<String>,
}

impl<T: Item> UpdateItem<T> {
    /// Binds the owner as `$1`, the id as `$2`, and the version as `$3`; `None` to update any version.
    pub(crate) fn new(owner: UserId, target: UpdateTarget) -> Self {
        let UpdateTarget { id, version } = target;
        UpdateItem {
            statement: Statement::write("", owner).bind(id).bind(version),
            assignments: Vec::new(),
            course: None,
        }
    }

    /// Moves the item to a course, if the field was given. Operations that are pending for its previous course do not affect a moved item.
    pub(crate) fn into_course(mut self, course: &MaybeUndefined<ObjectId>) -> Self {
        let moves = self.statement.placeholder(!course.is_undefined());
        let course = self.statement.placeholder(course.value().copied());
        self.assignments.extend([
            format!("course_id = CASE WHEN {moves} THEN {course} ELSE course_id END"),
            format!("status = CASE WHEN {moves} THEN 'active' ELSE status END"),
            format!("deleted_at = CASE WHEN NOT {moves} THEN deleted_at END"),
            format!("trashed_with = CASE WHEN NOT {moves} THEN trashed_with END"),
        ]);
        self.course = Some(course);
        self
    }

    /// Changes a column, if the field was given.
    pub(crate) fn change<V: Clone>(
        mut self,
        column: &'static str,
        field: &MaybeUndefined<V>,
    ) -> Self
    where
        Option<V>: Into<Value>,
    {
        self.assignments.push(self.statement.change(column, field));
        self
    }

    /// Changes the title and the folded title, if the field was given.
    ///
    /// Other programs change titles and leave folded titles as they are. So a trigger discards a folded title that stays the same when
    /// the title changes. If the new title has the same folded form, the statement appends a space, so that the trigger keeps it. The
    /// space affects no filter, because a folded part of a title never ends with a space.
    pub(crate) fn title(mut self, field: &MaybeUndefined<String>) -> Self {
        let (title, folded) = (T::KIND.title_column(), T::KIND.folded_title_column());
        let given = self.statement.placeholder(field.value().cloned());
        let new = self
            .statement
            .placeholder(field.value().map(|title| titles::fold(title)));
        self.assignments.extend([
            format!("{title} = coalesce({given}, {title})"),
            format!(
                "{folded} = CASE WHEN coalesce({given}, {title}) = {title} THEN {folded}
                    WHEN {folded} = {new} THEN {new} || ' ' ELSE {new} END"
            ),
        ]);
        self
    }

    /// Sets a column to an expression, which binds its values itself.
    pub(crate) fn set(
        mut self,
        column: &'static str,
        expression: impl FnOnce(&mut Statement<T::Written>) -> String,
    ) -> Self {
        let expression = expression(&mut self.statement);
        self.assignments.push(format!("{column} = {expression}"));
        self
    }

    /// The statement. `on_demand`: what it returns for the row's columns on demand.
    pub(crate) fn returning(mut self, on_demand: &[&str]) -> Statement<T::Written> {
        let (table, returned) = (T::KIND.table(), returned::<T>(on_demand));
        let assignments = self.assignments.join(",\n                ");
        let course = self.course.as_deref();
        let (course_is_active, is_active) = (is_active(course), is_updatable::<T>());
        let update = format!(
            "UPDATE {table} SET
                {assignments}
            WHERE {SET_ORIGIN} AND user_id = $1 AND id = $2 AND ($3 IS NULL OR version = $3)
                AND {is_active} AND {course_is_active}
            RETURNING {returned}"
        );
        self.statement.sql(&written(course, &update));
        self.statement
    }
}

/// The columns of [`Written`]'s item.
fn returned<T: Item>(on_demand: &[&str]) -> String {
    [&[T::COLUMNS], on_demand].concat().join(", ")
}

/// The condition that the course of [`written`] is active, if the item is put into one. `course`: the parameter with its id.
fn is_active(course: Option<&str>) -> String {
    match course {
        Some(course) => {
            format!("({course} IS NULL OR EXISTS (SELECT FROM course WHERE status = 'active'))")
        }
        None => "true".to_owned(),
    }
}

/// A statement that writes an item and returns [`Written`]. If the item may be put into a course, the course is locked
/// first, as in every statement, so that it cannot be moved to the trash before this transaction commits. `course`: the parameter
/// with the course's id. The status of a course that does not exist is `unknown`.
fn written(course: Option<&str>, write: &str) -> String {
    let (lock, status) = match course {
        Some(course) => (
            format!(
                "course AS MATERIALIZED (
            SELECT status FROM courses WHERE user_id = $1 AND id = {course} AND NOT EXISTS (
                SELECT FROM pending_operations WHERE user_id = $1 AND item_id = {course} AND operation = 'remove')
            FOR SHARE
        ), "
            ),
            format!(
                "CASE WHEN {course} IS NOT NULL THEN coalesce((SELECT status FROM course), 'unknown') END"
            ),
        ),
        None => (String::new(), "NULL".to_owned()),
    };
    format!(
        "WITH {lock}written AS ({write})
        SELECT {status}, written.* FROM (VALUES (1)) AS one LEFT JOIN written ON true"
    )
}

/// The condition that no other kind of item of the owner has the new id `$2`, if it was chosen (`$3`). An owner's ids are unique
/// among all kinds.
fn id_is_free<T: Item>() -> String {
    let others = ItemKind::ALL.into_iter().filter(|kind| *kind != T::KIND);
    let exists = others.map(|kind| {
        let table = kind.table();
        format!("EXISTS (SELECT FROM {table} WHERE user_id = $1 AND id = $2)")
    });
    let exists = exists.collect::<Vec<_>>().join(" OR ");
    format!("NOT ($3 AND ({exists}))")
}

/// The condition that the item is active. The current course of an item is checked too, because `pending` may update the
/// row's own status later.
fn is_updatable<T: Item>() -> String {
    if !T::KIND.is_in_courses() {
        return "status = 'active'".to_owned();
    }
    let table = T::KIND.table();
    format!(
        "(status = 'active' OR trashed_with IS NOT NULL)
                AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = {table}.course_id AND courses.status = 'trash')
                AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $2 AND operation = 'remove')"
    )
}
