//! Splits a document's text into tokens and counts them, before anything is built from it.
//!
//! Whether the text is valid GraphQL is decided by the parser. If it is not, the count may be too high, but never lower
//! than the parser's.

use crate::limits::{self, Limits};
use crate::rejection::Rejection;

/// Rejects a text that is too long, has too many tokens or nests brackets too deeply.
pub(crate) fn check(text: &str, limits: &Limits) -> Result<(), Rejection> {
    let what = "The document's length in bytes";
    limits::check(what, text.len(), limits.document_bytes)?;
    let mut open: usize = 0;
    for (index, token) in Tokens::new(text).enumerate() {
        match token.text {
            b"(" | b"[" | b"{" => open += 1,
            b")" | b"]" | b"}" => open = open.saturating_sub(1),
            _ => {}
        }
        limits::check("The number of tokens", index + 1, limits.tokens)?;
        limits::check("The nesting of brackets", open, limits.nesting)?;
    }
    Ok(())
}

/// The tokens of a text, including comments and commas, without whitespace.
pub(crate) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
}

/// A token. It has at least one byte.
#[derive(Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a [u8],
    /// The byte offset of its start.
    pub(crate) offset: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.at += white_space(&self.text[self.at..]);
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
    pub(crate) fn is_name(self) -> bool {
        is_name(self.text[0]) && !self.text[0].is_ascii_digit()
    }

    /// Whether the token is a comment or a comma.
    pub(crate) fn is_ignored(self) -> bool {
        matches!(self.text[0], b',' | b'#')
    }
}

fn white_space(text: &[u8]) -> usize {
    let length = run(text, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    match &text[length..] {
        [0xef, 0xbb, 0xbf, rest @ ..] => length + 3 + white_space(rest),
        _ => length,
    }
}

/// The length in bytes of the first token in `text`, which is not empty.
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

/// The length of a number without its sign.
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

/// The length of a string after its opening quote. An unterminated string ends with its line, as in the parser.
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

/// The length of a block string after its opening quotes.
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
