//! A sorted list of different words in one allocation.

use std::ops::Range;

/// The words, in ascending order of their bytes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Words {
    text: String,
    /// The end of each word in `text`.
    ends: Vec<u32>,
}

impl Words {
    /// Appends a word that is greater than all others.
    pub(crate) fn push(&mut self, word: &str) {
        self.text.push_str(word);
        self.ends.push(as_u32(self.text.len()));
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, number: usize) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[number] as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// The number of a word, as a range. Empty if there is no such word.
    pub(crate) fn range_of(&self, word: &str) -> Range<usize> {
        let number = self.first_at_least(word);
        let is_found = number < self.len() && self.get(number) == word;
        number..number + usize::from(is_found)
    }

    /// The numbers of the words that start with a prefix.
    pub(crate) fn with_prefix(&self, prefix: &str) -> Range<usize> {
        let start = self.first_at_least(prefix);
        let end = partition(start..self.len(), |number| {
            self.get(number).starts_with(prefix)
        });
        start..end
    }

    fn first_at_least(&self, word: &str) -> usize {
        partition(0..self.len(), |number| self.get(number) < word)
    }

    /// The length of all words, in bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// The memory that the words take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// The first number of a range that does not satisfy a condition, if the numbers that do come first.
fn partition(range: Range<usize>, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low.midpoint(high);
        match is_before(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

/// A length or number within a segment. [`MAX_BYTES`](crate::segment::MAX_BYTES) keeps them below 2³².
pub(crate) fn as_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(all: &[&str]) -> Words {
        let mut words = Words::default();
        all.iter().for_each(|word| words.push(word));
        words
    }

    #[test]
    fn words_are_found_by_text_and_by_prefix() {
        let words = words(&["a", "ab", "abc", "b", "é"]);
        assert_eq!(words.range_of("ab"), 1..2);
        assert!(words.range_of("abcd").is_empty());
        assert!(words.range_of("").is_empty());
        assert!(words.range_of("z").is_empty());
        assert_eq!(words.with_prefix("ab"), 1..3);
        assert_eq!(words.with_prefix("é"), 4..5);
        assert_eq!(words.with_prefix(""), 0..5);
        assert!(words.with_prefix("c").is_empty());
        assert!(words.with_prefix("z").is_empty());
    }
}
