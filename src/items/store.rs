//! SQL that reads items, the same for all kinds. Every statement is scoped to one owner.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Item, ItemKind, StatusFilter, titles};
use crate::{
    auth::{UserId, Viewer},
    db::{Connection, Statement, sql::Value},
    error::Error,
    items::ItemStatus,
    scalars::MaybeUndefined,
};

/// Maximum length of a text that `…Contains` can find, in code points. Titles have a maximum of 500, or fewer than four times as
/// many if letters and accents are separate code points.
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

/// Locks documents or tasks until the transaction ends, in the order of the ids, as every statement does, so that two requests
/// cannot wait for each other. Returns whether each is in the trash; omits those that do not exist.
pub(crate) async fn lock(
    conn: &mut Connection,
    owner: UserId,
    kind: ItemKind,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, bool>, Error> {
    let table = kind.table();
    let text = format!(
        "SELECT id, status = 'trash' AND trashed_with IS NULL
            OR EXISTS (SELECT FROM courses WHERE user_id = $1 AND id = item.course_id AND status = 'trash')
        FROM {table} AS item
        WHERE user_id = $1 AND id = ANY($2) AND NOT EXISTS (
            SELECT FROM pending_operations WHERE user_id = $1 AND item_id IN (item.id, item.course_id) AND operation = 'remove')
        ORDER BY id FOR NO KEY UPDATE"
    );
    let rows: Vec<(Uuid, bool)> = conn
        .rows(Statement::new(text).bind(owner).bind(ids))
        .await?;
    Ok(rows.into_iter().collect())
}

/// Titles of all owners that are not folded yet, with their owners and ids (maximum `limit`). Locks the items until the
/// transaction ends, and skips those that are locked.
pub(super) async fn lock_unfolded(
    conn: &mut Connection,
    kind: ItemKind,
    limit: u32,
) -> Result<Vec<(Uuid, Uuid, String)>, Error> {
    let (table, title, folded) = (
        kind.table(),
        kind.title_column(),
        kind.folded_title_column(),
    );
    let text = format!(
        "SELECT user_id, id, {title} FROM {table} WHERE {folded} IS NULL
        ORDER BY user_id, id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED"
    );
    conn.rows(Statement::new(text).bind(i64::from(limit))).await
}

/// Sets the folded titles of items with these owners and ids.
pub(super) async fn set_folded(
    conn: &mut Connection,
    kind: ItemKind,
    (owners, ids, folded): (Vec<Uuid>, Vec<Uuid>, Vec<String>),
) -> Result<(), Error> {
    let (table, column) = (kind.table(), kind.folded_title_column());
    let text = format!(
        "UPDATE {table} AS item SET {column} = folded.title
        FROM unnest($1, $2, $3) AS folded (user_id, id, title)
        WHERE item.user_id = folded.user_id AND item.id = folded.id"
    );
    let statement = Statement::<()>::new(text).bind(owners).bind(ids);
    conn.execute(statement.bind(folded)).await?;
    Ok(())
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
        match value.map(Into::into) {
            // No text in the database contains this character, and PostgreSQL rejects it in parameters.
            Some(Value::Text(Some(text))) if text.contains('\0') => {
                self.statement.sql(" AND false");
            }
            Some(value) => {
                let statement = &mut *self.statement;
                statement.sql(" AND ").sql(column).sql(" = ").value(value);
            }
            None => {}
        }
        self
    }

    /// `<column> = value`, or `<column> IS NULL` if the field is null.
    pub(crate) fn is<V: Clone + Into<Value>>(
        &mut self,
        column: &str,
        field: &MaybeUndefined<V>,
    ) -> &mut Self {
        if field.is_null() {
            self.statement.sql(" AND ").sql(column).sql(" IS NULL");
        }
        self.equals(column, field.value().cloned())
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
    /// `IS TRUE` makes PostgreSQL read the matching ids into a hash table first. Otherwise it estimates how many titles match. If
    /// more titles match, it looks up thousands of rows one by one (with 20,000 titles: 65 ms instead of 15 ms).
    pub(super) fn title_contains(&mut self, kind: ItemKind, part: Option<&str>) -> &mut Self {
        let Some(part) = self.short(part) else {
            return self;
        };
        let (table, title, folded) = (
            kind.table(),
            kind.title_column(),
            kind.folded_title_column(),
        );
        let titles = format!("SELECT id FROM {table} WHERE user_id = ");
        let statement = &mut *self.statement;
        statement
            .sql(" AND (id IN (")
            .sql(&titles)
            .value(self.owner);
        statement.sql(&format!(" AND {folded} LIKE "));
        statement.value(pattern(&titles::fold(part)));
        statement.sql(" UNION ALL ").sql(&titles).value(self.owner);
        statement.sql(&format!(" AND {folded} IS NULL AND {title} ILIKE "));
        statement.value(pattern(part)).sql(")) IS TRUE");
        self
    }

    /// The part. If it is too long to be found, writes a condition that no row meets, and returns `None`.
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
