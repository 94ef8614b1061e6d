//! Scripts written without spaces between words: each character is a token, and so is each dictionary word.

use std::{ops::Range, sync::LazyLock};

use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed, options::WordBreakInvariantOptions};

use super::{
    Token, TokenKind, Tokens,
    class::{Class, is_hangul},
};
use crate::{
    MAX_WORD_BYTES,
    characters::{class, push_folded},
    fold::fold_word,
};

/// Maximum length of a dictionary word in bytes. Longer segments are text that the dictionary does not contain.
const MAX_DICTIONARY_BYTES: usize = 96;

static DICTIONARY: LazyLock<WordSegmenterBorrowed<'static>> =
    LazyLock::new(|| WordSegmenter::new_dictionary(WordBreakInvariantOptions::default()));

/// Adjacent characters.
#[derive(Default)]
struct Run {
    /// The folded characters.
    text: String,
    /// Where each character is in the source, and where it starts in `text`.
    characters: Vec<(Range<usize>, usize)>,
}

impl Run {
    /// Adds the characters of a folded text that one character of the source stands for. If the text contains anything else, returns
    /// false and adds nothing.
    fn push_all(&mut self, range: &Range<usize>, folded: &str) -> bool {
        let (characters, length) = (self.characters.len(), self.text.len());
        let mut rest = folded;
        while let Some(length) = character_length(rest) {
            self.characters.push((range.clone(), self.text.len()));
            self.text.push_str(&rest[..length]);
            rest = &rest[length..];
        }
        if !rest.is_empty() {
            self.characters.truncate(characters);
            self.text.truncate(length);
        }
        rest.is_empty()
    }
}

impl Tokens<'_> {
    /// Reads the run of characters that starts here, and finds its words.
    pub(super) fn read_spaceless(&mut self) {
        let mut run = Run::default();
        while let Some(range) = self.next_character() {
            let start = run.text.len();
            let source = &self.text[range.clone()];
            if !push_folded(source, start + MAX_WORD_BYTES, &mut run.text) {
                let folded = fold_word(source);
                if !run.push_all(&range, &folded) {
                    self.push_run(&run);
                    self.push_expansion(range, &folded);
                    return;
                }
                continue;
            }
            run.text
                .truncate(run.text.floor_char_boundary(start + MAX_WORD_BYTES));
            if run.text.len() > start {
                run.characters.push((range, start));
            }
        }
        self.push_run(&run);
    }

    /// Adds each character, and each dictionary word after its first character.
    fn push_run(&mut self, run: &Run) {
        let characters = &run.characters[..];
        if characters.len() < 2 {
            return self.push_characters(run, 0..characters.len());
        }
        let mut at = 0;
        // Boundaries inside a character of the run or of the source are ignored.
        let is_start = |&at: &usize| at == 0 || characters[at - 1].0 != characters[at].0;
        let boundaries = DICTIONARY.segment_str(&run.text);
        let starts = boundaries.filter_map(|boundary| {
            characters
                .binary_search_by_key(&boundary, |(_, start)| *start)
                .ok()
        });
        for next in starts.filter(is_start).skip(1).chain([characters.len()]) {
            self.push_characters(run, at..next);
            at = next;
        }
    }

    /// Adds some characters of a run, and the word that they form.
    fn push_characters(&mut self, run: &Run, word: Range<usize>) {
        let start_of = |character: usize| {
            run.characters
                .get(character)
                .map_or(run.text.len(), |(_, start)| *start)
        };
        for character in word.clone() {
            let folded = run.text[start_of(character)..start_of(character + 1)].to_owned();
            let (range, _) = &run.characters[character];
            self.push(range.clone(), folded, TokenKind::Character);
            let folded = &run.text[start_of(word.start)..start_of(word.end)];
            let is_word = word.len() > 1
                && folded.len() <= MAX_DICTIONARY_BYTES
                && !folded.starts_with(is_hangul);
            if character == word.start && is_word {
                self.pending.push_back(Token {
                    range: range.start..run.characters[word.end - 1].0.end,
                    word: folded.to_owned(),
                    position: self.position - 1,
                    kind: TokenKind::Dictionary,
                });
            }
        }
    }

    /// Moves to the end of the next character and its marks, and returns its range.
    fn next_character(&mut self) -> Option<Range<usize>> {
        let rest = &self.text[self.at..];
        let rest = rest.trim_start_matches(is_skipped);
        let start = self.text.len() - rest.len();
        let length = character_length(rest)?;
        self.at = start + length;
        let visible = rest[..length].trim_end_matches(is_skipped);
        Some(start..start + visible.len())
    }
}

/// Whether the character is invisible, except the zero-width space, which separates words in Thai, Lao, Khmer and Burmese.
fn is_skipped(character: char) -> bool {
    character != '\u{200b}' && class(character) == Class::Ignored
}

/// The length in bytes of the character with its marks at the start of a text.
fn character_length(text: &str) -> Option<usize> {
    let mut rest = text.chars();
    let first = rest
        .next()
        .filter(|&first| class(first) == Class::Spaceless)?;
    let (mut length, mut last) = (first.len_utf8(), first);
    for next in rest {
        match class(next) {
            _ if is_skipped(next) => {}
            // The order of marks has no meaning.
            Class::Mark if is_stacker(last) || is_am_sign(last) => {}
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
        '\u{e32}' | '\u{eb2}' => is_am_sign(last),
        // A Korean vowel or final consonant that is written as a letter of its own.
        '\u{1160}'..='\u{11ff}' => is_hangul(last),
        // Letters below others in Burmese, Khmer and Tai Tham.
        '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17b3}' | '\u{1a20}'..='\u{1a54}' => {
            is_stacker(last)
        }
        _ => false,
    }
}

/// Whether the mark stands between a letter and another below it.
fn is_stacker(mark: char) -> bool {
    matches!(mark, '\u{1039}' | '\u{17d2}' | '\u{1a60}')
}

/// Whether the mark is the first half of a Thai or Lao AM that is written as a sign and a letter.
fn is_am_sign(mark: char) -> bool {
    matches!(mark, '\u{e4d}' | '\u{ecd}')
}
