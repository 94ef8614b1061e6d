//! The checker: compares what a reader received with what the log has in the end.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A change: its item and its time in microseconds.
pub(super) type Key = (Uuid, i64);

/// A change that a reader received, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receipt {
    pub(super) key: Key,
    pub(super) at: DateTime<Utc>,
}

/// A fault of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// It did not receive a committed change.
    Lost,
    /// It received a change twice.
    Repeated,
    /// It received a change of another user, or one that was never committed.
    Foreign,
    /// It received an item's changes in another order than that of its versions.
    OutOfOrder,
    /// It received a change late because another transaction was open.
    Delayed,
}

/// The committed changes.
pub(super) struct Truth {
    /// The version of each change.
    pub(super) versions: HashMap<Key, i32>,
    /// Changes that were committed in time while another transaction was held open, before any faults.
    pub(super) prompt: Vec<Key>,
    /// When that transaction ended. Those changes must be received before.
    pub(super) held_until: DateTime<Utc>,
}

/// All faults in what a reader received, each with an example.
pub(super) fn faults(truth: &Truth, receipts: &[Receipt]) -> Vec<(Fault, Key)> {
    let mut found = Vec::new();
    let mut given: HashMap<Key, DateTime<Utc>> = HashMap::new();
    let mut newest: HashMap<Uuid, i32> = HashMap::new();
    for receipt in receipts {
        let key = receipt.key;
        if given.contains_key(&key) {
            found.push((Fault::Repeated, key));
            continue;
        }
        given.insert(key, receipt.at);
        let Some(version) = truth.versions.get(&key) else {
            found.push((Fault::Foreign, key));
            continue;
        };
        // The deletion of an item has the version of the change before.
        let before = newest.insert(key.0, *version);
        if before.is_some_and(|before| before > *version) {
            found.push((Fault::OutOfOrder, key));
        }
    }
    let lost = truth.versions.keys().filter(|key| !given.contains_key(key));
    found.extend(lost.map(|key| (Fault::Lost, *key)));
    let late = truth.prompt.iter().filter(|key| {
        let at = given.get(key);
        at.is_some_and(|at| *at > truth.held_until)
    });
    found.extend(late.map(|key| (Fault::Delayed, *key)));
    found
}

/// The kinds of faults.
pub(super) fn kinds(faults: &[(Fault, Key)]) -> BTreeSet<Fault> {
    faults.iter().map(|(fault, _)| *fault).collect()
}

#[test]
fn the_checker_detects_each_fault() {
    let (item, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let at = |micros: i64| DateTime::from_timestamp_micros(micros).unwrap();
    let given = |key: Key| Receipt {
        key,
        at: at(key.1 + 500),
    };
    let truth = Truth {
        versions: [((item, 10), 1), ((item, 20), 2), ((other, 15), 1)].into(),
        prompt: vec![(other, 15)],
        held_until: at(1000),
    };
    let good = [(item, 10), (other, 15), (item, 20)].map(given);
    assert_eq!(faults(&truth, &good), []);
    let kinds_of = |receipts: &[Receipt]| {
        let kinds = kinds(&faults(&truth, receipts));
        kinds.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(kinds_of(&good[..2]), [Fault::Lost]);
    let twice = [good[0], good[1], good[2], good[1]];
    assert_eq!(kinds_of(&twice), [Fault::Repeated]);
    let swapped = [good[2], good[1], good[0]];
    assert_eq!(kinds_of(&swapped), [Fault::OutOfOrder]);
    let foreign = [good[0], good[1], good[2], given((other, 16))];
    assert_eq!(kinds_of(&foreign), [Fault::Foreign]);
    let mut late = good;
    late[1].at = at(15 + 2000);
    assert_eq!(kinds_of(&late), [Fault::Delayed]);
}
