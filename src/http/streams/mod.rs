//! What WebSocket and server-sent events share: limits, authentication and operations that outlive a request.
//!
//! - `live_auth`: authenticates the client again while a stream lasts.
//! - `operation`: runs one operation as a stream of outputs. The transports decide how outputs are written.
//!
//! Backpressure: an operation is polled only when its previous output has been sent. A slow client holds one response per operation, no
//! queue and no database connection. The changes it has not read yet wait in the database's log.

pub(super) mod live_auth;
pub(super) mod operation;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::slots::Slots;
use crate::{
    auth::Auth,
    changes::Live,
    db::background::{Backoff, Job},
};

/// How often a process with subscriptions checks whether it is time to read the list of revocations.
const REVOCATION_TICK: Duration = Duration::from_secs(1);
/// The pause after the list was read, however many revocations other processes report.
const REVOCATION_REST: Duration = Duration::from_millis(100);
/// The maximum pause after failures.
const MAX_REVOCATION_PAUSE: Duration = Duration::from_secs(60);

/// Limits of streams, and how they are kept alive.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// Maximum number of open WebSockets.
    pub max_sockets: usize,
    /// Maximum number of open WebSockets per user, and per network of anonymous clients.
    pub max_sockets_per_user: usize,
    /// Maximum number of running subscriptions, over WebSocket and SSE.
    pub max_subscriptions: usize,
    /// Maximum number of running subscriptions per user, and per network of anonymous clients.
    pub max_subscriptions_per_user: usize,
    /// How long a new WebSocket may take to send `connection_init`.
    pub init_timeout: Duration,
    /// How often a message is sent over an idle stream. A client that does not respond for two of these periods is disconnected.
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

/// All streams of this process.
pub(crate) struct Streams {
    pub(super) sockets: Slots,
    pub(super) subscriptions: Slots,
    /// WebSockets, which outlive the HTTP connections that they began as.
    pub(super) tasks: TaskTracker,
    pub(super) stopping: CancellationToken,
}

impl Streams {
    pub(super) fn new(settings: &StreamSettings) -> Self {
        Streams {
            sockets: Slots::new(settings.max_sockets, settings.max_sockets_per_user),
            subscriptions: Slots::new(
                settings.max_subscriptions,
                settings.max_subscriptions_per_user,
            ),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }
    }

    /// Reads the list of revocations while there are subscriptions, as long as the process runs: when another process reports a
    /// revocation, and as often as the change feed is checked. This ends the streams of users who sign out at another process.
    pub(crate) async fn follow_revocations(&self, auth: &Auth, live: &Live, job: &Job) {
        let mut backoff = Backoff::new(REVOCATION_TICK, MAX_REVOCATION_PAUSE);
        let (mut read, mut failed) = (None::<Instant>, None::<Duration>);
        loop {
            let reported = timeout(REVOCATION_TICK, live.access_revoked())
                .await
                .is_ok();
            if self.subscriptions.in_use() == 0 {
                read = None;
                job.succeeded();
                continue;
            }
            let period = failed.unwrap_or_else(|| live.check_period());
            let is_due = reported || read.is_none_or(|read| read.elapsed() >= period);
            if is_due {
                failed = match job.timed(auth.refresh_revocations()).await {
                    Ok(()) => {
                        backoff.reset();
                        None
                    }
                    Err(error) => {
                        let pause = backoff.pause();
                        job.failed(&error, pause);
                        Some(pause)
                    }
                };
                read = Some(Instant::now());
                sleep(REVOCATION_REST).await;
            }
            if failed.is_none() {
                job.succeeded();
            }
        }
    }

    /// Ends all streams. They finish running queries and mutations, and start nothing new.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    /// Returns when all WebSockets have closed.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
