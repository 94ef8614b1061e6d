//! Creating and updating items: what is the same for all kinds. A single mutation is a batch of one entry.

pub(crate) mod create;
pub(crate) mod store;
mod tags;
pub(crate) mod update;

use std::{collections::HashMap, mem};

use derive_where::derive_where;
use uuid::Uuid;

use super::{BatchPolicy, Item, ItemKind, Usage, in_trash, not_found};
use crate::{
    error::{Error, Refusal, RefusalCode},
    rules::Problems,
    scalars::ObjectId,
};

/// Maximum number of attempts to write items that other requests change at the same time.
const ATTEMPTS: usize = 5;

/// An input with fields that have limits.
pub(crate) trait Check {
    /// Adds the errors of the input.
    fn check(&self, problems: &mut Problems);

    /// The tags that the item then has; `None` to leave its tags as they are.
    fn tag_ids(&self) -> Option<&[ObjectId]> {
        None
    }
}

/// Implements [`Check`] for the inputs that create and update an item: the limits of a field are the same in both. `tagged`
/// declares that both have `tag_ids`.
macro_rules! checks {
    ($($Input:ident),+: |$input:ident, $problems:ident| $checks:block) => {$(
        impl $crate::items::Check for $Input {
            fn check(&self, $problems: &mut $crate::rules::Problems) {
                let $input = self;
                $checks
            }
        }
    )+};
    (tagged $($Input:ident),+: |$input:ident, $problems:ident| $checks:block) => {$(
        impl $crate::items::Check for $Input {
            fn check(&self, $problems: &mut $crate::rules::Problems) {
                let $input = self;
                $checks
            }

            fn tag_ids(&self) -> Option<&[$crate::scalars::ObjectId]> {
                use $crate::rules::Field as _;
                let none = self.tag_ids.is_null().then_some(&[][..]);
                self.tag_ids.given().map(Vec::as_slice).or(none)
            }
        }
    )+};
}
pub(crate) use checks;

/// How an entry ended.
#[derive(Debug, Clone)]
pub(crate) enum Outcome<T> {
    /// The item after the mutation.
    Done(T),
    /// The item as it is. It has changed since the version that the caller sent, or during all attempts to update it, so it was not
    /// updated.
    Conflict(T),
    /// The errors of the entry.
    Refused(Vec<Refusal>),
    /// The entry has no error, but was not applied because other entries have.
    Withheld,
}

/// What a statement returns for each entry. First, whether it was withheld. Second, the status of the course to put the item into:
/// `None` if no course is named. Third, the item: `None` if it was not written.
pub(crate) type Written<T> = (bool, Option<String>, Option<T>);

/// The part of an entry that identifies its item.
pub(crate) trait Key {
    /// The item's id, if there may be such an item already.
    fn known_id(&self) -> Option<Uuid>;
}

/// An entry of a batch.
#[derive_where(Clone; K)]
pub(crate) struct Entry<'a, K, I> {
    /// Its position in the batch.
    index: usize,
    key: K,
    input: &'a I,
}

/// A batch while it is applied.
#[derive_where(Clone; K, T)]
struct Batch<'a, K, I, T> {
    policy: BatchPolicy,
    /// How each entry ended, by its position. Open entries are withheld.
    outcomes: Vec<Outcome<T>>,
    /// The valid entries that have not ended.
    open: Vec<Entry<'a, K, I>>,
    /// The most bytes that the texts of these entries take in the database.
    bytes: usize,
}

impl<'a, K: Key, I, T: Item> Batch<'a, K, I, T> {
    /// Checks the entries. `check`: turns what is given with an input into its key, and adds the errors of both.
    fn check<G>(
        entries: impl IntoIterator<Item = (G, &'a I)>,
        policy: BatchPolicy,
        check: impl Fn(G, &'a I, &mut Problems) -> K,
    ) -> Self {
        let (mut outcomes, mut open, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut seen = HashMap::new();
        for (index, (given, input)) in entries.into_iter().enumerate() {
            let mut problems = Problems::default();
            let key = check(given, input, &mut problems);
            if let Some(earlier) = key.known_id().and_then(|id| seen.insert(id, index)) {
                let message = format!(
                    "Entry {earlier} of this batch has the same `id`. Use each `id` only once."
                );
                problems.add("id", RefusalCode::Invalid, message);
            }
            let added = problems.bytes();
            let refusals = problems.into_refusals();
            if refusals.is_empty() {
                bytes += added;
                outcomes.push(Outcome::Withheld);
                open.push(Entry { index, key, input });
            } else {
                outcomes.push(Outcome::Refused(refusals));
            }
        }
        Batch {
            policy,
            outcomes,
            open,
            bytes,
        }
    }

    /// The most that the batch adds to what the user has, if each entry adds `items` items.
    fn growth(&self, items: i64) -> Usage {
        Usage {
            items: items * self.open.len() as i64,
            bytes: i64::try_from(self.bytes).unwrap_or(i64::MAX),
        }
    }

    /// The minimum number of entries that a statement must be able to write. Otherwise it writes none.
    fn required(&self) -> i64 {
        match self.policy {
            BatchPolicy::AllOrNothing => self.outcomes.len() as i64,
            BatchPolicy::Each => 0,
        }
    }

    /// The known ids of the open entries that were not written.
    fn unwritten(&self, rows: &[Written<T>]) -> Vec<Uuid> {
        let entries = self.open.iter().zip(rows);
        let unwritten = entries.filter(|(_, (.., item))| item.is_none());
        unwritten
            .filter_map(|(entry, _)| entry.key.known_id())
            .collect()
    }

    /// Refuses the open entries for which `refusals_of` returns errors.
    fn refuse(&mut self, mut refusals_of: impl FnMut(&Entry<'a, K, I>) -> Vec<Refusal>) {
        for entry in mem::take(&mut self.open) {
            let refusals = refusals_of(&entry);
            match refusals.is_empty() {
                true => self.open.push(entry),
                false => self.outcomes[entry.index] = Outcome::Refused(refusals),
            }
        }
    }

    /// Notes how entries ended. Those without an outcome stay open. Returns whether the batch has ended.
    fn note(
        &mut self,
        rows: Vec<Written<T>>,
        outcome: impl Fn(&K, Written<T>) -> Option<Outcome<T>>,
    ) -> bool {
        for (entry, row) in mem::take(&mut self.open).into_iter().zip(rows) {
            match outcome(&entry.key, row) {
                Some(outcome) => self.outcomes[entry.index] = outcome,
                None => self.open.push(entry),
            }
        }
        let is_error =
            |outcome: &Outcome<T>| matches!(outcome, Outcome::Refused(_) | Outcome::Conflict(_));
        let has_failed =
            self.policy == BatchPolicy::AllOrNothing && self.outcomes.iter().any(is_error);
        has_failed || self.open.is_empty()
    }
}

/// The error of a batch with items that changed in every attempt to write them.
fn busy(kind: ItemKind) -> Error {
    let name = kind.name();
    Error::unavailable(format!("a {name} changed during all attempts to write it"))
}

/// Why no item can be put into the named course. `None` if it can, or if no course is named.
fn closed(course_status: Option<&str>) -> Option<Refusal> {
    let course = ItemKind::Course.name();
    match course_status? {
        "unknown" => Some(not_found("courseId", course)),
        "trash" => Some(in_trash("courseId", course)),
        _ => None,
    }
}
