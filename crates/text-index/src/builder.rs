//! Builds segments from the words of items, and from other segments.

use std::collections::{BTreeMap, HashMap};

use crate::{
    segment::{Lengths, MAX_BYTES, MAX_WORD_BYTES, PostingsWriter, Segment},
    words::as_u32,
};

/// One occurrence of a word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Occurrence {
    word: u32,
    item: u32,
    position: u32,
}

/// Collects the words of items.
#[derive(Default)]
pub(crate) struct Builder {
    /// For each key, the item's number in the order of insertion, and the end of its title.
    items: BTreeMap<u128, (u32, u32)>,
    /// How many items were added, including those that were replaced.
    added: u32,
    words: HashMap<Box<str>, u32>,
    occurrences: Vec<Occurrence>,
    /// The size of the words and occurrences.
    bytes: usize,
}

impl Builder {
    /// Adds an item. If the builder has an item with this key already, replaces it.
    pub(crate) fn add<'w>(
        &mut self,
        key: u128,
        title_end: u32,
        words: impl Iterator<Item = (&'w str, u32)>,
    ) {
        let item = self.added;
        self.added += 1;
        self.items.insert(key, (item, title_end));
        for (word, position) in words {
            if !(1..=MAX_WORD_BYTES).contains(&word.len()) {
                continue;
            }
            self.bytes += word.len() + size_of::<Occurrence>();
            if self.bytes > MAX_BYTES {
                break;
            }
            let word = self.number_of(word);
            self.occurrences.push(Occurrence {
                word,
                item,
                position,
            });
        }
    }

    fn number_of(&mut self, word: &str) -> u32 {
        if let Some(number) = self.words.get(word) {
            return *number;
        }
        let number = as_u32(self.words.len());
        self.words.insert(word.into(), number);
        number
    }

    pub(crate) fn build(mut self) -> Segment {
        let mut segment = Segment::default();
        self.number_items(&mut segment);
        let words = self.number_words();
        self.occurrences.sort_unstable();
        self.occurrences.dedup();
        let mut buffer = Vec::new();
        for of_word in self.occurrences.chunk_by(|one, next| one.word == next.word) {
            let mut postings = PostingsWriter::new(&mut segment.postings, &mut buffer);
            for of_item in of_word.chunk_by(|one, next| one.item == next.item) {
                let positions = of_item.iter().map(|occurrence| occurrence.position);
                postings.push(of_item[0].item, positions);
                segment.lengths[of_item[0].item as usize].occurrences += as_u32(of_item.len());
            }
            segment.end_word(&words[of_word[0].word as usize]);
        }
        segment.shrink();
        segment
    }

    /// Numbers the items in the order of their keys, and drops the occurrences of items that were replaced.
    fn number_items(&mut self, segment: &mut Segment) {
        let mut new_numbers = vec![None; self.added as usize];
        for (key, (item, title_end)) in &self.items {
            new_numbers[*item as usize] = Some(as_u32(segment.keys.len()));
            segment.keys.push(*key);
            segment.lengths.push(Lengths {
                title_end: *title_end,
                occurrences: 0,
            });
        }
        self.occurrences.retain_mut(|occurrence| {
            let number = new_numbers[occurrence.item as usize];
            occurrence.item = number.unwrap_or_default();
            number.is_some()
        });
    }

    /// Numbers the words in their order, and returns them.
    fn number_words(&mut self) -> Vec<Box<str>> {
        let mut words: Vec<(Box<str>, u32)> = self.words.drain().collect();
        words.sort_unstable();
        let mut new_numbers = vec![0; words.len()];
        for (new, (_, old)) in words.iter().enumerate() {
            new_numbers[*old as usize] = as_u32(new);
        }
        for occurrence in &mut self.occurrences {
            occurrence.word = new_numbers[occurrence.word as usize];
        }
        words.into_iter().map(|(word, _)| word).collect()
    }
}

/// Merges segments into one, without the items for which `is_live` is false. `is_live` takes the number of the segment and of the
/// item in it. A key must be live in one segment at most.
pub(crate) fn merge(segments: &[&Segment], is_live: impl Fn(usize, usize) -> bool) -> Segment {
    let mut merged = Segment::default();
    let new_numbers = merge_items(segments, is_live, &mut merged);
    let mut next = vec![0; segments.len()];
    let (mut items, mut buffer) = (Vec::new(), Vec::new());
    while let Some(word) = first_word(segments, &next) {
        for ((segment, next), new_numbers) in segments.iter().zip(&mut next).zip(&new_numbers) {
            if *next < segment.words.len() && segment.words.get(*next) == word {
                let postings = segment.postings(*next);
                items.extend(postings.filter_map(|(item, positions)| {
                    Some((new_numbers[item as usize]?, positions))
                }));
                *next += 1;
            }
        }
        items.sort_unstable_by_key(|(item, _)| *item);
        let mut postings = PostingsWriter::new(&mut merged.postings, &mut buffer);
        for (item, positions) in items.drain(..) {
            postings.copy(item, positions);
        }
        merged.end_word(word);
    }
    merged.shrink();
    merged
}

/// The least of the segments' next words. `None` after the last word.
fn first_word<'s>(segments: &[&'s Segment], next: &[usize]) -> Option<&'s str> {
    let segments = segments.iter().zip(next);
    let remaining = segments.filter(|(segment, next)| **next < segment.words.len());
    remaining
        .map(|(segment, next)| segment.words.get(*next))
        .min()
}

/// Appends the live items in the order of their keys. Returns the new number of each item of each segment.
fn merge_items(
    segments: &[&Segment],
    is_live: impl Fn(usize, usize) -> bool,
    merged: &mut Segment,
) -> Vec<Vec<Option<u32>>> {
    let mut items = Vec::new();
    for (number, segment) in segments.iter().enumerate() {
        let live = (0..segment.keys.len()).filter(|item| is_live(number, *item));
        items.extend(live.map(|item| (segment.keys[item], number, item)));
    }
    items.sort_unstable();
    let mut new_numbers: Vec<Vec<Option<u32>>> = segments
        .iter()
        .map(|segment| vec![None; segment.keys.len()])
        .collect();
    for (key, segment, item) in items {
        new_numbers[segment][item] = Some(as_u32(merged.keys.len()));
        merged.keys.push(key);
        merged.lengths.push(segments[segment].lengths[item]);
    }
    new_numbers
}
