//! Limits the cost points of the operations of one user, or of the anonymous clients of one network, over time.
//!
//! A bucket of points refills at a constant rate. An operation takes its cost before it runs, and at least one point. If the bucket has
//! fewer, the operation fails with RATE_LIMITED and does not take its cost. Events of subscriptions take no points.
//!
//! A request that the gate rejects takes points as well, for the work of parsing and validating it ([`price_of_parsing`]), and so does an
//! operation that fails with RATE_LIMITED if its document was parsed. That is known only afterwards. Such a request takes at most the points
//! that are left. While not a single one is left, requests of the holder are not parsed.
//!
//! Each process has its own buckets, in memory, so that taking points takes less than a microsecond. Their number is bounded. A bucket
//! that is forgotten counts as full. Rarely used ones are forgotten first, so clients that change their address cannot empty the memory
//! of frequent callers.
//!
//! Responses over HTTP report the state in `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers-11 describes:
//! `q` points per `w` seconds, of which `r` are available. A client that spreads `r` over `t` seconds uses the points as fast as they
//! refill. After RATE_LIMITED, `t` is the time in `Retry-After`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use quick_cache::sync::Cache;

use crate::{auth::Limit, db::share::Holder, error::Error, graphql::Admitted};

/// The limits of the policies that apply to a request.
pub(super) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of these limits.
pub(super) const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// The points of a request that is parsed and rejected, and the bytes of its document that take one more. Measured, 700 bytes take the CPU of
/// `me`, which costs one point. Rejected requests cost seven times that, because clients that work send few.
const REJECTED_POINTS: u64 = 10;
const REJECTED_BYTES_PER_POINT: u64 = 100;
/// Longer documents are rejected by their length.
const MAX_PARSED_BYTES: u64 = 256 << 10;

/// Maximum number of buckets, about 15 MB.
const MAX_BUCKETS: usize = 100_000;

/// The buckets of all holders.
pub(super) struct CostLimits(Option<Buckets>);

struct Buckets {
    limit: Limit,
    points: u64,
    /// In nanoseconds.
    period: u64,
    policy: HeaderValue,
    /// Times are counted from here.
    start: Instant,
    /// When each bucket is full again, in nanoseconds after `start`. A bucket that is missing is full.
    full_at: Cache<Holder, Arc<AtomicU64>>,
}

/// What an operation found in its bucket.
pub(super) struct Taken {
    /// Why the operation must not run.
    pub(super) refusal: Option<Error>,
    policy: HeaderValue,
    /// Points that are left.
    left: u64,
    /// In seconds.
    window: u64,
}

/// The points of a request that is rejected after its document of this length was parsed.
fn price_of_parsing(document_bytes: usize) -> u64 {
    let bytes = document_bytes as u64;
    REJECTED_POINTS + bytes.min(MAX_PARSED_BYTES) / REJECTED_BYTES_PER_POINT
}

impl CostLimits {
    pub(super) fn new(limit: Limit) -> CostLimits {
        CostLimits(limit.rate().map(|(points, period)| {
            let policy = format!("\"cost\";q={points};w={}", period.as_secs());
            Buckets {
                limit,
                points: points.into(),
                period: nanoseconds(period),
                // Such text is always valid.
                policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("")),
                start: Instant::now(),
                full_at: Cache::new(MAX_BUCKETS),
            }
        }))
    }

    /// Refuses if this holder has not a single point left. Then nothing is parsed.
    pub(super) fn check(&self, holder: Option<&Holder>) -> Option<Taken> {
        let buckets = self.0.as_ref()?;
        buckets.check(holder?, nanoseconds(buckets.start.elapsed()))
    }

    /// Takes the price of a rejected request from its holder's bucket, or all points that are left.
    pub(super) fn charge(&self, holder: Option<Holder>, document_bytes: usize) -> Option<Taken> {
        let buckets = self.0.as_ref()?;
        let points = price_of_parsing(document_bytes);
        Some(buckets.charge(&holder?, points, nanoseconds(buckets.start.elapsed())))
    }

    /// Takes points from a holder's bucket. `None` without a limit, and for an unknown holder.
    pub(super) fn take(&self, holder: Option<Holder>, points: u64) -> Option<Taken> {
        self.take_or(holder, points, 0)
    }

    /// Takes the cost of an admitted operation from its holder's bucket. If that has too few points, and the document was parsed for this
    /// request, takes the price of a rejected request.
    pub(super) fn take_cost(&self, holder: Option<Holder>, admitted: &Admitted) -> Option<Taken> {
        let rejected = match admitted.was_parsed {
            true => price_of_parsing(admitted.document_bytes),
            false => 0,
        };
        self.take_or(holder, admitted.cost, rejected)
    }

    fn take_or(&self, holder: Option<Holder>, cost: u64, rejected: u64) -> Option<Taken> {
        let buckets = self.0.as_ref()?;
        let now = nanoseconds(buckets.start.elapsed());
        Some(buckets.take(&holder?, cost, rejected, now))
    }
}

