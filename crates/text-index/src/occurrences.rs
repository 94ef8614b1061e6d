//! Finds the items that contain a word, the words with a prefix, or a phrase.

use std::ops::Range;

use crate::{
    Alternative,
    segment::{Positions, Postings, Segment},
};

/// How often an alternative occurs in an item, at least once.
pub(crate) struct Occurrences {
    /// The item's number in its segment.
    pub(crate) item: usize,
    /// All occurrences.
    pub(crate) all: usize,
    /// Those that start in the title.
    pub(crate) in_title: usize,
}

/// Calls `found` with each item that contains an alternative: for a prefix, once per word that it stands for.
#[inline]
pub(crate) fn visit(
    segment: &Segment,
    alternative: &Alternative,
    mut found: impl FnMut(Occurrences),
) {
    let words = words_of(segment, alternative);
    let mut occurrences = |item: u32, all: usize, positions: &mut dyn Iterator<Item = u32>| {
        let item = item as usize;
        let title_end = segment.lengths[item].title_end;
        found(Occurrences {
            item,
            all,
            in_title: positions
                .take_while(|position| *position < title_end)
                .count(),
        });
    };
    match &words[..] {
        [] => {}
        [word] => {
            for (item, positions) in word.clone().flat_map(|word| segment.postings(word)) {
                occurrences(item, positions.count(), &mut positions.iter());
            }
        }
        _ => {
            let starts = phrase(segment, words);
            for of_item in starts.chunk_by(|one, next| one.0 == next.0) {
                let mut positions = of_item.iter().map(|(_, position)| *position);
                occurrences(of_item[0].0, of_item.len(), &mut positions);
            }
        }
    }
}

/// For each word of an alternative, the numbers of the words that it stands for. Empty if a word does not occur.
fn words_of(segment: &Segment, alternative: &Alternative) -> Vec<Range<usize>> {
    let mut words = Vec::with_capacity(alternative.words.len());
    for (number, word) in alternative.words.iter().enumerate() {
        let is_prefix = alternative.is_prefix && number + 1 == alternative.words.len();
        let range = match is_prefix {
            true => segment.words.with_prefix(word),
            false => segment.words.range_of(word),
        };
        if range.is_empty() {
            return Vec::new();
        }
        words.push(range);
    }
    words
}

/// An item and a position in it where a phrase starts, or may start.
type Start = (u32, u32);

/// Where the words follow each other, ascending.
fn phrase(segment: &Segment, words: Vec<Range<usize>>) -> Vec<Start> {
    let mut words: Vec<(Range<usize>, u32)> = words.into_iter().zip(0..).collect();
    // The rarest word first: the others are only read in the items that contain it.
    words.sort_by_key(|(word, _)| segment.start(word.end) - segment.start(word.start));
    let mut starts: Option<Vec<Start>> = None;
    for (word, offset) in words {
        let is_prefix = word.len() > 1;
        let mut found = Vec::new();
        for postings in word.map(|word| segment.postings(word)) {
            match &starts {
                None => found.extend(
                    postings.flat_map(|(item, positions)| starts_of(item, positions, offset)),
                ),
                Some(starts) => narrow(starts, postings, offset, &mut found),
            }
        }
        if is_prefix {
            found.sort_unstable();
            found.dedup();
        }
        starts = Some(found);
    }
    starts.unwrap_or_default()
}

/// Where a phrase may start, if its word number `offset` is at these positions.
fn starts_of(item: u32, positions: Positions<'_>, offset: u32) -> impl Iterator<Item = Start> {
    let starts = positions
        .iter()
        .filter_map(move |position| position.checked_sub(offset));
    starts.map(move |start| (item, start))
}

/// Appends those of `starts` that are also where a phrase may start, if its word number `offset` has these postings.
fn narrow(mut starts: &[Start], postings: Postings<'_>, offset: u32, found: &mut Vec<Start>) {
    for (item, positions) in postings {
        starts = skip_to(starts, (item, 0));
        let Some(first) = starts.first() else { return };
        if first.0 != item {
            continue;
        }
        for start in starts_of(item, positions, offset) {
            starts = skip_to(starts, start);
            if starts.first() == Some(&start) {
                found.push(start);
            }
        }
    }
}

/// The sorted list from the first element that is not less than `start`. Doubles its steps, so that a near one is found as fast
/// as a far one.
fn skip_to(starts: &[Start], start: Start) -> &[Start] {
    let mut step = 1;
    while starts.get(step).is_some_and(|one| *one < start) {
        step *= 2;
    }
    let (low, high) = (step / 2, step.min(starts.len()));
    let skipped = low + starts[low..high].partition_point(|one| *one < start);
    &starts[skipped..]
}
