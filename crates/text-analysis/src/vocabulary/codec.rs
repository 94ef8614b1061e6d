//! Sets of words as bytes.
//!
//! A version, then the words in ascending order. Each word is the number of bytes that it shares with the word before it, the
//! number of its remaining bytes, and these.

use super::{MAX_BYTES, WordList, accepts};

/// The version of the format.
const VERSION: u8 = 1;

/// The bytes are not a set of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The format has another version, or the bytes are empty.
    #[error("the set of words has an unknown version")]
    UnknownVersion,
    /// The bytes do not follow the format.
    #[error("the set of words is damaged")]
    Damaged,
}

/// Encodes the words that a vocabulary [accepts] as compact bytes. The words may have any order and occur several times.
pub fn encode(words: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let words = words.into_iter();
    let mut words: Vec<_> = words.filter(|word| accepts(word.as_ref())).collect();
    words.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    let mut encoded = vec![VERSION];
    let mut before: &[u8] = &[];
    for word in words.iter().map(|word| word.as_ref().as_bytes()) {
        let shared = before
            .iter()
            .zip(word)
            .take_while(|(one, other)| one == other)
            .count();
        let rest = &word[shared..];
        if let (Ok(shared), Ok(length @ 1..)) = (u8::try_from(shared), u8::try_from(rest.len())) {
            encoded.extend([shared, length]);
            encoded.extend(rest);
            before = word;
        }
    }
    encoded
}

/// Decodes what [`encode`] returned. All other bytes are an error. Allocates memory for at most [`MAX_BYTES`] of words.
pub fn decode(encoded: &[u8]) -> Result<WordList, DecodeError> {
    let Some((&VERSION, mut rest)) = encoded.split_first() else {
        return Err(DecodeError::UnknownVersion);
    };
    let mut words = WordList::default();
    let mut word = Vec::new();
    while !rest.is_empty() {
        rest = next_word(&mut word, rest).ok_or(DecodeError::Damaged)?;
        let text = str::from_utf8(&word).map_err(|_| DecodeError::Damaged)?;
        let is_next = words.last().is_none_or(|last| last < text);
        if !is_next || !accepts(text) || words.text().len() + text.len() > MAX_BYTES {
            return Err(DecodeError::Damaged);
        }
        words.push(text);
    }
    Ok(words)
}

/// Turns a word into the one after it. Returns the bytes after that word.
fn next_word<'e>(word: &mut Vec<u8>, encoded: &'e [u8]) -> Option<&'e [u8]> {
    let [shared, length, rest @ ..] = encoded else {
        return None;
    };
    let (added, rest) = rest.split_at_checked(usize::from(*length))?;
    if usize::from(*shared) > word.len() {
        return None;
    }
    word.truncate(usize::from(*shared));
    word.extend(added);
    Some(rest)
}
