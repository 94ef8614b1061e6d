//! A sorted list of words in three allocations.

use std::{cmp::Ordering, iter};

use super::likeness::letters;

/// Different words in ascending order of their bytes.
#[derive(Debug, Default, Clone)]
pub struct WordList {
    /// All words, one after the other.
    text: String,
    /// Where each word ends in `text`, in bytes.
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

    /// The words of both lists, which have none in common.
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
        &self.text[self.start(index)..self.end(index)]
    }

    pub(super) fn last(&self) -> Option<&str> {
        self.len().checked_sub(1).map(|index| self.get(index))
    }

    /// Where the word starts in [`text`](Self::text).
    pub(super) fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.end(before))
    }

    /// Where the word ends in [`text`](Self::text).
    pub(super) fn end(&self, index: usize) -> usize {
        self.ends[index] as usize
    }

    /// All words, one after the other.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The index of the first word at or after `from` that ends after this byte of [`text`](Self::text).
    pub(super) fn index_at(&self, byte: usize, from: usize) -> usize {
        from + self.ends[from..].partition_point(|end| *end as usize <= byte)
    }

    /// The [`letters`] of each word.
    pub(super) fn letters(&self) -> &[u32] {
        &self.letters
    }

    /// The index of a word, or else the index of the first word after it.
    pub(super) fn find(&self, word: &str) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).cmp(word) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The indexes of the words that start with `prefix`.
    pub(super) fn starting_with(&self, prefix: &str) -> impl Iterator<Item = usize> {
        let (Ok(first) | Err(first)) = self.find(prefix);
        (first..self.len()).take_while(move |index| self.get(*index).starts_with(prefix))
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
