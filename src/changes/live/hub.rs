//! The users who have subscribers in this process, and the queues from the tailer to the subscribers.
//!
//! Queues are bounded, whether subscribers read them or not. Subscribers find in the log what does not fit.

use std::{collections::HashMap, fmt, sync::Arc};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast};

use super::{
    super::{Cursor, NewEntries, cursor::Seen, store::ReaderPosition},
    listen::Channel,
};
use crate::{
    auth::UserId,
    db::Writers,
    telemetry::{Exposition, Histogram, Source},
};

/// Number of messages that a queue holds.
const QUEUE: usize = 8;

/// Minutes without changes after which subscribers get the present time, so that their cursors do not expire.
const MAX_SILENCE: i64 = 30;

/// A message from the tailer to the subscribers of one user.
#[derive(Clone)]
pub(super) enum HubMessage {
    /// Entries since the tailer's last read.
    New(Arc<NewEntries>),
    /// More entries than fit into the queue. Subscribers must read the log.
    Overflow,
    /// There was no new entry at this time.
    NothingNew(DateTime<Utc>),
}

/// All users with subscribers in this process.
pub(super) struct Hub {
    users: Mutex<HashMap<UserId, SubscribedUser>>,
    /// Wakes the tailer when there are users to read.
    wake: Notify,
    /// Notified when a user's first subscriber joins and the last one leaves.
    subscribed: Notify,
    channel: Mutex<Channel>,
    /// The age of changes when they reach the subscribers' queues.
    lag: Histogram,
}

struct SubscribedUser {
    queue: broadcast::Sender<HubMessage>,
    subscribers: usize,
    /// What the tailer has read, and the stamp of its epoch. `None` until the first subscriber has read the log.
    tailed: Option<(Arc<Seen>, u64)>,
    /// How often the tailer has started at the position of a subscriber.
    starts: u64,
    /// There may be new entries.
    due: bool,
    /// The time of the last message.
    published_at: Option<DateTime<Utc>>,
}

impl Default for Hub {
    fn default() -> Self {
        Hub {
            users: Mutex::default(),
            wake: Notify::new(),
            subscribed: Notify::new(),
            channel: Mutex::new(Channel::Fails),
            lag: Histogram::default(),
        }
    }
}

impl Hub {
    /// The number of subscribers.
    pub(super) fn subscribers(&self) -> usize {
        self.users
            .lock()
            .values()
            .map(|user| user.subscribers)
            .sum()
    }

    /// Whether there is any subscriber.
    pub(super) fn has_subscribers(&self) -> bool {
        !self.users.lock().is_empty()
    }

    /// Waits until there is a subscriber.
    pub(super) async fn until_subscribed(&self) {
        self.until(true).await;
    }

    /// Waits until there is no subscriber.
    pub(super) async fn until_unsubscribed(&self) {
        self.until(false).await;
    }

    async fn until(&self, has_subscribers: bool) {
        loop {
            // Created before the check, so that a change in between is not missed.
            let changed = self.subscribed.notified();
            if self.has_subscribers() == has_subscribers {
                return;
            }
            changed.await;
        }
    }

    /// Joins a user's queue. It receives what the tailer reads from now on.
    pub(super) fn join(&self, owner: UserId) -> broadcast::Receiver<HubMessage> {
        let mut users = self.users.lock();
        let user = users.entry(owner).or_insert_with(|| SubscribedUser {
            queue: broadcast::Sender::new(QUEUE),
            subscribers: 0,
            tailed: None,
            starts: 0,
            due: false,
            published_at: None,
        });
        user.subscribers += 1;
        let queue = user.queue.subscribe();
        drop(users);
        self.subscribed.notify_waiters();
        queue
    }

    /// Leaves a user's queue.
    pub(super) fn leave(&self, owner: UserId) {
        let mut users = self.users.lock();
        if let Some(user) = users.get_mut(&owner) {
            user.subscribers -= 1;
            if user.subscribers == 0 {
                users.remove(&owner);
                self.subscribed.notify_waiters();
            }
        }
    }

    /// How often the tailer has started for this user. A subscriber calls this before it reads the log, and passes the
    /// result to [`Hub::start_at`].
    pub(super) fn starts(&self, owner: UserId) -> u64 {
        self.users.lock().get(&owner).map_or(0, |user| user.starts)
    }

