//! Live subscriptions to the change feed, and the background job behind them.
//!
//! Each process has one tailer (`tailer`). It reads the logs of all users who have subscribers and may have changes, in
//! one statement. It runs when this process has written (at once), when another process reports writes (`notify`, `listen`), and
//! periodically in case a message was lost; rarely while no caller uses the database, so that it can sleep. `hub` passes what it reads to the subscribers of each user through a short
//! queue. A subscriber that falls behind leaves the queue, reads the log after its own cursor, and joins the queue
//! again. So a slow subscriber costs no memory and loses nothing. Without subscribers, the database is not queried.
//!
//! **The seam between log and queue** is one rule: a subscriber (`reader`) joins the queue first and then reads the log
//! to its end. Changes that it did not read arrive through the queue. Changes that it has read and that also arrive
//! through the queue are recognized by its cursor, which is a snapshot. Snapshots of one database are ordered, so there
//! is no third case. The tailer must start no later than the position of each subscriber. It starts at the position of
//! the first one that has read the log. A subscriber that was reading at that time may have read an earlier snapshot,
//! so it reads again. Overflow of the queue follows the same rule.

mod hub;
mod listen;
mod notify;
mod reader;
mod tailer;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use self::{hub::Hub, listen::Channel, notify::OwnMessages, reader::Reader};
use super::{Change, Cursor, Feed};
use crate::{
    auth::Viewer,
    db::{Database, Writers, Writes, background::Job, connect::Target, replica::Notifications},
    error::Error,
    telemetry::{Exposition, Source},
};

/// Maximum number of subscribers of a process that read the log at the same time. A thousand that reconnect at once
/// leave connections to others.
const MAX_READING: usize = 4;

/// Settings of live subscriptions.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Days that the feed goes back, and for which a cursor is valid.
    pub days: u32,
    /// The database without a pooler, for LISTEN. `None`: the service's own address is used, unless a pooler in transaction mode
    /// was found there.
    pub direct: Option<Target>,
    /// Whether processes notify each other. If not, they poll.
    pub notifications: bool,
    /// How often the logs of all users with subscribers are read if no messages arrive.
    pub poll: Duration,
    /// How often they are read while messages arrive and callers use the database, in case a message was lost.
    pub check: Duration,
    /// As `check`, while no caller uses the database. Also how long after the database closed the connection for messages the
    /// process connects again.
    pub idle_check: Duration,
    /// The pause before the process connects again after the connection for messages was closed while no caller used the
    /// database. A server needs some time to restart.
    pub reconnect: Duration,
}

impl LiveSettings {
    /// The settings that an operator can change; defaults for the others.
    pub fn new(days: u32, direct: Option<Target>, idle_check: Duration) -> LiveSettings {
        LiveSettings {
            days,
            direct,
            notifications: true,
            poll: Duration::from_secs(1),
            check: Duration::from_secs(15),
            idle_check,
            reconnect: Duration::from_secs(5),
        }
    }
}

/// Live subscriptions to the change feed. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    feed: Feed,
    settings: LiveSettings,
    hub: Hub,
    reading: Semaphore,
    /// Distinguishes this process's messages from those of other processes.
    process: Uuid,
    own_messages: OwnMessages,
    /// Notified when this process has revoked access.
    revoked: Arc<Notify>,
    /// Notified when another process has, or may have.
    revocations: Notify,
}

impl Live {
    /// Sends no statement yet. `Live::run` must run for subscriptions to work. Commands that have revoked access notify
    /// `revoked`, and this process tells the others.
    pub fn new(database: Database, settings: LiveSettings, revoked: Arc<Notify>) -> Live {
        let inner = Inner {
            database,
            feed: Feed::new(settings.days),
            settings,
            hub: Hub::default(),
            reading: Semaphore::new(MAX_READING),
            process: Uuid::new_v4(),
            own_messages: OwnMessages::default(),
            revoked,
            revocations: Notify::new(),
        };
        Live {
            inner: Arc::new(inner),
        }
    }

    /// The feed in pages.
    pub(crate) fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    /// The number of subscribers in this process.
    pub fn subscribers(&self) -> usize {
        self.inner.hub.subscribers()
    }

    /// Streams all changes of the viewer's items after the cursor (default: from now on), each once. Waits while the
    /// database is unreachable. Ends with an error if the cursor has expired.
    pub fn subscribe(
        &self,
        viewer: Viewer,
        after: Option<Cursor>,
    ) -> impl Stream<Item = Result<Change, Error>> + Send + 'static {
        let reader = Reader::new(self.clone(), viewer.user_id, after);
        stream::unfold(reader, |mut reader| async move {
            let next = reader.next().await?;
            Some((next, reader))
        })
    }

    /// Returns when another process has revoked access, or may have while messages were missed. Only while there are
    /// subscribers.
    pub(crate) async fn access_revoked(&self) {
        self.inner.revocations.notified().await;
    }

    /// How often the database is read for subscribers, in case a message is missing.
    pub(crate) fn check_period(&self) -> Duration {
        let settings = &self.inner.settings;
        let in_use = self.inner.database.activity().is_in_use();
        match self.inner.hub.channel() {
            Channel::Works if in_use => settings.check,
            Channel::Works | Channel::Suspended if !in_use => settings.idle_check,
            _ => settings.poll,
        }
    }

    /// Waits until messages of other processes are needed: for subscribers, or for a replica, which must not be read by users whose items
    /// another process has changed.
    async fn until_messages_needed(&self) {
        if self.inner.database.replica().is_none() {
            self.inner.hub.until_subscribed().await;
        }
    }

    /// Waits until no messages are needed.
    async fn until_messages_unneeded(&self) {
        match self.inner.database.replica() {
            Some(_) => std::future::pending().await,
            None => self.inner.hub.until_unsubscribed().await,
        }
    }

    /// Notes whether messages of other processes arrive. Returns what was noted before.
    fn set_channel(&self, channel: Channel) -> Channel {
        let previous = self.inner.hub.set_channel(channel);
        if let Some(replica) = self.inner.database.replica()
            && (previous != channel || channel == Channel::Fails)
        {
            replica.set_notifications(match channel {
                Channel::Works => Notifications::Arrive,
                Channel::Suspended => Notifications::Unknown,
                Channel::Fails => Notifications::Missing,
            });
        }
        previous
    }

    /// Another process has, or may have, changed items of these users.
    fn note_changes_elsewhere(&self, writers: &Writers) {
        if let Some(replica) = self.inner.database.replica() {
            replica.note_changes_elsewhere(writers);
        }
        self.inner.hub.mark(writers);
    }

    /// Where this process listens for messages. `None` if none can arrive.
    fn listen_target(&self) -> Option<Target> {
        let Inner {
            database, settings, ..
        } = &*self.inner;
        let own = database.target();
        let target = match &settings.direct {
            Some(direct) => Some(direct),
            None => Some(own).filter(|own| !own.is_pooled()),
        };
        target.filter(|_| settings.notifications).cloned()
    }

    /// Reads changes for the subscribers and exchanges messages with other processes, as long as the process runs.
    pub(crate) async fn run(self, job: Job) {
        let to_notify = Writes::default();
        tokio::join!(
            tailer::follow_writes(&self, &to_notify),
            tailer::run(&self, &job),
            notify::send(&self, &to_notify),
            listen::listen(&self),
            self.inner.feed.begin_epochs(&self.inner.database),
        );
    }
}

impl Source for Live {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        self.inner.hub.write(to)
    }
}
