//! Writes the response of a plan: the values of rows as JSON, without any step between.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    MAX_BYTES,
    load::{Loaded, LoadedChild, LoadedList, LoadedPage, LoadedRoot},
    model::{
        Child, EdgeValue, Key, List, ListValue, ObjectValue, PageInfoValue, Plan, Root, Rows, Set,
    },
    values::{boolean, int, literal, null, text, value},
};
use crate::graphql::connection::count;

/// The JSON of a response before its data.
pub(super) const START: &[u8] = b"{\"data\":";

/// The JSON of a response up to the end of its data. `None` if rows do not fit together, because objects were deleted between two
/// statements.
pub(super) fn data(plan: &Plan, loaded: &[LoadedRoot]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(4_096);
    out.extend_from_slice(START);
    out.push(b'{');
    for ((key, root), loaded) in plan.fields.iter().zip(loaded) {
        literal(&mut out, &key.0);
        match (root, loaded) {
            (Root::Constant(constant), _) => text(&mut out, constant.as_bytes())?,
            (Root::Me(set) | Root::Item(_, set), LoadedRoot::Set(loaded)) => {
                match loaded.rows.is_empty() {
                    true => null(&mut out)?,
                    false => of_set(&mut out, set, loaded, 0)?,
                }
            }
            (Root::List(list), LoadedRoot::List(loaded)) => {
                page(&mut out, list, loaded, loaded.pages.get(&None)?)?;
            }
            (Root::Node(nodes), LoadedRoot::Nodes { sets, found }) => {
                let (set, row) = *found.first()?;
                of_set(&mut out, nodes.sets.get(set)?, sets.get(set)?, row)?;
            }
            (Root::Nodes(nodes), LoadedRoot::Nodes { sets, found }) => {
                array(&mut out, found, |out, (set, row)| {
                    of_set(out, nodes.sets.get(*set)?, sets.get(*set)?, *row)
                })?;
            }
            _ => return None,
        }
    }
    out.push(b'}');
    Some(out)
}

/// Writes an array of what `write` writes for each item. `None` if the response gets too large.
fn array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T) -> Option<()>,
) -> Option<()> {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if out.len() > MAX_BYTES {
            return None;
        }
        write(out, item)?;
    }
    out.push(b']');
    Some(())
}

/// Writes an object of what `write` writes for each value.
fn fields<V>(
    out: &mut Vec<u8>,
    fields: &[(Key, V)],
    mut write: impl FnMut(&mut Vec<u8>, &V) -> Option<()>,
) -> Option<()> {
    out.push(b'{');
    for (key, value) in fields {
        literal(out, &key.0);
        write(out, value)?;
    }
    out.push(b'}');
    Some(())
}

fn of_set(out: &mut Vec<u8>, set: &Set, loaded: &Loaded, row: usize) -> Option<()> {
    object(out, &set.object, &set.rows, loaded, row)
}

fn object(
    out: &mut Vec<u8>,
    object: &[(Key, ObjectValue)],
    rows: &Rows,
    loaded: &Loaded,
    row: usize,
) -> Option<()> {
    fields(out, object, |out, field| match field {
        ObjectValue::Constant(constant) => text(out, constant.as_bytes()),
        ObjectValue::Column(column, format) => value(out, *format, loaded.column(row, *column)),
        ObjectValue::Child(at) => child(
            out,
            rows.children.get(*at)?,
            loaded.children.get(*at)?,
            loaded,
            row,
        ),
    })
}

/// Writes what was loaded for a row.
fn child(
    out: &mut Vec<u8>,
    plan: &Child,
    child: &LoadedChild,
    parents: &Loaded,
    row: usize,
) -> Option<()> {
    match (plan, child) {
        (Child::List(list), LoadedChild::Pages(pages)) => {
            let loaded_page = pages.pages.get(&Some(parents.id(row)?))?;
            page(out, list, pages, loaded_page)
        }
        (Child::Tags(set), LoadedChild::Many(tags, of_items)) => {
            let rows = of_items
                .get(&parents.id(row)?)
                .map_or(&[][..], Vec::as_slice);
            array(out, rows, |out, row| of_set(out, set, tags, *row))
        }
        (Child::Course { id, set }, LoadedChild::One(courses, by_id)) => {
            one(out, set, courses, by_id, parents.column(row, *id))
        }
        (
            Child::TrashedWith {
                id,
                deleted_at,
                set,
            },
            LoadedChild::One(courses, by_id),
        ) => {
            let course = parents
                .column(row, *deleted_at)
                .and(parents.column(row, *id));
            one(out, set, courses, by_id, course)
        }
        (Child::Owner(set), LoadedChild::Owner(user)) => of_set(out, set, user, 0),
        _ => None,
    }
}

/// Writes the object with this id, or null.
fn one(
    out: &mut Vec<u8>,
    set: &Set,
    loaded: &Loaded,
    by_id: &HashMap<Uuid, usize>,
    id: Option<&[u8]>,
) -> Option<()> {
    match id {
        None => null(out),
        Some(id) => {
            let row = by_id.get(&Uuid::from_slice(id).ok()?)?;
            of_set(out, set, loaded, *row)
        }
    }
}

/// Writes a connection.
fn page(out: &mut Vec<u8>, list: &List, loaded: &LoadedList, page: &LoadedPage) -> Option<()> {
    let rows = &list.rows;
    let node = |out: &mut Vec<u8>, node: &[(Key, ObjectValue)], row| {
        object(out, node, rows, &loaded.loaded, row)
    };
    let cursor = |out: &mut Vec<u8>, row| write_cursor(out, rows, loaded, row);
    fields(out, &list.fields, |out, field| match field {
        ListValue::Constant(constant) => text(out, constant.as_bytes()),
        ListValue::TotalCount => int(out, count(page.total?)),
        ListValue::Nodes(selected) => {
            array(out, page.rows.clone(), |out, row| node(out, selected, row))
        }
        ListValue::Edges(edge) => array(out, page.rows.clone(), |out, row| {
            fields(out, edge, |out, field| match field {
                EdgeValue::Constant(constant) => text(out, constant.as_bytes()),
                EdgeValue::Cursor => cursor(out, row),
                EdgeValue::Node(selected) => node(out, selected, row),
            })
        }),
        ListValue::PageInfo(info) => fields(out, info, |out, field| match field {
            PageInfoValue::Constant(constant) => text(out, constant.as_bytes()),
            PageInfoValue::HasNext => boolean(out, page.has_next),
            PageInfoValue::HasPrevious => boolean(out, page.has_previous),
            PageInfoValue::StartCursor => match page.rows.clone().next() {
                Some(row) => cursor(out, row),
                None => null(out),
            },
            PageInfoValue::EndCursor => match page.rows.clone().next_back() {
                Some(row) => cursor(out, row),
                None => null(out),
            },
        }),
    })
}

/// Writes the cursor of a row. The keys of the order follow the selected columns.
fn write_cursor(out: &mut Vec<u8>, rows: &Rows, list: &LoadedList, row: usize) -> Option<()> {
    let loaded = &list.loaded;
    let first_key = loaded.id_column + 1 + rows.columns.len();
    let cursor = (list.cursors)(loaded.rows.get(row)?, loaded.id(row)?, first_key)?;
    text(out, cursor.as_bytes())
}
