//! A limited number of slots in total, and per holder. WebSockets, subscriptions and requests have slots of their own.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::db::share::Holder;

/// The slots of all WebSockets, all subscriptions or all requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct Slots {
    max: usize,
    max_per_holder: usize,
    in_use: Arc<Mutex<InUse>>,
}

#[derive(Default)]
struct InUse {
    total: usize,
    by_holder: HashMap<Holder, usize>,
}

/// A slot. Dropping it releases it.
pub(super) struct Slot {
    slots: Slots,
    holder: Option<Holder>,
}

/// Why no slot is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitReached {
    Total,
    PerHolder,
}

impl Slots {
    pub(super) fn new(max: usize, max_per_holder: usize) -> Self {
        Slots {
            max,
            max_per_holder,
            in_use: Arc::default(),
        }
    }

    /// Acquires a slot without a holder.
    pub(super) fn acquire(&self) -> Result<Slot, LimitReached> {
        let mut in_use = self.in_use.lock();
        if in_use.total >= self.max {
            return Err(LimitReached::Total);
        }
        in_use.total += 1;
        Ok(Slot {
            slots: self.clone(),
            holder: None,
        })
    }

    /// Whether this holder could acquire a slot now.
    pub(super) fn check(&self, holder: Option<&Holder>) -> Result<(), LimitReached> {
        let in_use = self.in_use.lock();
        if in_use.total >= self.max {
            return Err(LimitReached::Total);
        }
        let held = holder.and_then(|holder| in_use.by_holder.get(holder));
        match held.is_some_and(|held| *held >= self.max_per_holder) {
            true => Err(LimitReached::PerHolder),
            false => Ok(()),
        }
    }

    /// The number of slots in use.
    pub(super) fn in_use(&self) -> usize {
        self.in_use.lock().total
    }
}

impl Slot {
    /// Assigns the slot to this holder instead of the previous one.
    pub(super) fn assign_to(&mut self, holder: Holder) -> Result<(), LimitReached> {
        if self.holder.as_ref() == Some(&holder) {
            return Ok(());
        }
        self.unassign();
        let mut in_use = self.slots.in_use.lock();
        let count = in_use.by_holder.entry(holder.clone()).or_default();
        if *count >= self.slots.max_per_holder {
            return Err(LimitReached::PerHolder);
        }
        *count += 1;
        drop(in_use);
        self.holder = Some(holder);
        Ok(())
    }

    fn unassign(&mut self) {
        let Some(holder) = self.holder.take() else {
            return;
        };
        let mut in_use = self.slots.in_use.lock();
        if let Some(count) = in_use.by_holder.get_mut(&holder) {
            *count -= 1;
            if *count == 0 {
                in_use.by_holder.remove(&holder);
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.unassign();
        self.slots.in_use.lock().total -= 1;
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> Holder {
        Holder::User(Uuid::from_u128(number))
    }

    #[test]
    fn slots_are_limited_in_total_and_per_holder_and_are_released() {
        let slots = Slots::new(3, 2);
        let acquire = |number| {
            let mut slot = slots.acquire()?;
            slot.assign_to(user(number)).map(|()| slot)
        };
        let first = acquire(1).expect("there are 3");
        let _second = acquire(1).expect("each holder has 2");
        assert_eq!(acquire(1).err(), Some(LimitReached::PerHolder));
        assert_eq!(slots.in_use(), 2, "a rejected holder holds no slot");
        let mut third = acquire(2).expect("another holder");
        assert_eq!(acquire(3).err(), Some(LimitReached::Total));
        drop(first);
        assert!(third.assign_to(user(1)).is_ok(), "it can change its holder");
        assert_eq!(third.assign_to(user(1)), Ok(()), "and is counted once");
        drop(third);
        assert_eq!(slots.in_use(), 1);
        assert_eq!(
            slots.in_use.lock().by_holder.len(),
            1,
            "no other holder is stored"
        );
    }
}
