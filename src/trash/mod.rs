//! The trash: what goes in, comes back and is deleted permanently, for courses, documents and tasks alike.
//!
//! An item is active if it was not moved to the trash itself and its course is active. So a course takes its documents and
//! tasks along and brings them back, however many there are: a command changes the items that it names, and what is in a
//! course follows by the operation that it adds ([`pending`]). Every command takes all of its ids or none.
//!
//! Each command locks the owner's row first, then the items that it names, by kind and id. The SQL is in `store`; the
//! deletion of what has been in the trash too long is in [`sweep`].

mod store;
pub mod sweep;

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

pub(crate) use store::{ORDER, page};

use crate::{
    auth::Viewer,
    db::Connection,
    error::{Error, Failure, Refusal, RefusalCode},
    items::{self, ItemKind, ItemRef},
    pending::{self, Operation},
    rules::Problems,
};
use store::Named;

/// Moves items to the trash. Those that are there already stay as they are. Answers them in the order of the ids.
///
/// # Errors
/// BLANK or TOO_LONG of `ids`; NOT_FOUND of each id that is no item of the viewer's.
pub async fn trash(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<ItemRef>, Failure> {
    change(conn, viewer, ids, &Command::Trash).await
}

/// Brings items back from the trash. Those that are active stay as they are. Answers them in the order of the ids.
///
/// # Errors
/// BLANK or TOO_LONG of `ids`; NOT_FOUND of each id that is no item of the viewer's; IN_TRASH of each whose course stays
/// in the trash.
pub async fn restore(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<ItemRef>, Failure> {
    change(conn, viewer, ids, &Command::Restore).await
}

/// Deletes items in the trash permanently, courses with all that is in them. Answers the ids of everything deleted: first
/// those that were named, in their order.
///
/// # Errors
/// BLANK or TOO_LONG of `ids`; NOT_FOUND of each id that is no item of the viewer's; NOT_IN_TRASH of each that is active.
pub async fn delete(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, Failure> {
    check(ids)?;
    let owner = viewer.user_id;
    let deleted = conn.transaction(async |conn| {
        let named = named(conn, viewer, ids, &Command::Delete).await?;
        let items = in_order(ids, &named);
        let along = store::contents(conn, owner, courses_among(&items)).await?;
        let delete = Operation::Remove;
        pending::add_items(conn, owner, delete, &items, Some(owner)).await?;
        let named = items.iter().map(|item| item.id);
        let along = along.into_iter().filter(|id| !ids.contains(id));
        Ok::<_, Failure>(named.chain(along).collect())
    });
    let deleted: Vec<Uuid> = deleted.await?;
    pending::work_on(conn, owner).await;
    Ok(deleted)
}

/// Deletes everything in the trash permanently; answers the ids of everything deleted.
///
/// # Errors
/// UNAVAILABLE, TIMEOUT or INTERNAL alone.
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

/// What is done to items that are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Trash,
    Restore,
    Delete,
}

impl Command {
    /// Why an item cannot be dealt with; `ids`: all that are named.
    fn refusal(
        self,
        item: Option<&Named>,
        ids: &HashSet<Uuid>,
    ) -> Option<(RefusalCode, &'static str)> {
        let Some(item) = item else {
            return Some((RefusalCode::NotFound, "There is no such item."));
        };
        let course_stays =
            item.course_in_trash && item.course_id.is_some_and(|course| !ids.contains(&course));
        match self {
            Command::Restore if course_stays => Some((
                RefusalCode::InTrash,
                "Its course is in the trash. Restore it first.",
            )),
            Command::Delete if !item.in_trash() => Some((
                RefusalCode::NotInTrash,
                "Only items in the trash can be deleted permanently.",
            )),
            _ => None,
        }
    }
}

/// Trashes or restores.
async fn change(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
    command: &Command,
) -> Result<Vec<ItemRef>, Failure> {
    check(ids)?;
    let owner = viewer.user_id;
    let changed = conn.transaction(async |conn| {
        let named = named(conn, viewer, ids, command).await?;
        let items = in_order(ids, &named);
        match command {
            Command::Trash => store::trash(conn, owner, ids.to_vec()).await?,
            Command::Restore => store::restore(conn, owner, ids.to_vec()).await?,
            Command::Delete => {}
        }
        let courses: Vec<ItemRef> = items
            .iter()
            .copied()
            .filter(|item| item.kind == ItemKind::Course && named[&item.id].changes(*command))
            .collect();
        pending::add_items(conn, owner, Operation::Settle, &courses, Some(owner)).await?;
        Ok::<_, Failure>(items)
    });
    let changed = changed.await?;
    pending::work_on(conn, owner).await;
    Ok(changed)
}

/// Locks the owner and the items, gives items that are not settled yet the state of their courses, and refuses if the command
/// cannot be done with one of them.
async fn named(
    conn: &mut Connection,
    viewer: &Viewer,
    ids: &[Uuid],
    command: &Command,
) -> Result<HashMap<Uuid, Named>, Failure> {
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

fn check(ids: &[Uuid]) -> Result<(), Failure> {
    let mut problems = Problems::default();
    problems.ids(ids.len());
    problems.finish()
}

fn in_order(ids: &[Uuid], named: &HashMap<Uuid, Named>) -> Vec<ItemRef> {
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
