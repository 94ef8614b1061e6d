//! The SQL that statements creating and updating items have in common. Every statement is scoped to one owner.
//!
//! A noun names each column once, beside its value. The SQL text depends only on the columns and on whether there are several
//! entries, so a connection prepares few statements, and each of them once.
//!
//! # Batches
//! A statement for one entry binds scalars. A statement for several binds an array for each value, and reads the entries from the
//! arrays. In both, the same expressions stand for the values. The statement of a batch first finds the entries that are ready,
//! which means that they can be written. It writes them if there are enough for the batch's policy. So one statement is the whole
//! batch, without a transaction around it, unless entries name tags (`tags`).
//!
//! Each statement locks courses before items, and rows of a table in the order of their ids. So two statements never wait for
//! each other.

use chrono::Utc;
use diesel::result::Error as DieselError;

use super::{Entry, Written};
use crate::{
    auth::UserId,
    db::{
        Statement,
        pool::{from_database, violated_unique},
        sql::{SET_ORIGIN, Value},
    },
    error::{Error, Failure, Refusal, RefusalCode},
    items::{Item, ItemKind},
    scalars::MaybeUndefined,
};

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
        let value = self.placeholder(field.value().cloned());
        assignment(column, &given, &value)
    }
}

pub(super) fn assignment(column: &str, given: &str, value: &str) -> String {
    format!("{column} = CASE WHEN {given} THEN {value} ELSE {column} END")
}

/// Binds the values of a statement's entries.
pub(crate) struct Entries<'a, K, I, R> {
    entries: &'a [Entry<'a, K, I>],
    statement: Statement<R>,
    is_sharded: bool,
    /// The placeholders of the arrays, and the minimum number of entries that can be written. `None` in a statement for one entry.
    batch: Option<(Vec<String>, i64)>,
}

impl<'a, K, I, R> Entries<'a, K, I, R> {
    /// Binds the owner as `$1`.
    pub(super) fn new(
        owner: UserId,
        entries: &'a [Entry<'a, K, I>],
        required: i64,
        is_sharded: bool,
    ) -> Self {
        let is_alone = entries.len() == 1 && required <= 1;
        Entries {
            entries,
            is_sharded,
            statement: Statement::write("", owner),
            batch: (!is_alone).then(|| (Vec::new(), required)),
        }
    }

    /// The inputs of the entries.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &'a I> {
        self.entries.iter().map(|entry| entry.input)
    }

    /// Binds a value of each input. Returns the expression that stands for it.
    pub(crate) fn value<V: Into<Value>>(&mut self, value: impl Fn(&'a I) -> V) -> String {
        self.bind(|entry| value(entry.input))
    }

    /// Whether the statement is for a sharded database.
    pub(super) fn is_sharded(&self) -> bool {
        self.is_sharded
    }

    /// The expression of the present time. Citus rejects `now()` in CASE, and plans a batch with a subquery for it in parts that do not fit
    /// together.
    pub(crate) fn now(&mut self) -> String {
        match self.is_sharded {
            true => self.value(|_| Utc::now()),
            false => "now()".to_owned(),
        }
    }

    pub(super) fn bind<V: Into<Value>>(
        &mut self,
        value: impl Fn(&'a Entry<'a, K, I>) -> V,
    ) -> String {
        let mut values = self.entries.iter().map(|entry| value(entry).into());
        let Some(first) = values.next() else {
            return "NULL".to_owned();
        };
        match &mut self.batch {
            None => self.statement.placeholder(first),
            Some((arrays, _)) => {
                let array = self.statement.placeholder(Value::column(first, values));
                let expression = array.replace('$', "entry.v");
                arrays.push(array);
                expression
            }
        }
    }
}

impl<K, I, R> Entries<'_, K, I, R> {
    /// Completes a comparison with the value of any entry. An index finds the rows, however many the owner has.
    pub(super) fn any(&self, expression: &str) -> String {
        match self.batch {
            None => format!("= {expression}"),
            Some(_) => format!("= ANY({})", expression.replace("entry.v", "$")),
        }
    }
}

/// The table `entry` of a batch: its arrays as columns, and the number of each entry.
fn batch_entries(arrays: &[String]) -> String {
    let (names, arrays) = (arrays.join(", ").replace('$', "v"), arrays.join(", "));
    format!(
        "entry AS MATERIALIZED (
            SELECT * FROM unnest({arrays}) WITH ORDINALITY AS entry ({names}, number)
        )"
    )
}

/// The parts of a statement that writes items.
pub(super) struct Write<'w> {
    /// The expression of the item's id.
    pub(super) id: &'w str,
    /// The expression of the id of the course to put the item into, if it can be put into one.
    pub(super) course: Option<&'w str>,
    /// The condition that an entry can be written. `None` if all can.
    pub(super) condition: Option<String>,
    /// In a batch, what finds the entries that meet the condition.
    pub(super) ready: String,
    /// In a batch, what finds the entries that need not be written, if there may be any.
    pub(super) settled: Option<&'w str>,
}

