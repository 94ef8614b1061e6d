//! Builds indexes from all items of their users and stores them: the background job, and `snapnote reindex`.

use tokio::time::sleep;
use uuid::Uuid;

use super::{
    indexes::SearchIndexes,
    store::{self, IndexStatus},
    stored,
};
use crate::{
    auth::UserId,
    db::{Connection, background::REST},
    error::{Code, Error},
};

/// The background job builds an index for users with at least this number of documents, before their first search.
const MANY_DOCUMENTS: i64 = 200;
/// Maximum number of users that are read in one statement.
const USERS: i64 = 1_000;

/// The progress of the background job, according to its last run in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The number of users with a stored index.
    pub stored: u64,
    /// The number of users with many documents and no stored index. The job builds them.
    pub pending: u64,
}

impl SearchIndexes {
    /// Builds the index of a user from the user's items, and stores it. All processes use it from their next search on.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub async fn build(&self, owner: UserId) -> Result<(), Error> {
        let (_permit, mut conn) = self.reading_connection().await?;
        conn.transaction(async |conn| self.build_in(conn, owner).await)
            .await
    }

    async fn build_in(&self, conn: &mut Connection, owner: UserId) -> Result<(), Error> {
        let mut index = self.empty(conn, owner).await?;
        let max_bytes = self.inner.max_index_bytes;
        while index.can_read(max_bytes) {
            index.read_batch(conn, owner, max_bytes).await?;
        }
        stored::replace(conn, owner, index).await
    }

    /// Builds the indexes of users with many documents and no index, for example after a bulk load. A search builds the index
    /// of any other user as fast as it reads a stored one. Returns their number. One process does this at a time. A user whose index cannot be built
    /// does not prevent the job from building those of others.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub(crate) async fn build_missing(&self) -> Result<u64, Error> {
        let users = self.users_to_index().await?;
        let stored = self.status().await?.indexed.unsigned_abs();
        let pending = users.len() as u64;
        *self.inner.progress.lock() = Some(Progress { stored, pending });
        if pending > 0 {
            tracing::info!(stored, pending, "building search indexes");
        }
        let mut built = 0;
        for user in users {
            match self.build_if_missing(user).await {
                Ok(true) => built += 1,
                // Another process builds them.
                Ok(false) => break,
                Err(error) => {
                    skip(user, error)?;
                    continue;
                }
            }
            let (stored, pending) = (stored + built, pending - built);
            *self.inner.progress.lock() = Some(Progress { stored, pending });
            sleep(REST).await;
        }
        Ok(built)
    }

    /// The users with many documents and no stored index.
    async fn users_to_index(&self) -> Result<Vec<UserId>, Error> {
        let (mut missing, mut after) = (Vec::new(), Uuid::nil());
        loop {
            let mut conn = self.inner.database.connection().await?;
            let users = store::users_to_index(&mut conn, after, MANY_DOCUMENTS, USERS).await?;
            drop(conn);
            let Some((last, _)) = users.last() else {
                return Ok(missing);
            };
            after = *last;
            let of_page = users.into_iter().filter(|(_, is_missing)| *is_missing);
            missing.extend(of_page.map(|(user, _)| UserId(user)));
        }
    }

    /// Builds the index of a user without one, within the transaction that holds the job's lock. Returns false if another process
    /// has the lock.
    async fn build_if_missing(&self, owner: UserId) -> Result<bool, Error> {
        let (_permit, mut conn) = self.reading_connection().await?;
        conn.transaction(async |conn| {
            if !store::is_only_builder(conn).await? {
                return Ok(false);
            }
            if !store::has_index(conn, owner).await? {
                self.build_in(conn, owner).await?;
            }
            Ok(true)
        })
        .await
    }

    /// Builds the index of a user. Returns false, and logs the error, if that fails for this user.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub(crate) async fn try_build(&self, owner: UserId) -> Result<bool, Error> {
        match self.build(owner).await {
            Ok(()) => Ok(true),
            Err(error) => skip(owner, error).map(|()| false),
        }
    }

    /// Up to a thousand users with ids after this one, in the order of their ids.
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

    /// The progress of the background job. `None` before its first run in this process.
    pub(crate) fn progress(&self) -> Option<Progress> {
        *self.inner.progress.lock()
    }
}

/// Logs that the index of a user could not be built.
///
/// # Errors
/// UNAVAILABLE if the database cannot be reached, since then no user is the cause.
fn skip(owner: UserId, error: Error) -> Result<(), Error> {
    if error.code == Code::Unavailable {
        return Err(error);
    }
    let error = error.log_text();
    tracing::error!(error, user = %owner.0, "building a search index failed; skipping this user");
    Ok(())
}
