//! Looks and stems of words.

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};

/// What a printed word looks like: letters that text recognition confuses are the same.
pub(super) fn look(word: &str) -> impl Iterator<Item = char> {
    let mut letters = word.chars().peekable();
    std::iter::from_fn(move || {
        let letter = letters.next()?;
        let pair = match letter {
            'r' => Some(('n', 'm')),
            'c' => Some(('l', 'd')),
            'v' => Some(('v', 'w')),
            _ => None,
        };
        if let Some((second, look)) = pair
            && letters.next_if_eq(&second).is_some()
        {
            return Some(look);
        }
        Some(match letter {
            '0' => 'o',
            '1' | 'i' => 'l',
            '5' => 's',
            other => other,
        })
    })
}

/// The English stem of a word.
pub(super) fn stem(word: &str) -> Cow<'_, str> {
    Stemmer::create(Algorithm::English).stem(word)
}
