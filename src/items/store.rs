//! SQL that is the same for all items. Every statement is scoped to one owner.

use std::collections::HashMap;

use uuid::Uuid;

use super::{CREATED_ONCE, Item, ItemKind, StatusFilter, Written, taken, titles};
use crate::{
    auth::Viewer,
    db::{
        Connection, Statement,
        pool::{from_database, violated_unique},
        sql::{SET_ORIGIN, Value},
    },
    error::{Error, Failure},
    items::ItemStatus,
    scalars::MaybeUndefined,
};

/// The longest text that `…Contains` looks for, in code points. The longest titles have 500, and fewer than four times as many if
/// letters and accents are separate.
const MAX_PART: usize = 2_000;

/// The viewer's item with that id, active or in the trash, without its columns on demand.
pub(crate) async fn find<T: Item>(
    conn: &mut Connection,
    viewer: &Viewer,
    id: Uuid,
) -> Result<Option<T>, Error> {
    Ok(find_all(conn, viewer, vec![id]).await?.pop())
}

/// The viewer's items with these ids, in no particular order and without their columns on demand. Omits those that do not
/// exist.
pub(crate) async fn find_all<T: Item>(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<Vec<T>, Error> {
    let nulls = ", NULL".repeat(T::ON_DEMAND.len());
    let (columns, table) = (T::COLUMNS, T::KIND.table());
    let text =
        format!("SELECT {columns}{nulls} FROM current_{table} WHERE user_id = $1 AND id = ANY($2)");
    let statement = Statement::new(text).bind(viewer.user_id).bind(ids);
    conn.rows(statement).await
}

/// The kind of each of these ids. Omits those that are not items of the viewer.
pub(crate) async fn find_kinds(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, ItemKind>, Error> {
    let of_kind = |kind: ItemKind| {
        let (number, table) = (i16::from(kind), kind.table());
        format!(
            "SELECT id, {number}::smallint FROM current_{table} WHERE user_id = $1 AND id = ANY($2)"
        )
    };
    let text = ItemKind::ALL.map(of_kind).join(" UNION ALL ");
    let statement = Statement::new(text).bind(viewer.user_id).bind(ids);
    Ok(conn.rows(statement).await?.into_iter().collect())
}

/// The condition that the course of [`into_course`] is active.
pub(crate) const COURSE_IS_ACTIVE: &str = "EXISTS (SELECT FROM course WHERE status = 'active')";

/// A statement that writes an item which may be put into a course (a parameter). The course is locked first, as in every
/// statement, so that it cannot be moved to the trash before this transaction commits. Returns [`Written`]; the status of a
/// course that does not exist is `unknown`.
pub(crate) fn into_course(course: &str, write: &str) -> String {
    format!(
        "WITH course AS MATERIALIZED (
            SELECT status FROM courses WHERE user_id = $1 AND id = {course} AND NOT EXISTS (
                SELECT FROM pending_operations WHERE user_id = $1 AND item_id = {course} AND operation = 'remove')
            FOR SHARE
        ), written AS ({write})
        SELECT CASE WHEN {course} IS NOT NULL THEN coalesce((SELECT status FROM course), 'unknown') END, written.*
        FROM (VALUES (1)) AS one LEFT JOIN written ON true"
    )
}

/// The condition that no other kind of item of the owner has the new id `$2`, if it was chosen (a parameter). An owner's ids
/// are unique among all kinds.
pub(crate) fn id_is_free<T: Item>(chosen: &str) -> String {
    let others = ItemKind::ALL.into_iter().filter(|kind| *kind != T::KIND);
    let exists = others.map(|kind| {
        let table = kind.table();
        format!("EXISTS (SELECT FROM {table} WHERE user_id = $1 AND id = $2)")
    });
    format!(
        "NOT ({chosen} AND ({}))",
        exists.collect::<Vec<_>>().join(" OR ")
    )
}

/// Moves the item to the course `$5`, if `$4`. A moved item ignores what is pending for its previous course.
pub(crate) const MOVE: &str = "
    course_id = CASE WHEN $4 THEN $5 ELSE course_id END,
    status = CASE WHEN $4 THEN 'active' ELSE status END,
    deleted_at = CASE WHEN NOT $4 THEN deleted_at END,
    trashed_with = CASE WHEN NOT $4 THEN trashed_with END";

/// Sets the title of an item, and its folded title, to the parameters `title` and `folded` if `given`.
///
/// A trigger discards a folded title that stays the same when the title changes, since programs that do not know it leave it as it
/// is. A space at the end, which no part contains, tells the trigger that the folded title was written.
pub(crate) fn set_title(kind: ItemKind, [given, title, folded]: [&str; 3]) -> String {
    let column = kind.title_column();
    format!(
        "{column} = CASE WHEN {given} THEN {title} ELSE {column} END,
            {column}_folded = CASE WHEN NOT {given} OR {column} = {title} THEN {column}_folded
                WHEN {column}_folded = {folded} THEN {folded} || ' ' ELSE {folded} END"
    )
}

/// Titles of all owners that are not folded yet, with their owners and ids; at most `limit`. Locks the items until the
/// transaction ends, and skips those that are locked.
pub(super) async fn lock_unfolded(
    conn: &mut Connection,
    kind: ItemKind,
    limit: u32,
) -> Result<Vec<(Uuid, Uuid, String)>, Error> {
    let (table, title) = (kind.table(), kind.title_column());
    let text = format!(
        "SELECT user_id, id, {title} FROM {table} WHERE {title}_folded IS NULL
        ORDER BY user_id, id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED"
    );
    conn.rows(Statement::new(text).bind(i64::from(limit))).await
}

/// Sets the folded titles of items, each with its owner, id and folded title.
pub(super) async fn set_folded(
    conn: &mut Connection,
    kind: ItemKind,
    (owners, ids, folded): (Vec<Uuid>, Vec<Uuid>, Vec<String>),
) -> Result<(), Error> {
    let (table, title) = (kind.table(), kind.title_column());
    let text = format!(
        "UPDATE {table} AS item SET {title}_folded = folded.title
        FROM unnest($1, $2, $3) AS folded (user_id, id, title)
        WHERE item.user_id = folded.user_id AND item.id = folded.id"
    );
    let statement = Statement::<()>::new(text).bind(owners).bind(ids);
    conn.execute(statement.bind(folded)).await?;
    Ok(())
}

/// The condition that the item `$2` in a course is active and has the version `$3`, if that is given. Its present course is
/// checked too, since the row's own status may follow later (`pending`).
pub(crate) fn is_updatable<T: Item>() -> String {
    let table = T::KIND.table();
    format!(
        "{SET_ORIGIN} AND user_id = $1 AND id = $2 AND ($3 IS NULL OR version = $3)
            AND (status = 'active' OR trashed_with IS NOT NULL)
            AND NOT EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = {table}.course_id AND courses.status = 'trash')
            AND NOT EXISTS (SELECT FROM pending_operations WHERE user_id = $1 AND item_id = $2 AND operation = 'remove')"
    )
}

