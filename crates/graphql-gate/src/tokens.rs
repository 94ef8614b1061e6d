//! Splits a document's text into tokens and counts them, before anything is built of it.
//!
//! It never accepts or refuses a text as GraphQL; that is the parser's work. Where a text is no GraphQL the count may be
//! too high, but never lower than what the parser would make of it.
//!
//! Read on: `document.rs`.

use super::Limits;
use super::analysis::within;
use super::rejection::Rejection;

/// Refuses a text that is too long, has too many tokens or nests brackets too deep, whatever else it may be.
pub(super) fn check(text: &str, limits: &Limits) -> Result<(), Rejection> {
    within(
        "The document's length in bytes",
        text.len(),
        limits.document_bytes,
    )?;
    let mut open: usize = 0;
    for (index, token) in Tokens::of(text).enumerate() {
        match token.text {
            b"(" | b"[" | b"{" => open += 1,
            b")" | b"]" | b"}" => open = open.saturating_sub(1),
            _ => {}
        }
        within(
            "The number of tokens in the document",
            index + 1,
            limits.tokens,
        )?;
        within("The document's nesting", open, limits.nesting)?;
    }
    Ok(())
}

/// The tokens of a text, comments and commas among them, without blanks.
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
}

/// A token of at least one byte.
#[derive(Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) text: &'a [u8],
    /// Where it begins, in bytes.
    pub(super) offset: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.at += blanks(&self.text[self.at..]);
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let token = Token {
            text: &rest[..length(rest)],
            offset: self.at,
        };
        self.at += token.text.len();
        Some(token)
    }
}

impl Token<'_> {
    pub(super) fn is_name(self) -> bool {
        is_name(self.text[0]) && !self.text[0].is_ascii_digit()
    }

    /// Whether it means nothing.
    pub(super) fn is_ignored(self) -> bool {
        matches!(self.text[0], b',' | b'#')
    }
}

fn blanks(text: &[u8]) -> usize {
    let blank = run(text, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    match &text[blank..] {
        [0xef, 0xbb, 0xbf, rest @ ..] => blank + 3 + blanks(rest),
        _ => blank,
    }
}

/// The length in bytes of the token that `text` begins with; `text` is not empty.
fn length(text: &[u8]) -> usize {
    match text {
        [b'#', ..] => run(text, |byte| !matches!(byte, b'\n' | b'\r')),
        [b'"', b'"', b'"', inside @ ..] => 3 + block_string(inside),
        [b'"', inside @ ..] => 1 + string(inside),
        [b'.', b'.', b'.', ..] => 3,
        [b'-', b'0'..=b'9', ..] => 1 + number(&text[1..]),
        [b'0'..=b'9', ..] => number(text),
        [first, ..] if is_name(*first) => run(text, is_name),
        _ => 1,
    }
}

fn is_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn run(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    let end = text.iter().position(|&byte| !belongs(byte));
    end.unwrap_or(text.len())
}

fn digits(text: &[u8]) -> usize {
    run(text, |byte| byte.is_ascii_digit())
}

/// A number without its sign, which begins with a digit.
fn number(text: &[u8]) -> usize {
    let mut at = digits(text);
    if let [b'.', b'0'..=b'9', ..] = text[at..] {
        at += 1 + digits(&text[at + 1..]);
    }
    match text[at..] {
        [b'e' | b'E', b'0'..=b'9', ..] => at + 1 + digits(&text[at + 1..]),
        [b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..] => at + 2 + digits(&text[at + 2..]),
        _ => at,
    }
}

/// The rest of a string behind its opening quote. One that is not closed ends with its line, where the parser gives up.
fn string(inside: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match inside[at..] {
            [b'"', ..] => return at + 1,
            [] | [b'\n' | b'\r', ..] => return at,
            [b'\\', b'"' | b'\\', ..] => at += 2,
            _ => at += 1,
        }
    }
}

/// The rest of a block string behind its opening quotes.
fn block_string(inside: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match inside[at..] {
            [b'"', b'"', b'"', ..] => return at + 3,
            [] => return at,
            [b'\\', b'"', b'"', b'"', ..] => at += 4,
            _ => at += 1,
        }
    }
}
