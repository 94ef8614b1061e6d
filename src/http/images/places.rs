//! Who is sending which upload to this process: one at a time for each, and so many in all.
//!
//! A sender whose connection broke must be able to send again at once, and nobody always hears that a connection broke. So
//! a place that has waited for bytes for a moment is given to whoever comes next; one that is at work never is.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// All places of a process. Cheap to clone.
#[derive(Clone)]
pub(in crate::http) struct Places {
    inner: Arc<Inner>,
}

struct Inner {
    most: usize,
    patience: Duration,
    taken: Mutex<HashMap<Uuid, Sender>>,
    next: AtomicU64,
}

/// Who has a place.
struct Sender {
    number: u64,
    /// Since when it has waited for bytes; `None` while it is at work.
    waiting_since: Option<Instant>,
    given_away: CancellationToken,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// Another sends this upload.
    Taken,
    /// Too many uploads are being sent.
    Full,
}

impl Places {
    /// `most`: how many uploads at a time; `patience`: how long a sender keeps its place without a byte when another one
    /// comes.
    pub(in crate::http) fn new(most: usize, patience: Duration) -> Self {
        let inner = Inner {
            most,
            patience,
            taken: Mutex::default(),
            next: AtomicU64::new(0),
        };
        Places {
            inner: Arc::new(inner),
        }
    }

    /// The place of an upload, until it is dropped.
    pub(super) fn take(&self, upload: Uuid) -> Result<Place, NoPlace> {
        let mut taken = self.inner.taken();
        match taken.get(&upload) {
            Some(other) => {
                let waited = other.waiting_since.map(|since| since.elapsed());
                if waited.is_none_or(|waited| waited < self.inner.patience) {
                    return Err(NoPlace::Taken);
                }
                other.given_away.cancel();
            }
            None if taken.len() >= self.inner.most => return Err(NoPlace::Full),
            None => {}
        }
        let place = Place {
            places: self.clone(),
            upload,
            number: self.inner.next.fetch_add(1, Ordering::Relaxed),
            given_away: CancellationToken::new(),
        };
        let sender = Sender {
            number: place.number,
            waiting_since: None,
            given_away: place.given_away.clone(),
        };
        taken.insert(upload, sender);
        Ok(place)
    }
}

impl Inner {
    /// Whole after a panic, too: nothing here is done by halves.
    fn taken(&self) -> MutexGuard<'_, HashMap<Uuid, Sender>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one sender.
pub(super) struct Place {
    places: Places,
    upload: Uuid,
    number: u64,
    given_away: CancellationToken,
}

impl Place {
    /// Now it waits for bytes. False if the place was given away: nothing more is to be done.
    pub(super) fn waits(&self) -> bool {
        self.set_waiting(Some(Instant::now()))
    }

    /// Now it is at work, and keeps the place. False if that was given away: nothing more is to be done.
    pub(super) fn works(&self) -> bool {
        self.set_waiting(None)
    }

    fn set_waiting(&self, since: Option<Instant>) -> bool {
        match self.places.inner.taken().get_mut(&self.upload) {
            Some(sender) if sender.number == self.number => {
                sender.waiting_since = since;
                true
            }
            _ => false,
        }
    }

    /// Done as soon as the place is given away.
    pub(super) async fn given_away(&self) {
        self.given_away.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.inner.taken();
        let sender = taken.get(&self.upload);
        if sender.is_some_and(|sender| sender.number == self.number) {
            taken.remove(&self.upload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn refused(places: &Places, upload: Uuid) -> Option<NoPlace> {
        places.take(upload).err()
    }

    #[test]
    fn an_upload_has_one_place_and_there_are_so_many_in_all() {
        let places = Places::new(2, Duration::MAX);
        let one = places.take(ONE).expect("a place");
        assert_eq!(refused(&places, ONE), Some(NoPlace::Taken));
        let other = places.take(OTHER).expect("a place");
        let third = Uuid::from_u128(3);
        assert_eq!(refused(&places, third), Some(NoPlace::Full));
        assert_eq!(refused(&places, ONE), Some(NoPlace::Taken), "and not Full");
        drop(one);
        assert_eq!(refused(&places, third), None);
        assert_eq!(refused(&places, ONE), None, "free again at once");
        assert!(other.waits() && other.works());
    }

    #[tokio::test]
    async fn a_place_that_waits_is_given_to_the_next_and_one_at_work_is_not() {
        let places = Places::new(1, Duration::ZERO);
        let first = places.take(ONE).expect("a place");
        assert_eq!(refused(&places, ONE), Some(NoPlace::Taken), "not yet begun");
        assert!(first.waits() && first.works());
        assert_eq!(refused(&places, ONE), Some(NoPlace::Taken), "at work");
        assert!(first.waits());
        let second = places.take(ONE).expect("its place, though all are taken");
        first.given_away().await;
        assert!(!first.waits() && !first.works(), "it is told");
        drop(first);
        assert!(second.works(), "it has its own");
        assert_eq!(refused(&places, ONE), Some(NoPlace::Taken));
        drop(second);
        assert!(places.inner.taken().is_empty());
    }

    #[test]
    fn who_waits_keeps_the_place_for_a_moment() {
        let places = Places::new(1, Duration::from_secs(3600));
        let first = places.take(ONE).expect("a place");
        assert!(first.waits());
        assert_eq!(refused(&places, ONE), Some(NoPlace::Taken));
    }
}
