//! Words between spaces, and compounds: words that hyphens, apostrophes, dots or underscores join.

use std::{borrow::Cow, ops::Range};

use super::{
    Token, TokenKind, Tokens,
    class::{Class, is_apostrophe, is_hyphen},
};
use crate::{
    MAX_WORD_BYTES,
    characters::{class, push_folded},
    fold::fold_word,
};

/// Maximum number of parts of a compound that is found without its separators.
const MAX_PARTS: usize = 8;
/// Maximum length of such a compound in bytes.
const MAX_JOINED_BYTES: usize = 64;
/// Maximum number of bytes between the halves of a word that is broken at a line end.
const MAX_LINE_BREAK_BYTES: usize = 64;

impl Tokens<'_> {
    /// Reads a word that starts here, and all words that connectors join to it.
    pub(super) fn read_compound(&mut self) {
        let first = self.pending.len();
        self.read_word();
        let Some(mut connector) = connector_length(self.text, self.at) else {
            return;
        };
        let mut parts = 1;
        loop {
            self.at += connector;
            self.read_word();
            parts += 1;
            match connector_length(self.text, self.at) {
                Some(length) => connector = length,
                None => break,
            }
        }
        // A character that stands for several words cannot be part of a compound.
        let words = self.pending.range(first..);
        let are_words =
            words.len() == parts && words.clone().all(|part| part.kind == TokenKind::Word);
        if self.expands && parts <= MAX_PARTS && are_words {
            self.insert_joined(first);
        }
    }

    /// Inserts the compound of all pending words from index `first`.
    fn insert_joined(&mut self, first: usize) {
        let parts = self.pending.range(first..);
        if parts.clone().map(|part| part.word.len()).sum::<usize>() > MAX_JOINED_BYTES {
            return;
        }
        let token = Token {
            range: self.pending[first].range.start..self.pending[self.pending.len() - 1].range.end,
            word: parts.map(|part| part.word.as_str()).collect(),
            position: self.pending[first].position,
            kind: TokenKind::Joined,
        };
        self.pending.insert(first + 1, token);
    }

    fn read_word(&mut self) {
        let start = self.at;
        let Extent {
            end,
            is_ascii,
            is_split,
        } = self.find_end(start);
        let (range, source) = (start..end, &self.text[start..end]);
        if is_ascii {
            let word = source[..source.len().min(MAX_WORD_BYTES)].to_ascii_lowercase();
            return self.push(range, word, TokenKind::Word);
        }
        let whole: Cow<'_, str> = if is_split {
            without_signs(source).into()
        } else {
            source.into()
        };
        let mut word = String::with_capacity(whole.len().min(MAX_WORD_BYTES));
        if push_folded(&whole, MAX_WORD_BYTES, &mut word) {
            word.truncate(word.floor_char_boundary(MAX_WORD_BYTES));
        } else {
            word = fold_word(&whole);
        }
        let trimmed = word.trim_start_matches(|character| class(character) == Class::Mark);
        word.drain(..word.len() - trimmed.len());
        let is_word = |character| matches!(class(character), Class::Letter | Class::Mark);
        if !word.chars().all(is_word) {
            self.push_expansion(range, &word);
        } else if !word.is_empty() {
            self.push(range, word, TokenKind::Word);
        }
    }

    /// Moves to the end of the word that starts here, and returns its extent.
    fn find_end(&mut self, start: usize) -> Extent {
        let text = self.text;
        let mut extent = Extent {
            end: start,
            is_ascii: true,
            is_split: false,
        };
        // The end of what was read, with the invisible characters after the word. They are part of the word if it continues after them.
        let mut at = start;
        while let Some(character) = text[at..].chars().next() {
            match class(character) {
                _ if character == ' ' || text[start..at].ends_with('+') => break,
                Class::Letter if character.is_ascii() => {
                    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric();
                    at += text.as_bytes()[at..].iter().take_while(is_part).count();
                    extent.end = at;
                    continue;
                }
                Class::Letter | Class::Mark => {
                    at += character.len_utf8();
                    extent.end = at;
                }
                Class::Ignored => at += character.len_utf8(),
                _ => {
                    let Some(length) = continuation_length(text, start..extent.end, at) else {
                        break;
                    };
                    at = extent.end + length;
                    extent.end = at;
                    extent.is_split = true;
                }
            }
            extent.is_ascii = false;
        }
        self.at = at;
        extent
    }
}

/// How far a word extends.
struct Extent {
    /// The position after its last visible character.
    end: usize,
    /// Whether it consists of ASCII letters and digits.
    is_ascii: bool,
    /// Whether it contains characters that are not part of its folded form, such as a hyphen and a line end.
    is_split: bool,
}

/// The length of other characters than letters that continue a word. `at` is the position after the invisible characters that follow
/// the word.
fn continuation_length(text: &str, word: Range<usize>, at: usize) -> Option<usize> {
    let end = word.end;
    let sign = if at == end {
        sign_length(text, word)
    } else {
        None
    };
    sign.or_else(|| line_break_length(text, end))
}

