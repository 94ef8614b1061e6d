//! A sorted list of words in three allocations.

use std::{iter, ops::Range};

use super::likeness::letters;

/// Different words in ascending order of their bytes.
#[derive(Debug, Default, Clone)]
pub struct WordList {
    /// All words, one after the other.
    text: String,
    /// The end of each word in `text`, in bytes.
    ends: Vec<u32>,
    /// The [`letters`] of each word.
    letters: Vec<u32>,
}

impl WordList {
    /// A list of ascending words.
    pub(super) fn of<'w>(words: impl Iterator<Item = &'w str>) -> Self {
        let mut list = Self::default();
        words.for_each(|word| list.push(word));
        list
    }

    /// The words of both lists. The lists must have no word in common.
    pub(super) fn merged(one: &Self, other: &Self) -> Self {
        let mut list = Self {
            text: String::with_capacity(one.text.len() + other.text.len()),
            ends: Vec::with_capacity(one.len() + other.len()),
            letters: Vec::with_capacity(one.len() + other.len()),
        };
        merge(one.with_letters(), other.with_letters())
            .for_each(|(word, letters)| list.add(word, letters));
        list
    }

    /// Adds a word, which must come after all others.
    pub(super) fn push(&mut self, word: &str) {
        self.add(word, letters(word));
    }

    fn add(&mut self, word: &str, letters: u32) {
        self.text.push_str(word);
        // The callers limit the text to `MAX_BYTES`.
        self.ends
            .push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        self.letters.push(letters);
    }

    /// The word with this index.
    pub(super) fn get(&self, index: usize) -> &str {
        &self.text[self.range(index)]
    }

    /// Where the word is in [`text`](Self::text).
    pub(super) fn range(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[index] as usize
    }

    /// All words, one after the other.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The index of the first word at or after `from` that ends after this byte of [`text`](Self::text).
    pub(super) fn index_at(&self, byte: usize, from: usize) -> usize {
        from + self.ends[from..].partition_point(|end| *end as usize <= byte)
    }

    /// The [`letters`] of a word.
    pub(super) fn letters(&self, index: usize) -> u32 {
        self.letters[index]
    }

    /// The index of a word.
    pub(super) fn find(&self, word: &str) -> Option<usize> {
        let index = self.partition_point(|other| other < word);
        (index < self.len() && self.get(index) == word).then_some(index)
    }

    /// The indexes of the words that start with `prefix`.
    pub(super) fn starting_with(&self, prefix: &str) -> Range<usize> {
        let start = self.partition_point(|word| word < prefix);
        let end = self.partition_point(|word| word < prefix || word.starts_with(prefix));
        start..end
    }

    /// The index of the first word that is not in the first part of the list.
    fn partition_point(&self, is_in_first_part: impl Fn(&str) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_in_first_part(self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The words.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index))
    }

    fn with_letters(&self) -> impl Iterator<Item = (&str, u32)> {
        self.iter().zip(self.letters.iter().copied())
    }

    /// The number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it contains no words.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The size of its allocations.
    pub(super) fn heap_bytes(&self) -> usize {
        self.text.capacity() + (self.ends.capacity() + self.letters.capacity()) * size_of::<u32>()
    }
}

/// Merges two ascending sequences.
pub(super) fn merge<T: Ord>(
    one: impl Iterator<Item = T>,
    other: impl Iterator<Item = T>,
) -> impl Iterator<Item = T> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(next), Some(of_other)) if of_other < next => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}
