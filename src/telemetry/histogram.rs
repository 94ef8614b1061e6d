//! Durations, counted in buckets. An observation is three atomic additions: requests on all threads share the counters, and a
//! lock would make them wait for each other. (prometheus-client's own histogram has a mutex.)

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Upper bounds of the buckets in microseconds. They are finer than OpenTelemetry's advice, because most requests take less than
/// its first bound of 5 ms.
const BOUNDS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// The durations of one kind of event. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// One for each bound, and one for longer durations.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// What a histogram has counted.
pub(super) struct Snapshot {
    /// Upper bounds in seconds, each with the number of durations above the previous bound.
    pub(super) buckets: Vec<(f64, u64)>,
    /// The sum of all durations in seconds.
    pub(super) sum: f64,
    pub(super) count: u64,
}

impl Histogram {
    /// Counts an event.
    pub(crate) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let index = BOUNDS.iter().position(|bound| micros <= *bound);
        let bucket = &self.0.buckets[index.unwrap_or(BOUNDS.len())];
        bucket.fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Whether it has counted nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let buckets = &self.0.buckets;
        buckets
            .iter()
            .all(|bucket| bucket.load(Ordering::Relaxed) == 0)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let bounds = BOUNDS.iter().map(|micros| *micros as f64 / 1e6);
        let counts = self.0.buckets.iter();
        let counts = counts.map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        Snapshot {
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum: Duration::from_nanos(self.0.nanoseconds.load(Ordering::Relaxed)).as_secs_f64(),
            buckets,
        }
    }
}

/// Histograms by a key. They are found without a lock, and their number is limited, because each takes memory here and in
/// Prometheus: further keys share one.
#[derive(Debug)]
pub(crate) struct Series<K> {
    slots: Box<[OnceLock<(K, Histogram)>]>,
    /// For the keys that found no slot.
    other: Histogram,
}

impl<K: Eq + Copy> Series<K> {
    pub(crate) fn new(max: usize) -> Series<K> {
        Series {
            slots: (0..max).map(|_| OnceLock::new()).collect(),
            other: Histogram::default(),
        }
    }

    /// The histogram of this key. The frequent keys usually come first, so the search ends soon.
    pub(crate) fn of(&self, key: K) -> &Histogram {
        for slot in &self.slots {
            let (known, histogram) = slot.get_or_init(|| (key, Histogram::default()));
            if *known == key {
                return histogram;
            }
        }
        &self.other
    }

    /// All histograms so far. `None` is the key of those that found no slot.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Option<K>, &Histogram)> {
        let known = self.slots.iter().map_while(OnceLock::get);
        let known = known.map(|(key, histogram)| (Some(*key), histogram));
        let is_full = self.slots.iter().all(|slot| slot.get().is_some());
        known.chain(is_full.then_some((None, &self.other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_up_to_their_bound() {
        let histogram = Histogram::default();
        for micros in [0, 500, 501, 10_000_000, 10_000_001, 3_600_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let Snapshot {
            buckets,
            sum,
            count,
        } = histogram.snapshot();
        assert_eq!(count, 6);
        assert!((sum - 3_620.001_002).abs() < 1e-6, "{sum}");
        let filled: Vec<(f64, u64)> = buckets.into_iter().filter(|(_, n)| *n > 0).collect();
        assert_eq!(
            filled,
            [(0.0005, 2), (0.001, 1), (10.0, 1), (f64::INFINITY, 2)]
        );
    }

    #[test]
    fn keys_beyond_the_limit_share_a_histogram() {
        let series = Series::new(2);
        for key in ["a", "b", "a", "c", "d"] {
            series.of(key).observe(Duration::ZERO);
        }
        let counts: Vec<(Option<&str>, u64)> = series
            .all()
            .map(|(key, histogram)| (key, histogram.snapshot().count))
            .collect();
        assert_eq!(counts, [(Some("a"), 2), (Some("b"), 1), (None, 2)]);
    }

    #[test]
    fn one_key_has_one_histogram_in_all_threads() {
        let series = Series::new(8);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for key in 0..8 {
                        series.of(key).observe(Duration::ZERO);
                    }
                });
            }
        });
        let mut counts: Vec<(i32, u64)> = series
            .all()
            .filter_map(|(key, histogram)| Some((key?, histogram.snapshot().count)))
            .collect();
        counts.sort_unstable();
        let expected: Vec<(i32, u64)> = (0..8).map(|key| (key, 4)).collect();
        assert_eq!(counts, expected);
    }
}
