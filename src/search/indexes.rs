//! The indexes of all users in memory: the most recently used ones of a process. `builds` builds those of users who have not searched.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex as Lock;
use quick_cache::{Weighter, sync::Cache};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

pub use super::{builds::Progress, store::IndexStatus};
use super::{stored, user_index::UserIndex};
use crate::{
    auth::UserId,
    changes::Feed,
    db::{Connection, Database},
    error::{Code, Error},
};

/// Maximum time that a request reads items into an index. Then it searches the items read so far.
const MAX_READING_TIME: Duration = Duration::from_secs(2);
/// Maximum number of changes that are read in one statement.
const CHANGES: usize = 500;
/// Minimum number of changes after which an index is stored. A large index is stored after changes of an eighth of its items.
const MIN_UNSAVED: usize = 50;
/// The cursor of an index in memory expires. Searches that find no changes replace it this often.
const CURSOR_REFRESH: chrono::Duration = chrono::Duration::hours(1);

/// Maximum number of users whose requests are known to wait for each other.
const MAX_TURNS: usize = 1_000;

/// Expected number of indexes, few enough that the cache has one shard.
const ONE_SHARD: usize = 31;

/// The indexes of a process. Cheap to clone.
#[derive(Clone)]
pub struct SearchIndexes {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) database: Database,
    feed: Feed,
    pub(super) cache: Cache<UserId, Arc<UserIndex>, Bytes>,
    /// The size at which an index takes no more items. It is half of the cache, so that the index stays in memory and leaves room
    /// for those of other users.
    pub(super) max_index_bytes: usize,
    /// One request per user reads items, and the others then use what it has read.
    turns: Cache<UserId, Arc<Mutex<()>>>,
    /// Permits to read many items. There are two, which leaves connections and processors to other requests.
    pub(super) reading: Semaphore,
    pub(super) progress: Lock<Option<Progress>>,
}

/// The weight of an index in the cache is its size.
#[derive(Clone)]
pub(super) struct Bytes;

impl Weighter<UserId, Arc<UserIndex>> for Bytes {
    fn weight(&self, _: &UserId, index: &Arc<UserIndex>) -> u64 {
        index.bytes() as u64
    }
}

/// The cache has one shard. With several, each has its part of the memory, and an index that is larger than this part would
/// never stay in memory.
fn cache(max_bytes: u64) -> Cache<UserId, Arc<UserIndex>, Bytes> {
    Cache::with_weighter(ONE_SHARD, max_bytes, Bytes)
}

/// What following the change feed does to an index.
#[derive(PartialEq, Eq)]
enum Followed {
    Unchanged,
    Changed,
    /// The index cannot be continued: its cursor has expired, or the stored index was replaced by a complete build.
    Outdated,
}

impl SearchIndexes {
    /// Starts with no index in memory. `max_bytes`: the maximum memory of all indexes.
    pub fn new(database: Database, feed: Feed, max_bytes: u64) -> SearchIndexes {
        let inner = Inner {
            database,
            feed,
            cache: cache(max_bytes),
            max_index_bytes: usize::try_from(max_bytes / 2).unwrap_or(usize::MAX),
            turns: Cache::new(MAX_TURNS),
            reading: Semaphore::new(2),
            progress: Lock::default(),
        };
        SearchIndexes {
            inner: Arc::new(inner),
        }
    }

    /// The index of a user, with everything that was committed before. If there is too much to read, reading stops after
    /// [`MAX_READING_TIME`], and the next search continues.
    pub(super) async fn current(&self, owner: UserId) -> Result<Arc<UserIndex>, Error> {
        if let Some(known) = self.complete(owner) {
            let mut conn = self.inner.database.connection().await?;
            let mut index = UserIndex::clone(&known);
            match self.follow(&mut conn, owner, &mut index).await? {
                Followed::Unchanged => return Ok(known),
                Followed::Changed => return Ok(self.keep(owner, index)),
                Followed::Outdated => {}
            }
        }
        // A request that waits here holds no connection, and a user holds one permit at most.
        let turn = self.turn(owner);
        let _turn = turn.lock().await;
        let (_permit, mut conn) = self.reading_connection().await?;
        let index = self.read(&mut conn, owner).await?;
        Ok(self.keep(owner, index))
    }

    /// The lock of the requests that read items of a user.
    fn turn(&self, owner: UserId) -> Arc<Mutex<()>> {
        let turn = self
            .inner
            .turns
            .get_or_insert_with(&owner, || Ok::<_, Infallible>(Arc::default()));
        let Ok(turn) = turn;
        turn
    }

    /// The permit to read many items, and a connection. Callers that wait for the permit leave connections to others. Callers whose other
    /// work uses all connections that they may lease leave the permits to others.
    pub(super) async fn reading_connection(
        &self,
    ) -> Result<(SemaphorePermit<'_>, Connection), Error> {
        let reserved = self.inner.database.reserve().await?;
        let permit = self.inner.reading.acquire().await;
        let permit = permit.map_err(Error::internal)?;
        Ok((permit, reserved.connection().await?))
    }

