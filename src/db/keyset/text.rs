//! The SQL of pages.
//!
//! Most pages read their rows in the order of an index. Others find the ids of their rows first, and read only these rows:
//! - lists with a condition on texts (`List::compares_texts`). If few texts of the owner match, the rows of these are sorted. If many
//!   do, the rows are read in the order of the list until enough match;
//! - lists of several groups (`List::groups`), whose pages are merged;
//! - pages after many rows, which are skipped in the index alone if PostgreSQL knows that all transactions see them.

use uuid::Uuid;

use super::{
    List, Slice,
    order::{Order, Part, Side},
};
use crate::db::{
    SqlText,
    current::{READS_ROWS, Source},
};

/// The number of skipped rows from which the ids of a page are found first.
const MANY_SKIPPED: i64 = 500;
/// The maximum number of matching texts whose rows are sorted. Finding these rows takes about 3 ms.
const FEW_MATCHES: i64 = 1_000;

/// `SELECT parent, total, pending, row FROM parents LEFT JOIN LATERAL (one page)`. Without parents, the only parent is NULL.
/// `columns` writes the columns of the row. `count`: whether the total is read. `more`: whether a page has one row more than requested,
/// which shows whether more rows follow.
/// `OFFSET 0` keeps the planner from counting after it has joined the page.
pub(super) fn page_text<L: List>(
    owner: Uuid,
    parents: Option<(L::Parent, &[Uuid])>,
    list: &L,
    slice: &Slice,
    (count, more): (bool, bool),
    source: Source,
    columns: impl Fn(&mut SqlText, Source, i64),
) -> SqlText {
    let listed = Listed {
        list,
        owner,
        parent: parents.map(|(kind, _)| kind),
        source,
        rows: slice.size + i64::from(more),
    };
    let mut statement = SqlText::new(
        "SELECT parent.id, parent.total, EXISTS (SELECT FROM pending_operations WHERE user_id = ",
    );
    statement.value(owner).sql("), item.* FROM (SELECT id, ");
    if count {
        statement.sql("(SELECT count(*)");
        listed.write_rows(&mut statement);
        statement.sql(") AS total FROM ");
    } else {
        statement.sql("NULL::bigint AS total FROM ");
    }
    match parents {
        Some((_, parents)) => statement.sql("unnest(").value(parents.to_vec()).sql(")"),
        None => statement.sql("(VALUES (NULL::uuid))"),
    };
    statement.sql(" AS parent (id) OFFSET 0) AS parent LEFT JOIN LATERAL (");
    let parents = parents.map_or(1, |(_, parents)| parents.len() as i64);
    let rows = listed.rows.saturating_mul(parents);
    let columns = |statement: &mut SqlText| columns(statement, source, rows);
    listed.write_page(&mut statement, slice, columns);
    statement.sql(") AS item ON true");
    statement
}

/// A list of an owner, in a parent or without one.
struct Listed<'a, L: List> {
    list: &'a L,
    owner: Uuid,
    parent: Option<L::Parent>,
    source: Source,
    /// Maximum number of rows of a page.
    rows: i64,
}