    /// Reports that a subscriber in the queue has read the log up to this cursor. If the tailer has not started for
    /// this user, it starts there.
    ///
    /// Returns whether the queue continues from the cursor. It does not if the tailer has started while this subscriber
    /// was reading. It started at the position of another subscriber, which may have read a later snapshot. Changes
    /// between the two would be lost, so this subscriber must read the log again.
    pub(super) fn start_at(&self, owner: UserId, read: &Cursor, starts: u64) -> bool {
        let mut users = self.users.lock();
        let Some(user) = users.get_mut(&owner) else {
            return true;
        };
        if user.tailed.is_some() {
            return user.starts == starts;
        }
        user.tailed = Some((read.base.clone(), read.stamp));
        user.starts += 1;
        if user.due {
            self.wake.notify_one();
        }
        true
    }

    /// Notes that these users may have new entries.
    pub(super) fn mark(&self, writers: &Writers) {
        let mut users = self.users.lock();
        let mut any = false;
        match writers {
            Writers::Any => {
                for user in users.values_mut() {
                    user.due = true;
                    any = true;
                }
            }
            Writers::These(ids) => {
                for id in ids {
                    if let Some(user) = users.get_mut(&UserId(*id)) {
                        user.due = true;
                        any = true;
                    }
                }
            }
        }
        if any {
            self.wake.notify_one();
        }
    }

    /// Waits until there may be users to read.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Takes up to `max` users to read.
    pub(super) fn take_due(&self, max: usize) -> Vec<ReaderPosition> {
        let mut users = self.users.lock();
        let due = users.iter_mut().filter(|(_, user)| user.due);
        let due = due.filter_map(|(owner, user)| {
            let (seen, _) = user.tailed.clone()?;
            user.due = false;
            Some(ReaderPosition {
                owner: *owner,
                seen,
            })
        });
        due.take(max).collect()
    }

    /// Sends a user's new entries to the subscribers, or [`HubMessage::Overflow`] if there are more than `max`, and
    /// continues from there. The tailer cannot continue in another epoch. The subscribers then read the log, which
    /// rejects their cursors, and the next one starts the tailer again.
    pub(super) fn publish(&self, owner: UserId, new: NewEntries, max: usize) {
        let mut users = self.users.lock();
        let Some(user) = users.get_mut(&owner) else {
            return;
        };
        let tailed = (new.seen.clone(), new.stamp(owner));
        let continues = user
            .tailed
            .as_ref()
            .is_none_or(|(_, stamp)| *stamp == tailed.1);
        let now = new.state.now;
        for entry in &new.entries {
            let age = (now - entry.changed_at).to_std();
            self.lag.observe(age.unwrap_or_default());
        }
        let published_at = *user.published_at.get_or_insert(now);
        let is_silent = now - published_at >= chrono::Duration::minutes(MAX_SILENCE);
        let message = match new.entries.len() {
            0 if continues && !is_silent => None,
            0 if continues => Some(HubMessage::NothingNew(now)),
            count if continues && count <= max => Some(HubMessage::New(Arc::new(new))),
            _ => Some(HubMessage::Overflow),
        };
        user.tailed = continues.then_some(tailed);
        if let Some(message) = message {
            user.published_at = Some(now);
            // Fails if all subscribers have left. Then no message is needed.
            let _ = user.queue.send(message);
        }
    }

    /// Sets whether messages of other processes arrive. Returns the previous value.
    pub(super) fn set_channel(&self, channel: Channel) -> Channel {
        std::mem::replace(&mut *self.channel.lock(), channel)
    }

    /// Whether messages of other processes arrive.
    pub(super) fn channel(&self) -> Channel {
        *self.channel.lock()
    }
}

impl Source for Hub {
    fn write(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let users = self.users.lock();
        let subscribers: usize = users.values().map(|user| user.subscribers).sum();
        let help = "Subscribers to the change feed.";
        to.gauge("snapnote_feed_subscribers", help, subscribers)?;
        let help = "Users with subscribers to the change feed.";
        to.gauge("snapnote_feed_subscribed_users", help, users.len())?;
        let help = "Age of changes when they are handed to subscribers, by the database's clock.";
        to.histogram("snapnote_feed_lag_seconds", help, &self.lag)
    }
}
