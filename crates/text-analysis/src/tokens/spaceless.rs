//! Scripts written without spaces between words: each character is a token, and each word of a dictionary.

use std::{ops::Range, sync::LazyLock};

use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed, options::WordBreakInvariantOptions};

use super::{
    Token, TokenKind, Tokens,
    class::{Class, class, is_hangul},
};
use crate::fold::fold_word;

/// Maximum length of a dictionary's word in bytes. What is longer is text that the dictionary does not know.
const MAX_DICTIONARY_BYTES: usize = 96;

static DICTIONARY: LazyLock<WordSegmenterBorrowed<'static>> =
    LazyLock::new(|| WordSegmenter::new_dictionary(WordBreakInvariantOptions::default()));

impl Tokens<'_> {
    /// Reads the characters that follow each other here, and finds their words.
    pub(super) fn read_spaceless(&mut self) {
        let mut run = String::new();
        let first = self.pending.len();
        let mut starts = Vec::new();
        while let Some(range) = self.next_character() {
            let word = fold_word(&self.text[range.clone()]);
            if word.is_empty() {
                continue;
            }
            if character_length(&word) == Some(word.len()) {
                starts.push(run.len());
                run.push_str(&word);
                self.push(range, word, TokenKind::Character);
            } else if run.is_empty() {
                self.push_expansion(range, &word);
                return;
            } else {
                // Expanded as the next run.
                self.at = range.start;
                break;
            }
        }
        self.insert_words(first, &run, &starts);
    }

    /// Inserts the dictionary's words behind their first characters. `starts` are the beginnings of the characters in the run.
    fn insert_words(&mut self, first: usize, run: &str, starts: &[usize]) {
        if starts.len() < 2 {
            return;
        }
        let mut characters = self.pending.split_off(first).into_iter();
        let mut boundaries = DICTIONARY.segment_str(run).skip(1);
        let mut at = 0;
        while at < starts.len() {
            let next = boundaries.by_ref().find_map(|end| match end == run.len() {
                true => Some(starts.len()),
                false => starts.binary_search(&end).ok(),
            });
            let next = next.unwrap_or(starts.len()).max(at + 1);
            let end = starts.get(next).copied().unwrap_or(run.len());
            let word = &run[starts[at]..end];
            let characters: Vec<Token> = characters.by_ref().take(next - at).collect();
            let is_word =
                next - at > 1 && word.len() <= MAX_DICTIONARY_BYTES && !word.starts_with(is_hangul);
            let dictionary = is_word.then(|| Token {
                range: characters[0].range.start..characters[next - at - 1].range.end,
                word: word.to_owned(),
                position: characters[0].position,
                kind: TokenKind::Dictionary,
            });
            let mut characters = characters.into_iter();
            self.pending.extend(characters.next());
            self.pending.extend(dictionary);
            self.pending.extend(characters);
            at = next;
        }
    }

    /// Moves behind the next character and its marks, and returns its range.
    fn next_character(&mut self) -> Option<Range<usize>> {
        let rest = &self.text[self.at..];
        let rest = rest.trim_start_matches(|character| class(character) == Class::Ignored);
        let start = self.text.len() - rest.len();
        let length = character_length(rest)?;
        self.at = start + length;
        let ignored =
            rest[..length].trim_end_matches(|character| class(character) == Class::Ignored);
        Some(start..start + ignored.len())
    }
}

/// The length of the character with its marks at the start of a text in bytes.
fn character_length(text: &str) -> Option<usize> {
    let mut rest = text.chars();
    let first = rest
        .next()
        .filter(|&first| class(first) == Class::Spaceless)?;
    let (mut length, mut last) = (first.len_utf8(), first);
    for next in rest {
        match class(next) {
            Class::Ignored => {}
            Class::Mark => last = next,
            Class::Spaceless if continues(last, next) => last = next,
            _ => break,
        }
        length += next.len_utf8();
    }
    Some(length)
}

/// Whether the letter belongs to the character before it, whose last letter or mark is `last`.
fn continues(last: char, next: char) -> bool {
    match next {
        // Thai and Lao AM, which are letters by their category.
        '\u{e33}' | '\u{eb3}' => true,
        // A Korean vowel or final consonant that is written as a letter of its own.
        '\u{1160}'..='\u{11ff}' => is_hangul(last),
        // Letters below a stacker in Burmese, Khmer and Tai Tham.
        _ => matches!(last, '\u{1039}' | '\u{17d2}' | '\u{1a60}'),
    }
}
