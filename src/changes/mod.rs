//! The change feed: what changed of somebody's items since a cursor, each change once, none left out, an item's changes in
//! the order of its versions, whatever transactions overlap.
//!
//! A cursor is a snapshot, not a place: see `cursor`. Pages of the past are read here; [`live`] goes on with what happens
//! now. All SQL is in `store`. Nothing here writes the log: triggers do.

pub(crate) mod cursor;
mod epoch;
pub mod live;
mod store;

use std::{collections::VecDeque, sync::Arc};

use async_graphql::Enum;
use chrono::{DateTime, Utc};

pub use cursor::Cursor;
use cursor::Seen;
use epoch::Beginning;
pub use live::{Live, LiveSettings};
use store::{Entry, Moment, Since};

use crate::{
    auth::UserId,
    db::{Connection, Database, named},
    error::Error,
    items::ItemRef,
};

/// Days within which a walk that began without a cursor must have come to its end: its oldest changes may be pruned
/// after that.
const LONGEST_WALK: i32 = 1;

/// What happened to an item.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeAction {
    /// It was created.
    Created,
    /// It was updated.
    Updated,
    /// It was moved to the trash.
    Trashed,
    /// It was restored from the trash.
    Restored,
    /// It was permanently deleted.
    Deleted,
}

named!(ChangeAction {
    Created = "CREATED",
    Updated = "UPDATED",
    Trashed = "TRASHED",
    Restored = "RESTORED",
    Deleted = "DELETED",
});

/// One change of an item.
#[derive(Debug, Clone)]
pub struct Change {
    /// From here on a reader goes on behind this change.
    pub cursor: Cursor,
    /// What happened.
    pub action: ChangeAction,
    /// To what; it may have changed again, or be gone.
    pub item: ItemRef,
    /// The version that the item has since; of a deletion, the last one that it had.
    pub version: i32,
    /// When.
    pub changed_at: DateTime<Utc>,
}

/// A part of somebody's feed.
#[derive(Debug)]
pub(crate) struct Page {
    /// Oldest first.
    pub(crate) changes: Vec<Change>,
    /// From here on a reader goes on behind this page.
    pub(crate) end: Cursor,
    /// Whether there is more behind it already.
    pub(crate) more: bool,
}

/// The feed, and how far it goes back. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    days: i32,
    epoch: Arc<Beginning>,
}

impl Feed {
    /// `days`: how far it goes back, and for how long a cursor is good; 1 to 36,500.
    pub fn new(days: u32) -> Feed {
        let days = i32::try_from(days.clamp(1, 36_500)).unwrap_or(36_500);
        let epoch = Arc::default();
        Feed { days, epoch }
    }

    /// Begins an epoch of the log whenever a reader finds none, for as long as the process runs.
    pub(crate) async fn keep_epoch(&self, database: &Database) {
        self.epoch.run(database).await;
    }

    /// Where the feed ends now.
    ///
    /// # Errors
    /// UNAVAILABLE, TIMEOUT or INTERNAL alone.
    pub(crate) async fn newest(
        &self,
        conn: &mut Connection,
        owner: UserId,
    ) -> Result<Cursor, Error> {
        let mut moment = store::moment(conn, owner).await?;
        if moment.epoch.is_none() {
            self.epoch.wait().await?;
            moment = store::moment(conn, owner).await?;
        }
        Ok(News::of(moment, &Seen::default(), Vec::new())?.end(owner))
    }

    /// Before the oldest change that is kept: a page of all that has been seen by now, which was cut before its first entry.
    async fn oldest(&self, conn: &mut Connection, owner: UserId) -> Result<Cursor, Error> {
        let newest = self.newest(conn, owner).await?;
        Ok(newest.clone().past(Arc::default()).until(newest.base(), 0))
    }

