//! The users whose changes the replica may not show yet. Their reads use the primary.
//!
//! A user is pinned while a write of theirs runs, and from its end until the replica has replayed the log of the primary beyond it.
//! A sample (`monitor`) proves that. It takes the present generation first, then the position of the primary's log. Everything that ended in
//! this generation or before is in the log at that position.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use uuid::Uuid;

use crate::db::Writers;

/// Maximum number of pinned users. With more, all users are pinned.
const MAX_USERS: usize = 10_000;

/// The pinned users of a process.
#[derive(Debug, Default)]
pub(in crate::db) struct Pins(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Counts the samples.
    generation: u64,
    /// The generation in which the last write of each user ended.
    users: HashMap<Uuid, u64>,
    /// The generation in which the last write ended that may concern any user.
    any: Option<u64>,
    /// The number of running writes of each user.
    writing: HashMap<Uuid, usize>,
    /// The number of running writes that may concern any user.
    writing_any: usize,
}

impl State {
    fn pin(&mut self, writers: &Writers) {
        let generation = self.generation;
        match writers {
            Writers::These(users) => {
                self.users
                    .extend(users.iter().map(|user| (*user, generation)));
            }
            Writers::Any => self.any = Some(generation),
        }
        if self.users.len() > MAX_USERS {
            self.users.clear();
            self.any = Some(generation);
        }
    }
}

impl Pins {
    /// Items of these users were changed.
    pub(in crate::db) fn pin(&self, writers: &Writers) {
        if !writers.is_empty() {
            self.0.lock().pin(writers);
        }
    }

    /// A write of these users begins. It ends when the returned value is dropped.
    pub(in crate::db) fn begin_write(self: &Arc<Self>, writers: Writers) -> RunningWrite {
        let mut state = self.0.lock();
        match &writers {
            Writers::These(users) => {
                for user in users {
                    *state.writing.entry(*user).or_default() += 1;
                }
            }
            Writers::Any => state.writing_any += 1,
        }
        drop(state);
        RunningWrite {
            pins: self.clone(),
            writers,
        }
    }

    /// Whether the user's reads must use the primary.
    pub(super) fn has(&self, user: Uuid) -> bool {
        let state = self.0.lock();
        state.any.is_some()
            || state.writing_any > 0
            || state.users.contains_key(&user)
            || state.writing.contains_key(&user)
    }

    /// The present generation. Writes that end from now on belong to the next one.
    pub(super) fn next_generation(&self) -> u64 {
        let mut state = self.0.lock();
        state.generation += 1;
        state.generation - 1
    }

    /// The replica shows everything that ended in this generation or before.
    pub(super) fn release(&self, generation: u64) {
        let mut state = self.0.lock();
        state.any = state.any.filter(|pinned| *pinned > generation);
        state.users.retain(|_, pinned| *pinned > generation);
    }
}

/// A write that has not ended, or whose end is unknown.
pub(in crate::db) struct RunningWrite {
    pins: Arc<Pins>,
    writers: Writers,
}

impl Drop for RunningWrite {
    fn drop(&mut self) {
        let mut state = self.pins.0.lock();
        match &self.writers {
            Writers::These(users) => {
                for user in users {
                    if let Some(count) = state.writing.get_mut(user) {
                        *count -= 1;
                        if *count == 0 {
                            state.writing.remove(user);
                        }
                    }
                }
            }
            Writers::Any => state.writing_any -= 1,
        }
        state.pin(&self.writers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const BOB: Uuid = Uuid::from_u128(2);

    fn these(users: impl IntoIterator<Item = Uuid>) -> Writers {
        Writers::These(users.into_iter().collect())
    }

    #[test]
    fn a_user_is_pinned_until_a_sample_that_began_after_the_write_is_proven() {
        let pins = Arc::new(Pins::default());
        let before = pins.next_generation();
        pins.pin(&these([ADA]));
        assert!(pins.has(ADA) && !pins.has(BOB));
        pins.release(before);
        assert!(pins.has(ADA), "the sample began before the write ended");
        let after = pins.next_generation();
        pins.pin(&these([BOB]));
        pins.release(after);
        assert!(!pins.has(ADA) && pins.has(BOB));
        pins.release(pins.next_generation());
        assert!(!pins.has(BOB));
    }

    #[test]
    fn a_running_write_pins_until_it_has_ended() {
        let pins = Arc::new(Pins::default());
        let (first, second) = (
            pins.begin_write(these([ADA])),
            pins.begin_write(these([ADA, BOB])),
        );
        drop(first);
        pins.release(pins.next_generation());
        assert!(pins.has(ADA) && pins.has(BOB), "the second one runs");
        let meanwhile = pins.next_generation();
        drop(second);
        pins.release(meanwhile);
        assert!(pins.has(ADA) && pins.has(BOB), "it ended after the sample");
        pins.release(pins.next_generation());
        assert!(!pins.has(ADA) && !pins.has(BOB));
    }

    #[test]
    fn changes_of_unknown_or_very_many_users_pin_all() {
        let pins = Arc::new(Pins::default());
        drop(pins.begin_write(Writers::Any));
        assert!(pins.has(BOB));
        pins.release(pins.next_generation());
        assert!(!pins.has(BOB));
        let many = (10..).take(MAX_USERS + 1).map(Uuid::from_u128);
        pins.pin(&these(many));
        assert!(pins.has(BOB));
        assert!(pins.0.lock().users.is_empty());
        pins.release(pins.next_generation());
        assert!(!pins.has(BOB));
    }
}
