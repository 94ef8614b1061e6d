//! Compares an index with a model that keeps the words of each item in a list and evaluates queries by their definition.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use text_index::{Additions, Alternative, Encode, Hit, Index, Level, Query, Term};

/// Prefixes of each other, so that prefixes have several words.
const WORDS: [&str; 9] = ["a", "ab", "aba", "abb", "b", "ba", "bab", "é", "éa"];

#[derive(Debug, Clone, Copy, PartialEq)]
struct Attributes(u8);

impl Encode for Attributes {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.0);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        Some(Attributes(*byte))
    }
}

#[derive(Debug, Clone)]
struct Item {
    attributes: Attributes,
    title_end: u32,
    words: Vec<(&'static str, u32)>,
}

#[derive(Debug, Clone)]
enum Step {
    Add(Vec<(u128, Item)>),
    Remove(u128),
    SetAttributes(u128, Attributes),
    Search(Query, Attributes),
    Store,
}

impl Item {
    /// The positions of each sequence of words that an alternative stands for.
    fn positions(&self, alternative: &Alternative) -> Vec<BTreeSet<u32>> {
        let Some((last, before)) = alternative.words.split_last() else {
            return vec![];
        };
        let is_last =
            |word: &str| word == last || (alternative.is_prefix && word.starts_with(last.as_str()));
        let mut positions = BTreeMap::<&str, BTreeSet<u32>>::new();
        for (word, position) in self.words.iter().filter(|(word, _)| is_last(word)) {
            let Some(start) = position.checked_sub(before.len() as u32) else {
                continue;
            };
            let is_match = before
                .iter()
                .zip(start..)
                .all(|(word, position)| self.words.contains(&(word.as_str(), position)));
            if is_match {
                // A word of a prefix counts by itself, but phrases with the same start are one occurrence.
                let group = if before.is_empty() { word } else { "" };
                positions.entry(group).or_default().insert(start);
            }
        }
        positions.into_values().collect()
    }

    /// The best level of the alternatives that occur, and of those that occur in the title.
    fn levels(&self, term: &Term) -> (Option<Level>, Option<Level>) {
        let best = |limit: u32| {
            let matching = term.alternatives.iter().filter(|alternative| {
                let positions = self.positions(alternative);
                positions.iter().flatten().any(|position| *position < limit)
            });
            matching.map(|alternative| alternative.level).max()
        };
        (best(u32::MAX), best(self.title_end))
    }

    fn class(&self, branch: &[Term]) -> Option<u8> {
        let levels = branch.iter().map(|term| self.levels(term));
        let (anywhere, title) =
            levels.reduce(|one, other| (one.0.min(other.0), one.1.min(other.1)))?;
        let in_title = match title {
            Some(Level::Literal) => 7,
            Some(Level::SameStem) => 6,
            Some(Level::Similar) => 3,
            Some(Level::Misspelled) => 1,
            None => 0,
        };
        Some(in_title.max(match anywhere? {
            Level::Literal => 5,
            Level::SameStem => 4,
            Level::Similar => 2,
            Level::Misspelled => 0,
        }))
    }

    /// `ts_rank` of PostgreSQL with the weights 1 and 0.1 and the normalizations 1 and 32.
    fn rank(&self, query: &Query) -> f64 {
        let alternatives = query
            .branches
            .iter()
            .flatten()
            .flat_map(|term| &term.alternatives);
        let counted = alternatives.filter(|alternative| alternative.is_counted);
        let counted: BTreeMap<_, _> = counted
            .map(|alternative| ((&alternative.words, alternative.is_prefix), alternative))
            .collect();
        let mut rank = 0.0;
        for positions in counted
            .values()
            .flat_map(|alternative| self.positions(alternative))
        {
            let weight = |position: u32| if position < self.title_end { 1.0 } else { 0.1 };
            let numbered = || {
                (1_u32..)
                    .map(|number| f64::from(number * number))
                    .zip(&positions)
            };
            let sum: f64 = numbered()
                .map(|(square, position)| weight(*position) / square)
                .sum();
            let best = numbered().map(|(square, position)| (weight(*position), square));
            let (best, square) = best.fold(
                (0.0, 1.0),
                |best, next| if next.0 > best.0 { next } else { best },
            );
            rank += (best + sum - best / square) / 1.644_934_066_848_226_4;
        }
        let occurrences: BTreeSet<_> = self.words.iter().collect();
        let length = (occurrences.len() as f64 + 1.0).log2().max(1.0);
        let rank = rank / counted.len().max(1) as f64 / length;
        rank / (rank + 1.0)
    }

