//! A segment: the words of some items and where they occur. It never changes.

use crate::{
    varint,
    words::{Words, as_u32},
};

/// Longer words are not indexed.
pub(crate) const MAX_WORD_BYTES: usize = 255;

/// Approximate maximum size of a segment, so that offsets and numbers of items fit into 32 bits.
pub(crate) const MAX_BYTES: usize = 1 << 30;

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
    /// For each word, the items that contain it. For each item:
    /// - twice its distance from the previous item, plus one if it has one position,
    /// - if it has several positions: their length in bytes,
    /// - the distance of each position from the one before.
    pub(crate) postings: Vec<u8>,
}

impl Segment {
    pub(crate) fn find(&self, key: u128) -> Option<usize> {
        self.keys.binary_search(&key).ok()
    }

    /// The items that contain a word.
    pub(crate) fn postings(&self, word: usize) -> Postings<'_> {
        Postings {
            rest: &self.postings[self.start(word)..self.start(word + 1)],
            item: 0,
        }
    }

    /// Where the postings of a word start.
    pub(crate) fn start(&self, word: usize) -> usize {
        word.checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize)
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
        if self.start(self.ends.len()) < self.postings.len() {
            self.words.push(word);
            self.ends.push(as_u32(self.postings.len()));
        }
    }

    pub(crate) fn shrink(&mut self) {
        self.keys.shrink_to_fit();
        self.lengths.shrink_to_fit();
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

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let header = varint::take(&mut self.rest)?;
        self.item = self.item.checked_add(header >> 1)?;
        let length = match header & 1 {
            1 => self.rest.iter().position(varint::is_end)? + 1,
            _ => varint::take(&mut self.rest)? as usize,
        };
        let (positions, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some((self.item, Positions(positions)))
    }
}

impl Postings<'_> {
    /// Whether the postings are complete, and name some of the first `items` items in ascending order.
    pub(crate) fn are_valid(mut self, items: u32) -> bool {
        let mut minimum = 0;
        for (item, positions) in self.by_ref() {
            if item < minimum || item >= items || !positions.are_valid() {
                return false;
            }
            minimum = item + 1;
        }
        self.rest.is_empty() && minimum > 0
    }
}

/// Positions of a word in an item, ascending, at least one.
#[derive(Clone, Copy)]
pub(crate) struct Positions<'s>(&'s [u8]);

impl<'s> Positions<'s> {
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = u32> + 's {
        let (mut rest, mut position) = (self.0, 0_u32);
        std::iter::from_fn(move || {
            position = varint::take(&mut rest)?.checked_add(position)?;
            Some(position)
        })
    }

    /// The size of their encoding: at least their number.
    pub(crate) fn bytes(self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn count(self) -> usize {
        self.0.iter().filter(|byte| varint::is_end(byte)).count()
    }

    fn are_valid(self) -> bool {
        let (mut rest, mut previous) = (self.0, None);
        while let Some(distance) = varint::take(&mut rest) {
            let position = previous.unwrap_or(0_u32).checked_add(distance);
            if position.is_none() || position == previous {
                return false;
            }
            previous = position;
        }
        rest.is_empty() && previous.is_some()
    }
}

/// Appends items to the postings of one word, in ascending order.
pub(crate) struct PostingsWriter<'b> {
    bytes: &'b mut Vec<u8>,
    previous_item: u32,
    /// Where [`push`](PostingsWriter::push) encodes positions.
    buffer: &'b mut Vec<u8>,
}

impl<'b> PostingsWriter<'b> {
    /// `buffer` is memory that writers can share.
    pub(crate) fn new(bytes: &'b mut Vec<u8>, buffer: &'b mut Vec<u8>) -> Self {
        PostingsWriter {
            bytes,
            previous_item: 0,
            buffer,
        }
    }

    /// Appends an item and the ascending positions of the word in it.
    pub(crate) fn push(&mut self, item: u32, positions: impl Iterator<Item = u32>) {
        self.buffer.clear();
        let mut previous = 0;
        for position in positions {
            varint::put(self.buffer, position - previous);
            previous = position;
        }
        write(
            self.bytes,
            item - self.previous_item,
            Positions(self.buffer),
        );
        self.previous_item = item;
    }

    /// Appends an item with positions of another segment.
    pub(crate) fn copy(&mut self, item: u32, positions: Positions<'_>) {
        write(self.bytes, item - self.previous_item, positions);
        self.previous_item = item;
    }
}

fn write(bytes: &mut Vec<u8>, distance: u32, positions: Positions<'_>) {
    let is_single = positions.count() == 1;
    varint::put(bytes, distance << 1 | u32::from(is_single));
    if !is_single {
        varint::put(bytes, as_u32(positions.0.len()));
    }
    bytes.extend_from_slice(positions.0);
}
