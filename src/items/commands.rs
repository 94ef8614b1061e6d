//! Creating and updating items: what is the same for all kinds.

pub(crate) mod store;

use uuid::Uuid;

use super::{Item, ItemKind, UpdateTarget, find, in_trash, not_found, taken};
use crate::{
    auth::{UserId, Viewer},
    db::{Connection, Statement},
    error::{Error, Failure, RefusalCode},
    rules::Problems,
    scalars::{ID, parse_uuid},
};

/// The id of a new item: chosen by its owner, or a UUID of version 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewId {
    pub(crate) id: Uuid,
    /// The owner chose it, so it may be in use.
    pub(crate) chosen: bool,
}

impl NewId {
    /// The chosen id, or a new one. An id that is not a UUID is a problem.
    pub(crate) fn of(chosen: Option<&ID>, problems: &mut Problems) -> NewId {
        let Some(chosen) = chosen else {
            let id = Uuid::now_v7();
            return NewId { id, chosen: false };
        };
        let id = parse_uuid(chosen);
        if id.is_none() {
            problems.add(
                "id",
                RefusalCode::Invalid,
                "`id` must be a UUID such as `018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f`.",
            );
        }
        NewId {
            id: id.unwrap_or_default(),
            chosen: true,
        }
    }
}

/// The result of a statement that writes an item. First, the status of the course to put the item into: `None` if no course is
/// named. Second, the item: `None` if nothing was written.
pub(crate) type Written<T> = (Option<String>, Option<T>);

/// An input with fields that have limits.
pub(crate) trait Check {
    /// Adds the errors of the input.
    fn check(&self, problems: &mut Problems);
}

/// Implements [`Check`] for the inputs that create and update an item: the limits of a field are the same in both.
macro_rules! checks {
    ($($Input:ident),+: |$input:ident, $problems:ident| $checks:block) => {$(
        impl $crate::items::Check for $Input {
            fn check(&self, $problems: &mut $crate::rules::Problems) {
                let $input = self;
                $checks
            }
        }
    )+};
}
pub(crate) use checks;

/// An input that creates an item.
pub(crate) trait Create: Check + Sync {
    /// What it creates.
    type Item: Item;

    /// The statement that inserts the item, if its course is active and its id is not in use.
    fn insert(&self, owner: UserId, id: NewId) -> Statement<<Self::Item as Item>::Written>;
}

/// Creates an item with the id that the viewer chose, or a new one. If the viewer has an item of this kind with the chosen id
/// already, returns that item unchanged.
///
/// # Errors
/// The errors of the input. NOT_FOUND or IN_TRASH for the course. TAKEN if another of the viewer's objects has or had the id, or
/// another tag has the name.
pub(crate) async fn create<C: Create>(
    conn: &mut Connection,
    viewer: &Viewer,
    chosen_id: Option<&ID>,
    input: &C,
) -> Result<C::Item, Failure> {
    let mut problems = Problems::default();
    let id = NewId::of(chosen_id, &mut problems);
    input.check(&mut problems);
    problems.finish()?;
    let inserted = store::insert(conn, input.insert(viewer.user_id, id)).await;
    if let Ok((_, Some(item))) = inserted {
        return Ok(item);
    }
    // A repeated request may also fail because of what the first one has created.
    if id.chosen
        && !matches!(inserted, Err(Failure::Error(_)))
        && let Some(item) = find(conn, viewer, id.id).await?
    {
        return Ok(item);
    }
    let (course_status, _) = inserted?;
    Err(closed(course_status).unwrap_or_else(taken))
}

/// How an update ended.
#[derive(Debug, Clone)]
pub enum Updated<T> {
    /// The item after the update.
    Done(T),
    /// The item as it is. It has changed since the version that the caller sent, so it was not updated.
    Conflict(T),
}

/// An input that updates an item.
pub(crate) trait Update: Check + Sync {
    /// What it updates.
    type Item: Item;

    /// The item to update.
    fn target(&self) -> UpdateTarget;

    /// Adds the errors of fields that only the update has.
    fn check_changes(&self, _problems: &mut Problems) {}
    /// The statement that updates the item, if it is active, has the given version, and its new course is active.
    fn update(
        &self,
        conn: &mut Connection,
        viewer: &Viewer,
    ) -> impl Future<Output = Result<Statement<<Self::Item as Item>::Written>, Error>> + Send;
}

/// Maximum number of attempts to update an item that other requests change at the same time.
const ATTEMPTS: usize = 5;

/// Updates an item.
///
/// # Errors
/// The errors of the input. NOT_FOUND or IN_TRASH for the item or its new course. TAKEN if another tag has the name. UNAVAILABLE if other requests keep changing
/// the item.
pub(crate) async fn update<U: Update>(
    conn: &mut Connection,
    viewer: &Viewer,
    input: &U,
) -> Result<Updated<U::Item>, Failure> {
    let mut problems = Problems::default();
    input.check(&mut problems);
    input.check_changes(&mut problems);
    problems.finish()?;
    let UpdateTarget { id, version } = input.target();
    let name = U::Item::KIND.name();
    for _ in 0..ATTEMPTS {
        let statement = input.update(conn, viewer).await?;
        let (course_status, updated) = store::update::<U::Item>(conn, statement).await?;
        if let Some(mut item) = updated {
            item.set_active();
            return Ok(Updated::Done(item));
        }
        let Some(item) = find::<U::Item>(conn, viewer, id.0).await? else {
            return Err(not_found("id", name));
        };
        if item.deleted_at().is_some() {
            return Err(in_trash("id", name));
        }
        if version.is_some_and(|seen| seen != item.version()) {
            return Ok(Updated::Conflict(item));
        }
        if let Some(refusal) = closed(course_status) {
            return Err(refusal);
        }
    }
    let detail = format!("a {name} changed during all attempts to update it");
    Err(Error::unavailable(detail).into())
}

/// Why no item can be put into the named course; `None` if it can, or if no course is named.
fn closed(course_status: Option<String>) -> Option<Failure> {
    let course = ItemKind::Course.name();
    match course_status?.as_str() {
        "unknown" => Some(not_found("courseId", course)),
        "trash" => Some(in_trash("courseId", course)),
        _ => None,
    }
}
