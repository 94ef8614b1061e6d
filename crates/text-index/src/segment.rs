//! A segment: the words of some items and where they occur. It never changes.

use crate::{
    varint,
    words::{Words, as_u32},
};

/// How long an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lengths {
    /// Positions below this are in the title.
    pub(crate) title_end: u32,
    /// The number of all occurrences of words.
    pub(crate) occurrences: u32,
}

/// The words of some items, each with its positions in each item. An item is identified by its number within the segment.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Segment {
    /// The items' keys, ascending.
    pub(crate) keys: Vec<u128>,
    /// One per item.
    pub(crate) lengths: Vec<Lengths>,
    pub(crate) words: Words,
    /// The end of each word's postings in `postings`.
    pub(crate) ends: Vec<u32>,
    /// For each word and each item that contains it: the distance from the previous item's number, the number of positions,
    /// and the distance of each position from the one before.
    pub(crate) postings: Vec<u8>,
}

impl Segment {
    pub(crate) fn find(&self, key: u128) -> Option<usize> {
        self.keys.binary_search(&key).ok()
    }

    /// The items that contain a word.
    pub(crate) fn postings(&self, word: usize) -> Postings<'_> {
        let start = word.checked_sub(1).map_or(0, |before| self.ends[before]);
        Postings {
            rest: &self.postings[start as usize..self.ends[word] as usize],
            item: 0,
        }
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<u128>()
            + self.lengths.capacity() * size_of::<Lengths>()
            + self.words.bytes()
            + self.ends.capacity() * size_of::<u32>()
            + self.postings.capacity()
    }

    /// Ends the postings of the next word. Does nothing if the word has none.
    pub(crate) fn end_word(&mut self, word: &str) {
        let end = as_u32(self.postings.len());
        if self.ends.last().map_or(0, |before| *before) < end {
            self.words.push(word);
            self.ends.push(end);
        }
    }

    pub(crate) fn shrink(&mut self) {
        self.words.shrink();
        self.ends.shrink_to_fit();
        self.postings.shrink_to_fit();
    }
}

/// The items that contain a word, in ascending order.
#[derive(Clone)]
pub(crate) struct Postings<'s> {
    rest: &'s [u8],
    item: u32,
}

impl<'s> Iterator for Postings<'s> {
    type Item = (u32, Positions<'s>);

    fn next(&mut self) -> Option<Self::Item> {
        self.item = self.item.checked_add(varint::take(&mut self.rest)?)?;
        let count = varint::take(&mut self.rest)?;
        let start = self.rest;
        for _ in 0..count {
            varint::take(&mut self.rest)?;
        }
        let encoded = &start[..start.len() - self.rest.len()];
        Some((self.item, Positions { count, encoded }))
    }
}

/// Positions of a word in an item, ascending.
#[derive(Clone, Copy)]
pub(crate) struct Positions<'s> {
    count: u32,
    encoded: &'s [u8],
}

impl<'s> Positions<'s> {
    pub(crate) fn iter(self) -> impl Iterator<Item = u32> + 's {
        let (mut rest, mut position) = (self.encoded, 0_u32);
        std::iter::from_fn(move || {
            position = varint::take(&mut rest)?.checked_add(position)?;
            Some(position)
        })
    }
}

/// Appends items to the postings of one word, in ascending order.
pub(crate) struct PostingsWriter<'b> {
    bytes: &'b mut Vec<u8>,
    previous_item: u32,
}

impl<'b> PostingsWriter<'b> {
    pub(crate) fn new(bytes: &'b mut Vec<u8>) -> Self {
        PostingsWriter {
            bytes,
            previous_item: 0,
        }
    }

    /// Appends an item and the ascending positions of the word in it.
    pub(crate) fn push(&mut self, item: u32, positions: impl ExactSizeIterator<Item = u32>) {
        self.start(item, as_u32(positions.len()));
        let mut previous = 0;
        for position in positions {
            varint::put(self.bytes, position - previous);
            previous = position;
        }
    }

    /// Appends an item with positions of another segment.
    pub(crate) fn copy(&mut self, item: u32, positions: Positions<'_>) {
        self.start(item, positions.count);
        self.bytes.extend_from_slice(positions.encoded);
    }

    fn start(&mut self, item: u32, count: u32) {
        varint::put(self.bytes, item - self.previous_item);
        varint::put(self.bytes, count);
        self.previous_item = item;
    }
}