impl<K, I, R> Entries<'_, K, I, R> {
    /// A statement that writes items and returns a [`Written`] for each entry. `returned`: the columns of the items. `write`: what
    /// writes the items of `FROM …` that meet a condition.
    pub(super) fn write(
        mut self,
        parts: &Write<'_>,
        returned: &str,
        write: impl FnOnce(&str, &str) -> String,
    ) -> Statement<R> {
        let id = parts.id;
        let status = status_of(parts.course);
        let course = parts.course.map(|course| lock_of(&self.any(course)));
        let lock = course.unwrap_or_default();
        let text = match (self.batch, &parts.condition) {
            // One entry that can always be written needs no row for the case that it was not.
            (None, None) => {
                let write = write("", SET_ORIGIN);
                format!("{write} RETURNING false, NULL, {returned}")
            }
            (None, Some(condition)) => {
                let write = write("", &format!("{SET_ORIGIN} AND {condition}"));
                format!(
                    "WITH {lock}written AS ({write} RETURNING {returned})
                    SELECT false, {status}, written.* FROM (VALUES (1)) AS one LEFT JOIN written ON true"
                )
            }
            (Some((arrays, required)), _) => {
                let entries = batch_entries(&arrays);
                let required = self.statement.placeholder(required);
                let applies = format!("{SET_ORIGIN} AND (SELECT applies FROM policy)");
                let write = write("FROM entry JOIN ready USING (number)", &applies);
                let ready = &parts.ready;
                let settled = parts.settled.map(|settled| format!(" UNION {settled}"));
                let settled = settled.unwrap_or_default();
                format!(
                    "WITH {entries}, {lock}ready AS MATERIALIZED ({ready}
                    ), policy AS MATERIALIZED (
                        SELECT count(*) >= {required} AS applies FROM (SELECT number FROM ready{settled}) AS counted
                    ), written AS ({write} RETURNING {returned})
                    SELECT ready.number IS NOT NULL AND NOT (SELECT applies FROM policy), {status}, written.*
                    FROM entry LEFT JOIN ready USING (number) LEFT JOIN written ON written.id = {id}
                    ORDER BY number"
                )
            }
        };
        self.statement.sql(&text);
        self.statement
    }
}

/// The part of a statement that locks the courses to put items into, so that they cannot be moved to the trash before the
/// statement's transaction commits. `any`: what completes the comparison with their ids.
fn lock_of(any: &str) -> String {
    format!(
        "course AS MATERIALIZED (
            SELECT id, status FROM courses WHERE user_id = $1 AND id {any} AND NOT EXISTS (
                SELECT FROM pending_operations WHERE user_id = $1 AND item_id = courses.id AND operation = 'remove')
            ORDER BY id FOR SHARE
        ), "
    )
}

/// The status of an entry's course: NULL if it has none, `unknown` if there is no such course.
fn status_of(course: Option<&str>) -> String {
    match course {
        Some(course) => format!(
            "CASE WHEN {course} IS NOT NULL THEN coalesce((SELECT status FROM course WHERE id = {course}), 'unknown') END"
        ),
        None => "NULL".to_owned(),
    }
}

/// The condition that an entry's course is active, if it has one.
pub(super) fn course_is_active(course: Option<&str>) -> Option<String> {
    let course = course?;
    Some(format!(
        "({course} IS NULL OR EXISTS (SELECT FROM course WHERE course.id = {course} AND status = 'active'))"
    ))
}

/// What a statement wrote, in the order of its entries.
pub(super) fn written_by<T: Item>(
    rows: Vec<T::Written>,
    entries: usize,
) -> Result<Vec<Written<T>>, Error> {
    if rows.len() == entries {
        return Ok(rows.into_iter().map(Into::into).collect());
    }
    let number = rows.len();
    let detail = format!("a statement with {entries} entries returned {number} rows");
    Err(Error::internal(detail))
}

/// The failure of a statement that creates or updates items of a kind: TAKEN if an active item has the title already.
pub(super) fn write_failure(error: DieselError, kind: ItemKind) -> Failure {
    if !is_title_taken(&error, kind) {
        return from_database(error).into();
    }
    let (name, title) = (kind.name(), kind.title_column());
    let message =
        format!("Another active {name} has this {title}; case is ignored. Choose another {title}.");
    Refusal::of(title, RefusalCode::Taken, message).into()
}

/// Whether a statement failed because an active item of the kind has the title already.
pub(crate) fn is_title_taken(error: &DieselError, kind: ItemKind) -> bool {
    let violated = violated_unique(error);
    violated.is_some() && violated == kind.unique_title_index()
}

/// The columns of [`Written`]'s item.
pub(super) fn returned<T: Item>(on_demand: &[&str]) -> String {
    [&[T::COLUMNS], on_demand].concat().join(", ")
}