/// The length of the signs of `C#` and `C++`, and of the `^`, `_` and `{` before a digit in `x^2` and `x_{12}`.
fn sign_length(text: &str, Range { start, end }: Range<usize>) -> Option<usize> {
    let rest = &text[end..];
    if let Some(digit) = rest.strip_prefix(['^', '_']) {
        let digit = digit.strip_prefix('{').unwrap_or(digit);
        return digit
            .starts_with(|first: char| first.is_ascii_digit())
            .then(|| rest.len() - digit.len());
    }
    if end - start != 1 || !text.as_bytes()[start].is_ascii_alphabetic() {
        return None;
    }
    if rest.starts_with("++") {
        return Some(2);
    }
    let after = rest.strip_prefix(['#', '♯'])?;
    let ends = after
        .chars()
        .next()
        .is_none_or(|next| class(next) != Class::Letter);
    ends.then(|| rest.len() - after.len())
}

/// A word of a text without the characters that split it, and with names in place of the signs of `C#` and `C++`.
fn without_signs(word: &str) -> String {
    let mut plain = String::with_capacity(word.len() + 8);
    for character in word.chars() {
        match character {
            '#' | '♯' => plain.push_str("sharp"),
            '+' => plain.push_str("plus"),
            character if matches!(class(character), Class::Letter | Class::Mark) => {
                plain.push(character)
            }
            _ => {}
        }
    }
    plain
}

/// The length of the connector between the word that ends here and the word that it joins.
fn connector_length(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let connector = rest.chars().next().filter(|&connector| connector != ' ')?;
    let after =
        rest[connector.len_utf8()..].trim_start_matches(|next| class(next) == Class::Ignored);
    let next = after.chars().next()?;
    let before = last_letter(&text[..at])?;
    let joins = match connector {
        '_' | '.' | '\u{b7}' | '\u{2024}' | '\u{5f3}' | '\u{5f4}' | '\u{203f}' | '\u{ff0e}'
        | '\u{ff3f}' => true,
        '"' => is_hebrew(before) && is_hebrew(next),
        // Narrow spaces group the digits of long numbers.
        ',' | '\u{a0}' | '\u{66b}' | '\u{66c}' | '\u{2007}' | '\u{2009}' | '\u{2012}'
        | '\u{2013}' | '\u{202f}' | '\u{2212}' => before.is_numeric() && next.is_numeric(),
        // In part numbers, but not in `and/or`.
        '/' => before.is_numeric() || next.is_numeric(),
        connector => is_hyphen(connector) || is_apostrophe(connector),
    };
    (joins && class(next) == Class::Letter).then(|| rest.len() - after.len())
}

/// The last letter of a text, without the marks on it.
fn last_letter(text: &str) -> Option<char> {
    let is_part = |&character: &char| !matches!(class(character), Class::Mark | Class::Ignored);
    text.chars().rev().find(is_part)
}

fn is_hebrew(character: char) -> bool {
    matches!(character, '\u{5d0}'..='\u{5f2}')
}

/// The length of the hyphen and line end between the halves of a word, of which the first half ends here.
fn line_break_length(text: &str, end: usize) -> Option<usize> {
    let before = last_letter(&text[..end])?;
    let rest = &text[end..];
    let mark = rest.chars().next()?;
    let is_mark = mark == '¬' || mark == '\u{ad}';
    if !(is_mark || is_hyphen(mark)) || !before.is_alphabetic() {
        return None;
    }
    let mut lines = 0;
    for (at, character) in rest
        .char_indices()
        .skip(1)
        .take_while(|(at, _)| *at <= MAX_LINE_BREAK_BYTES)
    {
        match character {
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' => lines += 1,
            // `PlainText` has this character between blocks, such as list items. A word never continues after it.
            '\u{2029}' => return None,
            '>' if lines > 0 => {}
            character if character.is_whitespace() || class(character) == Class::Ignored => {}
            _ if lines == 0 => return None,
            next => {
                let is_word = next.is_alphabetic() && class(next) == Class::Letter;
                return (is_word && (is_mark || is_second_half(before, &rest[at..]))).then_some(at);
            }
        }
    }
    None
}

/// Whether a text continues the word that ends with the letter `before` and a hyphen. A capital letter usually starts a name or a
/// sentence, except in headings that consist of capital letters.
fn is_second_half(before: char, text: &str) -> bool {
    let is_letter = |&character: &char| !matches!(class(character), Class::Mark | Class::Ignored);
    let mut letters = text.chars().filter(is_letter);
    match letters.next() {
        Some(first) if first.is_uppercase() => {
            before.is_uppercase() && letters.next().is_some_and(char::is_uppercase)
        }
        first => first.is_some(),
    }
}
