//! Who has written lately: what tells the change feed of this process where to look.
//!
//! A [`Connection`](super::Connection) notes the owner of what it wrote once that may be committed; one note too many does no
//! harm, and whoever looks takes all notes at once. Bounded, whether anybody looks or not.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;
use uuid::Uuid;

/// Persons that are told apart; with more, it may have been anybody.
const MOST: usize = 1000;

/// Whose items may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Writers {
    /// These persons'.
    These(HashSet<Uuid>),
    /// Anybody's.
    Anybody,
}

impl Default for Writers {
    fn default() -> Self {
        Writers::These(HashSet::new())
    }
}

impl Writers {
    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self, Writers::These(users) if users.is_empty())
    }

    pub(crate) fn add(&mut self, others: Writers) {
        match (&mut *self, others) {
            (Writers::Anybody, _) => {}
            (_, Writers::Anybody) => *self = Writers::Anybody,
            (Writers::These(users), Writers::These(others)) => {
                users.extend(others);
                if users.len() > MOST {
                    *self = Writers::Anybody;
                }
            }
        }
    }
}

/// The notes of a process.
#[derive(Default)]
pub(crate) struct Writes {
    noted: Mutex<Writers>,
    wake: Notify,
}

impl Writes {
    /// Notes that these may have written.
    pub(crate) fn note(&self, writers: Writers) {
        if writers.is_nobody() {
            return;
        }
        self.noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(writers);
        self.wake.notify_one();
    }

    /// Waits until somebody has written, and takes the notes. One waits at a time.
    pub(crate) async fn taken(&self) -> Writers {
        loop {
            let writers = self.take();
            if !writers.is_nobody() {
                return writers;
            }
            self.wake.notified().await;
        }
    }

    fn take(&self) -> Writers {
        std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(numbers: std::ops::Range<u128>) -> Writers {
        Writers::These(numbers.map(Uuid::from_u128).collect())
    }

    #[tokio::test]
    async fn notes_are_taken_together_and_once() {
        let writes = Writes::default();
        writes.note(these(1..3));
        writes.note(these(2..4));
        writes.note(these(0..0));
        assert_eq!(writes.taken().await, these(1..4));
        let (next, ()) = tokio::join!(writes.taken(), async { writes.note(these(7..8)) });
        assert_eq!(next, these(7..8));
    }

    #[tokio::test]
    async fn too_many_are_anybody() {
        let writes = Writes::default();
        writes.note(these(0..900));
        writes.note(these(500..1600));
        writes.note(these(0..1));
        assert_eq!(writes.taken().await, Writers::Anybody);
    }
}
