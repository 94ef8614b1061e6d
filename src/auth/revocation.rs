//! Whether a session still is one, and an outside account still somebody's, without a query a request.
//!
//! A session (an account and its user) is read when a process first sees it, and then trusted for 15 minutes at most. What was revoked in the last
//! 20 minutes is a short list that the process reads at most once a second, and only while requests come; a request
//! whose knowledge is older waits for the one reading in flight. So a signed-out token dies within a second on every
//! process. All of this goes by the database's clock: this machine's may be wrong, or stand still while it is suspended.
//!
//! The statements are in `store`.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, watch};
use uuid::Uuid;

use super::{
    model::UserId,
    store::{self, Trusted},
};
use crate::{db::Database, error::Error};

/// How old the list of what was revoked may be when a request comes.
const FRESH: Duration = Duration::from_secs(1);
/// Sessions that a process remembers at most, and outside accounts.
const REMEMBERED: usize = 100_000;

/// What this process knows of sessions. Cheap to clone.
#[derive(Clone)]
pub(super) struct Revocation {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    /// By the session's id.
    seen: Cache<Uuid, Trusted>,
    /// By the issuer's name and the subject.
    accounts: Cache<String, Trusted>,
    newest: RwLock<Option<Arc<Reading>>>,
    /// Told when something was revoked.
    news: watch::Sender<()>,
    /// Held by whoever reads; says how the last reading failed, if it did.
    reading: Mutex<Option<Failed>>,
}

/// The list as it was read.
struct Reading {
    /// Just before it was asked for: what was revoked later may be missing.
    began: Instant,
    /// The same moment by the database's clock.
    at: DateTime<Utc>,
    revoked: HashSet<Uuid>,
}

struct Failed {
    ended: Instant,
    error: Error,
}

impl Revocation {
    pub(super) fn new(database: Database) -> Self {
        let inner = Inner {
            database,
            seen: Cache::new(REMEMBERED),
            accounts: Cache::new(REMEMBERED),
            newest: RwLock::default(),
            news: watch::Sender::new(()),
            reading: Mutex::default(),
        };
        Revocation {
            inner: Arc::new(inner),
        }
    }

    /// Whether the session is open and that user's.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be asked: nobody is trusted on old knowledge.
    pub(super) async fn is_open(&self, user: UserId, session: Uuid) -> Result<bool, Error> {
        let known = self.knowledge().await?;
        if known.revoked.contains(&session) {
            return Ok(false);
        }
        if let Some(trusted) = self.inner.seen.get(&session)
            && known.at < trusted.until
        {
            return Ok(trusted.user_id == user);
        }
        let mut conn = self.inner.database.connection().await?;
        let Some(trusted) = store::trusted(&mut conn, session).await? else {
            return Ok(false);
        };
        let is_theirs = trusted.user_id == user;
        self.inner.seen.insert(session, trusted);
        Ok(is_theirs)
    }

    /// Who has that outside account, if that was read lately and nothing has happened to them since. While a user is in
    /// the list they are read at every request: they may have come back.
    pub(super) async fn user_of(&self, account: &str) -> Result<Option<UserId>, Error> {
        let known = self.knowledge().await?;
        let trusted = self.inner.accounts.get(account);
        let trusted = trusted.filter(|trusted| {
            known.at < trusted.until && !known.revoked.contains(&trusted.user_id.0)
        });
        Ok(trusted.map(|trusted| trusted.user_id))
    }

    /// Who has that outside account was read just now.
    pub(super) fn remember_account(&self, account: String, user_id: UserId, until: DateTime<Utc>) {
        self.inner
            .accounts
            .insert(account, Trusted { user_id, until });
    }

    /// This process ended the session: it reads it again, and need not wait to be told.
    pub(super) fn forget(&self, session: Uuid) {
        self.inner.seen.remove(&session);
        self.inner.news.send_replace(());
    }

    /// Something was revoked by this process: the list is read at the next request.
    pub(super) fn ask_again(&self) {
        let newest = self.inner.newest.write();
        *newest.unwrap_or_else(PoisonError::into_inner) = None;
        self.inner.news.send_replace(());
    }

    /// Changes whenever this process learns that something was revoked.
    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.inner.news.subscribe()
    }

    /// Reads the list if it is not fresh.
    pub(super) async fn look(&self) -> Result<(), Error> {
        self.knowledge().await.map(|_| ())
    }

    /// This process ended these sessions.
    pub(super) fn forget_all(&self, sessions: Vec<Uuid>) {
        for session in sessions {
            self.forget(session);
        }
    }

    /// What was revoked, as of a second before this call or later.
    async fn knowledge(&self) -> Result<Arc<Reading>, Error> {
        let arrived = Instant::now();
        if let Some(reading) = self.fresh(arrived) {
            return Ok(reading);
        }
        let mut failed = self.inner.reading.lock().await;
        // Measured from the arrival: a reading that takes longer than a second serves all who wait for it, all the same.
        if let Some(reading) = self.fresh(arrived) {
            return Ok(reading);
        }
        if let Some(failed) = &*failed
            && failed.ended >= arrived
        {
            return Err(failed.error.clone());
        }
        match self.read().await {
            Ok(reading) => Ok(reading),
            Err(error) => {
                let ended = Instant::now();
                *failed = Some(Failed {
                    ended,
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }

    fn fresh(&self, arrived: Instant) -> Option<Arc<Reading>> {
        let newest = self.inner.newest.read();
        let newest = newest.unwrap_or_else(PoisonError::into_inner);
        let reading = newest.as_ref()?;
        (reading.began + FRESH > arrived).then(|| reading.clone())
    }

    async fn read(&self) -> Result<Arc<Reading>, Error> {
        let began = Instant::now();
        let mut conn = self.inner.database.connection().await?;
        let list = store::revoked(&mut conn).await?;
        let reading = Arc::new(Reading {
            began,
            at: list.at,
            revoked: list.subjects.into_iter().collect(),
        });
        let newest = self.inner.newest.write();
        let mut newest = newest.unwrap_or_else(PoisonError::into_inner);
        // A clock that was put back would stretch the trust beyond what the list looks back.
        if newest.as_ref().is_some_and(|last| reading.at < last.at) {
            self.inner.seen.clear();
            self.inner.accounts.clear();
        }
        let is_news = newest
            .as_ref()
            .is_none_or(|last| !reading.revoked.is_subset(&last.revoked));
        *newest = Some(reading.clone());
        drop(newest);
        if is_news {
            self.inner.news.send_replace(());
        }
        Ok(reading)
    }
}
