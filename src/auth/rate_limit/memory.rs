//! Token buckets in this process's memory: used while the database does not respond.
//!
//! Keys, capacities, spacings and the rule are those of the database's `take_tokens`. The counts are this process's
//! own: they start full, and nothing is copied to the database or back. So an attacker who can make the database
//! unavailable gets each bucket once more per process.
//!
//! The number of buckets is bounded. At the bound, the least recently used bucket is forgotten, which means that it
//! counts as full. To make the service forget one bucket, an attacker needs [`MAX_BUCKETS`] allowed attempts under
//! other keys, which are limited themselves. New keys are never rejected for lack of space.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use uuid::Uuid;

use super::store::Bucket;

/// Maximum number of buckets, about 10 MB.
const MAX_BUCKETS: usize = 100_000;

/// The buckets. A bucket that is missing is full.
pub(super) struct Memory {
    buckets: Mutex<Buckets>,
    max: usize,
}

#[derive(Default)]
struct Buckets {
    by_key: HashMap<Uuid, State>,
    /// The keys in the order of their last use.
    by_use: BTreeMap<u64, Uuid>,
    uses: u64,
}

#[derive(Clone, Copy)]
struct State {
    /// When the bucket is full again.
    full_at: Instant,
    /// Its key in `by_use`.
    used: u64,
}

impl Memory {
    pub(super) fn new() -> Memory {
        Memory::bounded(MAX_BUCKETS)
    }

    fn bounded(max: usize) -> Memory {
        Memory {
            buckets: Mutex::default(),
            max,
        }
    }

    /// Takes a token from each bucket, or from none. Returns the time until all have one; zero if the tokens were
    /// taken.
    pub(super) fn take(&self, buckets: &[Bucket], now: Instant) -> Duration {
        let mut known = self.buckets.lock();
        let wait = buckets.iter().map(|bucket| known.wait(bucket, now)).max();
        let wait = wait.unwrap_or_default();
        if wait.is_zero() {
            for bucket in buckets {
                known.take(bucket, now);
            }
            known.forget(self.max, now);
        }
        // Callers get whole milliseconds, never zero.
        let milliseconds = wait.as_nanos().div_ceil(1_000_000);
        Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
    }
}

impl Buckets {
    fn full_at(&self, bucket: &Bucket, now: Instant) -> Instant {
        let state = self.by_key.get(&bucket.key);
        state.map_or(now, |state| state.full_at.max(now))
    }

    fn wait(&self, bucket: &Bucket, now: Instant) -> Duration {
        let missing = self.full_at(bucket, now) - now;
        missing.saturating_sub(bucket.spacing() * (bucket.capacity() - 1))
    }

    fn take(&mut self, bucket: &Bucket, now: Instant) {
        let full_at = self.full_at(bucket, now) + bucket.spacing();
        self.uses += 1;
        let state = State {
            full_at,
            used: self.uses,
        };
        if let Some(before) = self.by_key.insert(bucket.key, state) {
            self.by_use.remove(&before.used);
        }
        self.by_use.insert(state.used, bucket.key);
    }

    /// Forgets the least recently used buckets while they are full or there are more than `max`.
    fn forget(&mut self, max: usize, now: Instant) {
        while let Some(oldest) = self.by_use.first_entry() {
            let is_full = |state: &State| state.full_at <= now;
            let needless = self.by_key.get(oldest.get()).is_none_or(is_full);
            if !needless && self.by_key.len() <= max {
                return;
            }
            self.by_key.remove(oldest.get());
            oldest.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A bucket of two tokens. One is added per minute.
    fn bucket(key: u128) -> Bucket {
        Bucket {
            key: Uuid::from_u128(key),
            capacity: 2,
            spacing: 60_000,
        }
    }

    #[test]
    fn a_bucket_is_emptied_and_refilled_token_by_token() {
        let (memory, start) = (Memory::new(), Instant::now());
        let at = |seconds: u32| memory.take(&[bucket(1)], start + SECOND * seconds);
        assert_eq!(at(0), Duration::ZERO);
        assert_eq!(at(10), Duration::ZERO);
        assert_eq!(at(20), 40 * SECOND);
        assert_eq!(at(59), SECOND);
        assert_eq!(at(60), Duration::ZERO, "the first token is back");
        assert_eq!(at(61), 59 * SECOND);
        assert_eq!(at(1000), Duration::ZERO);
        assert_eq!(at(1000), Duration::ZERO);
        assert_eq!(at(1000), 60 * SECOND, "it never holds more than two");
    }

    #[test]
    fn tokens_are_taken_from_all_buckets_or_from_none() {
        let (memory, now) = (Memory::new(), Instant::now());
        for _ in 0..2 {
            assert_eq!(memory.take(&[bucket(1)], now), Duration::ZERO);
        }
        for _ in 0..5 {
            assert_eq!(memory.take(&[bucket(2), bucket(1)], now), 60 * SECOND);
        }
        for _ in 0..2 {
            assert_eq!(memory.take(&[bucket(2)], now), Duration::ZERO);
        }
        assert_eq!(memory.take(&[bucket(2)], now), 60 * SECOND);
    }

    #[test]
    fn at_the_bound_the_least_recently_used_bucket_is_forgotten_and_new_ones_pass() {
        let (memory, now) = (Memory::bounded(3), Instant::now());
        for key in [1, 1, 2, 2, 3, 3] {
            assert_eq!(memory.take(&[bucket(key)], now), Duration::ZERO);
        }
        assert_eq!(memory.take(&[bucket(4)], now), Duration::ZERO);
        for key in [2, 3] {
            assert_eq!(memory.take(&[bucket(key)], now), 60 * SECOND, "{key}");
        }
        assert_eq!(memory.take(&[bucket(1)], now), Duration::ZERO, "forgotten");
        let known = memory.buckets.lock();
        assert_eq!((known.by_key.len(), known.by_use.len()), (3, 3));
    }

    #[test]
    fn full_buckets_are_forgotten_before_the_bound() {
        let (memory, now) = (Memory::new(), Instant::now());
        for key in 0..100 {
            memory.take(&[bucket(key)], now);
        }
        memory.take(&[bucket(100)], now + 120 * SECOND);
        let known = memory.buckets.lock();
        assert_eq!((known.by_key.len(), known.by_use.len()), (1, 1));
    }
}
