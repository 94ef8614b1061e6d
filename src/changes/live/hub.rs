//! Who has subscribers in this process, whom the tailer is to read, and the queues from it to them.
//!
//! Bounded: a queue holds a few pieces of news whoever reads it; what it has no room for, readers find in the log.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, broadcast};

use super::super::{Cursor, News, cursor::Seen, store::Since};
use crate::{auth::UserId, db::Writers};

/// Pieces of news that a queue holds.
const QUEUE: usize = 8;

/// How old what readers know of the time may grow, in minutes, while nothing happens: cursors are good for days.
const QUIET: i64 = 30;

/// What the tailer tells the readers of one person.
#[derive(Clone)]
pub(super) enum Told {
    /// This is new since the tailer read the last time.
    News(Arc<News>),
    /// More is new than goes through a queue.
    Much,
    /// Nothing was new at that time.
    Quiet(DateTime<Utc>),
}

/// All that have subscribers.
#[derive(Default)]
pub(super) struct Hub {
    people: Mutex<HashMap<UserId, Watched>>,
    /// For the tailer: somebody is to be read.
    wake: Notify,
    /// For whoever listens to other processes: there is a subscriber.
    watched: Notify,
    hears: AtomicBool,
}

/// Somebody who has subscribers.
struct Watched {
    queue: broadcast::Sender<Told>,
    readers: usize,
    /// What the tailer has read, and the stamp of its epoch; `None` until the first reader has read.
    seen: Option<(Arc<Seen>, u64)>,
    /// How often the tailer has begun where a reader stood.
    begun: u64,
    /// There may be something new.
    due: bool,
    /// When readers were last told something.
    told_at: Option<DateTime<Utc>>,
}

impl Hub {
    fn people(&self) -> MutexGuard<'_, HashMap<UserId, Watched>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many subscribers there are.
    pub(super) fn readers(&self) -> usize {
        self.people().values().map(|person| person.readers).sum()
    }

    /// Whether there is any subscriber.
    pub(super) fn is_watched(&self) -> bool {
        !self.people().is_empty()
    }

    /// Waits for a subscriber, if there is none.
    pub(super) async fn until_watched(&self) {
        loop {
            // Before the look: a subscriber that comes between would be missed.
            let comes = self.watched.notified();
            if self.is_watched() {
                return;
            }
            comes.await;
        }
    }

    /// Takes a place in a person's queue: what the tailer finds from now on comes there.
    pub(super) fn enter(&self, owner: UserId) -> broadcast::Receiver<Told> {
        let mut people = self.people();
        let person = people.entry(owner).or_insert_with(|| Watched {
            queue: broadcast::Sender::new(QUEUE),
            readers: 0,
            seen: None,
            begun: 0,
            due: false,
            told_at: None,
        });
        person.readers += 1;
        let place = person.queue.subscribe();
        drop(people);
        self.watched.notify_waiters();
        place
    }

    /// Gives a place up.
    pub(super) fn leave(&self, owner: UserId) {
        let mut people = self.people();
        if let Some(person) = people.get_mut(&owner) {
            person.readers -= 1;
            if person.readers == 0 {
                people.remove(&owner);
            }
        }
    }

    /// How often the tailer has begun with a person: a reader asks before it reads the log, and says it to [`Hub::begin`].
    pub(super) fn begun(&self, owner: UserId) -> u64 {
        self.people().get(&owner).map_or(0, |person| person.begun)
    }

    /// A reader with a place in the queue has read the log so far: from there the tailer begins, if it has not begun.
    /// Whether the queue goes on from there. It does not if the tailer has begun while this reader read: that was where
    /// another one stood, who may have read later and seen more. What came between would be in neither; so it reads again.
    pub(super) fn begin(&self, owner: UserId, read: &Cursor, begun: u64) -> bool {
        let mut people = self.people();
        let Some(person) = people.get_mut(&owner) else {
            return true;
        };
        if person.seen.is_some() {
            return person.begun == begun;
        }
        person.seen = Some((read.base(), read.stamp()));
        person.begun += 1;
        if person.due {
            self.wake.notify_one();
        }
        true
    }

    /// There may be something new of these.
    pub(super) fn mark(&self, writers: &Writers) {
        let mut people = self.people();
        let mut any = false;
        match writers {
            Writers::Anybody => {
                for person in people.values_mut() {
                    person.due = true;
                    any = true;
                }
            }
            Writers::These(users) => {
                for user in users {
                    if let Some(person) = people.get_mut(&UserId(*user)) {
                        person.due = true;
                        any = true;
                    }
                }
            }
        }
        if any {
            self.wake.notify_one();
        }
    }

    /// Waits until somebody may be to be read.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Takes whom to read, so many at most.
    pub(super) fn due(&self, most: usize) -> Vec<Since> {
        let mut people = self.people();
        let due = people.iter_mut().filter(|(_, person)| person.due);
        let due = due.filter_map(|(owner, person)| {
            let (seen, _) = person.seen.clone()?;
            person.due = false;
            Some(Since {
                owner: *owner,
                seen,
            })
        });
        due.take(most).collect()
    }

    /// Hands out what was read of a person, `most` changes at most, and goes on from there. In another epoch there is no
    /// going on: the readers are sent to the log, which tells them so, and the next one begins anew.
    pub(super) fn tell(&self, owner: UserId, news: News, most: usize) {
        let mut people = self.people();
        let Some(person) = people.get_mut(&owner) else {
            return;
        };
        let read = (news.seen(), news.stamp(owner));
        let goes_on = person
            .seen
            .as_ref()
            .is_none_or(|(_, stamp)| *stamp == read.1);
        let now = news.moment.now;
        let told_at = *person.told_at.get_or_insert(now);
        let is_quiet = now - told_at < chrono::Duration::minutes(QUIET);
        let told = match news.count() {
            0 if goes_on && is_quiet => None,
            0 if goes_on => Some(Told::Quiet(now)),
            count if goes_on && count <= most => Some(Told::News(Arc::new(news))),
            _ => Some(Told::Much),
        };
        person.seen = goes_on.then_some(read);
        if let Some(told) = told {
            person.told_at = Some(now);
            // Readers may have left; nobody else needs it.
            let _ = person.queue.send(told);
        }
    }

    /// Notes whether messages of other processes come in; answers whether they did before.
    pub(super) fn set_hears(&self, hears: bool) -> bool {
        self.hears.swap(hears, Ordering::Relaxed)
    }

    /// Whether messages of other processes come in.
    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::Relaxed)
    }
}
