//! The indexes of all users: the most recently used ones in memory, all of them stored.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quick_cache::{Weighter, sync::Cache};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use super::store::IndexStatus;
use super::{store, stored, user_index::UserIndex};
use crate::{
    auth::UserId,
    changes::Feed,
    db::{Connection, Database, background::REST},
    error::{Code, Error},
};

/// How long a request reads items into an index. After that it searches what was read so far.
const MAX_READING_TIME: Duration = Duration::from_secs(2);
/// Number of changes that are read in one statement.
const CHANGES: usize = 500;
/// An index is stored after this number of changes, or a larger one if it has many items.
const MIN_UNSAVED: usize = 50;
/// A user with this number of documents gets a stored index before the first search.
const MANY_DOCUMENTS: i64 = 200;
/// Number of users that are read in one statement.
const USERS: i64 = 1_000;

/// The indexes of a process. Cheap to clone.
#[derive(Clone)]
pub struct SearchIndexes {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    feed: Feed,
    cache: Cache<UserId, Arc<UserIndex>, Bytes>,
    /// Permits to read many items: two at the same time, so that other requests have connections and processors.
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

impl SearchIndexes {
    /// No index is in memory yet. `max_bytes`: the memory that all indexes may take.
    pub fn new(database: Database, feed: Feed, max_bytes: u64) -> SearchIndexes {
        let users = usize::try_from(max_bytes / 65_536).unwrap_or(usize::MAX);
        let inner = Inner {
            database,
            feed,
            cache: Cache::with_weighter(users, max_bytes, Bytes),
            reading: Semaphore::new(2),
        };
        SearchIndexes {
            inner: Arc::new(inner),
        }
    }

    /// The index of a user, with everything that was committed before. If there is much to read, it stops after some time, and
    /// the next search continues.
    pub(super) async fn current(
        &self,
        conn: &mut Connection,
        owner: UserId,
    ) -> Result<Arc<UserIndex>, Error> {
        let index = match self.inner.cache.get(&owner) {
            Some(index) => index,
            None => self.load(conn, owner).await?,
        };
        let mut current = UserIndex::clone(&index);
        match self.follow(conn, owner, &mut current).await {
            Err(error) if error.code == Code::CursorExpired => {
                current = self.empty(conn, owner).await?;
                self.follow(conn, owner, &mut current).await?;
            }
            followed => followed?,
        }
        let current = self.save_if_due(owner, current);
        self.inner.cache.insert(owner, current.clone());
        Ok(current)
    }

    /// The stored index of a user, or an empty one.
    async fn load(&self, conn: &mut Connection, owner: UserId) -> Result<Arc<UserIndex>, Error> {
        let index = match stored::load(conn, owner).await? {
            Some(index) => index,
            None => self.empty(conn, owner).await?,
        };
        Ok(Arc::new(index))
    }

    async fn empty(&self, conn: &mut Connection, owner: UserId) -> Result<UserIndex, Error> {
        Ok(UserIndex::new(self.inner.feed.newest(conn, owner).await?))
    }

    /// Applies the changes after the index's cursor, and reads the items that were not read yet.
    async fn follow(
        &self,
        conn: &mut Connection,
        owner: UserId,
        index: &mut UserIndex,
    ) -> Result<(), Error> {
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
                break;
            }
        }
        while index.unread.is_some() && Instant::now() < until {
            let _permit = self
                .inner
                .reading
                .acquire()
                .await
                .map_err(Error::internal)?;
            index.read_batch(conn, owner).await?;
        }
        Ok(())
    }

    /// Makes the index of a user from the user's items, and stores it.
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
        stored::save(&self.inner.database, owner, &index).await?;
        self.inner.cache.remove(&owner);
        Ok(())
    }

    /// Makes the indexes of users who have none and many documents, for example after a bulk load. A search makes the others
    /// as fast as it reads a stored one. Returns their number.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub(crate) async fn make_missing(&self) -> Result<u64, Error> {
        let (mut made, mut after) = (0, Uuid::nil());
        loop {
            let mut conn = self.inner.database.connection().await?;
            let users = store::users_without_index(&mut conn, after, MANY_DOCUMENTS, USERS).await?;
            drop(conn);
            let Some(last) = users.last() else {
                return Ok(made);
            };
            after = *last;
            for user in users {
                self.make(UserId(user)).await?;
                made += 1;
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// The users with ids after `after`, at most 1,000.
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

    /// Stores the index in the background if enough has changed, so that a process that has not searched for this user yet
    /// need not read all items.
    fn save_if_due(&self, owner: UserId, mut index: UserIndex) -> Arc<UserIndex> {
        let due = MIN_UNSAVED.max(index.items.len() / 8);
        let is_due = index.unsaved >= due;
        if is_due {
            index.unsaved = 0;
        }
        let index = Arc::new(index);
        if is_due {
            let (database, saved) = (self.inner.database.clone(), index.clone());
            tokio::spawn(async move {
                if let Err(error) = stored::save(&database, owner, &saved).await {
                    tracing::warn!(
                        error = error.log_text(),
                        "storing a search index failed; a later search retries"
                    );
                }
            });
        }
        index
    }
}
