//! Where the words that were looked for stand in a text as it was written.
//!
//! Words are folded here one by one as `search_fold` of the migration folds whole texts; a difference costs a mark, never
//! a hit.

use std::{collections::HashSet, ops::Range};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// What a term stands for.
#[derive(Debug)]
pub(super) struct Marked {
    /// Its words, folded: several are a phrase.
    pub(super) tokens: Vec<String>,
    /// Others for its only word.
    pub(super) words: Vec<String>,
    /// Whether its last word goes on.
    pub(super) unfinished: bool,
}

/// What is to be marked in what was found.
#[derive(Debug, Default)]
pub struct Marks {
    words: HashSet<String>,
    beginnings: Vec<String>,
    phrases: Vec<Phrase>,
}

#[derive(Debug)]
struct Phrase {
    tokens: Vec<String>,
    unfinished: bool,
}

/// A word of a text: where it stands, and what it is looked up by.
#[derive(Debug)]
struct Token {
    at: Range<usize>,
    folded: String,
}

/// A part of a text that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Range<usize>,
    /// What it is, folded.
    pub(super) folded: String,
}

impl Marks {
    pub(super) fn new(terms: impl Iterator<Item = Marked>) -> Marks {
        let mut marks = Marks::default();
        for term in terms {
            match &term.tokens[..] {
                [token] => {
                    marks.words.insert(token.clone());
                    marks.words.extend(term.words);
                    if term.unfinished {
                        marks.beginnings.push(token.clone());
                    }
                }
                _ => marks.phrases.push(Phrase {
                    tokens: term.tokens,
                    unfinished: term.unfinished,
                }),
            }
        }
        marks
    }

    /// The marks of a text, in its order; none overlaps another.
    pub(super) fn of(&self, text: &str) -> Vec<Mark> {
        let tokens = tokens(text);
        let mut marks: Vec<Mark> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let length = self.length_at(&tokens[at..]);
            if length > 0 {
                let last = &tokens[at + length - 1];
                marks.push(Mark {
                    at: tokens[at].at.start..last.at.end,
                    folded: tokens[at].folded.clone(),
                });
            }
            at += length.max(1);
        }
        marks
    }

    /// How many of these tokens, from the first on, are something that was looked for.
    fn length_at(&self, tokens: &[Token]) -> usize {
        let phrases = self.phrases.iter().filter(|phrase| phrase.begins(tokens));
        let longest = phrases.map(|phrase| phrase.tokens.len()).max();
        longest.unwrap_or_else(|| usize::from(self.is_word(&tokens[0].folded)))
    }

    fn is_word(&self, folded: &str) -> bool {
        self.words.contains(folded)
            || self
                .beginnings
                .iter()
                .any(|beginning| folded.starts_with(beginning.as_str()))
    }
}

impl Phrase {
    fn begins(&self, tokens: &[Token]) -> bool {
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
        if !stands_alone(character) {
            end = end_of_word(text, end);
            while rest.next_if(|(at, _)| *at < end).is_some() {}
        }
        tokens.push(Token {
            at: start..end,
            folded: fold(&text[start..end]),
        });
    }
    tokens
}

/// Where a word ends that goes on at least to there. A hyphen at a line's end does not end it.
fn end_of_word(text: &str, from: usize) -> usize {
    let mut end = from;
    loop {
        let rest = &text[end..];
        let part = rest
            .find(|character: char| !is_in_word(character))
            .unwrap_or(rest.len());
        end += part;
        let Some(length) = broken(&text[end..]) else {
            break;
        };
        end += length;
    }
    // C# and C++.
    let rest = &text[end..];
    let is_letter = end == from && text.as_bytes()[from - 1].is_ascii_alphabetic();
    match is_letter {
        true if rest.starts_with("++") => end + 2,
        true if rest.starts_with('#') => end + 1,
        _ => end,
    }
}

/// How much there is of a hyphen at a line's end before the word goes on.
fn broken(text: &str) -> Option<usize> {
    let after = text.strip_prefix(['-', '\u{2010}', '\u{2011}'])?;
    let after = after
        .trim_start_matches([' ', '\t', '\r'])
        .strip_prefix('\n')?;
    let next = after.trim_start_matches([' ', '\t']);
    let goes_on = next.starts_with(char::is_alphabetic);
    goes_on.then(|| text.len() - next.len())
}

fn is_in_word(character: char) -> bool {
    let is_ignored = matches!(character, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}');
    (character.is_alphanumeric() && !stands_alone(character))
        || is_combining_mark(character)
        || is_ignored
}

/// Whether it is a word of its own: Chinese, Japanese, Korean.
fn stands_alone(character: char) -> bool {
    matches!(character,
        '\u{2e80}'..='\u{2fdf}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn fold(word: &str) -> String {
    if word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return word.to_ascii_lowercase();
    }
    let lower = word.to_lowercase();
    let apart = lower.nfkd().filter(|character| {
        !matches!(character, '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}')
    });
    let mut folded = String::new();
    // Once more: ℝ has no lower case, and the letter that it stands for does.
    for character in apart.nfc().flat_map(char::to_lowercase) {
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