/// Sends a statement that inserts an item. It returns exactly one row.
pub(crate) async fn insert<T: Item>(
    conn: &mut Connection,
    statement: Statement<T::Written>,
) -> Result<Written<T>, Failure> {
    match conn.try_rows(statement).await {
        Ok(mut rows) => match rows.pop() {
            Some(written) => Ok(written.into()),
            None => Err(Error::internal("an INSERT returned no row").into()),
        },
        Err(error) if violated_unique(&error) == Some(CREATED_ONCE) => Err(taken()),
        Err(error) => Err(from_database(error).into()),
    }
}

/// Binds fields of an update.
pub(crate) trait Changes {
    /// Binds whether the field was given, and its value: `column = CASE WHEN $n THEN $n+1 ELSE column END`.
    #[must_use]
    fn bind_change<T: Clone>(self, field: &MaybeUndefined<T>) -> Self
    where
        Option<T>: Into<Value>;
}

impl<R> Changes for Statement<R> {
    fn bind_change<T: Clone>(self, field: &MaybeUndefined<T>) -> Self
    where
        Option<T>: Into<Value>,
    {
        let value = field.value().cloned();
        self.bind(!field.is_undefined()).bind(value.into())
    }
}

/// Writes the conditions of a list's filter.
///
/// Frequent conditions are written only if they are given, so that each combination has its own plan. As soon as one of the
/// rare conditions is given, all of them are written, with NULL for those that are not. Otherwise callers could create a
/// prepared statement for each combination.
pub(crate) struct Conditions<'a, R> {
    statement: &'a mut Statement<R>,
    owner: Uuid,
    rare: Vec<(&'static str, &'static str, Value)>,
}

impl<'a, R> Conditions<'a, R> {
    /// Writes the conditions that `conditions` adds. `owner`: whose rows they are conditions of.
    pub(crate) fn write(
        statement: &'a mut Statement<R>,
        owner: Uuid,
        conditions: impl FnOnce(&mut Self),
    ) {
        let mut writer = Conditions {
            statement,
            owner,
            rare: Vec::new(),
        };
        conditions(&mut writer);
        writer.finish();
    }

