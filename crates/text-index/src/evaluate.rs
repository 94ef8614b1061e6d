//! Finds the items of a segment that match a query, and ranks them.

use std::collections::{BTreeMap, HashSet};

use crate::{
    Alternative, Query, Term,
    segment::{Lengths, Positions, Segment},
};

/// A match of a whole query in an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Match {
    /// The item's number in its segment.
    pub(crate) item: usize,
    /// How well the words match, and whether they are in the title (0–7).
    pub(crate) class: u8,
    /// How often the words occur, and how much of the item they are (0–1).
    pub(crate) rank: f64,
}

/// How well a term matches in an item: 0 if not at all, otherwise one more than the number of the level.
#[derive(Clone, Copy, Default)]
struct Levels {
    anywhere: u8,
    title: u8,
}

impl Levels {
    fn min(self, other: Levels) -> Levels {
        Levels {
            anywhere: self.anywhere.min(other.anywhere),
            title: self.title.min(other.title),
        }
    }

    fn max(self, other: Levels) -> Levels {
        Levels {
            anywhere: self.anywhere.max(other.anywhere),
            title: self.title.max(other.title),
        }
    }

    /// The class of a match: words as typed or with the same stem rank above other words, and the title above the text.
    fn class(self) -> u8 {
        match (self.title, self.anywhere) {
            (4, _) => 7,
            (3, _) => 6,
            (_, 4) => 5,
            (_, 3) => 4,
            (2, _) => 3,
            (_, 2) => 2,
            (1, _) => 1,
            _ => 0,
        }
    }
}

/// The items of a segment that match a query.
pub(crate) fn matches(segment: &Segment, query: &Query) -> Vec<Match> {
    let count = segment.keys.len();
    let mut levels = vec![Levels::default(); count];
    let mut weights = Weights::new(count, query);
    for branch in &query.branches {
        let of_terms = branch
            .iter()
            .map(|term| levels_of(segment, term, Some(&mut weights)));
        let Some(of_branch) = of_terms.reduce(|all, term| combined(all, &term, Levels::min)) else {
            continue;
        };
        levels = combined(levels, &of_branch, Levels::max);
    }
    for term in &query.excluded {
        for (levels, excluded) in levels.iter_mut().zip(levels_of(segment, term, None)) {
            if excluded.anywhere > 0 {
                *levels = Levels::default();
            }
        }
    }
    let matching = levels
        .iter()
        .enumerate()
        .filter(|(_, levels)| levels.anywhere > 0);
    let matches = matching.map(|(item, levels)| Match {
        item,
        class: levels.class(),
        rank: weights.rank(item, segment.lengths[item]),
    });
    matches.collect()
}

fn combined(
    mut all: Vec<Levels>,
    other: &[Levels],
    combine: impl Fn(Levels, Levels) -> Levels,
) -> Vec<Levels> {
    for (one, other) in all.iter_mut().zip(other) {
        *one = combine(*one, *other);
    }
    all
}

/// How well a term matches in each item.
fn levels_of(segment: &Segment, term: &Term, mut weights: Option<&mut Weights>) -> Vec<Levels> {
    let mut levels = vec![Levels::default(); segment.keys.len()];
    for alternative in &term.alternatives {
        let level = alternative.level as u8 + 1;
        let counted = weights.as_deref_mut().filter(|_| alternative.is_counted);
        visit(segment, alternative, counted, |item, first_position| {
            let in_title = first_position < segment.lengths[item].title_end;
            let title = if in_title { level } else { 0 };
            levels[item] = levels[item].max(Levels {
                anywhere: level,
                title,
            });
        });
    }
    levels
}

/// Calls `found` with each item that contains an alternative, and its first position. Counts the occurrences.
fn visit(
    segment: &Segment,
    alternative: &Alternative,
    mut weights: Option<&mut Weights>,
    mut found: impl FnMut(usize, u32),
) {
    let words = words_of(segment, alternative);
    let Some((first, rest)) = words.split_first() else {
        return;
    };
    let mut each = |item: u32, positions: &mut dyn Iterator<Item = u32>| {
        let item = item as usize;
        let mut first = None;
        let title_end = segment.lengths[item].title_end;
        let positions = positions.inspect(|position| {
            first.get_or_insert(*position);
        });
        match weights.as_deref_mut() {
            Some(weights) => weights.add(item, title_end, positions),
            None => {
                positions.take(1).for_each(drop);
            }
        }
        if let Some(first) = first {
            found(item, first);
        }
    };
    if rest.is_empty() {
        for word in first.clone() {
            for (item, positions) in segment.postings(word) {
                each(item, &mut positions.iter());
            }
        }
        return;
    }
    for (item, positions) in phrase(segment, &words) {
        each(item, &mut positions.into_iter());
    }
}

