//! Limits the queries and mutations in progress, in total and per user or address. Further ones fail at once, so that the service responds
//! fast to those that it accepts, and no caller's requests keep out those of others.
//!
//! An operation holds a slot from its start to its end, over any transport. Before the body of an HTTP request is read, it is only checked
//! whether a slot is free. Otherwise clients that send slowly could hold all slots.

use std::time::Duration;

use parking_lot::Mutex;

use super::{
    admission::Warning,
    slots::{LimitReached, Slot, Slots},
};
use crate::{
    db::share::Holder,
    error::{Code, Error},
};

/// When a caller with too many requests may send another.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Maximum numbers of queries and mutations in progress.
#[derive(Debug, Clone)]
pub struct RequestSettings {
    /// In total.
    pub max: usize,
    /// Per user, and per network of anonymous clients.
    pub max_per_user: usize,
}

impl RequestSettings {
    /// Number of requests in progress per connection of the pool.
    const PER_CONNECTION: usize = 100;

    /// The limits for a pool of this size. `max` and `max_per_user` override them.
    pub fn new(pool: usize, max: Option<usize>, max_per_user: Option<usize>) -> RequestSettings {
        let max = max.unwrap_or(pool.saturating_mul(RequestSettings::PER_CONNECTION));
        RequestSettings {
            max,
            max_per_user: max_per_user.unwrap_or(max.div_ceil(5)),
        }
    }
}

/// The slots of all queries and mutations in progress.
pub(super) struct Requests {
    slots: Slots,
    warned: Mutex<Warning>,
}

impl Requests {
    pub(super) fn new(settings: &RequestSettings) -> Requests {
        Requests {
            slots: Slots::new(settings.max, settings.max_per_user),
            warned: Mutex::default(),
        }
    }

    /// Checks whether a request of this holder could begin now. `None`: of any holder.
    ///
    /// # Errors
    /// UNAVAILABLE or RATE_LIMITED, as [`Requests::begin`].
    pub(super) fn check(&self, holder: Option<&Holder>) -> Result<(), Error> {
        self.slots
            .check(holder)
            .map_err(|limit| self.rejection(limit))
    }

    /// Acquires the slot of a request.
    ///
    /// # Errors
    /// UNAVAILABLE if all slots are in use. RATE_LIMITED if the holder uses as many as it may.
    pub(super) fn begin(&self, holder: Option<Holder>) -> Result<Slot, Error> {
        let slot = self.slots.acquire().and_then(|mut slot| {
            if let Some(holder) = holder {
                slot.assign_to(holder)?;
            }
            Ok(slot)
        });
        slot.map_err(|limit| self.rejection(limit))
    }

    /// The number of queries and mutations in progress.
    pub(super) fn in_progress(&self) -> usize {
        self.slots.in_use()
    }

    fn rejection(&self, limit: LimitReached) -> Error {
        match limit {
            LimitReached::Total => {
                if self.warned.lock().is_due() {
                    tracing::warn!(
                        "the maximum number of requests is in progress; further ones get 503"
                    );
                }
                // Without a detail, it is not logged for each request.
                Error::unavailable("")
            }
            LimitReached::PerHolder => Error {
                retry_after: Some(RETRY_AFTER),
                ..Error::new(
                    Code::RateLimited,
                    "This user or address has reached the maximum number of requests in progress. Wait for a response before you send the next one.",
                )
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_holder_cannot_use_all_slots() {
        let requests = Requests::new(&RequestSettings::new(1, Some(6), None));
        let holder = |number| Some(Holder::User(Uuid::from_u128(number)));
        let begun: Vec<Slot> = (0..10)
            .filter_map(|_| requests.begin(holder(1)).ok())
            .collect();
        assert_eq!(begun.len(), 2, "a fifth, rounded up");
        let error = requests.check(holder(1).as_ref()).expect_err("too many");
        assert_eq!(error.code, Code::RateLimited);
        assert!(error.retry_after.is_some());
        let others: Vec<Slot> = (2..10)
            .filter_map(|number| requests.begin(holder(number)).ok())
            .collect();
        assert_eq!(others.len(), 4);
        for error in [
            requests.check(None).expect_err("none is free"),
            requests.begin(None).err().expect("none is free"),
        ] {
            assert_eq!(error.code, Code::Unavailable);
            assert!(error.retry_after.is_some());
        }
        drop(begun);
        assert!(requests.check(holder(1).as_ref()).is_ok());
    }

    #[test]
    fn the_limits_follow_the_size_of_the_pool() {
        let settings = RequestSettings::new(15, None, None);
        assert_eq!((settings.max, settings.max_per_user), (1500, 300));
        let settings = RequestSettings::new(15, Some(40), Some(7));
        assert_eq!((settings.max, settings.max_per_user), (40, 7));
    }
}
