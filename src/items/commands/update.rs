//! Updating items.

pub(crate) mod store;

use uuid::Uuid;

use super::{
    super::{BatchPolicy, Item, Quotas, UpdateTarget, find_by_id, in_trash, not_found},
    ATTEMPTS, Batch, Check, Key, Outcome, Written, busy, closed,
};
use crate::{
    auth::Viewer,
    db::{Connection, Statement},
    error::{Error, Failure},
    rules::{MAX_IDS, Problems},
};
use store::UpdateItems;

impl Key for UpdateTarget {
    fn known_id(&self) -> Option<Uuid> {
        Some(self.id.0)
    }
}

/// An input that updates an item.
pub(crate) trait Update: Check + Sync + Sized {
    /// What it updates.
    type Item: Item;
    /// What is read before the update, because new values depend on it.
    type Stored: Default + Send + Sync;

    /// Adds the errors of fields that only the update has.
    fn check_changes(&self, _problems: &mut Problems) {}

    /// Reads what the new values depend on.
    fn read(
        _conn: &mut Connection,
        _viewer: &Viewer,
        _inputs: &[&Self],
    ) -> impl Future<Output = Result<Self::Stored, Error>> + Send {
        async { Ok(Self::Stored::default()) }
    }

    /// Names the columns and their new values.
    fn update(
        update: UpdateItems<'_, Self>,
        stored: &Self::Stored,
    ) -> Statement<<Self::Item as Item>::Written>;
}

/// Updates items.
///
/// The errors of an entry are those of its input; NOT_FOUND or IN_TRASH for the item, its new course or its tags; TAKEN if another
/// active item has the title, for kinds with unique titles; INVALID if an earlier entry has the same id. LIMIT_REACHED for all entries if
/// their texts become longer and exceed a quota.
///
/// # Errors
/// UNAVAILABLE if other requests keep changing the items. Nothing is updated then: with [`BatchPolicy::Each`], such an entry has the
/// outcome `Conflict`.
pub(crate) async fn update<'a, U: Update + 'a>(
    conn: &mut Connection,
    viewer: &Viewer,
    entries: impl IntoIterator<Item = (UpdateTarget, &'a U)>,
    policy: BatchPolicy,
    quotas: &Quotas,
) -> Result<Vec<Outcome<U::Item>>, Error> {
    let mut batch = Batch::check(entries, policy, |target, input: &U, problems| {
        input.check(problems);
        input.check_changes(problems);
        problems.max_ids("tagIds", input.tag_ids().unwrap_or_default(), MAX_IDS);
        target
    });
    let (owner, growth) = (viewer.user_id, batch.growth(0));
    if !batch.names_tags() && !quotas.limit(growth) {
        return Ok(apply(conn, viewer, batch).await?.outcomes);
    }
    let applied = conn.transaction(async |conn| {
        let before = quotas.before(conn, owner, growth).await?;
        let batch = apply(conn, viewer, batch.clone()).await?;
        quotas.after(conn, owner, before).await?;
        Ok::<_, Failure>(batch)
    });
    match applied.await {
        Ok(batch) => Ok(batch.outcomes),
        Err(Failure::Error(error)) => Err(error),
        Err(Failure::Refused(refusals)) => {
            batch.refuse(|_| refusals.clone());
            Ok(batch.outcomes)
        }
    }
}

type Changes<'a, U> = Batch<'a, UpdateTarget, U, <U as Update>::Item>;

/// Updates the items of a batch, and their tags.
async fn apply<'a, U: Update>(
    conn: &mut Connection,
    viewer: &Viewer,
    mut batch: Changes<'a, U>,
) -> Result<Changes<'a, U>, Error> {
    let owner = viewer.user_id;
    batch.refuse_many_tags(conn, owner).await?;
    let mut refusals = batch.lock_tags(conn, owner).await?;
    batch.refuse(|entry| refusals.remove(&entry.index).unwrap_or_default());
    for attempt in 1..=ATTEMPTS {
        if batch.open.is_empty() {
            return Ok(batch);
        }
        let rows = match store::update(conn, viewer, &batch.open, batch.required()).await {
            Ok(rows) => rows,
            Err(Failure::Error(error)) => return Err(error),
            Err(Failure::Refused(refusals)) => {
                batch.refuse(|_| refusals.clone());
                return Ok(batch);
            }
        };
        let mut read = batch.replace_tags(conn, owner, &rows).await?;
        read.extend(batch.unwritten(&rows));
        let current = find_by_id::<U::Item>(conn, viewer, read).await?;
        // Other entries may have been applied, so the response must contain their outcomes.
        let gives_up = attempt == ATTEMPTS && batch.policy == BatchPolicy::Each;
        let has_ended = batch.note(rows, |target, row| {
            let current = current.get(&target.id.0);
            let changes = || current.filter(|_| gives_up).cloned();
            outcome(*target, row, current).or_else(|| changes().map(Outcome::Conflict))
        });
        if has_ended {
            return Ok(batch);
        }
    }
    Err(busy(U::Item::KIND))
}

/// How an entry ended. `None` if it was withheld, or if the item has changed since: it may succeed in the next attempt. `current`:
/// the item as it is, if it was not updated, or if its tags have changed.
fn outcome<T: Item>(
    UpdateTarget { version, .. }: UpdateTarget,
    (withheld, course_status, updated): Written<T>,
    current: Option<&T>,
) -> Option<Outcome<T>> {
    if let Some(updated) = updated {
        let mut item = current.cloned().unwrap_or(updated);
        item.set_active();
        return Some(Outcome::Done(item));
    }
    if withheld {
        return None;
    }
    let name = T::KIND.name();
    let Some(item) = current else {
        return Some(Outcome::Refused(vec![not_found("id", name)]));
    };
    if item.deleted_at().is_some() {
        return Some(Outcome::Refused(vec![in_trash("id", name)]));
    }
    if version.is_some_and(|seen| seen != item.version()) {
        return Some(Outcome::Conflict(item.clone()));
    }
    Some(Outcome::Refused(vec![closed(course_status.as_deref())?]))
}