/// `now`: nanoseconds after `start`.
impl Buckets {
    fn check(&self, holder: &Holder, now: u64) -> Option<Taken> {
        let missing = self.full_at.get(holder)?;
        let missing = missing.load(Ordering::Relaxed).saturating_sub(now);
        let point = self.time_of(1);
        (missing.saturating_add(point) > self.period).then(|| self.refused(missing, point))
    }

    fn charge(&self, holder: &Holder, points: u64, now: u64) -> Taken {
        let missing = self.take_up_to(&self.bucket(holder), points, now);
        let left = self.points_in(self.period.saturating_sub(missing));
        self.taken(left, seconds(self.time_of(left)), None)
    }

    /// Takes these points from a bucket, or all that are left. Returns the time until the bucket is full.
    fn take_up_to(&self, full_at: &AtomicU64, points: u64, now: u64) -> u64 {
        let price = self.time_of(points);
        let empty = now.saturating_add(self.period);
        let after = |full_at: u64| full_at.max(now).saturating_add(price).min(empty);
        let charged = |full_at| Some(after(full_at));
        let (Ok(before) | Err(before)) =
            full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged);
        after(before) - now
    }

    fn bucket(&self, holder: &Holder) -> Arc<AtomicU64> {
        self.full_at.get(holder).unwrap_or_else(|| {
            let new = || Ok::<_, std::convert::Infallible>(Arc::default());
            let Ok(full_at) = self.full_at.get_or_insert_with(holder, new);
            full_at
        })
    }

    /// `rejected`: the points that the operation takes if it does not fit.
    fn take(&self, holder: &Holder, cost: u64, rejected: u64, now: u64) -> Taken {
        let full_at = self.bucket(holder);
        let price = self.time_of(cost.max(1));
        let after = |full_at: u64| full_at.max(now).saturating_add(price);
        let fits = |full_at| Some(after(full_at)).filter(|after| after - now <= self.period);
        match full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(before) => {
                let left = self.points_in(self.period - (after(before) - now));
                let window = seconds(self.time_of(left));
                self.taken(left, window, None)
            }
            Err(_) => self.refused(self.take_up_to(&full_at, rejected, now), price),
        }
    }

    /// `missing`: the time until the bucket is full. `price`: the time in which the points of the operation refill.
    fn refused(&self, missing: u64, price: u64) -> Taken {
        let left = self.points_in(self.period.saturating_sub(missing));
        let wait = missing.saturating_add(price).saturating_sub(self.period);
        // An operation that costs more than the whole bucket would wait forever.
        let wait = wait.min(self.period.max(missing));
        let error = Error::over_cost_limit(self.limit, Duration::from_nanos(wait));
        self.taken(left, seconds(wait), Some(error))
    }

    fn taken(&self, left: u64, window: u64, refusal: Option<Error>) -> Taken {
        Taken {
            refusal,
            policy: self.policy.clone(),
            left,
            window: window.max(1),
        }
    }

    /// The time in which this number of points refills, in nanoseconds.
    fn time_of(&self, points: u64) -> u64 {
        let time = u128::from(points) * u128::from(self.period) / u128::from(self.points);
        u64::try_from(time).unwrap_or(u64::MAX)
    }

    /// The points that refill in a time.
    fn points_in(&self, nanoseconds: u64) -> u64 {
        let points = u128::from(nanoseconds) * u128::from(self.points) / u128::from(self.period);
        u64::try_from(points).unwrap_or(u64::MAX)
    }
}