    /// The first changes behind a cursor, `size` at most; from the oldest kept without one.
    ///
    /// # Errors
    /// CURSOR_EXPIRED if the cursor is too old, another's or of another database.
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
        if let Some((target, last)) = at.cut() {
            let rest = store::Rest {
                owner,
                after: &at,
                target: &target,
                last,
            };
            let (moment, entries) = store::rest(conn, rest, self.days, size).await?;
            self.check(&at, &moment, owner)?;
            let cut = entries.len() > size;
            changes = listed(&entries, size, &at, &target);
            if cut {
                return Ok(Page::cut(changes, at));
            }
            at = at.past(target);
        }
        let room = size - changes.len();
        let news = self.news_of(conn, owner, &at, room).await?;
        self.check(&at, &news.moment, owner)?;
        let cut = news.entries.len() > room;
        let end = news.end(owner);
        changes.extend(listed(&news.entries, room, &at, &news.seen));
        if cut {
            return Ok(Page::cut(changes, at));
        }
        if let Some(last) = changes.last_mut() {
            last.cursor = end.clone();
        }
        Ok(Page {
            changes,
            end,
            more: false,
        })
    }

    /// What one person's log holds behind a cursor that is not in the middle of a page; one entry more than `room` tells
    /// that there are more.
    async fn news_of(
        &self,
        conn: &mut Connection,
        owner: UserId,
        at: &Cursor,
        room: usize,
    ) -> Result<News, Error> {
        let since = Since {
            owner,
            seen: at.base(),
        };
        let mut news = self.news(conn, &[since], at.since(), room).await?;
        news.pop()
            .map(|(_, news)| news)
            .ok_or_else(|| Error::internal("the feed's statement answered nothing"))
    }

    /// What each of these logs holds that its reader has not seen.
    async fn news(
        &self,
        conn: &mut Connection,
        readers: &[Since],
        since: Option<DateTime<Utc>>,
        room: usize,
    ) -> Result<Vec<(UserId, News)>, Error> {
        let mut read = store::news(conn, readers, since, self.days, room).await?;
        if read.iter().any(|(_, moment, _)| moment.epoch.is_none()) {
            self.epoch.wait().await?;
            read = store::news(conn, readers, since, self.days, room).await?;
        }
        let news = read
            .into_iter()
            .zip(readers)
            .map(|((owner, moment, entries), reader)| {
                Ok((owner, News::of(moment, &reader.seen, entries)?))
            });
        news.collect()
    }

    /// Whether a reader can go on from a cursor.
    fn check(&self, cursor: &Cursor, moment: &Moment, owner: UserId) -> Result<(), Error> {
        let days = if cursor.began_at_oldest() {
            LONGEST_WALK.min(self.days)
        } else {
            self.days
        };
        let old = cursor
            .since()
            .is_none_or(|since| moment.now - since > chrono::Duration::days(days.into()));
        // One that has seen what has not happened is of a database that was put back, or of nobody's making.
        let ahead = cursor.is_ahead_of(moment.next()?);
        if old || ahead || !cursor.is_of(moment.epoch.unwrap_or_default(), owner) {
            return Err(Error::cursor_expired());
        }
        Ok(())
    }
}

impl Page {
    /// A page with more behind it; it ends with its last change, or where it began if it has none.
    fn cut(changes: Vec<Change>, at: Cursor) -> Page {
        let end = changes.last().map_or(at, |change| change.cursor.clone());
        Page {
            changes,
            end,
            more: true,
        }
    }
}

/// What one person's log holds that a reader has not seen.
struct News {
    moment: Moment,
    /// All that the reader has seen with this.
    seen: Arc<Seen>,
    /// In the order of the log.
    entries: Vec<Entry>,
}

impl News {
    /// What a reader finds that had seen `before`.
    fn of(moment: Moment, before: &Seen, entries: Vec<Entry>) -> Result<News, Error> {
        let seen = Arc::new(moment.seen(before)?);
        Ok(News {
            moment,
            seen,
            entries,
        })
    }

    /// All that has been seen with this.
    fn seen(&self) -> Arc<Seen> {
        self.seen.clone()
    }

    /// How many changes there are.
    fn count(&self) -> usize {
        self.entries.len()
    }

    /// Whether it is of the epoch of this cursor, which is this person's.
    fn is_of(&self, cursor: &Cursor, owner: UserId) -> bool {
        cursor.is_of(self.moment.epoch.unwrap_or_default(), owner)
    }

    fn stamp(&self, owner: UserId) -> u64 {
        cursor::stamp(self.moment.epoch.unwrap_or_default(), owner)
    }

    fn end(&self, owner: UserId) -> Cursor {
        Cursor::beginning()
            .past(self.seen.clone())
            .stamped(self.stamp(owner), self.moment.now)
    }
}

impl Entry {
    fn at(&self, cursor: Cursor) -> Change {
        Change {
            cursor,
            action: self.action,
            item: self.item,
            version: self.version,
            changed_at: self.changed_at,
        }
    }
}

/// The first `size` entries as changes, with their cursors on the way from a cursor to all that is seen in the end.
fn listed(entries: &[Entry], size: usize, from: &Cursor, target: &Arc<Seen>) -> Vec<Change> {
    let entries = entries.iter().take(size);
    entries
        .map(|entry| entry.at(from.until(target.clone(), entry.id)))
        .collect()
}

/// What of the news a reader at that cursor has not seen; the last change's cursor is behind all of it.
fn listed_unseen(news: &News, at: &Cursor) -> VecDeque<Change> {
    let base = at.base();
    let unseen = news
        .entries
        .iter()
        .filter(|entry| !base.sees(entry.transaction()));
    let mut changes: VecDeque<Change> = unseen
        .map(|entry| entry.at(at.until(news.seen.clone(), entry.id)))
        .collect();
    if let Some(last) = changes.back_mut() {
        last.cursor = at.clone().past(news.seen.clone()).read_at(news.moment.now);
    }
    changes
}

/// Reads a cursor that a caller sent.
///
/// # Errors
/// BAD_USER_INPUT if it is none.
pub fn parse_cursor(text: &str) -> Result<Cursor, Error> {
    let cursor = Cursor::decode(text);
    cursor.ok_or_else(|| Error::bad_input("after must be a cursor of the changes."))
}
