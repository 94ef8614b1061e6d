//! Ranks items by how often words occur in them, as PostgreSQL's `ts_rank` does.

use std::collections::HashSet;

use crate::{Alternative, occurrences::Occurrences, segment::Lengths};

/// The weight of an occurrence in the title, and elsewhere.
const TITLE_WEIGHT: f64 = 1.0;
const TEXT_WEIGHT: f64 = 0.1;

/// The sum of 1/n² for all n.
const LIMIT: f64 = std::f64::consts::PI * std::f64::consts::PI / 6.0;

/// Occurrences after this many do not count.
const MAX_COUNTED: usize = 255;

/// The element `n` is the sum of 1/k² for `k` from 1 to `n`.
static SUMS: [f64; MAX_COUNTED + 1] = sums();

const fn sums() -> [f64; MAX_COUNTED + 1] {
    let mut sums = [0.0; MAX_COUNTED + 1];
    let mut number = 1;
    while number <= MAX_COUNTED {
        sums[number] = sums[number - 1] + 1.0 / (number * number) as f64;
        number += 1;
    }
    sums
}

/// The weights of the counted alternatives of a query in each item.
///
/// The n-th occurrence of an alternative in an item has its weight divided by n². Occurrences in the title are the first.
pub(crate) struct Weights<'q> {
    /// One per item.
    sums: Vec<f64>,
    /// The words of the alternatives that were counted, and whether the last word is a prefix.
    counted: HashSet<(&'q [String], bool)>,
}

impl<'q> Weights<'q> {
    pub(crate) fn new(items: usize) -> Self {
        Weights {
            sums: vec![0.0; items],
            counted: HashSet::new(),
        }
    }

    /// Whether to count an alternative. Each one is counted once, even if several terms contain it.
    pub(crate) fn start(&mut self, alternative: &'q Alternative) -> bool {
        let Alternative {
            words, is_prefix, ..
        } = alternative;
        alternative.is_counted && self.counted.insert((words, *is_prefix))
    }

    /// Counts the occurrences of an alternative in an item.
    #[inline]
    pub(crate) fn add(&mut self, occurrences: &Occurrences) {
        let in_title = SUMS[occurrences.in_title.min(MAX_COUNTED)];
        let in_text = SUMS[occurrences.all.min(MAX_COUNTED)] - in_title;
        self.sums[occurrences.item] += (TITLE_WEIGHT * in_title + TEXT_WEIGHT * in_text) / LIMIT;
    }

    /// The rank of an item (0–1, 1 is not reached). Long items, and many words in the query, lower it.
    pub(crate) fn rank(&self, item: usize, lengths: Lengths) -> f64 {
        let alternatives = self.counted.len().max(1) as f64;
        let length = f64::from(lengths.occurrences) + 1.0;
        let rank = self.sums[item] / alternatives / length.log2().max(1.0);
        rank / (rank + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(all: usize, in_title: usize) -> f64 {
        let mut weights = Weights::new(1);
        weights.add(&Occurrences {
            item: 0,
            all,
            in_title,
        });
        let lengths = Lengths {
            title_end: 0,
            occurrences: 1_000,
        };
        weights.rank(0, lengths)
    }

    #[test]
    fn more_occurrences_rank_higher_up_to_a_limit() {
        assert!(rank(1, 0) < rank(2, 0));
        assert!(rank(2, 0) < rank(2, 1));
        assert!(rank(2, 1) < rank(2, 2));
        assert_eq!(rank(255, 255), rank(100_000, 50_000));
        assert!(rank(100_000, 100_000) < 0.1);
    }
}
