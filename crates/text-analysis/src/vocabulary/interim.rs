//! Looks and stems of words.

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};

/// What a printed word looks like: letters that text recognition confuses are the same.
pub(super) fn look(word: &str) -> impl Iterator<Item = char> {
    let mut rest = word.chars();
    std::iter::from_fn(move || {
        let letter = rest.next()?;
        let (second, as_one) = match letter {
            'r' => (b'n', 'm'),
            'c' => (b'l', 'd'),
            'v' => (b'v', 'w'),
            '0' => return Some('o'),
            '1' | 'i' => return Some('l'),
            '5' => return Some('s'),
            other => return Some(other),
        };
        if rest.as_str().as_bytes().first() != Some(&second) {
            return Some(letter);
        }
        rest.next();
        Some(as_one)
    })
}

/// The English stem of a word.
pub(super) fn stem(word: &str) -> Cow<'_, str> {
    Stemmer::create(Algorithm::English).stem(word)
}
