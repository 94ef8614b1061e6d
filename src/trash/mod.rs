//! The trash: moving items to the trash, restoring them, and deleting them permanently. All kinds of items are treated
//! alike.
//!
//! An item is active if it was not moved to the trash itself and its course is active. So the documents and tasks of a course
//! move to the trash and return with it, however many there are. A command changes the rows of the items that it names, and adds
//! a pending operation that changes what is in a course ([`pending`]). A command applies to all of its ids or to none.
//!
//! Each command first locks the owner's row, then the named items by kind and id. The SQL is in `store`. [`sweep`] deletes
//! items that have been in the trash too long.

mod store;
pub mod sweep;

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

pub(crate) use store::{ORDER, TrashPosition, page};

use crate::{
    auth::Viewer,
    db::Connection,
    error::{Error, Failure, Refusal, RefusalCode},
    items::{self, ItemKind, ItemRef},
    pending::{self, Operation},
    rules::check_ids,
};
use store::NamedItem;

/// Moves items to the trash, or restores them. Items that are in that state already stay unchanged. Returns all items in the
/// order of the ids.
///
/// # Errors
/// BLANK or TOO_LONG for `ids`; NOT_FOUND for each id that is not an item of the viewer; IN_TRASH for each item to restore whose
/// course stays in the trash; TAKEN for each tag to restore whose name another active tag has.
pub async fn set_trashed(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
    trashed: bool,
) -> Result<Vec<ItemRef>, Failure> {
    check_ids(ids)?;
    let owner = viewer.user_id;
    let changed = conn.transaction(async |conn| {
        let command = if trashed {
            Command::Trash
        } else {
            Command::Restore
        };
        let named = lock_named(conn, viewer, ids, command).await?;
        let items = in_order(ids, &named);
        store::set_trashed(conn, owner, ids, trashed).await?;
        let is_changed_course =
            |item: &&ItemRef| item.kind == ItemKind::Course && named[&item.id].is_active == trashed;
        let courses: Vec<ItemRef> = items.iter().filter(is_changed_course).copied().collect();
        pending::add_items(conn, owner, Operation::Settle, &courses, Some(owner)).await?;
        Ok::<_, Failure>(items)
    });
    let changed = changed.await?;
    pending::work_on(conn, owner).await;
    Ok(changed)
}

/// Permanently deletes items that are in the trash, and everything in deleted courses. Returns the ids of all deleted items:
/// first the named ones in their order.
///
/// # Errors
/// BLANK or TOO_LONG for `ids`; NOT_FOUND for each id that is not an item of the viewer; NOT_IN_TRASH for each active item.
pub async fn delete(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, Failure> {
    check_ids(ids)?;
    let owner = viewer.user_id;
    let deleted = conn.transaction(async |conn| {
        let named = lock_named(conn, viewer, ids, Command::Delete).await?;
        let items = in_order(ids, &named);
        let along = store::contents(conn, owner, courses_among(&items)).await?;
        let delete = Operation::Remove;
        pending::add_items(conn, owner, delete, &items, Some(owner)).await?;
        let named = items.iter().map(|item| item.id);
        let is_named: HashSet<Uuid> = named.clone().collect();
        let along = along.into_iter().filter(|id| !is_named.contains(id));
        Ok::<_, Failure>(named.chain(along).collect())
    });
    let deleted: Vec<Uuid> = deleted.await?;
    pending::work_on(conn, owner).await;
    Ok(deleted)
}

/// Permanently deletes everything in the trash. Returns the ids of all deleted items.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL.
pub async fn empty(conn: &mut Connection, viewer: &Viewer) -> Result<Vec<Uuid>, Error> {
    let owner = viewer.user_id;
    let deleted = conn.transaction(async |conn| {
        pending::lock_owner(conn, owner).await?;
        let items = store::roots(conn, owner).await?;
        let along = store::contents(conn, owner, courses_among(&items)).await?;
        let delete = Operation::Remove;
        pending::add_items(conn, owner, delete, &items, Some(owner)).await?;
        let roots = items.iter().map(|item| item.id);
        Ok::<_, Error>(roots.chain(along).collect())
    });
    let deleted: Vec<Uuid> = deleted.await?;
    pending::work_on(conn, owner).await;
    Ok(deleted)
}

/// A command on named items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Trash,
    Restore,
    Delete,
}

impl Command {
    /// Why the command cannot be applied to an item. `ids`: all named items.
    fn refusal(
        self,
        item: Option<&NamedItem>,
        ids: &HashSet<Uuid>,
    ) -> Option<(RefusalCode, &'static str)> {
        let Some(item) = item else {
            return Some((RefusalCode::NotFound, "There is no item with this id."));
        };
        let course_stays =
            item.course_in_trash && item.course_id.is_some_and(|course| !ids.contains(&course));
        match self {
            Command::Restore if course_stays => Some((
                RefusalCode::InTrash,
                "Its course is in the trash. Restore it first.",
            )),
            Command::Restore if item.title_is_taken => {
                Some((RefusalCode::Taken, store::TITLE_IS_TAKEN))
            }
            Command::Delete if !item.in_trash() => Some((
                RefusalCode::NotInTrash,
                "Only items in the trash can be deleted permanently.",
            )),
            _ => None,
        }
    }
}

/// Locks the owner and the named items, and gives unsettled items the state of their courses.
///
/// # Errors
/// A refusal for each item that the command cannot be applied to.
async fn lock_named(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
    command: Command,
) -> Result<HashMap<Uuid, NamedItem>, Failure> {
    let owner = viewer.user_id;
    pending::lock_owner(conn, owner).await?;
    let named = store::lock(conn, owner, ids).await?;
    let all: HashSet<Uuid> = ids.iter().copied().collect();
    let refusals: Vec<Refusal> = items::each_once(ids)
        .filter_map(|(index, id)| {
            let refusal = command.refusal(named.get(&id), &all);
            refusal.map(|(code, message)| Refusal::of_id(index, code, message))
        })
        .collect();
    if !refusals.is_empty() {
        return Err(Failure::Refused(refusals));
    }
    for kind in ItemKind::IN_COURSES {
        if named
            .values()
            .any(|item| item.kind == kind && !item.is_settled())
        {
            pending::settle_items(conn, owner, kind, ids.to_vec()).await?;
        }
    }
    Ok(named)
}

fn in_order(ids: &[Uuid], named: &HashMap<Uuid, NamedItem>) -> Vec<ItemRef> {
    items::each_once(ids)
        .filter_map(|(_, id)| {
            let kind = named.get(&id)?.kind;
            Some(ItemRef { kind, id })
        })
        .collect()
}

fn courses_among(items: &[ItemRef]) -> Vec<Uuid> {
    let courses = items.iter().filter(|item| item.kind == ItemKind::Course);
    courses.map(|course| course.id).collect()
}