    /// The index in memory, if all items have been read.
    fn complete(&self, owner: UserId) -> Option<Arc<UserIndex>> {
        let index = self.inner.cache.get(&owner);
        index.filter(|index| index.unread.is_none())
    }

    /// Continues with the index in memory, the stored one, or an empty one. Reads items for up to [`MAX_READING_TIME`].
    async fn read(&self, conn: &mut Connection, owner: UserId) -> Result<UserIndex, Error> {
        let until = Instant::now() + MAX_READING_TIME;
        let mut index = match self.known(conn, owner).await? {
            Some(index) => index,
            None => self.empty(conn, owner).await?,
        };
        let max_bytes = self.inner.max_index_bytes;
        while index.can_read(max_bytes) && Instant::now() < until {
            index.read_batch(conn, owner, max_bytes).await?;
            // If this request is canceled, the next one continues from here.
            self.inner.cache.insert(owner, Arc::new(index.clone()));
        }
        Ok(index)
    }

    /// The index in memory or the stored one, with the changes since then.
    async fn known(
        &self,
        conn: &mut Connection,
        owner: UserId,
    ) -> Result<Option<UserIndex>, Error> {
        if let Some(index) = self.inner.cache.get(&owner) {
            let mut index = UserIndex::clone(&index);
            if self.follow(conn, owner, &mut index).await? != Followed::Outdated {
                return Ok(Some(index));
            }
        }
        // The index may be from a process with more memory.
        let stored = stored::load(conn, owner).await?;
        let fits = |index: &UserIndex| index.bytes() as u64 <= self.inner.cache.capacity();
        let Some(mut index) = stored.filter(fits) else {
            return Ok(None);
        };
        let followed = self.follow(conn, owner, &mut index).await?;
        Ok((followed != Followed::Outdated).then_some(index))
    }

    /// An empty index. All items are to be read, and then the changes after now.
    pub(super) async fn empty(
        &self,
        conn: &mut Connection,
        owner: UserId,
    ) -> Result<UserIndex, Error> {
        let page = self.inner.feed.newest(conn, owner).await?;
        Ok(UserIndex {
            generation: page.index_generation,
            ..UserIndex::new(page.end)
        })
    }

    /// Applies the changes after the index's cursor.
    async fn follow(
        &self,
        conn: &mut Connection,
        owner: UserId,
        index: &mut UserIndex,
    ) -> Result<Followed, Error> {
        let until = Instant::now() + MAX_READING_TIME;
        let feed = &self.inner.feed;
        let mut followed = Followed::Unchanged;
        loop {
            let page = feed.page(conn, owner, Some(&index.cursor), CHANGES).await;
            let page = match page {
                Err(error) if error.code == Code::CursorExpired => return Ok(Followed::Outdated),
                page => page?,
            };
            if page.index_generation != index.generation {
                return Ok(Followed::Outdated);
            }
            let max_bytes = self.inner.max_index_bytes;
            index.apply(conn, owner, &page.changes, max_bytes).await?;
            let is_newer = !page.changes.is_empty() || index.is_behind != page.more;
            if is_newer || page.end.is_later_by(CURSOR_REFRESH, &index.cursor) {
                followed = Followed::Changed;
            }
            index.cursor = page.end;
            index.is_behind = page.more;
            if !page.more || Instant::now() > until {
                return Ok(followed);
            }
        }
    }

    /// Keeps an index in memory. Stores it in the background if enough has changed or the stored one expires in a while, so that a
    /// process without it need not read all items.
    fn keep(&self, owner: UserId, mut index: UserIndex) -> Arc<UserIndex> {
        let half_of_its_time = self.inner.feed.validity() / 2;
        let is_old = |stored| index.cursor.is_later_by(half_of_its_time, stored);
        let is_due = index.unsaved >= MIN_UNSAVED.max(index.items.len() / 8)
            || index.stored.as_ref().is_some_and(is_old);
        if is_due {
            index.unsaved = 0;
            index.stored = Some(index.cursor.clone());
        }
        let index = Arc::new(index);
        self.inner.cache.insert(owner, index.clone());
        if is_due {
            let (database, saved) = (self.inner.database.clone(), index.clone());
            tokio::spawn(async move {
                if let Err(error) = stored::save(&database, owner, saved).await {
                    tracing::warn!(
                        error = error.log_text(),
                        user = %owner.0,
                        "storing a search index failed; it is stored after further changes"
                    );
                }
            });
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_index_may_take_nearly_all_of_the_memory() {
        let cache = cache(128 << 20);
        assert_eq!(cache.num_shards(), 1);
        assert_eq!(cache.shard_capacity(), 128 << 20);
    }
}