    fn hit(&self, key: u128, query: &Query) -> Option<Hit<Attributes>> {
        let classes = query
            .branches
            .iter()
            .filter_map(|branch| self.class(branch));
        let class = classes.max()?;
        let is_excluded = query
            .excluded
            .iter()
            .any(|term| self.levels(term).0.is_some());
        (!is_excluded).then(|| Hit {
            key,
            attributes: self.attributes,
            class,
            rank: self.rank(query),
        })
    }
}

fn item() -> impl Strategy<Value = Item> {
    // Distances of 0 put words at the same position, and distances above 1 leave gaps.
    let distances = prop_oneof![1 => Just(0_u32), 8 => Just(1), 1 => Just(100)];
    let words = vec((prop::sample::select(&WORDS[..]), distances), 0..14);
    (any::<u8>(), 0_u32..6, words).prop_map(|(attributes, title_end, words)| {
        let mut position = 0;
        let words = words.into_iter().map(|(word, distance)| {
            position += distance;
            (word, position)
        });
        Item {
            attributes: Attributes(attributes),
            title_end,
            words: words.collect(),
        }
    })
}

fn alternative() -> impl Strategy<Value = Alternative> {
    const LEVELS: [Level; 4] = [
        Level::Misspelled,
        Level::Similar,
        Level::SameStem,
        Level::Literal,
    ];
    let length = prop_oneof![4 => Just(1_usize), 3 => Just(2), 1 => Just(3), 1 => Just(4)];
    let words = length.prop_flat_map(|length| {
        vec(
            prop::sample::select(&["a", "ab", "b", "ba", "é", "z"][..]),
            length,
        )
    });
    let flags = (any::<bool>(), any::<bool>());
    (words, flags, prop::sample::select(&LEVELS[..])).prop_map(|(words, flags, level)| {
        Alternative {
            words: words.into_iter().map(str::to_owned).collect(),
            is_prefix: flags.0,
            level,
            is_counted: flags.1,
        }
    })
}

fn query() -> impl Strategy<Value = Query> {
    let term = || vec(alternative(), 0..4).prop_map(|alternatives| Term { alternatives });
    let branches = vec(vec(term(), 0..4), 0..3);
    (branches, vec(term(), 0..2)).prop_map(|(branches, excluded)| Query { branches, excluded })
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0_u128..20;
    let attributes = || any::<u8>().prop_map(Attributes);
    prop_oneof![
        4 => vec((key(), item()), 0..5).prop_map(Step::Add),
        2 => key().prop_map(Step::Remove),
        1 => (key(), attributes()).prop_map(|(key, new)| Step::SetAttributes(key, new)),
        5 => (query(), attributes()).prop_map(|(query, least)| Step::Search(query, least)),
        1 => Just(Step::Store),
    ]
}

fn sorted(mut hits: Vec<Hit<Attributes>>) -> Vec<Hit<Attributes>> {
    hits.sort_by_key(|hit| hit.key);
    hits
}

/// Takes a step in the index and in the model, and compares what they return.
fn take(step: Step, index: &mut Index<Attributes>, model: &mut BTreeMap<u128, Item>) {
    match step {
        Step::Add(items) => {
            let mut additions = Additions::default();
            for (key, item) in items {
                additions.add(
                    key,
                    item.attributes,
                    item.title_end,
                    item.words.iter().copied(),
                );
                model.insert(key, item);
            }
            index.add(additions);
        }
        Step::Remove(key) => assert_eq!(index.remove(key), model.remove(&key).is_some()),
        Step::SetAttributes(key, attributes) => {
            let item = model.get_mut(&key);
            assert_eq!(index.set_attributes(key, attributes), item.is_some());
            if let Some(item) = item {
                item.attributes = attributes;
            }
        }
        Step::Search(query, least) => {
            let is_wanted = |attributes: &Attributes| attributes.0 >= least.0 / 2;
            let expected = model
                .iter()
                .filter_map(|(key, item)| item.hit(*key, &query));
            let expected: Vec<_> = expected.filter(|hit| is_wanted(&hit.attributes)).collect();
            let hits = sorted(index.search(&query, is_wanted));
            assert_eq!(
                hits.len(),
                expected.len(),
                "{query:?}: {hits:?}, not {expected:?}"
            );
            for (hit, expected) in hits.iter().zip(&expected) {
                let is_near = (hit.rank - expected.rank).abs() < 1e-9;
                let expected = Hit {
                    rank: hit.rank,
                    ..*expected
                };
                assert!(
                    is_near && *hit == expected,
                    "{query:?}: {hit:?}, not {expected:?}"
                );
            }
        }
        Step::Store => {
            let bytes = index.to_bytes();
            *index = Index::from_bytes(&bytes).expect("the bytes of an index");
            assert_eq!(index.to_bytes(), bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_index_returns_what_the_definition_of_a_query_says(steps in vec(step(), 1..40)) {
        let (mut index, mut model) = (Index::default(), BTreeMap::new());
        for step in steps {
            let shared = index.clone();
            let before = shared.to_bytes();
            take(step, &mut index, &mut model);
            prop_assert_eq!(shared.to_bytes(), before, "a clone changed");
            let items: BTreeMap<u128, Attributes> = index.items().map(|(key, one)| (key, *one)).collect();
            let expected = model.iter().map(|(key, item)| (*key, item.attributes));
            prop_assert_eq!(items, expected.collect());
            for key in 0..20 {
                prop_assert_eq!(index.attributes(key), model.get(&key).map(|item| &item.attributes));
            }
            let words: BTreeSet<&str> = index.words().collect();
            let expected = model.values().flat_map(|item| &item.words);
            prop_assert!(expected.into_iter().all(|(word, _)| words.contains(word)));
        }
    }
}
