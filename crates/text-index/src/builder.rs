//! Makes segments: from the words of items, and from other segments.

use std::collections::HashMap;

use crate::{
    segment::{Lengths, PostingsWriter, Segment},
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
    /// Each item's key, its number in the order of insertion, and its lengths.
    items: Vec<(u128, u32, Lengths)>,
    words: HashMap<Box<str>, u32>,
    occurrences: Vec<Occurrence>,
}

impl Builder {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds an item that the builder does not have yet.
    pub(crate) fn add<'w>(
        &mut self,
        key: u128,
        title_end: u32,
        words: impl Iterator<Item = (&'w str, u32)>,
    ) {
        let item = as_u32(self.items.len());
        let before = self.occurrences.len();
        for (word, position) in words {
            let word = self.number_of(word);
            self.occurrences.push(Occurrence {
                word,
                item,
                position,
            });
        }
        let lengths = Lengths {
            title_end,
            occurrences: as_u32(self.occurrences.len() - before),
        };
        self.items.push((key, item, lengths));
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
        self.items.sort_unstable_by_key(|(key, ..)| *key);
        let mut new_number = vec![0; self.items.len()];
        for (number, (key, item, lengths)) in self.items.iter().enumerate() {
            segment.keys.push(*key);
            segment.lengths.push(*lengths);
            new_number[*item as usize] = as_u32(number);
        }
        let mut words: Vec<(Box<str>, u32)> = self.words.into_iter().collect();
        words.sort_unstable();
        let mut rank = vec![0; words.len()];
        for (at, (_, number)) in words.iter().enumerate() {
            rank[*number as usize] = as_u32(at);
        }
        for occurrence in &mut self.occurrences {
            occurrence.word = rank[occurrence.word as usize];
            occurrence.item = new_number[occurrence.item as usize];
        }
        self.occurrences.sort_unstable();
        self.occurrences.dedup();
        for of_word in self.occurrences.chunk_by(|one, next| one.word == next.word) {
            let mut postings = PostingsWriter::new(&mut segment.postings);
            for of_item in of_word.chunk_by(|one, next| one.item == next.item) {
                let positions = of_item.iter().map(|occurrence| occurrence.position);
                postings.push(of_item[0].item, positions);
            }
            segment.end_word(&words[of_word[0].word as usize].0);
        }
        segment.shrink();
        segment
    }
}

/// Merges segments into one, without the items for which `is_live` is false. It takes the number of the segment and of the item.
/// An item must be live in one segment at most.
pub(crate) fn merge(segments: &[&Segment], is_live: impl Fn(usize, usize) -> bool) -> Segment {
    let mut merged = Segment::default();
    let new_numbers = merge_items(segments, is_live, &mut merged);
    let mut at = vec![0; segments.len()];
    loop {
        let next = segments.iter().zip(&at);
        let next = next.filter_map(|(segment, at)| {
            (*at < segment.words.len()).then(|| segment.words.get(*at))
        });
        let Some(word) = next.min() else { break };
        let mut items = Vec::new();
        for (number, segment) in segments.iter().enumerate() {
            if at[number] < segment.words.len() && segment.words.get(at[number]) == word {
                let postings = segment.postings(at[number]);
                items.extend(postings.filter_map(|(item, positions)| {
                    Some((new_numbers[number][item as usize]?, positions))
                }));
                at[number] += 1;
            }
        }
        items.sort_unstable_by_key(|(item, _)| *item);
        let mut postings = PostingsWriter::new(&mut merged.postings);
        for (item, positions) in items {
            postings.copy(item, positions);
        }
        merged.end_word(word);
    }
    merged.shrink();
    merged
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