impl Taken {
    /// Adds the headers to a response.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        let state = format!("\"cost\";r={};t={}", self.left, self.window);
        if let Ok(state) = HeaderValue::try_from(state) {
            headers.insert(POLICY, self.policy);
            headers.insert(STATE, state);
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn seconds(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::error::Code;

    const SECOND: u64 = 1_000_000_000;

    /// 100 points per minute.
    fn limits() -> CostLimits {
        CostLimits::new("100/m".parse().expect("a limit"))
    }

    fn user(number: u128) -> Holder {
        Holder::User(Uuid::from_u128(number))
    }

    /// `RateLimit`, and the milliseconds to wait if the operation must not run.
    fn take(limits: &CostLimits, holder: &Holder, cost: u64, now: u64) -> (String, Option<u128>) {
        let buckets = limits.0.as_ref().expect("there is a limit");
        let taken = buckets.take(holder, cost, 0, now);
        let wait = taken.refusal.as_ref().map(|error| {
            assert_eq!(error.code, Code::RateLimited);
            error.retry_after.expect("waiting helps").as_millis()
        });
        let mut headers = HeaderMap::new();
        taken.write(&mut headers);
        assert_eq!(headers[POLICY], "\"cost\";q=100;w=60");
        (headers[STATE].to_str().expect("ASCII").to_owned(), wait)
    }

    #[test]
    fn points_are_taken_and_refill() {
        let limits = limits();
        for (seconds, cost, state, wait) in [
            (0, 40, "\"cost\";r=60;t=36", None),
            (0, 0, "\"cost\";r=59;t=36", None),
            (0, 60, "\"cost\";r=59;t=1", Some(600)),
            (0, 59, "\"cost\";r=0;t=1", None),
            (0, 50, "\"cost\";r=0;t=30", Some(30_000)),
            (15, 50, "\"cost\";r=25;t=15", Some(15_000)),
            (30, 50, "\"cost\";r=0;t=1", None),
            (1_000, 100, "\"cost\";r=0;t=1", None),
            (2_000, 1, "\"cost\";r=99;t=60", None),
        ] {
            let taken = take(&limits, &user(1), cost, seconds * SECOND);
            assert_eq!(
                taken,
                (state.to_owned(), wait),
                "{seconds} s, {cost} points"
            );
        }
    }

    #[test]
    fn rejected_requests_take_points_and_are_not_even_parsed_while_there_are_none() {
        let limits = limits();
        let buckets = limits.0.as_ref().expect("there is a limit");
        let (holder, state) = (user(1), |taken: &Taken| (taken.left, taken.window));
        assert!(buckets.check(&holder, 0).is_none());
        assert_eq!(state(&buckets.charge(&holder, 90, 0)), (10, 6));
        assert!(buckets.check(&holder, 0).is_none(), "points are left");
        assert_eq!(state(&buckets.charge(&holder, 30, 0)), (0, 1));
        // A point refills in 0.6 s.
        let refused = buckets.check(&holder, 0).expect("no points are left");
        let error = refused.refusal.as_ref().expect("it is refused");
        assert_eq!(error.retry_after, Some(Duration::from_millis(600)));
        assert_eq!(state(&refused), (0, 1));
        assert_eq!(take(&limits, &holder, 1, 0).1, Some(600));
        assert!(buckets.check(&holder, SECOND / 2).is_some());
        assert!(buckets.check(&holder, SECOND * 3 / 5).is_none());
        assert!(buckets.check(&user(2), 0).is_none());
        assert_eq!(take(&limits, &holder, 1, 13 * SECOND).1, None);
    }

    #[test]
    fn an_operation_that_was_parsed_takes_points_even_if_it_does_not_fit() {
        let limits = limits();
        let buckets = limits.0.as_ref().expect("there is a limit");
        let holder = user(1);
        buckets.take(&holder, 70, 0, 0);
        for (left, milliseconds) in [(20, 12_000), (10, 18_000), (0, 24_000), (0, 24_000)] {
            let taken = buckets.take(&holder, 40, 10, 0);
            assert_eq!(taken.left, left);
            let wait = taken.refusal.and_then(|error| error.retry_after);
            assert_eq!(wait, Some(Duration::from_millis(milliseconds)));
        }
        // After the time that the last response named, the operation fits.
        assert!(buckets.take(&holder, 40, 10, 23 * SECOND).refusal.is_some());
        assert_eq!(take(&limits, &holder, 40, 30 * SECOND).1, None);
    }

    #[test]
    fn large_documents_take_more_points() {
        for (bytes, points) in [(0, 10), (99, 10), (100, 11), (20_000, 210)] {
            assert_eq!(price_of_parsing(bytes), points);
        }
    }

    #[test]
    fn the_window_after_a_refusal_is_the_time_in_retry_after() {
        let limits = CostLimits::new("7/m".parse().expect("a limit"));
        let buckets = limits.0.as_ref().expect("there is a limit");
        buckets.take(&user(1), 7, 0, 0);
        // The wait is 8.0000002 s, then 0.9999998 s.
        for (now, seconds) in [(571_428_371, 9), (7_571_428_771, 1)] {
            let mut taken = buckets.take(&user(1), 1, 0, now);
            let error = taken.refusal.take().expect("it is refused");
            let response = crate::graphql::error::error_response(error);
            let retry_after = super::super::response::retry_after(&response);
            assert_eq!((taken.window, retry_after), (seconds, Some(seconds)));
        }
    }

    #[test]
    fn each_holder_has_its_own_bucket() {
        let limits = limits();
        let network = |address: &str| Holder::Network(address.to_owned());
        for holder in [user(1), user(2), network("192.0.2.1"), network("192.0.2.2")] {
            assert_eq!(take(&limits, &holder, 100, 0).1, None);
            assert!(take(&limits, &holder, 1, 0).1.is_some());
        }
    }

    #[test]
    fn an_operation_that_costs_more_than_the_limit_always_fails() {
        let limits = limits();
        let (state, wait) = take(&limits, &user(1), u64::MAX, 0);
        assert_eq!((&*state, wait), ("\"cost\";r=100;t=60", Some(60_000)));
        assert_eq!(take(&limits, &user(1), 100, 0).1, None, "it took nothing");
    }

    #[test]
    fn without_a_limit_or_a_holder_nothing_is_counted() {
        let off = CostLimits::new(Limit::OFF);
        assert!(off.take(Some(user(1)), u64::MAX).is_none());
        assert!(limits().take(None, u64::MAX).is_none());
    }

    #[test]
    fn concurrent_operations_never_take_more_than_there_is() {
        let limits = limits();
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        if take(&limits, &user(1), 1, 0).1.is_none() {
                            taken.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 100);
    }
}
