//! The SQL that creates items, the same for all kinds.

use super::{
    super::{
        Entry, Key as _, Written,
        store::{Entries, Write, course_is_active, returned, write_failure, written_by},
    },
    Create, NewId,
};
use crate::{
    auth::UserId,
    db::{Connection, Statement, pool::violated_unique, sql::Value},
    error::Failure,
    items::{CREATED_ONCE, Item, titles},
    scalars::ObjectId,
};

/// The row of a written item.
type Row<C> = <<C as Create>::Item as Item>::Written;

/// Inserts items, if at least `required` of the entries can be inserted or exist already. Returns a row for each entry. `None` if
/// another request created one of the ids at the same time, so that nothing was inserted.
///
/// # Errors
/// TAKEN if an active item has the title already, for kinds with unique titles.
pub(super) async fn insert<C: Create>(
    conn: &mut Connection,
    owner: UserId,
    entries: &[Entry<'_, NewId, C>],
    required: i64,
) -> Result<Option<Vec<Written<C::Item>>>, Failure> {
    let statement = C::insert(InsertItems::new(
        owner,
        entries,
        required,
        conn.is_sharded(),
    ));
    match conn.try_rows(statement).await {
        Ok(rows) => Ok(Some(written_by::<C::Item>(rows, entries.len())?)),
        Err(error) if violated_unique(&error) == Some(CREATED_ONCE) => Ok(None),
        Err(error) => {
            let kind = C::Item::KIND;
            Err(write_failure(error, kind))
        }
    }
}

/// A statement that inserts items whose ids are free and whose courses are active. It checks only what entries name.
pub(crate) struct InsertItems<'a, C: Create> {
    entries: Entries<'a, NewId, C, Row<C>>,
    columns: Vec<&'static str>,
    values: Vec<String>,
    id: String,
    /// The expression of the id, if its owner chose it. `None` if no entry has a chosen id.
    chosen: Option<String>,
    /// The expression of the id of the course. `None` if no entry has one.
    course: Option<String>,
}

impl<'a, C: Create> InsertItems<'a, C> {
    fn new(
        owner: UserId,
        entries: &'a [Entry<'a, NewId, C>],
        required: i64,
        is_sharded: bool,
    ) -> Self {
        let is_chosen = entries.iter().any(|entry| entry.key.chosen);
        let mut entries = Entries::new(owner, entries, required, is_sharded);
        let id = entries.bind(|entry| entry.key.id);
        let chosen = is_chosen.then(|| entries.bind(|entry| entry.key.known_id()));
        InsertItems {
            entries,
            columns: vec!["user_id", "id"],
            values: vec!["$1".to_owned(), id.clone()],
            id,
            chosen,
            course: None,
        }
    }

    /// Whether the statement is for a sharded database.
    pub(crate) fn is_sharded(&self) -> bool {
        self.entries.is_sharded()
    }

    /// Puts each item into a course, if it has one.
    pub(crate) fn into_course(mut self, course: impl Fn(&'a C) -> Option<ObjectId>) -> Self {
        if self.entries.inputs().any(|input| course(input).is_some()) {
            self = self.value("course_id", course);
            self.course = self.values.last().cloned();
        }
        self
    }

    /// Sets a column.
    pub(crate) fn value<V: Into<Value>>(
        mut self,
        column: &'static str,
        value: impl Fn(&'a C) -> V,
    ) -> Self {
        self.columns.push(column);
        self.values.push(self.entries.value(value));
        self
    }

    /// Sets the title and the folded title.
    pub(crate) fn title(self, title: impl Fn(&'a C) -> &'a str) -> Self {
        let kind = C::Item::KIND;
        self.value(kind.title_column(), &title)
            .value(kind.folded_title_column(), |input| {
                titles::fold(title(input))
            })
    }

    /// The statement. `on_demand`: what it returns for the row's columns on demand.
    pub(crate) fn returning(self, on_demand: &[&str]) -> Statement<Row<C>> {
        let (table, returned) = (C::Item::KIND.table(), returned::<C::Item>(on_demand));
        let (columns, values) = (self.columns.join(", "), self.values.join(", "));
        let (id, chosen, course) = (&self.id, self.chosen.as_deref(), self.course.as_deref());
        let conditions = [course_is_active(course), chosen.map(is_free)];
        let conditions: Vec<String> = conditions.into_iter().flatten().collect();
        let condition = (!conditions.is_empty()).then(|| conditions.join(" AND "));
        let filter = condition
            .as_ref()
            .map(|condition| format!(" WHERE {condition}"));
        let ready = format!("SELECT number FROM entry{}", filter.unwrap_or_default());
        let existing = chosen.map(|chosen| {
            format!(
                "SELECT number FROM entry CROSS JOIN LATERAL (
                    SELECT FROM current_{table} WHERE user_id = $1 AND id = {chosen} OFFSET 0) AS existing"
            )
        });
        let parts = Write {
            id,
            course,
            condition,
            ready,
            settled: existing.as_deref(),
        };
        let on_conflict = match chosen {
            Some(_) => "ON CONFLICT (user_id, id) DO NOTHING",
            None => "",
        };
        self.entries.write(&parts, &returned, |from, condition| {
            format!(
                "INSERT INTO {table} ({columns})
                SELECT {values} {from}
                WHERE {condition}
                ORDER BY {id}
                {on_conflict}"
            )
        })
    }
}

/// The condition that an id was never used. The log has an entry for every id that is or was in use. OFFSET 0 makes PostgreSQL look up
/// each id in the index. Otherwise it may read all entries of the owner.
fn is_free(id: &str) -> String {
    format!(
        "NOT EXISTS (
            SELECT FROM audit_logs WHERE user_id = $1 AND entity_id = {id} AND action = 'CREATED' OFFSET 0)"
    )
}
