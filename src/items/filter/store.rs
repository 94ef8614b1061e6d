//! The SQL of filters' conditions.

use std::{borrow::Cow, collections::HashSet, mem};

#[cfg(test)]
mod tests;

use uuid::Uuid;

use crate::{
    db::{SqlText, current::READS_ROWS, sql::Value},
    error::Error,
    items::{ItemKind, ItemStatus, titles},
    rules::{MAX_IDS, Problems},
    scalars::{DateTime, JsonObject, MaybeUndefined, ObjectId},
};

/// Maximum length of a text that `…Contains` can find, in code points. Titles have a maximum of 500, or fewer than four times as
/// many if letters and accents are separate code points.
const MAX_PART: usize = 2_000;

/// The conditions of which each item meets one, by its status.
pub(in crate::items) const EACH_STATUS: [&str; 2] =
    [" AND status = 'active'", " AND status = 'trash'"];

/// How expensive a filter is for the database.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::items) struct Extent {
    pub(in crate::items) conditions: usize,
    /// Whether it compares texts of all items of the owner.
    pub(in crate::items) reads_texts: bool,
}

/// Writes conditions as ` AND …`, counts them, and checks their values.
pub(crate) struct Conditions<'a> {
    statement: &'a mut SqlText,
    owner: Uuid,
    extent: Extent,
    /// Whether PostgreSQL may still find the rows by an array of their ids (`tagged`).
    finds_ids: bool,
    /// A field with an invalid value, and what is wrong with it.
    invalid: Option<(Cow<'static, str>, Cow<'static, str>)>,
}

impl<'a> Conditions<'a> {
    /// `owner`: whose rows they are conditions of.
    pub(crate) fn new(statement: &'a mut SqlText, owner: Uuid) -> Self {
        Conditions {
            statement,
            owner,
            extent: Extent::default(),
            finds_ids: false,
            invalid: None,
        }
    }

    /// Conditions of a list without parents, whose rows may be found by their ids.
    pub(in crate::items) fn that_find_ids(statement: &'a mut SqlText, owner: Uuid) -> Self {
        Conditions {
            finds_ids: true,
            ..Conditions::new(statement, owner)
        }
    }

