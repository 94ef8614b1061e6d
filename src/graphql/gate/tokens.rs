//! Counts a document's tokens and brackets in one pass, before anything is built of it.
//!
//! It never accepts or refuses a text as GraphQL; that is the parser's work. Where a text is no GraphQL the count may be
//! too high, but never lower than what the parser would make of it.
//!
//! Read on: `document.rs`.

use super::Limits;
use super::rejection::Rejection;

/// Refuses a text that is too long, has too many tokens or nests brackets too deep, whatever else it may be.
pub(super) fn check(text: &str, limits: &Limits) -> Result<(), Rejection> {
    if text.len() > limits.document_bytes {
        return Err(over(
            "The document's length in bytes",
            text.len(),
            limits.document_bytes,
        ));
    }
    let mut tokens = 0;
    let mut open: usize = 0;
    let mut rest = text.as_bytes();
    while let Some(&first) = rest.first() {
        let (token, behind) = rest.split_at(length(rest));
        rest = behind;
        if is_blank(token) {
            continue;
        }
        tokens += 1;
        match first {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if tokens > limits.tokens {
            return Err(over(
                "The number of tokens in the document",
                tokens,
                limits.tokens,
            ));
        }
        if open > limits.nesting {
            return Err(over("The document's nesting", open, limits.nesting));
        }
    }
    Ok(())
}

fn over(what: &str, counted: usize, limit: usize) -> Rejection {
    Rejection::over(what, counted as u64, limit as u64)
}

fn is_blank(token: &[u8]) -> bool {
    matches!(token, [b' ' | b'\t' | b'\n' | b'\r', ..]) || token == "\u{feff}".as_bytes()
}

/// The length in bytes of the token or the blank that `text` begins with; `text` is not empty.
fn length(text: &[u8]) -> usize {
    match text {
        [b' ' | b'\t' | b'\n' | b'\r', ..] => {
            run(text, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        }
        [0xef, 0xbb, 0xbf, ..] => 3,
        [b'#', ..] => run(text, |byte| !matches!(byte, b'\n' | b'\r')),
        [b'"', b'"', b'"', inside @ ..] => 3 + block_string(inside),
        [b'"', inside @ ..] => 1 + string(inside),
        [b'.', b'.', b'.', ..] => 3,
        // "1-1" is two numbers, so a sign begins one; a fraction or an exponent counts as further tokens.
        [b'-', digits @ ..] => 1 + run(digits, |byte| byte.is_ascii_digit()),
        [b'0'..=b'9', ..] => run(text, |byte| byte.is_ascii_digit()),
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

/// The rest of a string behind its opening quote. One that is not closed ends with its line, where the parser gives up.
fn string(inside: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = inside.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\n' | b'\r' => return at,
            b'\\' if inside.get(at + 1) == Some(&b'"') => at += 2,
            b'\\' if inside.get(at + 1) == Some(&b'\\') => at += 2,
            _ => at += 1,
        }
    }
    inside.len()
}

/// The rest of a block string behind its opening quotes.
fn block_string(inside: &[u8]) -> usize {
    let mut at = 0;
    while at < inside.len() {
        if inside[at..].starts_with(br#"\""""#) {
            at += 4;
        } else if inside[at..].starts_with(br#"""""#) {
            return at + 3;
        } else {
            at += 1;
        }
    }
    inside.len()
}
