//! The change feed: every change of a user's items after a cursor, each exactly once, whatever transactions overlap.
//! The changes of an item come in the order of its versions.
//!
//! A cursor is a snapshot, not a position in a list: see `cursor`. This file reads pages of past changes; [`live`]
//! continues with changes as they happen. All SQL is in `store`. Nothing here writes the log; triggers do.

pub(crate) mod cursor;
mod epoch;
pub mod live;
mod model;
mod store;

use std::{collections::VecDeque, sync::Arc};

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use cursor::Cursor;
use cursor::Seen;
use epoch::EpochRequests;
pub use live::{Live, LiveSettings};
pub use model::{Change, ChangeAction};
use store::{Entry, LogState, ReaderPosition};

use crate::{
    auth::UserId,
    db::{Connection, Database},
    error::Error,
};

/// Maximum duration of a walk that began without a cursor. After that, its oldest changes may have been pruned.
const MAX_WALK_DAYS: i32 = 1;

/// A page of a user's feed.
#[derive(Debug)]
pub(crate) struct Page {
    /// Oldest first.
    pub(crate) changes: Vec<Change>,
    /// The cursor after this page.
    pub(crate) end: Cursor,
    /// Whether more changes follow already.
    pub(crate) more: bool,
    /// The generation of the owner's stored search index.
    pub(crate) index_generation: Option<Uuid>,
}

/// The change feed in pages. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    days: i32,
    epoch: Arc<EpochRequests>,
}

impl Feed {
    /// `days`: how far the feed goes back, and how long a cursor is valid (1–36,500).
    pub fn new(days: u32) -> Feed {
        let days = i32::try_from(days.clamp(1, 36_500)).unwrap_or(36_500);
        let epoch = Arc::default();
        Feed { days, epoch }
    }

    /// How long a cursor is valid.
    pub(crate) fn validity(&self) -> chrono::Duration {
        chrono::Duration::days(self.days.into())
    }

    /// Begins an epoch of the log whenever a reader finds none, as long as the process runs.
    pub(crate) async fn begin_epochs(&self, database: &Database) {
        self.epoch.run(database).await;
    }

    /// The empty page at the present end of the feed.
    ///
    /// # Errors
    /// Only UNAVAILABLE, TIMEOUT or INTERNAL.
    pub(crate) async fn newest(&self, conn: &mut Connection, owner: UserId) -> Result<Page, Error> {
        let mut state = store::log_state(conn, owner).await?;
        if state.epoch.is_none() {
            self.epoch.wait(conn.is_sharded()).await?;
            state = store::log_state(conn, owner).await?;
        }
        let none = NewEntries::of(state, &Seen::default(), Vec::new())?;
        Ok(Page {
            changes: Vec::new(),
            end: none.end(owner),
            more: false,
            index_generation: none.state.index_generation,
        })
    }

    /// The cursor before the oldest change that is kept. It is the cursor of a page of everything up to now that was
    /// cut before its first entry.
    async fn oldest(&self, conn: &mut Connection, owner: UserId) -> Result<Cursor, Error> {
        let newest = self.newest(conn, owner).await?.end;
        Ok(newest.clone().past(Arc::default()).until(newest.base, 0))
    }

    /// Returns at most `size` changes after a cursor. Without a cursor, begins at the oldest change that is kept.
    ///
    /// # Errors
    /// CURSOR_EXPIRED if the cursor is too old, or belongs to another user or database.
    pub(crate) async fn page(
        &self,
        conn: &mut Connection,
        owner: UserId,
        after: Option<&Cursor>,
        size: usize,
    ) -> Result<Page, Error> {
        let mut at = match after {
            Some(after) => after.clone(),
            None => self.oldest(conn, owner).await?,
        };
        let mut changes = Vec::new();
        if let Some((target, last)) = at.cut.clone() {
            let rest = store::rest(conn, owner, &at, (&target, last), self.days, size);
            let (state, entries) = rest.await?;
            self.check(&at, &state, owner)?;
            changes = as_changes(&entries, size, &at, &target);
            if entries.len() > size {
                return Ok(Page::cut(changes, at, &state));
            }
            at = at.past(target);
        }
        let limit = size - changes.len();
        let new = self.new_entries_of(conn, owner, &at, limit).await?;
        self.check(&at, &new.state, owner)?;
        changes.extend(as_changes(&new.entries, limit, &at, &new.seen));
        if new.entries.len() > limit {
            return Ok(Page::cut(changes, at, &new.state));
        }
        let end = new.end(owner);
        if let Some(last) = changes.last_mut() {
            last.cursor = end.clone();
        }
        Ok(Page {
            changes,
            end,
            more: false,
            index_generation: new.state.index_generation,
        })
    }

