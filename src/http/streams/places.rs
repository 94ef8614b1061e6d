//! A bounded number of places, and a bounded number of each holder's among them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::auth::UserId;

/// Whose a place is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::http) enum Holder {
    /// Somebody's.
    User(UserId),
    /// A visitor's, of whom the network that they call from is all that is known.
    Network(String),
}

/// Places of one kind. Cheap to clone.
#[derive(Clone)]
pub(in crate::http) struct Places {
    most: usize,
    most_each: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_holder: HashMap<Holder, usize>,
}

/// A place; it is free again when this is dropped.
pub(in crate::http) struct Place {
    places: Places,
    holder: Option<Holder>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Full {
    /// All are taken.
    All,
    /// That holder has taken theirs.
    Theirs,
}

impl Places {
    pub(super) fn new(most: usize, most_each: usize) -> Self {
        Places {
            most,
            most_each,
            taken: Arc::default(),
        }
    }

    /// Takes a place for nobody in particular.
    pub(in crate::http) fn take(&self) -> Result<Place, Full> {
        let mut taken = self.lock();
        if taken.all >= self.most {
            return Err(Full::All);
        }
        taken.all += 1;
        Ok(Place {
            places: self.clone(),
            holder: None,
        })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whose it is, once that is known. It stays theirs.
    pub(in crate::http) fn give_to(&mut self, holder: Holder) -> Result<(), Full> {
        if self.holder.as_ref() == Some(&holder) {
            return Ok(());
        }
        self.give_back();
        let mut taken = self.places.lock();
        let theirs = taken.by_holder.entry(holder.clone()).or_default();
        if *theirs >= self.places.most_each {
            return Err(Full::Theirs);
        }
        *theirs += 1;
        drop(taken);
        self.holder = Some(holder);
        Ok(())
    }

    fn give_back(&mut self) {
        let Some(holder) = self.holder.take() else {
            return;
        };
        let mut taken = self.places.lock();
        if let Some(theirs) = taken.by_holder.get_mut(&holder) {
            *theirs -= 1;
            if *theirs == 0 {
                taken.by_holder.remove(&holder);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
        self.places.lock().all -= 1;
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> Holder {
        Holder::User(UserId(Uuid::from_u128(number)))
    }

    #[test]
    fn places_are_bounded_for_all_and_for_each_and_come_back() {
        let places = Places::new(3, 2);
        let of = |number| {
            let mut place = places.take()?;
            place.give_to(user(number)).map(|()| place)
        };
        let first = of(1).expect("there are 3");
        let _second = of(1).expect("each has 2");
        assert_eq!(of(1).err(), Some(Full::Theirs));
        assert_eq!(places.taken(), 2, "whoever is refused holds no place");
        let mut third = of(2).expect("another has their own");
        assert_eq!(of(3).err(), Some(Full::All));
        drop(first);
        assert!(third.give_to(user(1)).is_ok(), "it can become another's");
        assert_eq!(third.give_to(user(1)), Ok(()), "and is counted once");
        drop(third);
        assert_eq!(places.taken(), 1);
        assert_eq!(
            places.lock().by_holder.len(),
            1,
            "nobody else is remembered"
        );
    }
}