    /// Adds the conditions that `write` writes for the fields of the filter at `path` to `extent`. They are not sent.
    ///
    /// # Errors
    /// BAD_USER_INPUT if a field has an invalid value.
    pub(in crate::items) fn measure(
        path: &str,
        extent: &mut Extent,
        write: impl FnOnce(&mut Conditions<'_>),
    ) -> Result<(), Error> {
        let mut unsent = SqlText::new("");
        let mut conditions = Conditions {
            extent: *extent,
            ..Conditions::new(&mut unsent, Uuid::nil())
        };
        write(&mut conditions);
        *extent = conditions.extent;
        match conditions.invalid {
            Some((field, problem)) => Err(Error::bad_input(format!("`{path}.{field}` {problem}"))),
            None => Ok(()),
        }
    }

    /// Notes that a field has an invalid value. `problem` follows its path in the error message.
    pub(crate) fn invalid(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> &mut Self {
        if self.invalid.is_none() {
            self.invalid = Some((field.into(), problem.into()));
        }
        self
    }

    fn and(&mut self, condition: &str) -> &mut SqlText {
        self.extent.conditions += 1;
        self.statement.sql(" AND ").sql(condition)
    }

    /// At least one of `alternatives`, each of which `write` writes.
    pub(in crate::items) fn any<A>(&mut self, alternatives: &[A], write: impl Fn(&A, &mut Self)) {
        let finds_ids = mem::take(&mut self.finds_ids);
        self.statement.sql(" AND (false");
        for alternative in alternatives {
            self.statement.sql(" OR (true");
            write(alternative, self);
            self.statement.sql(")");
        }
        self.statement.sql(")");
        self.finds_ids = finds_ids;
    }

    /// Not all of the conditions that `write` writes. Unlike `NOT`, it holds for rows in which a compared column is null.
    pub(in crate::items) fn not(&mut self, write: impl FnOnce(&mut Self)) {
        let finds_ids = mem::take(&mut self.finds_ids);
        self.statement.sql(" AND (true");
        write(self);
        self.statement.sql(") IS NOT TRUE");
        self.finds_ids = finds_ids;
    }

    /// The item's status, as a constant in the text.
    pub(crate) fn status(&mut self, status: Option<ItemStatus>) -> &mut Self {
        match status {
            Some(ItemStatus::Active) => self.and("status = 'active'"),
            Some(ItemStatus::Trash) => self.and("status = 'trash'"),
            None => return self,
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
            self.and(if flag { if_true } else { if_false });
        }
        self
    }

    /// `<column> <operator> value`.
    fn compare(
        &mut self,
        column: &str,
        operator: &str,
        value: Option<impl Into<Value>>,
    ) -> &mut Self {
        if let Some(value) = value {
            self.and(column).sql(operator).value(value);
        }
        self
    }

    /// `<column> = value`.
    pub(crate) fn equals(&mut self, column: &str, value: Option<impl Into<Value>>) -> &mut Self {
        self.compare(column, " = ", value)
    }

    /// A time that is `time` or later.
    pub(crate) fn at_or_after(&mut self, column: &str, time: Option<DateTime>) -> &mut Self {
        self.compare(column, " >= ", time)
    }

    /// A time that is earlier than `time`.
    pub(crate) fn before(&mut self, column: &str, time: Option<DateTime>) -> &mut Self {
        self.compare(column, " < ", time)
    }

    /// `<column> = value`, or `<column> IS NULL` if the field is null.
    pub(crate) fn is<V: Clone + Into<Value>>(
        &mut self,
        column: &str,
        field: &MaybeUndefined<V>,
    ) -> &mut Self {
        if field.is_null() {
            self.and(column).sql(" IS NULL");
        }
        self.equals(column, field.value().cloned())
    }

    /// A column that has one of these values.
    pub(crate) fn any_of(&mut self, column: &str, values: Option<impl Into<Value>>) -> &mut Self {
        if let Some(values) = values {
            self.and(column).sql(" = ANY(").value(values).sql(")");
        }
        self
    }

    /// An id that is one of the ids in this field.
    pub(crate) fn one_of(
        &mut self,
        field: &'static str,
        column: &str,
        ids: Option<&[ObjectId]>,
    ) -> &mut Self {
        let ids = self.different(field, ids);
        if ids.is_some() && column == "id" && self.finds_ids {
            self.statement.sql(READS_ROWS);
        }
        self.any_of(column, ids)
    }

    /// Documents or tasks that have at least one of the active tags in the field `tagIds`.
    ///
    /// The first such condition of a list is an array, by which PostgreSQL finds the items of rare tags (10 of 20,000 tasks: 0.2 ms
    /// instead of 18 ms). Elsewhere PostgreSQL would search the array for each row, or look up each pair of two arrays (two
    /// conditions of 10 tags: more than 15 s instead of 0.2 s). `IS TRUE` therefore makes it read the ids into a hash table, as in
    /// `title_contains`.
    pub(crate) fn tagged(&mut self, kind: ItemKind, ids: Option<&[ObjectId]>) -> &mut Self {
        let Some(ids) = self.different("tagIds", ids) else {
            return self;
        };
        let (start, end, rows) = match mem::take(&mut self.finds_ids) {
            true => ("id = ANY(ARRAY(", "))", READS_ROWS),
            false => ("(id IN (", ")) IS TRUE", ""),
        };
        let (name, owner) = (kind.name(), self.owner);
        let statement = self.and(start).sql("SELECT item_id FROM ").sql(name);
        statement
            .sql("_tags AS assigned JOIN tags ON tags.user_id = ")
            .value(owner);
        statement.sql(" AND tags.id = tag_id AND tags.status = 'active' WHERE assigned.user_id = ");
        statement.value(owner).sql(" AND tag_id = ANY(");
        statement.value(ids).sql(")").sql(end).sql(rows);
        self
    }

    /// The different ids in this field. Notes if there are too many.
    fn different(&mut self, field: &'static str, ids: Option<&[ObjectId]>) -> Option<Vec<Uuid>> {
        let ids: HashSet<Uuid> = ids?.iter().map(|id| id.0).collect();
        let number = ids.len();
        if number > MAX_IDS {
            let problem = format!("must contain at most {MAX_IDS} different ids; got {number}.");
            self.invalid(field, problem);
        }
        Some(ids.into_iter().collect())
    }

    /// Text that a column contains, ignoring case.
    pub(crate) fn contains(&mut self, column: &str, part: Option<&str>) -> &mut Self {
        if let Some(part) = self.short(part) {
            self.and(column).sql(" ILIKE ").value(pattern(part));
        }
        self
    }

    /// Text that the titles of items contain, ignoring case and accents. A title that is not folded yet is compared ignoring case.
    ///
    /// `IS TRUE` is for the reason that `db::keyset` has for the title outside of `and`, `or` and `not`.
    pub(in crate::items) fn title_contains(
        &mut self,
        kind: ItemKind,
        part: Option<&str>,
    ) -> &mut Self {
        if part.is_some_and(|part| part.contains('\0')) {
            let problem = "must not contain the character U+0000.";
            return self.invalid(format!("{}Contains", kind.title_column()), problem);
        }
        let Some(part) = self.short(part) else {
            return self;
        };
        self.extent.reads_texts = true;
        let owner = self.owner;
        let statement = self.and("(id IN (");
        write_titles_with(statement, owner, kind, part);
        statement.sql(")) IS TRUE");
        self
    }

    /// The part. If it is too long to be found, writes a condition that no row meets, and returns `None`.
    fn short<'p>(&mut self, part: Option<&'p str>) -> Option<&'p str> {
        let part = part?;
        if !is_short(part) {
            self.and("false");
            return None;
        }
        Some(part)
    }