    /// The new entries of one user's log after a cursor that is not in the middle of a page: `limit` entries and, if
    /// there are more, one beyond.
    async fn new_entries_of(
        &self,
        conn: &mut Connection,
        owner: UserId,
        at: &Cursor,
        limit: usize,
    ) -> Result<NewEntries, Error> {
        let reader = ReaderPosition {
            owner,
            seen: at.base.clone(),
        };
        let mut new = self.new_entries(conn, &[reader], at.read_at, limit).await?;
        new.pop()
            .map(|(_, new)| new)
            .ok_or_else(|| Error::internal("the feed's statement returned no row"))
    }

    /// The entries of each of these logs that its reader has not seen.
    async fn new_entries(
        &self,
        conn: &mut Connection,
        readers: &[ReaderPosition],
        cursor_read_at: Option<DateTime<Utc>>,
        limit: usize,
    ) -> Result<Vec<(UserId, NewEntries)>, Error> {
        let days = self.days;
        let mut logs = store::new_entries(conn, readers, cursor_read_at, days, limit).await?;
        if logs.iter().any(|(_, state, _)| state.epoch.is_none()) {
            self.epoch.wait(conn.is_sharded()).await?;
            logs = store::new_entries(conn, readers, cursor_read_at, days, limit).await?;
        }
        let logs = logs.into_iter().zip(readers);
        logs.map(|((owner, state, entries), reader)| {
            Ok((owner, NewEntries::of(state, &reader.seen, entries)?))
        })
        .collect()
    }

    /// Fails if a reader cannot continue from this cursor.
    fn check(&self, cursor: &Cursor, state: &LogState, owner: UserId) -> Result<(), Error> {
        let days = if cursor.began_at_oldest() {
            MAX_WALK_DAYS.min(self.days)
        } else {
            self.days
        };
        let is_old = cursor
            .read_at
            .is_none_or(|read_at| state.now - read_at > chrono::Duration::days(days.into()));
        // A cursor that has seen future transactions is forged, or from before a restore.
        let is_ahead = cursor.is_ahead_of(state.xmax()?);
        if is_old || is_ahead || !cursor.is_of(state.epoch.unwrap_or_default(), owner) {
            return Err(Error::cursor_expired());
        }
        Ok(())
    }
}

impl Page {
    /// A page with more changes after it. It ends with its last change or, if it is empty, where it began.
    fn cut(changes: Vec<Change>, at: Cursor, state: &LogState) -> Page {
        let end = changes.last().map_or(at, |change| change.cursor.clone());
        Page {
            changes,
            end,
            more: true,
            index_generation: state.index_generation,
        }
    }
}

/// The entries of one user's log that a reader has not seen.
struct NewEntries {
    state: LogState,
    /// What the reader has seen after these entries.
    seen: Arc<Seen>,
    /// In the order of the log.
    entries: Vec<Entry>,
}

impl NewEntries {
    /// The new entries of a reader that had seen `before`.
    fn of(state: LogState, before: &Seen, entries: Vec<Entry>) -> Result<NewEntries, Error> {
        let seen = Arc::new(state.seen(before)?);
        Ok(NewEntries {
            state,
            seen,
            entries,
        })
    }

    /// Whether they belong to the epoch and owner of this cursor.
    fn is_of(&self, cursor: &Cursor, owner: UserId) -> bool {
        cursor.is_of(self.state.epoch.unwrap_or_default(), owner)
    }

    fn stamp(&self, owner: UserId) -> u64 {
        cursor::stamp(self.state.epoch.unwrap_or_default(), owner)
    }

    fn end(&self, owner: UserId) -> Cursor {
        Cursor::beginning()
            .past(self.seen.clone())
            .stamped(self.stamp(owner), self.state.now)
    }

    /// The changes that a reader at this cursor has not seen. The last change's cursor is after all of them.
    fn changes_after(&self, at: &Cursor) -> VecDeque<Change> {
        let unseen = self
            .entries
            .iter()
            .filter(|entry| !at.base.sees(entry.transaction()));
        let mut changes: VecDeque<Change> = unseen
            .map(|entry| entry.as_change(at.until(self.seen.clone(), entry.id)))
            .collect();
        if let Some(last) = changes.back_mut() {
            last.cursor = at.clone().past(self.seen.clone()).refreshed(self.state.now);
        }
        changes
    }
}

impl Entry {
    fn as_change(&self, cursor: Cursor) -> Change {
        Change {
            cursor,
            action: self.action,
            item: self.item,
            version: self.version,
            changed_at: self.changed_at,
        }
    }
}

/// The first `size` entries as changes. Their cursors are on the way from `from` to `target`.
fn as_changes(entries: &[Entry], size: usize, from: &Cursor, target: &Arc<Seen>) -> Vec<Change> {
    let entries = entries.iter().take(size);
    entries
        .map(|entry| entry.as_change(from.until(target.clone(), entry.id)))
        .collect()
}

/// Parses a cursor that a client sent.
///
/// # Errors
/// BAD_USER_INPUT if the cursor is invalid.
pub fn parse_cursor(text: &str) -> Result<Cursor, Error> {
    let cursor = Cursor::decode(text);
    cursor.ok_or_else(|| Error::bad_input("`after` must be a cursor of the change feed."))
}
