//! The SQL that updates items, the same for all kinds.

use super::{
    super::{
        Entry, Written,
        store::{
            Entries, Write, assignment, course_is_active, returned, write_failure, written_by,
        },
    },
    Update,
};
use crate::{
    auth::{UserId, Viewer},
    db::{Connection, Statement, sql::Value},
    error::Failure,
    items::{Item, UpdateTarget, titles},
    scalars::{MaybeUndefined, ObjectId},
};

/// The row of a written item.
type Row<U> = <<U as Update>::Item as Item>::Written;

/// Updates items, if at least `required` of the entries can be updated. Returns a row for each entry.
///
/// # Errors
/// TAKEN if another active item has the title, for kinds with unique titles.
pub(super) async fn update<U: Update>(
    conn: &mut Connection,
    viewer: &Viewer,
    entries: &[Entry<'_, UpdateTarget, U>],
    required: i64,
) -> Result<Vec<Written<U::Item>>, Failure> {
    let inputs: Vec<&U> = entries.iter().map(|entry| entry.input).collect();
    let stored = U::read(conn, viewer, &inputs).await?;
    let items = UpdateItems::new(viewer.user_id, entries, required, conn.is_sharded());
    let statement = U::update(items, &stored);
    let kind = U::Item::KIND;
    let rows = conn.try_rows(statement).await;
    let rows = rows.map_err(|error| write_failure(error, kind))?;
    Ok(written_by::<U::Item>(rows, entries.len())?)
}

/// A statement that updates items that are active, have the given version, and whose new courses are active.
pub(crate) struct UpdateItems<'a, U: Update> {
    entries: Entries<'a, UpdateTarget, U, Row<U>>,
    assignments: Vec<String>,
    id: String,
    conditions: Vec<String>,
    course: Option<String>,
}

impl<'a, U: Update> UpdateItems<'a, U> {
    fn new(
        owner: UserId,
        entries: &'a [Entry<'a, UpdateTarget, U>],
        required: i64,
        is_sharded: bool,
    ) -> Self {
        let mut entries = Entries::new(owner, entries, required, is_sharded);
        let id = entries.bind(|entry| entry.key.id);
        let version = entries.bind(|entry| entry.key.version);
        UpdateItems {
            entries,
            assignments: Vec::new(),
            id,
            conditions: vec![has_version(&version)],
            course: None,
        }
    }

    /// Whether the statement is for a sharded database.
    pub(crate) fn is_sharded(&self) -> bool {
        self.entries.is_sharded()
    }

    /// Requires another version than the caller's, if there is one.
    pub(crate) fn version(mut self, version: impl Fn(&'a U) -> Option<i32>) -> Self {
        let version = self.entries.value(version);
        self.conditions.push(has_version(&version));
        self
    }

    /// Moves each item to a course, if the field was given. Operations that are pending for its previous course do not affect a
    /// moved item. If no entry has the field, the statement locks and reads no course to move to.
    pub(crate) fn into_course(
        mut self,
        course: impl Fn(&'a U) -> &'a MaybeUndefined<ObjectId>,
    ) -> Self {
        if self
            .entries
            .inputs()
            .all(|input| course(input).is_undefined())
        {
            return self;
        }
        let moves = self.entries.value(|input| !course(input).is_undefined());
        let course = self.entries.value(|input| course(input).value().copied());
        self.assignments.extend([
            assignment("course_id", &moves, &course),
            assignment("status", &moves, "'active'"),
            assignment("deleted_at", &moves, "NULL"),
            assignment("trashed_with", &moves, "NULL"),
        ]);
        self.course = Some(course);
        self
    }

    /// Changes a column, if the field was given.
    pub(crate) fn change<V: Clone + 'a>(
        mut self,
        column: &'static str,
        field: impl Fn(&'a U) -> &'a MaybeUndefined<V>,
    ) -> Self
    where
        Option<V>: Into<Value>,
    {
        let given = self.entries.value(|input| !field(input).is_undefined());
        let value = self.entries.value(|input| field(input).value().cloned());
        self.assignments.push(assignment(column, &given, &value));
        self
    }

    /// Changes the title and the folded title, if the field was given.
    ///
    /// Other programs change titles and leave folded titles as they are. So a trigger discards a folded title that stays the same when
    /// the title changes. If the new title has the same folded form, the statement appends a space, so that the trigger keeps it. The
    /// space affects no filter, because a folded part of a title never ends with a space.
    pub(crate) fn title(mut self, field: impl Fn(&'a U) -> &'a MaybeUndefined<String>) -> Self {
        let kind = U::Item::KIND;
        let (title, folded) = (kind.title_column(), kind.folded_title_column());
        let given = self.entries.value(|input| field(input).value().cloned());
        let new = self
            .entries
            .value(|input| field(input).value().map(|title| titles::fold(title)));
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
        expression: impl FnOnce(&mut Entries<'a, UpdateTarget, U, Row<U>>) -> String,
    ) -> Self {
        let expression = expression(&mut self.entries);
        self.assignments.push(format!("{column} = {expression}"));
        self
    }

    /// The statement. `on_demand`: what it returns for the row's columns on demand.
    pub(crate) fn returning(mut self, on_demand: &[&str]) -> Statement<Row<U>> {
        let (table, returned) = (U::Item::KIND.table(), returned::<U::Item>(on_demand));
        let assignments = self.assignments.join(",\n                ");
        let (id, course) = (&self.id, self.course.as_deref());
        let is_named = format!("user_id = $1 AND id {} AND id = {id}", self.entries.any(id));
        self.conditions.push(is_updatable::<U::Item>(id));
        self.conditions.extend(course_is_active(course));
        let condition = self.conditions.join(" AND ");
        // All courses are locked before the first item.
        let locked = match course {
            Some(_) => "(SELECT count(*) FROM course) >= 0",
            None => "true",
        };
        let ready = format!(
            "SELECT number FROM entry JOIN {table} ON {is_named} WHERE {locked} AND {condition}
            ORDER BY id FOR NO KEY UPDATE OF {table}"
        );
        let parts = Write {
            id,
            course,
            condition: Some(condition),
            ready,
            settled: None,
        };
        self.entries.write(&parts, &returned, |from, condition| {
            format!(
                "UPDATE {table} SET
                {assignments}
                {from}
                WHERE {condition} AND {is_named}"
            )
        })
    }
}

fn has_version(version: &str) -> String {
    format!("({version} IS NULL OR version = {version})")
}

/// The condition that an item is active. The current course of an item is checked too, because `pending` may update the
/// row's own status later. `id`: the expression of its id.
fn is_updatable<T: Item>(id: &str) -> String {
    if !T::KIND.is_in_courses() {
        return "status = 'active'".to_owned();
    }
    let table = T::KIND.table();
    format!(
        "(status = 'active' OR trashed_with IS NOT NULL)
                AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = {table}.course_id AND courses.status = 'trash')
                AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = {id} AND operation = 'remove')"
    )
}
