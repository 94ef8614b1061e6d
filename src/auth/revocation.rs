//! Whether a session still is one, without a query a request.
//!
//! A session is read when a process first sees it, and then trusted for 15 minutes. What was revoked in the last 20 minutes
//! is a short list that the process reads at most once a second, and only while requests come; a request whose knowledge
//! is older waits for the one read in flight. So a signed-out token dies within a second on every process.

use std::{
    collections::HashSet,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    model::{UserId, Viewer},
    store,
};
use crate::{db::Database, error::Error};

/// How long a session that was read is trusted.
const TRUST: Duration = Duration::from_secs(15 * 60);
/// How old the list of what was revoked may be.
const FRESH: Duration = Duration::from_secs(1);
/// Sessions that a process remembers at most.
const REMEMBERED: usize = 100_000;

/// What this process knows of sessions. Cheap to clone.
#[derive(Clone)]
pub(super) struct Revocation {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    seen: Cache<Uuid, (UserId, Instant)>,
    revoked: RwLock<HashSet<Uuid>>,
    started: Instant,
    /// Milliseconds from `started` to the beginning of the newest reading, plus one; 0: never read.
    read_at: AtomicU64,
    reading: Mutex<()>,
}

impl Revocation {
    pub(super) fn new(database: Database) -> Self {
        let inner = Inner {
            database,
            seen: Cache::new(REMEMBERED),
            revoked: RwLock::default(),
            started: Instant::now(),
            read_at: AtomicU64::new(0),
            reading: Mutex::new(()),
        };
        Revocation {
            inner: Arc::new(inner),
        }
    }

    /// Whether the session is open and the viewer's.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be asked: nobody is trusted on old knowledge.
    pub(super) async fn is_open(&self, viewer: &Viewer) -> Result<bool, Error> {
        self.know_what_is_revoked().await?;
        if self.is_revoked(viewer.session_id) {
            return Ok(false);
        }
        let now = Instant::now();
        if let Some((user, seen_at)) = self.inner.seen.get(&viewer.session_id)
            && now.duration_since(seen_at) < TRUST
        {
            return Ok(user == viewer.user_id);
        }
        let mut conn = self.inner.database.connection().await?;
        let Some(session) = store::open_session(&mut conn, viewer.session_id).await? else {
            return Ok(false);
        };
        self.inner.seen.insert(session.id, (session.user_id, now));
        Ok(session.user_id == viewer.user_id)
    }

    /// This process ended the session: it need not wait to be told.
    pub(super) fn revoke(&self, session: Uuid) {
        self.inner
            .revoked
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(session);
        self.inner.seen.remove(&session);
    }

    fn is_revoked(&self, session: Uuid) -> bool {
        self.inner
            .revoked
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&session)
    }

    async fn know_what_is_revoked(&self) -> Result<(), Error> {
        if self.knowledge_is_fresh() {
            return Ok(());
        }
        let _one_at_a_time = self.inner.reading.lock().await;
        if self.knowledge_is_fresh() {
            return Ok(());
        }
        let began = self.milliseconds();
        let mut conn = self.inner.database.connection().await?;
        let revoked = store::revoked(&mut conn).await?;
        for session in &revoked {
            self.inner.seen.remove(session);
        }
        *self
            .inner
            .revoked
            .write()
            .unwrap_or_else(PoisonError::into_inner) = revoked.into_iter().collect();
        self.inner.read_at.store(began + 1, Ordering::Release);
        Ok(())
    }

    fn knowledge_is_fresh(&self) -> bool {
        let read_at = self.inner.read_at.load(Ordering::Acquire);
        let fresh = u64::try_from(FRESH.as_millis()).unwrap_or(0);
        read_at > 0 && self.milliseconds() < read_at - 1 + fresh
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
