//! Fair shares: what the work of one holder may use at the same time, however many requests it sends.
//!
//! A request of the API leases connections in many modules. So its share belongs to its task: [`of_holder`] sets it, and every
//! [`Database::connection`](super::Database::connection) in that task counts against it. Work that a request spawns takes its share
//! along ([`inherited`]). Background jobs have no share.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::{error::Error, telemetry::work};

/// Whose work counts together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A user, by id.
    User(Uuid),
    /// Anonymous clients of one network.
    Network(String),
}

/// The shares of all holders that use them at present. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shares {
    /// Number of permits of each share.
    size: usize,
    by_holder: Arc<Mutex<HashMap<Holder, Weak<Share>>>>,
}

/// The permits of one holder. It is forgotten when nothing uses it.
#[derive(Debug)]
pub(crate) struct Share {
    holder: Holder,
    permits: Arc<Semaphore>,
    shares: Shares,
}

/// A permit. As long as it is held, its share is not forgotten, so a new share cannot replace it.
#[derive(Debug)]
pub(crate) struct SharePermit {
    _permit: OwnedSemaphorePermit,
    _share: Arc<Share>,
}

tokio::task_local! {
    /// The share of the work in this task.
    static CURRENT: Arc<Share>;
}

impl Shares {
    pub(crate) fn new(size: usize) -> Shares {
        Shares {
            size,
            by_holder: Arc::default(),
        }
    }

    /// The share of this holder.
    pub(crate) fn of(&self, holder: Holder) -> Arc<Share> {
        let mut by_holder = self.by_holder.lock();
        if let Some(share) = by_holder.get(&holder).and_then(Weak::upgrade) {
            return share;
        }
        let share = Arc::new(Share {
            holder: holder.clone(),
            permits: Arc::new(Semaphore::new(self.size)),
            shares: self.clone(),
        });
        by_holder.insert(holder, Arc::downgrade(&share));
        share
    }
}

impl Share {
    /// Waits for a permit. Permits are given in the order of the calls.
    ///
    /// # Errors
    /// None in practice: the semaphore is never closed.
    pub(crate) async fn acquire(self: Arc<Self>) -> Result<SharePermit, Error> {
        let permit = self.permits.clone().acquire_owned().await;
        Ok(SharePermit {
            _permit: permit.map_err(Error::internal)?,
            _share: self,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut by_holder = self.shares.by_holder.lock();
        // Another share may have replaced this one meanwhile.
        if by_holder
            .get(&self.holder)
            .is_some_and(|share| share.strong_count() == 0)
        {
            by_holder.remove(&self.holder);
        }
    }
}

/// The share of the work in this task, if it has one.
pub(super) fn current() -> Option<Arc<Share>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Runs work with this share. `None`: without a limit.
pub(crate) async fn with<F: Future>(share: Option<Arc<Share>>, work: F) -> F::Output {
    match share {
        Some(share) => CURRENT.scope(share, work).await,
        None => work.await,
    }
}

/// The work with the share of the present task, for spawning it. It also counts as part of the same operation.
pub(crate) fn inherited<F: Future>(work: F) -> impl Future<Output = F::Output> {
    with(current(), work::inherited(work))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn user(number: u128) -> Holder {
        Holder::User(Uuid::from_u128(number))
    }

    #[test]
    fn holders_wait_only_for_themselves_and_are_forgotten() {
        let shares = Shares::new(2);
        let acquire = |number| shares.of(user(number)).acquire().now_or_never();
        let (first, second) = (acquire(1), acquire(1));
        assert!(first.is_some() && second.is_some());
        assert!(acquire(1).is_none(), "its share is in use");
        assert!(acquire(2).is_some(), "another holder has its own");
        assert_eq!(shares.by_holder.lock().len(), 1, "only one is in use");
        drop(first);
        assert!(acquire(1).is_some(), "a permit is free again");
        drop(second);
        assert!(shares.by_holder.lock().is_empty());
    }

    #[test]
    fn a_share_that_replaced_another_stays() {
        let shares = Shares::new(1);
        let old = shares.of(user(1));
        // As if the last reference was dropped while another task asked for the share.
        shares.by_holder.lock().clear();
        let new = shares.of(user(1));
        drop(old);
        assert!(Arc::ptr_eq(&shares.of(user(1)), &new));
    }

    #[tokio::test]
    async fn spawned_work_inherits_the_share() {
        let share = Shares::new(1).of(Holder::Network("192.0.2.1".to_owned()));
        let spawned = with(Some(share.clone()), async {
            let own = tokio::spawn(inherited(async { current() }));
            let none = tokio::spawn(async { current() });
            (own.await, none.await)
        });
        let (own, none) = spawned.await;
        assert!(own.is_ok_and(|own| own.is_some_and(|own| Arc::ptr_eq(&own, &share))));
        assert!(none.is_ok_and(|none| none.is_none()));
    }
}
