//! SQL that reads selected columns of items by their ids. Every statement is scoped to one owner.

use uuid::Uuid;

use crate::{
    auth::Viewer,
    db::{
        SqlText,
        current::{READS_ROWS, Source},
        raw::{RawReads, RawRow},
    },
    items::{INLINE_BYTES, Listed},
};

/// Whether an operation of the owner is pending.
const PENDING: usize = 0;
/// The column of the item's id. The selected columns follow it.
pub(crate) const ID: usize = 1;

/// Writes columns of a noun, each after a comma. `rows`: the maximum number of rows.
pub(in crate::items) fn write_columns<T: Listed>(
    text: &mut SqlText,
    owner: Uuid,
    columns: &[&str],
    source: Source,
    rows: i64,
) {
    let max_bytes = INLINE_BYTES / rows.max(1);
    for column in columns {
        text.sql(", ");
        match T::ON_DEMAND.contains(column) {
            true => T::on_demand(column, text, owner, source, max_bytes),
            false => {
                text.sql(column);
            }
        }
    }
}

/// Selected columns of the viewer's items with these ids, in no particular order. Omits those that do not exist.
///
/// `None` if they cannot be read in this way: an operation of the owner is pending (`db::current`), or a shared connection failed.
pub(crate) async fn by_id<T: Listed>(
    reads: &RawReads<'_>,
    viewer: &Viewer,
    ids: Vec<Uuid>,
    columns: &[&str],
) -> Option<Vec<RawRow>> {
    let mut text = SqlText::new("SELECT EXISTS (SELECT FROM pending_operations WHERE user_id = ");
    text.value(viewer.user_id).sql("), id");
    let rows = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    write_columns::<T>(&mut text, viewer.user_id.0, columns, Source::Tables, rows);
    text.sql(" FROM ").sql(T::KIND.table());
    text.sql(" AS listed WHERE user_id = ")
        .value(viewer.user_id);
    text.sql(" AND id = ANY(")
        .value(ids)
        .sql(")")
        .sql(READS_ROWS);
    let rows = reads.rows(&text).await?;
    let is_pending = match rows.first() {
        Some(row) => row.boolean(PENDING)?,
        None => false,
    };
    (!is_pending).then_some(rows)
}
