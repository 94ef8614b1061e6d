//! Finds the items that contain a word, the words with a prefix, or a phrase.

use std::ops::Range;

use crate::{
    Alternative,
    segment::{Positions, Segment},
};

/// The work that a search may do in one segment, about a nanosecond per unit. Texts that repeat a few words, and phrases of many
/// such words, could keep it busy for minutes. When the work is used up, the search finds no more.
pub(crate) struct Budget(usize);

/// Looking up a position of a phrase, compared with reading a byte.
const LOOK_UP: usize = 8;

impl Budget {
    pub(crate) fn new() -> Self {
        Budget(64_000_000)
    }

    /// Uses some of it. Returns false, and uses all, if there is not enough.
    fn spend(&mut self, work: usize) -> bool {
        let left = self.0.checked_sub(work);
        self.0 = left.unwrap_or_default();
        left.is_some()
    }
}

/// How often an alternative occurs in an item, at least once.
pub(crate) struct Occurrences {
    /// The item's number in its segment.
    pub(crate) item: usize,
    /// All occurrences.
    pub(crate) all: usize,
    /// Those that start in the title.
    pub(crate) in_title: usize,
}

impl Occurrences {
    fn new(
        segment: &Segment,
        item: u32,
        count: usize,
        positions: impl Iterator<Item = u32>,
    ) -> Self {
        let item = item as usize;
        let title_end = segment.lengths[item].title_end;
        Occurrences {
            item,
            all: count,
            in_title: positions
                .take_while(|position| *position < title_end)
                .count(),
        }
    }
}

/// Calls `found` with each item that contains an alternative. For a prefix, calls it once per word with this prefix.
#[inline]
pub(crate) fn visit(
    segment: &Segment,
    alternative: &Alternative,
    budget: &mut Budget,
    mut found: impl FnMut(Occurrences),
) {
    let words = words_of(segment, alternative);
    match &words[..] {
        [] => {}
        [word] => {
            for (item, positions) in word.clone().flat_map(|word| segment.postings(word)) {
                if !budget.spend(1 + positions.bytes()) {
                    return;
                }
                let count = positions.count();
                found(Occurrences::new(segment, item, count, positions.iter()));
            }
        }
        _ => {
            let starts = phrase(segment, words, budget);
            for of_item in starts.chunk_by(|one, next| one.0 == next.0) {
                let (item, count) = (of_item[0].0, of_item.len());
                let positions = of_item.iter().map(|(_, position)| *position);
                found(Occurrences::new(segment, item, count, positions));
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

/// An item, and a position in it at which a phrase starts or may start.
type Start = (u32, u32);

/// Where the words follow each other, ascending.
fn phrase(segment: &Segment, words: Vec<Range<usize>>, budget: &mut Budget) -> Vec<Start> {
    let mut words: Vec<(Range<usize>, u32)> = words.into_iter().zip(0..).collect();
    // The rarest word comes first. Only items that contain it are searched for the other words.
    words.sort_by_key(|(word, _)| segment.start(word.end) - segment.start(word.start));
    let mut words = words.into_iter();
    let Some((rarest, offset)) = words.next() else {
        return Vec::new();
    };
    let mut starts = Vec::new();
    for (item, positions) in rarest.clone().flat_map(|word| segment.postings(word)) {
        if !budget.spend(1 + LOOK_UP * positions.bytes()) {
            break;
        }
        starts.extend(starts_of(item, positions, offset));
    }
    sort(&mut starts, &rarest);
    for (word, offset) in words {
        starts = narrow(segment, &starts, (word, offset), budget);
    }
    starts
}

/// Those of `starts` where a phrase may start, if its word number `offset` is one of `words`.
fn narrow(
    segment: &Segment,
    starts: &[Start],
    (words, offset): (Range<usize>, u32),
    budget: &mut Budget,
) -> Vec<Start> {
    let mut narrowed = Vec::new();
    if !budget.spend(starts.len() + segment.keys.len()) {
        return narrowed;
    }
    let ends = ends_by_item(starts, segment.keys.len());
    for (item, positions) in words.clone().flat_map(|word| segment.postings(word)) {
        let end = ends[item as usize];
        let start = item
            .checked_sub(1)
            .map_or(0, |before| ends[before as usize]);
        let among = &starts[start..end];
        let look_ups = if among.is_empty() {
            0
        } else {
            positions.bytes()
        };
        if !budget.spend(1 + LOOK_UP * look_ups) {
            break;
        }
        if !among.is_empty() {
            let of_item = starts_of(item, positions, offset);
            narrowed.extend(of_item.filter(|start| among.binary_search(start).is_ok()));
        }
    }
    sort(&mut narrowed, &words);
    narrowed
}

/// For each item, the end of its starts in the list.
fn ends_by_item(starts: &[Start], items: usize) -> Vec<usize> {
    let mut ends = vec![0; items];
    for (item, _) in starts {
        ends[*item as usize] += 1;
    }
    let mut sum = 0;
    for end in &mut ends {
        sum += *end;
        *end = sum;
    }
    ends
}

/// The positions at which a phrase may start, if its word number `offset` is at these positions.
fn starts_of(item: u32, positions: Positions<'_>, offset: u32) -> impl Iterator<Item = Start> {
    let starts = positions
        .iter()
        .filter_map(move |position| position.checked_sub(offset));
    starts.map(move |start| (item, start))
}

/// Sorts the starts of several words. Those of one word are ascending already.
fn sort(starts: &mut Vec<Start>, words: &Range<usize>) {
    if words.len() > 1 {
        starts.sort_unstable();
        starts.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Level, builder::Builder};

    const ITEMS: usize = 2;
    const LENGTH: usize = 1_000;

    /// Searches items that only repeat one word for a phrase of this word, `words` times. Returns the number of items found, and the
    /// work that this took.
    fn search(words: usize, budget: usize) -> (usize, usize) {
        let mut builder = Builder::default();
        for key in 0..ITEMS {
            let positions = 0..u32::try_from(LENGTH).expect("a small number");
            builder.add(key as u128, 0, positions.map(|position| ("a", position)));
        }
        let phrase = Alternative {
            words: vec!["a".to_owned(); words],
            is_prefix: false,
            level: Level::Literal,
            is_counted: true,
        };
        let (mut left, mut found) = (Budget(budget), 0);
        visit(&builder.build(), &phrase, &mut left, |_| found += 1);
        (found, budget - left.0)
    }

    #[test]
    fn the_work_for_a_phrase_counts_every_position_of_every_word() {
        for words in [2, 10, 500] {
            let (found, work) = search(words, usize::MAX);
            let look_ups = words * ITEMS * LENGTH * LOOK_UP;
            assert_eq!(found, ITEMS);
            assert!((look_ups..2 * look_ups).contains(&work), "{words}: {work}");
        }
    }

    #[test]
    fn a_search_ends_when_its_work_is_used_up() {
        let (_, work) = search(10, usize::MAX);
        assert_eq!(search(10, work), (ITEMS, work));
        assert_eq!(search(10, work - 1), (ITEMS - 1, work - 1));
        assert_eq!(search(500, work), (0, work));
    }
}
