//! The indexes of all users: the most recently used ones in memory, all of them stored.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use quick_cache::{Weighter, sync::Cache};
use tokio::sync::{Mutex, Semaphore};
use uuid::Uuid;

pub use super::store::IndexStatus;
use super::{store, stored, user_index::UserIndex};
use crate::{
    auth::UserId,
    changes::Feed,
    db::{Connection, Database, background::REST},
    error::{Code, Error},
};

/// Maximum time that a request reads items into an index. Then it searches the items read so far.
const MAX_READING_TIME: Duration = Duration::from_secs(2);
/// Maximum number of changes that are read in one statement.
const CHANGES: usize = 500;
/// Minimum number of changes after which an index is stored. A large index is stored after changes of an eighth of its items.
const MIN_UNSAVED: usize = 50;
/// A background job stores an index for users with at least this number of documents, before their first search.
const MANY_DOCUMENTS: i64 = 200;
/// Maximum number of users that are read in one statement.
const USERS: i64 = 1_000;

/// Maximum number of users whose requests are known to wait for each other.
const MAX_TURNS: usize = 1_000;

/// Expected number of indexes, few enough that the cache has one shard.
const ONE_SHARD: usize = 31;

/// The indexes of a process. Cheap to clone.
#[derive(Clone)]
pub struct SearchIndexes {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    feed: Feed,
    cache: Cache<UserId, Arc<UserIndex>, Bytes>,
    /// One request per user reads items, and the others then use what it has read.
    turns: Cache<UserId, Arc<Mutex<()>>>,
    /// Permits to read many items. There are two, which leaves connections and processors to other requests.
    reading: Semaphore,
}

/// The weight of an index in the cache is its size.
#[derive(Clone)]
struct Bytes;

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

impl SearchIndexes {
    /// Starts with no index in memory. `max_bytes`: the maximum memory of all indexes.
    pub fn new(database: Database, feed: Feed, max_bytes: u64) -> SearchIndexes {
        let inner = Inner {
            database,
            feed,
            cache: cache(max_bytes),
            turns: Cache::new(MAX_TURNS),
            reading: Semaphore::new(2),
        };
        SearchIndexes {
            inner: Arc::new(inner),
        }
    }

    /// The index of a user, with everything that was committed before. If there is too much to read, reading stops after
    /// [`MAX_READING_TIME`], and the next search continues.
    pub(super) async fn current(&self, owner: UserId) -> Result<Arc<UserIndex>, Error> {
        if let Some(index) = self.complete(owner) {
            let mut conn = self.inner.database.connection().await?;
            match self
                .follow(&mut conn, owner, UserIndex::clone(&index))
                .await
            {
                Err(error) if error.code == Code::CursorExpired => {
                    self.inner.cache.remove(&owner);
                }
                followed => return followed.map(|index| self.keep(owner, index)),
            }
        }
        // A request that waits here holds no connection, and a user holds one permit at most.
        let turn = self.turn(owner);
        let _turn = turn.lock().await;
        let _permit = self
            .inner
            .reading
            .acquire()
            .await
            .map_err(Error::internal)?;
        let mut conn = self.inner.database.connection().await?;
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

    /// The index in memory, if all items have been read.
    fn complete(&self, owner: UserId) -> Option<Arc<UserIndex>> {
        let index = self.inner.cache.get(&owner);
        index.filter(|index| index.unread.is_none())
    }

    /// Continues with the index in memory, the stored one, or an empty one. Reads items for up to [`MAX_READING_TIME`].
    async fn read(&self, conn: &mut Connection, owner: UserId) -> Result<UserIndex, Error> {
        let until = Instant::now() + MAX_READING_TIME;
        let known = match self.inner.cache.get(&owner) {
            Some(index) => Some(UserIndex::clone(&index)),
            None => stored::load(conn, owner).await?,
        };
        let followed = match known {
            Some(index) => self.follow(conn, owner, index).await,
            None => self.empty(conn, owner).await,
        };
        let mut index = match followed {
            Err(error) if error.code == Code::CursorExpired => self.empty(conn, owner).await?,
            followed => followed?,
        };
        while index.unread.is_some() && Instant::now() < until {
            index.read_batch(conn, owner).await?;
            // If this request is canceled, the next one continues from here.
            self.inner.cache.insert(owner, Arc::new(index.clone()));
        }
        Ok(index)
    }

    async fn empty(&self, conn: &mut Connection, owner: UserId) -> Result<UserIndex, Error> {
        Ok(UserIndex::new(self.inner.feed.newest(conn, owner).await?))
    }

    /// Applies the changes after the index's cursor.
    async fn follow(
        &self,
        conn: &mut Connection,
        owner: UserId,
        mut index: UserIndex,
    ) -> Result<UserIndex, Error> {
        let until = Instant::now() + MAX_READING_TIME;
        loop {
            let page = self
                .inner
                .feed
                .page(conn, owner, Some(&index.cursor), CHANGES)
                .await?;
            index.apply(conn, owner, &page.changes).await?;
            index.cursor = page.end;
            if !page.more || Instant::now() > until {
                return Ok(index);
            }
        }
    }

    /// Keeps an index in memory. Stores it in the background if enough has changed, so that a process without it need not read
    /// all items.
    fn keep(&self, owner: UserId, mut index: UserIndex) -> Arc<UserIndex> {
        let is_due = index.unsaved >= MIN_UNSAVED.max(index.items.len() / 8);
        if is_due {
            index.unsaved = 0;
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

    /// Builds the index of a user from the user's items, and stores it.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub async fn make(&self, owner: UserId) -> Result<(), Error> {
        let mut conn = self.inner.database.connection().await?;
        let mut index = self.empty(&mut conn, owner).await?;
        while index.unread.is_some() {
            index.read_batch(&mut conn, owner).await?;
        }
        drop(conn);
        stored::save(&self.inner.database, owner, Arc::new(index)).await?;
        self.inner.cache.remove(&owner);
        Ok(())
    }

    /// Makes the indexes of users who have none and many documents, for example after a bulk load. A search makes the others
    /// as fast as it reads a stored one. Returns their number. A user whose index cannot be made does not keep the job from
    /// making those of others.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub(crate) async fn make_missing(&self) -> Result<u64, Error> {
        let (mut made, mut after) = (0, Uuid::nil());
        loop {
            let mut conn = self.inner.database.connection().await?;
            let users = store::users_to_index(&mut conn, after, MANY_DOCUMENTS, USERS).await?;
            drop(conn);
            let Some((last, _)) = users.last() else {
                return Ok(made);
            };
            after = *last;
            for (user, is_missing) in users {
                if is_missing {
                    made += u64::from(self.try_make(UserId(user)).await?);
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Makes the index of a user. Returns false, and logs the error, if that fails for this user.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub(crate) async fn try_make(&self, owner: UserId) -> Result<bool, Error> {
        match self.make(owner).await {
            Ok(()) => Ok(true),
            Err(error) if error.code == Code::Unavailable => Err(error),
            Err(error) => {
                let error = error.log_text();
                tracing::error!(error, user = %owner.0, "making a search index failed; skipping this user");
                Ok(false)
            }
        }
    }

    /// The users with ids after `after`, in the order of their ids. Maximum 1,000.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub async fn users(&self, after: UserId) -> Result<Vec<UserId>, Error> {
        let mut conn = self.inner.database.connection().await?;
        let users = store::users(&mut conn, after.0, USERS).await?;
        Ok(users.into_iter().map(UserId).collect())
    }

    /// How many users have a stored index.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub async fn status(&self) -> Result<IndexStatus, Error> {
        store::status(&mut self.inner.database.connection().await?).await
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
