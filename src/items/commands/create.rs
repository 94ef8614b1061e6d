//! Creating items.

pub(crate) mod store;

use uuid::Uuid;

use super::{
    super::{BatchPolicy, Item, Quotas, find_by_id, tagging::MAX_TAGS, taken},
    ATTEMPTS, Batch, Check, Key, Outcome, busy, closed,
};
use crate::{
    auth::Viewer,
    db::{Connection, Statement},
    error::{Error, Failure, Refusal, RefusalCode},
    rules::Problems,
    scalars::{ID, parse_uuid},
};
use store::InsertItems;

/// The id of a new item: chosen by its owner, or a UUID of version 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewId {
    id: Uuid,
    /// The owner chose it, so it may be in use.
    chosen: bool,
}

impl NewId {
    /// The chosen id, or a new one. An id that is not a UUID is a problem.
    fn of(chosen: Option<&ID>, problems: &mut Problems) -> NewId {
        let id = chosen.and_then(|chosen| parse_uuid(chosen));
        if chosen.is_some() && id.is_none() {
            problems.add(
                "id",
                RefusalCode::Invalid,
                "`id` must be a UUID such as `018f4d2e-8a3b-7c4d-9e5f-0a1b2c3d4e5f`.",
            );
        }
        NewId {
            id: id.unwrap_or_else(Uuid::now_v7),
            chosen: id.is_some(),
        }
    }
}

impl Key for NewId {
    fn known_id(&self) -> Option<Uuid> {
        self.chosen.then_some(self.id)
    }
}

/// An input that creates an item.
pub(crate) trait Create: Check + Sync + Sized {
    /// What it creates.
    type Item: Item;

    /// Names the columns and their values.
    fn insert(insert: InsertItems<'_, Self>) -> Statement<<Self::Item as Item>::Written>;
}

/// Creates items with the ids that the viewer chose, or new ones. If the viewer has an item of this kind with the chosen id
/// already, its entry returns that item unchanged, even if the other entries are withheld.
///
/// The errors of an entry are those of its input; NOT_FOUND or IN_TRASH for the course or the tags; TAKEN if another of the viewer's
/// objects has or had the id, or if another active item has the title, for kinds with unique titles; INVALID if an earlier entry has
/// the id. LIMIT_REACHED for all entries if the batch exceeds a quota.
///
/// # Errors
/// UNAVAILABLE if other requests keep creating objects with the same ids.
pub(crate) async fn create<'a, C: Create + 'a>(
    conn: &mut Connection,
    viewer: &Viewer,
    entries: impl IntoIterator<Item = (Option<&'a ID>, &'a C)>,
    policy: BatchPolicy,
    quotas: &Quotas,
) -> Result<Vec<Outcome<C::Item>>, Error> {
    let mut batch = Batch::check(entries, policy, |chosen_id, input: &C, problems| {
        let id = NewId::of(chosen_id, problems);
        input.check(problems);
        problems.max_ids("tagIds", input.tag_ids().unwrap_or_default(), MAX_TAGS);
        id
    });
    let (owner, growth) = (viewer.user_id, batch.growth(1));
    for _ in 0..ATTEMPTS {
        let created = match batch.names_tags() || quotas.limit(growth) {
            false => insert(conn, viewer, batch.clone()).await,
            true => {
                let created = conn.transaction(async |conn| {
                    let before = quotas.before(conn, owner, growth).await?;
                    let batch = insert(conn, viewer, batch.clone()).await?;
                    quotas.after(conn, owner, before).await?;
                    Ok::<_, NotInserted>(batch)
                });
                created.await
            }
        };
        match created {
            Ok(batch) => return Ok(batch.outcomes),
            Err(NotInserted::Repeat) => {}
            Err(NotInserted::Refused(refusals)) => {
                batch.refuse(|_| refusals.clone());
                return Ok(batch.outcomes);
            }
            Err(NotInserted::Failed(error)) => return Err(error),
        }
    }
    Err(busy(C::Item::KIND))
}

type NewItems<'a, C> = Batch<'a, NewId, C, <C as Create>::Item>;

/// Why an attempt to insert items inserted nothing.
enum NotInserted {
    /// Another request created one of the ids at the same time.
    Repeat,
    /// The batch as a whole is refused.
    Refused(Vec<Refusal>),
    Failed(Error),
}

impl From<Error> for NotInserted {
    fn from(error: Error) -> Self {
        NotInserted::Failed(error)
    }
}

impl From<Failure> for NotInserted {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusals) => NotInserted::Refused(refusals),
            Failure::Error(error) => NotInserted::Failed(error),
        }
    }
}

/// Locks the tags of a batch. Refuses entries whose tags cannot be used, unless they repeat an earlier create. Their items exist
/// already, so nothing is inserted for them.
async fn lock_tags<C: Create>(
    conn: &mut Connection,
    viewer: &Viewer,
    batch: &mut NewItems<'_, C>,
) -> Result<(), Error> {
    let mut refusals = batch.lock_tags(conn, viewer.user_id).await?;
    let refused = batch.open.iter();
    let refused = refused.filter(|entry| refusals.contains_key(&entry.index));
    let ids = refused.filter_map(|entry| entry.key.known_id()).collect();
    let existing = find_by_id::<C::Item>(conn, viewer, ids).await?;
    batch.refuse(|entry| match existing.contains_key(&entry.key.id) {
        true => Vec::new(),
        false => refusals.remove(&entry.index).unwrap_or_default(),
    });
    Ok(())
}

/// Inserts the items of a batch, and their tags.
async fn insert<'a, C: Create>(
    conn: &mut Connection,
    viewer: &Viewer,
    mut batch: NewItems<'a, C>,
) -> Result<NewItems<'a, C>, NotInserted> {
    lock_tags(conn, viewer, &mut batch).await?;
    if batch.open.is_empty() {
        return Ok(batch);
    }
    let inserted = store::insert(conn, viewer.user_id, &batch.open, batch.required()).await;
    let (rows, title_is_taken) = match inserted {
        Ok(Some(rows)) => (rows, None),
        Ok(None) => return Err(NotInserted::Repeat),
        Err(Failure::Refused(refusals)) => {
            (vec![Default::default(); batch.open.len()], Some(refusals))
        }
        Err(Failure::Error(error)) => return Err(error.into()),
    };
    batch.add_tags(conn, viewer.user_id, &rows).await?;
    let existing = find_by_id::<C::Item>(conn, viewer, batch.unwritten(&rows)).await?;
    batch.note(rows, |new, (withheld, course_status, item)| {
        let outcome =
            match item.or_else(|| existing.get(&new.id).cloned()) {
                Some(item) => Outcome::Done(item),
                None if withheld => Outcome::Withheld,
                None => Outcome::Refused(title_is_taken.clone().unwrap_or_else(|| {
                    vec![closed(course_status.as_deref()).unwrap_or_else(taken)]
                })),
            };
        Some(outcome)
    });
    Ok(batch)
}
