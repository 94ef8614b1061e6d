//! Revocation: whether a session is still open and an external account still linked, without a query per request.
//!
//! A process reads a session (or an external account and its user) when it first sees it, and then trusts it for at
//! most 15 minutes. What was revoked in the last 20 minutes is a short list. The process reads that list at most once a
//! second, and only while requests arrive. A request that finds an older list waits for the read in progress. So
//! revoked tokens stop working within a second on every process. All times are the database's: this machine's clock may
//! be wrong, or stop while it is suspended.
//!
//! Streams outlive requests. A process that revokes access notifies the others through the change feed's channel
//! (`changes::live`), and each process with subscriptions then reads the list at once.
//!
//! # Design decision
//! **A revoked user is read again, not rejected.** The list has sessions, which never come back, and users, who may be
//! reactivated. While a user is on it, their external tokens cost one statement per request.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, Notify, watch};
use uuid::Uuid;

use super::{
    model::UserId,
    store::{self, Trusted},
};
use crate::{db::Database, error::Error};

/// Maximum age of the list when a request arrives.
const MAX_LIST_AGE: Duration = Duration::from_secs(1);
/// If the last list is older, this one may lack revocations in between: it only looks back 20 minutes.
const MAX_GAP: chrono::Duration = chrono::Duration::minutes(15);
/// Maximum number of sessions, and of external accounts, that a process caches.
const MAX_CACHED: usize = 100_000;

/// What this process knows about sessions.
pub(super) struct Revocation {
    database: Database,
    /// By session id.
    trusted_sessions: Cache<Uuid, Trusted>,
    /// By provider and subject.
    trusted_accounts: Cache<String, Trusted>,
    newest: RwLock<Option<Arc<RevocationList>>>,
    /// Notified when something was revoked.
    changes: watch::Sender<()>,
    /// Notified when this process has revoked something.
    revoked: Arc<Notify>,
    /// Locked while the list is read. Holds the last failure and when it ended.
    last_failure: Mutex<Option<(Instant, Error)>>,
}

/// The list of revocations.
struct RevocationList {
    /// When the read began. Later revocations may be missing.
    began: Instant,
    /// The same moment by the database's clock.
    at: DateTime<Utc>,
    revoked: HashSet<Uuid>,
}

impl Revocation {
    pub(super) fn new(database: Database) -> Self {
        Revocation {
            database,
            trusted_sessions: Cache::new(MAX_CACHED),
            trusted_accounts: Cache::new(MAX_CACHED),
            newest: RwLock::default(),
            changes: watch::Sender::new(()),
            revoked: Arc::default(),
            last_failure: Mutex::default(),
        }
    }

    /// Whether the session is open and belongs to this user.
    ///
    /// # Errors
    /// UNAVAILABLE if the list cannot be read. Old lists are never used.
    pub(super) async fn is_open(&self, user: UserId, session: Uuid) -> Result<bool, Error> {
        let list = self.current_list().await?;
        if list.revoked.contains(&session) {
            return Ok(false);
        }
        if let Some(trusted) = self.trusted_sessions.get(&session)
            && list.at < trusted.until
        {
            return Ok(trusted.user_id == user);
        }
        let Some(trusted) = store::trusted(&self.database, session).await? else {
            return Ok(false);
        };
        let is_theirs = trusted.user_id == user;
        self.trusted_sessions.insert(session, trusted);
        Ok(is_theirs)
    }

    /// The user of an external account, if it was read recently and nothing was revoked since. While a user is on the
    /// list, this returns `None`, so that they are read at every request: they may have been reactivated.
    pub(super) async fn user_of(&self, account: &str) -> Result<Option<UserId>, Error> {
        let list = self.current_list().await?;
        let trusted = self.trusted_accounts.get(account);
        let trusted = trusted.filter(|trusted| {
            list.at < trusted.until && !list.revoked.contains(&trusted.user_id.0)
        });
        Ok(trusted.map(|trusted| trusted.user_id))
    }

    /// Caches the user of an external account.
    pub(super) fn remember_account(&self, account: String, user_id: UserId, until: DateTime<Utc>) {
        self.trusted_accounts
            .insert(account, Trusted { user_id, until });
    }

    /// Drops a session that this process ended from the cache, without waiting for the list.
    pub(super) fn forget(&self, session: Uuid) {
        self.trusted_sessions.remove(&session);
        self.changes.send_replace(());
        self.revoked.notify_one();
    }

    /// Drops the list after this process revoked something, so that the next request reads it.
    pub(super) fn invalidate(&self) {
        *self.newest.write() = None;
        self.changes.send_replace(());
        self.revoked.notify_one();
    }

    /// Changes whenever this process learns of a revocation.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Notified when this process has revoked something.
    pub(super) fn revoked(&self) -> Arc<Notify> {
        self.revoked.clone()
    }

    /// Reads the list, however old the last one is.
    pub(super) async fn refresh(&self) -> Result<(), Error> {
        let mut failed = self.last_failure.lock().await;
        self.read_noting_failure(&mut failed).await.map(|_| ())
    }

    /// Drops several sessions from the cache.
    pub(super) fn forget_all(&self, sessions: Vec<Uuid>) {
        for session in sessions {
            self.forget(session);
        }
    }

    /// A list that is at most a second older than this call.
    async fn current_list(&self) -> Result<Arc<RevocationList>, Error> {
        let arrived = Instant::now();
        if let Some(reading) = self.fresh(arrived) {
            return Ok(reading);
        }
        let mut failed = self.last_failure.lock().await;
        // The age is measured from the arrival: a read that takes longer than a second still serves all who wait for
        // it.
        if let Some(reading) = self.fresh(arrived) {
            return Ok(reading);
        }
        if let Some((ended, error)) = &*failed
            && *ended >= arrived
        {
            return Err(error.clone());
        }
        self.read_noting_failure(&mut failed).await
    }

    async fn read_noting_failure(
        &self,
        last_failure: &mut Option<(Instant, Error)>,
    ) -> Result<Arc<RevocationList>, Error> {
        let read = self.read().await;
        if let Err(error) = &read {
            *last_failure = Some((Instant::now(), error.clone()));
        }
        read
    }

    fn fresh(&self, arrived: Instant) -> Option<Arc<RevocationList>> {
        let newest = self.newest.read();
        let reading = newest.as_ref()?;
        (reading.began + MAX_LIST_AGE > arrived).then(|| reading.clone())
    }

    async fn read(&self) -> Result<Arc<RevocationList>, Error> {
        let began = Instant::now();
        let list = store::revoked(&self.database).await?;
        let reading = Arc::new(RevocationList {
            began,
            at: list.at,
            revoked: list.subjects.into_iter().collect(),
        });
        let mut newest = self.newest.write();
        // If the database's clock was set back, cached entries could be trusted for longer than the list looks back.
        if newest.as_ref().is_some_and(|last| reading.at < last.at) {
            self.trusted_sessions.clear();
            self.trusted_accounts.clear();
        }
        let has_new_entries = newest.as_ref().is_none_or(|last| {
            reading.at - last.at > MAX_GAP || !reading.revoked.is_subset(&last.revoked)
        });
        *newest = Some(reading.clone());
        drop(newest);
        if has_new_entries {
            self.changes.send_replace(());
        }
        Ok(reading)
    }
}