impl<L: List> Listed<'_, L> {
    /// Writes a page of the list. `columns` writes the columns of the row.
    fn write_page(&self, statement: &mut SqlText, slice: &Slice, columns: impl Fn(&mut SqlText)) {
        let groups = self.list.groups(self.parent);
        if groups.is_empty() && !self.list.compares_texts() && slice.offset < MANY_SKIPPED {
            self.write_parts(statement, slice, |statement, part| {
                statement.sql("SELECT ");
                columns(statement);
                self.write_rows(statement);
                between(statement, self.list.order(), slice, part);
            });
            return;
        }
        statement.sql("SELECT ");
        columns(statement);
        self.write_from(statement);
        statement.sql(" AND id = ANY(ARRAY(");
        if self.divides_matches() {
            statement.sql("WITH matches (match_id) AS MATERIALIZED (");
            self.list.write_text_matches(statement, self.owner);
            limit(statement, FEW_MATCHES + 1, 0);
            statement.sql(") ");
        }
        self.write_parts(statement, slice, |statement, part| {
            self.write_ids(statement, slice, part, groups);
        });
        statement.sql("))").sql(READS_ROWS);
        let order = self.list.order();
        order.write(statement, slice.backward, Part::Whole);
    }

    /// Writes what `write` writes for each part of the list, up to the length of the page. PostgreSQL reads the parts of UNION ALL one
    /// after the other, and the second only if the first has too few rows. The rows of a parent are sorted, so reading them once is
    /// cheaper.
    fn write_parts(
        &self,
        statement: &mut SqlText,
        slice: &Slice,
        write: impl Fn(&mut SqlText, Part),
    ) {
        let parts = match self.parent {
            None => self.list.order().parts(slice),
            Some(_) => vec![Part::Whole],
        };
        let is_divided = parts.len() > 1;
        for (number, part) in parts.into_iter().enumerate() {
            statement.sql(match (is_divided, number) {
                (false, _) => "",
                (true, 0) => "(",
                (true, _) => ") UNION ALL (",
            });
            write(statement, part);
            if is_divided {
                limit(statement, self.rows + slice.offset, 0);
            }
        }
        if is_divided {
            statement.sql(")");
        }
        limit(statement, self.rows, slice.offset);
    }

    /// Writes the ids of the rows of a part, merged from these groups.
    fn write_ids(&self, statement: &mut SqlText, slice: &Slice, part: Part, groups: &[&str]) {
        if groups.is_empty() {
            self.write_found(statement, slice, part, None);
            return;
        }
        statement.sql("SELECT id FROM (");
        for (number, group) in groups.iter().enumerate() {
            statement.sql(if number > 0 { " UNION ALL (" } else { "(" });
            self.write_found(statement, slice, part, Some(group));
            limit(statement, self.rows + slice.offset, 0);
            statement.sql(")");
        }
        statement.sql(") AS merged");
        let order = self.list.order();
        order.write_by_name(statement, slice.backward);
    }

    /// Writes the ids of the rows of a part, and of a group with the keys of the order.
    ///
    /// `OFFSET 0` keeps PostgreSQL from choosing another way to find rows, for which it would have to estimate the number of matches: it
    /// looks up matches by their ids, or it reads rows in the order of the list.
    fn write_found(&self, statement: &mut SqlText, slice: &Slice, part: Part, group: Option<&str>) {
        let order = self.list.order();
        let write_found = |statement: &mut SqlText| {
            statement.sql("SELECT id");
            if group.is_some() {
                order.write_named_columns(statement, part);
            }
        };
        let write_ordered = |statement: &mut SqlText| {
            statement.sql(group.unwrap_or_default());
            between(statement, order, slice, part);
        };
        let rows = self.rows + slice.offset;
        if !self.divides_matches() {
            write_found(statement);
            self.write_rows(statement);
            return write_ordered(statement);
        }
        statement.sql("(");
        write_found(statement);
        statement.sql(" FROM (SELECT listed.* FROM matches CROSS JOIN LATERAL (SELECT *");
        self.write_from(statement);
        statement.sql(" AND id = match_id").sql(READS_ROWS);
        statement.sql(" OFFSET 0) AS listed) AS listed WHERE ");
        write_number_of_matches(statement, "<=");
        self.write_conditions(statement);
        write_ordered(statement);
        limit(statement, rows, 0);
        statement.sql(") UNION ALL (");
        write_found(statement);
        statement.sql(" FROM (SELECT *");
        self.write_from(statement);
        self.write_conditions(statement);
        write_ordered(statement);
        statement.sql(" OFFSET 0) AS listed WHERE ");
        write_number_of_matches(statement, ">");
        self.list.write_text_condition(statement);
        limit(statement, rows, 0);
        statement.sql(")");
    }

    /// Whether it depends on the number of matching texts how rows are found. The views do not have these texts. The rows of parents
    /// are sorted, so the texts are compared once for all parents.
    fn divides_matches(&self) -> bool {
        self.list.compares_texts() && self.source == Source::Tables && self.parent.is_none()
    }

    /// Writes the relation of the list and the condition on the owner.
    fn write_from(&self, statement: &mut SqlText) {
        statement
            .sql(" FROM ")
            .sql(self.source.prefix())
            .sql(L::table())
            .sql(" AS listed WHERE user_id = ")
            .value(self.owner);
    }

    /// Writes the conditions of the list, except the one on texts.
    fn write_conditions(&self, statement: &mut SqlText) {
        self.list.conditions(statement, self.owner, self.parent);
    }

    /// Writes the relation of the list and its conditions.
    ///
    /// `IS TRUE` makes PostgreSQL read the ids of matching texts into a hash table first. Otherwise it estimates how many match. If more
    /// do, it looks up thousands of rows one by one (with 20,000 texts: 65 ms instead of 15 ms).
    fn write_rows(&self, statement: &mut SqlText) {
        self.write_from(statement);
        self.write_conditions(statement);
        if self.list.compares_texts() {
            statement.sql(" AND (id IN (");
            self.list.write_text_matches(statement, self.owner);
            statement.sql(")) IS TRUE");
        }
    }
}

/// Writes the condition that the number of matching texts is at most [`FEW_MATCHES`], or greater.
fn write_number_of_matches(statement: &mut SqlText, operator: &str) {
    statement
        .sql("(SELECT count(*) FROM matches) ")
        .sql(operator);
    statement.sql(" ").value(FEW_MATCHES);
}

/// Writes the bounds and the order of a page, in a part of the list.
fn between<T>(statement: &mut SqlText, order: Order<T>, slice: &Slice, part: Part) {
    order.write_part(statement, part);
    for (position, side) in [(&slice.after, Side::After), (&slice.before, Side::Before)] {
        if let Some(position) = position {
            order.write_bound(statement, (position, side), part);
        }
    }
    order.write(statement, slice.backward, part);
}

/// Writes the length of a page.
fn limit(statement: &mut SqlText, rows: i64, offset: i64) {
    statement.sql(" LIMIT ").value(rows);
    if offset > 0 {
        statement.sql(" OFFSET ").value(offset);
    }
}
