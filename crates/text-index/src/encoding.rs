//! The encoding of an index as bytes, for storage.

use crate::{
    Index,
    index::Part,
    segment::{Lengths, MAX_BYTES, MAX_WORD_BYTES, Segment},
    varint::{put, take},
    words::as_u32,
};

/// The version of the encoding.
const VERSION: u8 = 1;

/// Maximum number of bytes that a stored word shares with the word before.
const MAX_SHARED: usize = 15;

/// The bytes are not an index, or an index of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not an index of this version")]
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
            attributes.push(match take_byte(bytes)? {
                0 => None,
                1 => Some(A::decode(bytes)?),
                _ => return None,
            });
        }
        let part = Part::new(segment, attributes);
        // An index has no part without items. A part takes much more memory than the bytes of an empty one.
        part.items().next()?;
        parts.push(part);
    }
    let index = Index { parts };
    let items = index.parts.iter().flat_map(Part::items);
    let mut keys: Vec<u128> = items.map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.is_sorted_by(|one, next| one < next).then_some(index)
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
        put_word(bytes, before, word);
        put(bytes, end - start);
        (before, start) = (word, *end);
    }
    bytes.extend(&segment.postings);
}

/// Appends a word: the number of bytes that it shares with the word before, the number of its other bytes, and these bytes. One byte
/// holds both numbers, with four bits each. If the second number does not fit, it is 0 there, and follows after this byte.
fn put_word(bytes: &mut Vec<u8>, before: &str, word: &str) {
    let shared = shared_start(before, word);
    let rest = &word.as_bytes()[shared..];
    let length = if rest.len() < 16 { rest.len() } else { 0 };
    bytes.push(as_u32(shared << 4 | length).to_le_bytes()[0]);
    if length == 0 {
        put(bytes, as_u32(rest.len()));
    }
    bytes.extend(rest);
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
    let mut word = Vec::new();
    for _ in 0..take(bytes)? {
        take_word(bytes, &mut word, &mut segment)?;
    }
    let end = segment.start(segment.ends.len());
    segment.postings = take_bytes(bytes, end)?.to_vec();
    segment.shrink();
    is_valid(&segment).then_some(segment)
}

/// Reads a word and the length of its postings. `word` contains the word before, which must be less than the new word.
fn take_word(bytes: &mut &[u8], word: &mut Vec<u8>, segment: &mut Segment) -> Option<()> {
    let numbers = usize::from(take_byte(bytes)?);
    let (shared, length) = (numbers >> 4, numbers & 15);
    let length = if length == 0 {
        take(bytes)? as usize
    } else {
        length
    };
    let rest = take_bytes(bytes, length)?;
    let is_greater = word.get(shared..)? < rest;
    word.truncate(shared);
    word.extend(rest);
    let end = segment.start(segment.ends.len()) + take(bytes)? as usize;
    let is_small =
        word.len() <= MAX_WORD_BYTES && segment.words.text_bytes() + word.len() <= MAX_BYTES;
    if !is_greater || !is_small || end > bytes.len() {
        return None;
    }
    segment.words.push(std::str::from_utf8(word).ok()?);
    segment.ends.push(u32::try_from(end).ok()?);
    Some(())
}

/// Whether searches can trust the segment: its keys are sorted, and its postings name only its items. `take_word` checks the words.
fn is_valid(segment: &Segment) -> bool {
    let items = as_u32(segment.keys.len());
    segment.keys.is_sorted_by(|one, next| one < next)
        && (0..segment.words.len()).all(|word| segment.postings(word).are_valid(items))
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*byte)
}

fn take_bytes<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// The number of bytes that a word shares with the word before, up to [`MAX_SHARED`]. Without this maximum, invalid bytes could expand
/// to far more memory than their own size.
fn shared_start(before: &str, word: &str) -> usize {
    let pairs = before.bytes().zip(word.bytes()).take(MAX_SHARED);
    let shared = pairs.take_while(|(one, other)| one == other).count();
    word.floor_char_boundary(shared)
}
