//! Receives the messages of other processes (`notify`) while there are subscribers, and always if there is a read replica.
//!
//! LISTEN needs a connection of its own, which it loses behind a pooler in transaction mode. The process therefore listens at
//! `DATABASE_DIRECT_URL` if it is set, and at `DATABASE_URL` otherwise, and sends a message to itself. Until it has
//! received that one, it polls for changes. From then on, each of its own messages must come back. An idle connection carries
//! nothing; TCP keepalive detects that it is dead.
//!
//! **A serverless database that sleeps closes the connection.** Connecting again would wake it up. If no caller uses the
//! database, the listener therefore waits for one, or for the slow check (`LiveSettings::idle_check`). Other servers close
//! connections, too, when they restart, and are then available again. So the listener connects again once, and concludes that the
//! database sleeps only if that connection is also closed before a caller has used the database.

use std::{pin::pin, time::Duration};

use futures_util::StreamExt;
use tokio::time::{Instant, sleep};

use super::{
    super::store,
    Live,
    notify::{self, Message},
};
use crate::db::{Writers, background::Backoff, connect::Target};

/// The pause before the listener reconnects, first and maximum.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Whether messages of other processes arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// They arrive.
    Works,
    /// The connection was closed while no caller used the database, which may sleep.
    Suspended,
    /// None arrive, or none may arrive: the process polls.
    Fails,
}

/// Why the listener stopped.
enum Stopped {
    NoSubscribers,
    /// The connection was closed.
    Closed(String),
    Failed(String),
}

/// Receives messages as long as the process runs.
pub(super) async fn listen(live: &Live) {
    let hub = &live.inner.hub;
    hub.set_channel(Channel::Fails);
    let Some(target) = live.listen_target() else {
        return poll_only(live).await;
    };
    let (mut sleeping, mut failures) = (Sleeping::default(), Failures::new());
    loop {
        live.until_messages_needed().await;
        let stopped = receive(live, &target).await;
        let in_use = live.inner.database.activity().is_in_use();
        let suspended = matches!(stopped, Stopped::Closed(_)) && !in_use;
        let next = match suspended {
            true => Channel::Suspended,
            false => Channel::Fails,
        };
        let previous = live.set_channel(next);
        match stopped {
            Stopped::NoSubscribers => {}
            Stopped::Closed(_) if previous == Channel::Works && suspended => {
                sleeping.wait(live).await;
            }
            Stopped::Closed(error) | Stopped::Failed(error) => {
                live.set_channel(Channel::Fails);
                if previous != Channel::Fails {
                    failures = Failures::new();
                    // The tailer reads at once, and more often from now on.
                    hub.mark(&Writers::Any);
                }
                failures.wait(&error).await;
            }
        }
    }
}

/// Leaves the changes of other processes to polling.
async fn poll_only(live: &Live) {
    live.until_messages_needed().await;
    live.set_channel(Channel::Fails);
    if live.inner.settings.notifications {
        tracing::warn!(
            "the pooler in DATABASE_URL loses notifications; polling for changes of other processes. Set DATABASE_DIRECT_URL"
        );
    }
}

/// What the listener has learned about a database that closes connections while no caller uses it.
#[derive(Default)]
struct Sleeping {
    is_known: bool,
    /// The last use when the connection was last closed.
    last_use: Option<Instant>,
}

impl Sleeping {
    /// Waits before the listener connects again.
    async fn wait(&mut self, live: &Live) {
        let activity = live.inner.database.activity();
        let last_use = activity.last_use();
        self.is_known |= self.last_use.is_some() && self.last_use == last_use;
        self.last_use = last_use;
        let settings = &live.inner.settings;
        let pause = match self.is_known {
            true => settings.idle_check,
            false => settings.reconnect,
        };
        tracing::debug!(?pause, "the idle connection for notifications was closed");
        tokio::select! {
            () = activity.until_in_use() => {}
            // A replica needs messages only while it is in use.
            () = async {
                live.inner.hub.until_subscribed().await;
                sleep(pause).await;
            } => {}
        }
    }
}

/// The pauses after failures, of which the first one is logged.
struct Failures {
    backoff: Backoff,
    is_warned: bool,
}

impl Failures {
    fn new() -> Failures {
        Failures {
            backoff: Backoff::new(RETRY.0, RETRY.1),
            is_warned: false,
        }
    }

    async fn wait(&mut self, error: &str) {
        if !self.is_warned {
            tracing::warn!(
                error,
                "receiving notifications failed; polling for changes and retrying"
            );
        }
        self.is_warned = true;
        sleep(self.backoff.pause()).await;
    }
}

/// Receives messages until there are no subscribers, the connection fails, or the process does not receive its own
/// messages.
async fn receive(live: &Live, target: &Target) -> Stopped {
    let own_messages = &live.inner.own_messages;
    let mut conn = match target.connect_without_timeout().await {
        Ok(conn) => conn,
        Err(error) => return Stopped::Failed(error.to_string()),
    };
    if let Err(error) = store::listen(&mut conn).await {
        return Stopped::Failed(error.to_string());
    }
    own_messages.note_received();
    if let Err(error) = notify::send_probe(live).await {
        return Stopped::Failed(format!(
            "sending a notification failed: {}",
            error.log_text()
        ));
    }
    let mut messages = pin!(conn.notifications_stream());
    loop {
        tokio::select! {
            () = live.until_messages_unneeded() => return Stopped::NoSubscribers,
            () = own_messages.missing() => return Stopped::Failed(missing(live)),
            message = messages.next() => match message {
                Some(Ok(message)) => received(live, &message.payload),
                Some(Err(error)) => return Stopped::Closed(error.to_string()),
                None => return Stopped::Closed("the connection was closed".to_owned()),
            }
        }
    }
}

fn missing(live: &Live) -> String {
    let remedy = match live.inner.settings.direct {
        Some(_) => "DATABASE_DIRECT_URL must bypass the pooler and be the same database",
        None => "set DATABASE_DIRECT_URL to an address of the database without a pooler",
    };
    format!("a notification of this process did not arrive; {remedy}")
}

/// Handles a message.
fn received(live: &Live, payload: &str) {
    match notify::decode(live.inner.process, payload) {
        Message::Changed(writers) => live.note_changes_elsewhere(&writers),
        Message::Revoked => live.inner.revocations.notify_one(),
        Message::Own => {
            live.inner.own_messages.note_received();
            if live.set_channel(Channel::Works) != Channel::Works {
                tracing::info!("receiving notifications of other processes");
                // Messages before this one were missed.
                live.inner.hub.mark(&Writers::Any);
                live.inner.revocations.notify_one();
            }
        }
    }
}
