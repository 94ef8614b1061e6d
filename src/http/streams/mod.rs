//! What outlives a request: how many may stream at a time, who they are, and how they come to an end.
//!
//! WebSocket and SSE both stand on this: [`places`] counts, [`standing`] knows who is at the other end and whether they still
//! are, [`operation`] runs one operation as a stream of outputs. Nothing is done ahead of a reader: an operation is polled
//! when what it said last has gone out, so a slow reader holds one answer, and the feed waits in the database's log.
//!
//! Nothing here knows how outputs are written.

pub(super) mod operation;
mod places;
pub(super) mod standing;

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) use places::{Full, Holder, Place, Places};

use crate::{auth::Auth, error::Error};

/// How many may stream at a time, and how streams are kept alive.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// WebSockets at a time, of all.
    pub max_sockets: usize,
    /// WebSockets of one user, and of the visitors of one address.
    pub max_sockets_per_user: usize,
    /// Subscriptions that run at a time, of all, over WebSocket and SSE.
    pub max_subscriptions: usize,
    /// Subscriptions of one user.
    pub max_subscriptions_per_user: usize,
    /// How long a new WebSocket may take to say `connection_init`.
    pub init_timeout: Duration,
    /// How often something is sent over a stream on which nothing happens. Who is not heard of for two of these is gone.
    pub heartbeat: Duration,
}

impl Default for StreamSettings {
    fn default() -> Self {
        StreamSettings {
            max_sockets: 10_000,
            max_sockets_per_user: 50,
            max_subscriptions: 10_000,
            max_subscriptions_per_user: 100,
            init_timeout: Duration::from_secs(5),
            heartbeat: Duration::from_secs(15),
        }
    }
}

/// All that streams in this process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Streams {
    inner: Arc<Inner>,
}

struct Inner {
    sockets: Places,
    subscriptions: Places,
    /// Sockets, which outlive the connections that they were.
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Streams {
    pub(super) fn new(settings: &StreamSettings) -> Self {
        let inner = Inner {
            sockets: Places::new(settings.max_sockets, settings.max_sockets_per_user),
            subscriptions: Places::new(
                settings.max_subscriptions,
                settings.max_subscriptions_per_user,
            ),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        Streams {
            inner: Arc::new(inner),
        }
    }

    /// Reads which sessions were revoked, if there are subscriptions: this ends the streams of a user who signs out at
    /// another process. A background job calls it every second. It reads no rows itself, so it always returns 0.
    ///
    /// # Errors
    /// UNAVAILABLE if the database cannot be reached.
    pub(crate) async fn refresh_revocations(&self, auth: &Auth) -> Result<u64, Error> {
        if self.inner.subscriptions.taken() > 0 {
            auth.refresh_revocations().await?;
        }
        Ok(0)
    }

    /// Asks all streams to end: they finish what they are at, and begin nothing.
    pub(crate) fn stop(&self) {
        self.inner.stopping.cancel();
    }

    /// Done when all sockets have ended.
    pub(crate) async fn ended(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.inner.stopping
    }

    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    pub(super) fn sockets(&self) -> &Places {
        &self.inner.sockets
    }

    pub(super) fn subscriptions(&self) -> &Places {
        &self.inner.subscriptions
    }
}
