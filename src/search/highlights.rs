//! Finds the ranges of a text that match a query, for highlighting.
//!
//! Words are folded here one by one, as the SQL function `search_fold` folds whole texts. If the two differ, a highlight is
//! missing, but never a hit.

use std::{collections::HashSet, ops::Range};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// A term to highlight.
#[derive(Debug)]
pub(super) struct HighlightTerm {
    /// The term's folded words. Several are a phrase.
    pub(super) tokens: Vec<String>,
    /// Other words that match a term of one word.
    pub(super) words: Vec<String>,
    /// Whether the last word is a prefix.
    pub(super) unfinished: bool,
}

/// Finds what matched a query in the texts of its hits.
#[derive(Debug, Default)]
pub(crate) struct Highlighter {
    words: HashSet<String>,
    prefixes: Vec<String>,
    phrases: Vec<Phrase>,
}

#[derive(Debug)]
struct Phrase {
    tokens: Vec<String>,
    unfinished: bool,
}

/// A word of a text.
#[derive(Debug)]
struct Token {
    /// The word's position in bytes.
    range: Range<usize>,
    folded: String,
}

/// A part of a text that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Highlight {
    /// The part's position in bytes.
    pub(super) range: Range<usize>,
    /// Its first word, folded.
    pub(super) folded: String,
}

impl Highlighter {
    pub(super) fn new(terms: impl Iterator<Item = HighlightTerm>) -> Self {
        let mut highlighter = Highlighter::default();
        for term in terms {
            match &term.tokens[..] {
                [token] => {
                    highlighter.words.insert(token.clone());
                    highlighter.words.extend(term.words);
                    if term.unfinished {
                        highlighter.prefixes.push(token.clone());
                    }
                }
                _ => highlighter.phrases.push(Phrase {
                    tokens: term.tokens,
                    unfinished: term.unfinished,
                }),
            }
        }
        highlighter
    }

    /// The highlights of a text in its order, without overlaps.
    pub(super) fn highlights(&self, text: &str) -> Vec<Highlight> {
        let tokens = tokens(text);
        let mut highlights: Vec<Highlight> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let length = self.length_at(&tokens[at..]);
            if length > 0 {
                let last = &tokens[at + length - 1];
                highlights.push(Highlight {
                    range: tokens[at].range.start..last.range.end,
                    folded: tokens[at].folded.clone(),
                });
            }
            at += length.max(1);
        }
        highlights
    }

    /// How many of these tokens match, starting with the first.
    fn length_at(&self, tokens: &[Token]) -> usize {
        let phrases = self
            .phrases
            .iter()
            .filter(|phrase| phrase.matches_start_of(tokens));
        let longest = phrases.map(|phrase| phrase.tokens.len()).max();
        longest.unwrap_or_else(|| usize::from(self.is_word(&tokens[0].folded)))
    }

    fn is_word(&self, folded: &str) -> bool {
        self.words.contains(folded)
            || self
                .prefixes
                .iter()
                .any(|prefix| folded.starts_with(prefix.as_str()))
    }
}

impl Phrase {
    fn matches_start_of(&self, tokens: &[Token]) -> bool {
        let last = self.tokens.len() - 1;
        tokens.len() > last
            && self
                .tokens
                .iter()
                .zip(tokens)
                .enumerate()
                .all(|(at, (wanted, token))| {
                    token.folded == *wanted
                        || (at == last
                            && self.unfinished
                            && token.folded.starts_with(wanted.as_str()))
                })
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, character)) = rest.next() {
        if !character.is_alphanumeric() {
            continue;
        }
        let mut end = start + character.len_utf8();
        if !is_cjk(character) {
            end = end_of_word(text, end);
            while rest.next_if(|(at, _)| *at < end).is_some() {}
        }
        tokens.push(Token {
            range: start..end,
            folded: fold(&text[start..end]),
        });
    }
    tokens
}

/// The end of a word that extends at least to `from`. A hyphen at the end of a line does not end the word.
fn end_of_word(text: &str, from: usize) -> usize {
    let mut end = from;
    loop {
        let rest = &text[end..];
        let part = rest
            .find(|character: char| !is_in_word(character))
            .unwrap_or(rest.len());
        end += part;
        let Some(length) = line_break_length(&text[end..]) else {
            break;
        };
        end += length;
    }
    // C# and C++ are words.
    let rest = &text[end..];
    let is_letter = end == from && text.as_bytes()[from - 1].is_ascii_alphabetic();
    match is_letter {
        true if rest.starts_with("++") => end + 2,
        true if rest.starts_with('#') => end + 1,
        _ => end,
    }
}

/// The length of a hyphen and line break in the middle of a word.
fn line_break_length(text: &str) -> Option<usize> {
    let after = text.strip_prefix(['-', '\u{2010}', '\u{2011}'])?;
    let after = after
        .trim_start_matches([' ', '\t', '\r'])
        .strip_prefix('\n')?;
    let next = after.trim_start_matches([' ', '\t']);
    let continues = next.starts_with(char::is_alphabetic);
    continues.then(|| text.len() - next.len())
}

fn is_in_word(character: char) -> bool {
    let is_ignored = matches!(character, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}');
    (character.is_alphanumeric() && !is_cjk(character))
        || is_combining_mark(character)
        || is_ignored
}

/// Whether the character is Chinese, Japanese or Korean. Each is a word of its own.
fn is_cjk(character: char) -> bool {
    matches!(character,
        '\u{2e80}'..='\u{2fdf}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn fold(word: &str) -> String {
    if word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return word.to_ascii_lowercase();
    }
    let lower = word.to_lowercase();
    let decomposed = lower.nfkd().filter(|character| {
        !matches!(character, '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}')
    });
    let mut folded = String::new();
    // Lower case again: ℝ has no lower case, but the R that it decomposes to has.
    for character in decomposed.nfc().flat_map(char::to_lowercase) {
        match character {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            '+' => folded.push_str("plus"),
            '#' => folded.push_str("sharp"),
            'ς' => folded.push('σ'),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' => folded.push('d'),
            'ı' => folded.push('i'),
            character if character.is_alphanumeric() => folded.push(character),
            _ => {}
        }
    }
    folded
}