    /// What the JSON column of this field contains. Its index holds values in their owner's scope; JSON without values is compared
    /// directly.
    pub(crate) fn holds(
        &mut self,
        field: &'static str,
        column: &str,
        part: Option<&JsonObject>,
    ) -> &mut Self {
        let Some(JsonObject(part)) = part else {
            return self;
        };
        self.extent.reads_texts = true;
        let mut problems = Problems::default();
        problems.metadata(field, part);
        if problems.finish().is_err() {
            let problem = "must not exceed 64 KiB or 32 levels, or contain U+0000.";
            self.invalid(field, problem);
        }
        let owner = self.owner;
        if has_values(part) {
            let statement = self.and("search_owned(user_id, ").sql(column);
            statement.sql(") @> search_owned(").value(owner);
            statement.sql(", ").value(part.clone()).sql(")");
        } else {
            self.and(column).sql(" @> ").value(part.clone());
        }
        self
    }
}

/// Writes ` AND …`: the condition that the title of an item contains this text, as [`Conditions::title_contains`].
pub(in crate::items) fn write_title_contains(statement: &mut SqlText, kind: ItemKind, part: &str) {
    let (title, folded) = (kind.title_column(), kind.folded_title_column());
    statement.sql(" AND (").sql(folded).sql(" LIKE ");
    statement.value(pattern(&titles::fold(part)));
    statement.sql(&format!(" OR {folded} IS NULL AND {title} ILIKE "));
    statement.value(pattern(part)).sql(")");
}

/// Writes a query of the ids of the owner's items whose titles contain this text, as [`Conditions::title_contains`].
pub(in crate::items) fn write_titles_with(
    statement: &mut SqlText,
    owner: Uuid,
    kind: ItemKind,
    part: &str,
) {
    let (title, folded) = (kind.title_column(), kind.folded_title_column());
    let ids = format!("SELECT id FROM {} WHERE user_id = ", kind.table());
    statement.sql(&ids).value(owner);
    statement.sql(&format!(" AND {folded} LIKE "));
    statement.value(pattern(&titles::fold(part)));
    statement.sql(" UNION ALL ").sql(&ids).value(owner);
    statement.sql(&format!(" AND {folded} IS NULL AND {title} ILIKE "));
    statement.value(pattern(part));
}

/// Whether a title can contain this text, by its length.
pub(in crate::items) fn is_short(part: &str) -> bool {
    part.chars().nth(MAX_PART).is_none()
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
