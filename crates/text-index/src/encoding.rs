//! Segments as bytes, to be stored.

use std::sync::Arc;

use crate::{
    Index,
    index::Part,
    segment::{Lengths, Segment},
    varint::{put, take},
    words::as_u32,
};

/// The version of the encoding, and of the rules by which its words were made.
const VERSION: u8 = 1;

/// The bytes are no index of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an index, or one of another version")]
pub struct InvalidIndex;

/// Attributes that can be stored.
pub trait Encode: Sized {
    /// Appends the attributes.
    fn encode(&self, bytes: &mut Vec<u8>);
    /// Removes attributes from the start of the bytes. `None` if they are invalid.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
}

impl<A: Clone + Encode> Index<A> {
    /// The index as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        put(&mut bytes, as_u32(self.parts.len()));
        for part in &self.parts {
            put_segment(&mut bytes, &part.segment);
            for attributes in part.attributes.iter() {
                bytes.push(u8::from(attributes.is_some()));
                if let Some(attributes) = attributes {
                    attributes.encode(&mut bytes);
                }
            }
        }
        bytes
    }

    /// Reads what [`Index::to_bytes`] returned.
    ///
    /// # Errors
    /// If the bytes are invalid, or another version wrote them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidIndex> {
        let mut rest = bytes.strip_prefix(&[VERSION]).ok_or(InvalidIndex)?;
        let index = take_index(&mut rest).ok_or(InvalidIndex)?;
        rest.is_empty().then_some(index).ok_or(InvalidIndex)
    }
}

fn take_index<A: Encode>(bytes: &mut &[u8]) -> Option<Index<A>> {
    let mut parts = Vec::new();
    for _ in 0..take(bytes)? {
        let segment = take_segment(bytes)?;
        let mut attributes = Vec::with_capacity(segment.keys.len());
        for _ in &segment.keys {
            let (is_some, rest) = bytes.split_first()?;
            *bytes = rest;
            attributes.push(if *is_some == 1 {
                Some(A::decode(bytes)?)
            } else {
                None
            });
        }
        parts.push(Part {
            segment: Arc::new(segment),
            attributes: Arc::new(attributes),
        });
    }
    Some(Index { parts })
}

fn put_segment(bytes: &mut Vec<u8>, segment: &Segment) {
    put(bytes, as_u32(segment.keys.len()));
    for (key, lengths) in segment.keys.iter().zip(&segment.lengths) {
        bytes.extend(key.to_be_bytes());
        put(bytes, lengths.title_end);
        put(bytes, lengths.occurrences);
    }
    put(bytes, as_u32(segment.words.len()));
    let (mut before, mut start) = ("", 0);
    for (word, end) in segment.words.iter().zip(&segment.ends) {
        let shared = shared_start(before, word);
        put(bytes, as_u32(shared));
        put(bytes, as_u32(word.len() - shared));
        bytes.extend(&word.as_bytes()[shared..]);
        put(bytes, end - start);
        (before, start) = (word, *end);
    }
    bytes.extend(&segment.postings);
}

fn take_segment(bytes: &mut &[u8]) -> Option<Segment> {
    let mut segment = Segment::default();
    for _ in 0..take(bytes)? {
        let key = take_bytes(bytes, 16)?;
        segment.keys.push(u128::from_be_bytes(key.try_into().ok()?));
        segment.lengths.push(Lengths {
            title_end: take(bytes)?,
            occurrences: take(bytes)?,
        });
    }
    let (mut word, mut end) = (Vec::new(), 0_u32);
    for _ in 0..take(bytes)? {
        word.truncate(take(bytes)? as usize);
        let length = take(bytes)? as usize;
        word.extend(take_bytes(bytes, length)?);
        end = end.checked_add(take(bytes)?)?;
        segment.words.push(std::str::from_utf8(&word).ok()?);
        segment.ends.push(end);
    }
    segment.postings = take_bytes(bytes, end as usize)?.to_vec();
    segment.shrink();
    is_valid(&segment).then_some(segment)
}

/// Whether searches can trust the segment: sorted keys and words, and postings that name its items.
fn is_valid(segment: &Segment) -> bool {
    let items = as_u32(segment.keys.len());
    let words = || segment.words.iter();
    segment.keys.is_sorted_by(|one, next| one < next)
        && words().zip(words().skip(1)).all(|(one, next)| one < next)
        && (0..segment.words.len()).all(|word| segment.postings(word).all(|(item, _)| item < items))
}

fn take_bytes<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// The number of bytes that two words share at their start.
fn shared_start(one: &str, other: &str) -> usize {
    let pairs = one.bytes().zip(other.bytes());
    let shared = pairs.take_while(|(one, other)| one == other).count();
    other.floor_char_boundary(shared)
}