/// For each word of an alternative, the numbers of the words that it stands for. Empty if a word does not occur.
fn words_of(segment: &Segment, alternative: &Alternative) -> Vec<std::ops::Range<usize>> {
    let last = alternative.words.len().saturating_sub(1);
    let mut words = Vec::with_capacity(alternative.words.len());
    for (at, word) in alternative.words.iter().enumerate() {
        let range = match at == last && alternative.is_prefix {
            true => segment.words.with_prefix(word),
            false => segment
                .words
                .find(word)
                .map_or(0..0, |number| number..number + 1),
        };
        if range.is_empty() {
            return Vec::new();
        }
        words.push(range);
    }
    words
}

/// The items in which these words follow each other, and where each sequence starts.
fn phrase(segment: &Segment, words: &[std::ops::Range<usize>]) -> BTreeMap<u32, Vec<u32>> {
    let mut starts: Option<BTreeMap<u32, Vec<u32>>> = None;
    for (offset, word) in words.iter().enumerate() {
        let mut found: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (item, positions) in word.clone().flat_map(|word| segment.postings(word)) {
            let before = match &starts {
                None => None,
                Some(starts) => match starts.get(&item) {
                    Some(before) => Some(before),
                    None => continue,
                },
            };
            add_starts(&mut found, item, positions, offset, before);
        }
        for positions in found.values_mut() {
            positions.sort_unstable();
            positions.dedup();
        }
        starts = Some(found);
    }
    starts.unwrap_or_default()
}

/// Adds where a phrase may start, if its word number `offset` is at these positions.
fn add_starts(
    found: &mut BTreeMap<u32, Vec<u32>>,
    item: u32,
    positions: Positions<'_>,
    offset: usize,
    before: Option<&Vec<u32>>,
) {
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    let starts = positions
        .iter()
        .filter_map(|position| position.checked_sub(offset));
    let starts: Vec<u32> = starts
        .filter(|start| before.is_none_or(|before| before.binary_search(start).is_ok()))
        .collect();
    if !starts.is_empty() {
        found.entry(item).or_default().extend(starts);
    }
}

/// The sum of the weights of the counted words in each item, as PostgreSQL's `ts_rank` calculates it: the n-th occurrence of a
/// word counts 1/n², and the best one counts fully.
struct Weights {
    sums: Vec<f64>,
    words: usize,
}

/// The weight of an occurrence in the title, and elsewhere.
const TITLE_WEIGHT: f64 = 1.0;
const TEXT_WEIGHT: f64 = 0.1;
/// The limit of the sum of 1/n².
const LIMIT: f64 = std::f64::consts::PI * std::f64::consts::PI / 6.0;

impl Weights {
    fn new(items: usize, query: &Query) -> Self {
        let alternatives = query
            .branches
            .iter()
            .flatten()
            .flat_map(|term| &term.alternatives);
        let counted: HashSet<&[String]> = alternatives
            .filter(|alternative| alternative.is_counted)
            .map(|alternative| &alternative.words[..])
            .collect();
        Weights {
            sums: vec![0.0; items],
            words: counted.len(),
        }
    }

    fn add(&mut self, item: usize, title_end: u32, positions: impl Iterator<Item = u32>) {
        let (mut sum, mut best, mut best_share) = (0.0, 0.0, 0.0);
        for (position, number) in positions.zip(1_u32..) {
            let weight = if position < title_end {
                TITLE_WEIGHT
            } else {
                TEXT_WEIGHT
            };
            let share = weight / (f64::from(number) * f64::from(number));
            sum += share;
            if weight > best {
                (best, best_share) = (weight, share);
            }
        }
        self.sums[item] += (best + sum - best_share) / LIMIT;
    }

    /// The rank of an item: long items, and many words in the query, lower it. Below 1.
    fn rank(&self, item: usize, lengths: Lengths) -> f64 {
        let words = f64::from(u32::try_from(self.words.max(1)).unwrap_or(u32::MAX));
        let length = f64::from(lengths.occurrences) + 1.0;
        let rank = self.sums[item] / words / length.log2().max(1.0);
        rank / (rank + 1.0)
    }
}