    /// The item's status, as a constant in the text.
    pub(crate) fn status(&mut self, status: StatusFilter) -> &mut Self {
        match status.0 {
            Some(ItemStatus::Active) => self.statement.sql(" AND status = 'active'"),
            Some(ItemStatus::Trash) => self.statement.sql(" AND status = 'trash'"),
            None => self.statement,
        };
        self
    }

    /// A condition without values, `if_true` or `if_false`.
    pub(crate) fn either(
        &mut self,
        flag: Option<bool>,
        if_true: &str,
        if_false: &str,
    ) -> &mut Self {
        if let Some(flag) = flag {
            let condition = if flag { if_true } else { if_false };
            self.statement.sql(" AND ").sql(condition);
        }
        self
    }

    /// `<column> = value`.
    pub(crate) fn equals(&mut self, column: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.statement
                .sql(" AND ")
                .sql(column)
                .sql(" = ")
                .value(value);
        }
        self
    }

    /// `<left> value <right>`, rarely given.
    pub(crate) fn rarely(
        &mut self,
        left: &'static str,
        value: impl Into<Value>,
        right: &'static str,
    ) -> &mut Self {
        self.rare.push((left, right, value.into()));
        self
    }

    /// Text that a column contains, ignoring case.
    pub(crate) fn contains(&mut self, column: &str, part: Option<&str>) -> &mut Self {
        if let Some(part) = self.short(part) {
            let statement = &mut *self.statement;
            statement
                .sql(" AND ")
                .sql(column)
                .sql(" ILIKE ")
                .value(pattern(part));
        }
        self
    }

    /// Text that the titles of items contain, ignoring case and accents. A title that is not folded yet is compared ignoring case.
    ///
    /// `IS TRUE` makes PostgreSQL read the matching ids into a hash table first. Otherwise it guesses how many titles match, and
    /// looks up thousands of rows one by one if there are more (20,000 titles: 65 ms, now 17 ms).
    pub(super) fn title_contains(&mut self, kind: ItemKind, part: Option<&str>) -> &mut Self {
        let Some(part) = self.short(part) else {
            return self;
        };
        let (table, title) = (kind.table(), kind.title_column());
        let titles = format!("SELECT id FROM {table} WHERE user_id = ");
        let statement = &mut *self.statement;
        statement
            .sql(" AND (id IN (")
            .sql(&titles)
            .value(self.owner);
        statement.sql(&format!(" AND {title}_folded LIKE "));
        statement.value(pattern(&titles::fold(part)));
        statement.sql(" UNION ALL ").sql(&titles).value(self.owner);
        statement.sql(&format!(" AND {title}_folded IS NULL AND {title} ILIKE "));
        statement.value(pattern(part)).sql(")) IS TRUE");
        self
    }

    /// The part, if it is not too long to be found.
    fn short<'p>(&mut self, part: Option<&'p str>) -> Option<&'p str> {
        let part = part?;
        if part.chars().nth(MAX_PART).is_some() {
            self.statement.sql(" AND false");
            return None;
        }
        Some(part)
    }

    /// What a JSON column contains. Its index holds values in their owner's scope; JSON without values is compared directly.
    pub(crate) fn holds(&mut self, column: &str, part: Option<&serde_json::Value>) -> &mut Self {
        let Some(part) = part else { return self };
        let statement = &mut *self.statement;
        if has_values(part) {
            statement.sql(" AND search_owned(user_id, ").sql(column);
            statement.sql(") @> search_owned(").value(self.owner);
            statement.sql(", ").value(part.clone()).sql(")");
        } else {
            statement.sql(" AND ").sql(column).sql(" @> ");
            statement.value(part.clone());
        }
        self
    }

    fn finish(self) {
        if self.rare.iter().all(|(.., value)| value.is_null()) {
            return;
        }
        for (left, right, value) in self.rare {
            let statement = &mut *self.statement;
            statement.sql(" AND (").value(value.clone());
            statement.sql(" IS NULL OR ").sql(left).value(value);
            statement.sql(right).sql(")");
        }
    }
}

/// The pattern of LIKE for texts that contain `part`.
fn pattern(part: &str) -> String {
    let escaped = part
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}%")
}

fn has_values(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(fields) => fields.values().any(has_values),
        serde_json::Value::Array(values) => values.iter().any(has_values),
        _ => true,
    }
}
