//! The users whose items were changed recently. They tell the change feed of this process which logs to read.
//!
//! A [`Connection`](super::Connection) notes them, once the changes may be committed, from the owner that a writing
//! statement names anyway. So no command can forget to notify subscribers, and no transaction that writes calls NOTIFY.
//! Superfluous notes do no harm. The reader takes all notes at once. Their number is bounded, with or without a reader.

use std::collections::HashSet;

use parking_lot::Mutex;
use tokio::sync::Notify;
use uuid::Uuid;

/// Maximum number of users in the notes. With more, the notes mean any user.
const MAX_WRITERS: usize = 1000;

/// The users whose items may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Writers {
    These(HashSet<Uuid>),
    /// Any user.
    Any,
}

impl Default for Writers {
    fn default() -> Self {
        Writers::These(HashSet::new())
    }
}

impl Writers {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Writers::These(users) if users.is_empty())
    }

    pub(crate) fn add(&mut self, others: Writers) {
        match (&mut *self, others) {
            (Writers::Any, _) => {}
            (_, Writers::Any) => *self = Writers::Any,
            (Writers::These(users), Writers::These(others)) => {
                users.extend(others);
                if users.len() > MAX_WRITERS {
                    *self = Writers::Any;
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
    /// Notes that items of these users may have changed.
    pub(crate) fn note(&self, writers: Writers) {
        if writers.is_empty() {
            return;
        }
        self.noted.lock().add(writers);
        self.wake.notify_one();
    }

    /// Waits for notes and takes them all. Only one caller may wait.
    pub(crate) async fn next(&self) -> Writers {
        loop {
            let writers = self.take();
            if !writers.is_empty() {
                return writers;
            }
            self.wake.notified().await;
        }
    }

    fn take(&self) -> Writers {
        std::mem::take(&mut *self.noted.lock())
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
        assert_eq!(writes.next().await, these(1..4));
        let (next, ()) = tokio::join!(writes.next(), async { writes.note(these(7..8)) });
        assert_eq!(next, these(7..8));
    }

    #[tokio::test]
    async fn too_many_users_mean_any_user() {
        let writes = Writes::default();
        writes.note(these(0..900));
        writes.note(these(500..1600));
        writes.note(these(0..1));
        assert_eq!(writes.next().await, Writers::Any);
    }
}
