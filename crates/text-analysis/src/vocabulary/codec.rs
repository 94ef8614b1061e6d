//! Sets of words as compact bytes.
//!
//! The format: a byte with its version, then the words in ascending order. Each word has a byte with two numbers of four bits, how
//! many bytes it shares with the word before it and how many follow, and then those that follow. A number of 15 or more is 15
//! here, and the rest of it is another byte.
//!
//! English words take 4.1 to 4.7 bytes each. LZ4 would save 10 % more, which is not worth a library.

use super::{MAX_BYTES, WordList, accepts};

const VERSION: u8 = 1;

/// The number that is continued in another byte.
const CONTINUED: u8 = 15;

/// Why bytes are not a set of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The format has another version, or there are no bytes.
    #[error("the set of words has an unknown version")]
    UnknownVersion,
    /// The bytes do not follow the format.
    #[error("the set of words is damaged")]
    Damaged,
}

/// Encodes the words that a vocabulary [accepts], in any order. Ignores duplicates and other words.
pub fn encode(words: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let words = words.into_iter();
    let mut words: Vec<_> = words.filter(|word| accepts(word.as_ref())).collect();
    words.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    words.dedup_by(|one, other| one.as_ref() == other.as_ref());
    let mut encoded = vec![VERSION];
    let mut before: &[u8] = &[];
    for word in &words {
        let word = word.as_ref().as_bytes();
        encode_word(&mut encoded, before, word);
        before = word;
    }
    encoded
}

fn encode_word(encoded: &mut Vec<u8>, before: &[u8], word: &[u8]) {
    let pairs = before.iter().zip(word);
    let shared = pairs.take_while(|(one, other)| one == other).count();
    // Accepted words have at most 255 bytes, so the numbers do too.
    let numbers =
        [shared, word.len() - shared].map(|number| u8::try_from(number).unwrap_or(u8::MAX));
    let [shared_bits, length_bits] = numbers.map(|number| number.min(CONTINUED));
    encoded.push(shared_bits << 4 | length_bits);
    encoded.extend(
        numbers
            .iter()
            .filter_map(|number| number.checked_sub(CONTINUED)),
    );
    encoded.extend(&word[shared..]);
}

/// Decodes what [`encode`] returned, and returns an error for other bytes. Allocates memory for at most [`MAX_BYTES`] of words.
pub fn decode(encoded: &[u8]) -> Result<WordList, DecodeError> {
    decode_up_to(MAX_BYTES, encoded)
}

pub(super) fn decode_up_to(max_bytes: usize, encoded: &[u8]) -> Result<WordList, DecodeError> {
    let Some((&VERSION, mut rest)) = encoded.split_first() else {
        return Err(DecodeError::UnknownVersion);
    };
    let mut words = WordList::default();
    let mut word = Vec::new();
    while !rest.is_empty() {
        rest = decode_word(&mut word, rest).ok_or(DecodeError::Damaged)?;
        let text = str::from_utf8(&word).map_err(|_| DecodeError::Damaged)?;
        let is_next = words.last().is_none_or(|last| last < text);
        if !is_next || !accepts(text) || words.text().len() + text.len() > max_bytes {
            return Err(DecodeError::Damaged);
        }
        words.push(text);
    }
    words.shrink_to_fit();
    Ok(words)
}

/// Turns a word into the next one. Returns the bytes after the next one; `None` if it is not encoded.
fn decode_word<'e>(word: &mut Vec<u8>, encoded: &'e [u8]) -> Option<&'e [u8]> {
    let (bits, rest) = encoded.split_first()?;
    let (shared, rest) = decode_number(bits >> 4, rest)?;
    let (length, rest) = decode_number(bits & CONTINUED, rest)?;
    let (added, rest) = rest.split_at_checked(length)?;
    if shared > word.len() {
        return None;
    }
    word.truncate(shared);
    word.extend(added);
    Some(rest)
}

fn decode_number(bits: u8, encoded: &[u8]) -> Option<(usize, &[u8])> {
    if bits < CONTINUED {
        return Some((bits.into(), encoded));
    }
    let (more, rest) = encoded.split_first()?;
    Some((usize::from(bits) + usize::from(*more), rest))
}
