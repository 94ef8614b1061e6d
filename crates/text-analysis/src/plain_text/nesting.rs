//! Limits the nesting of a note's blocks.
//!
//! The parser visits each open block for each line that continues a paragraph, so thousands of nested lists before thousands
//! of lines take minutes. Real notes have only a few levels.

use std::borrow::Cow;

/// Maximum length of the indentation and markers at the start of a line, in bytes. Each level takes at least one byte, or half
/// a tab.
const MAX_PREFIX: usize = 100;

/// The note with spaces in place of each marker (`>`, `-`, `1.`) after the maximum length. All positions stay the same.
pub(super) fn bounded(markdown: &str) -> Cow<'_, str> {
    let mut bounded = Vec::new();
    let mut line_start = 0;
    for line in markdown.split_inclusive(['\n', '\r']) {
        for marker in markers_after(line, MAX_PREFIX) {
            if bounded.is_empty() {
                bounded = markdown.as_bytes().to_vec();
            }
            bounded[line_start + marker] = b' ';
        }
        line_start += line.len();
    }
    match String::from_utf8(bounded) {
        Ok(bounded) if !bounded.is_empty() => Cow::Owned(bounded),
        _ => Cow::Borrowed(markdown),
    }
}

/// The positions of the bytes of markers at the start of a line, from byte `start` on.
fn markers_after(line: &str, start: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let bytes = line.as_bytes();
    // Most lines are shorter.
    if bytes.len() <= start {
        return found;
    }
    let mut at = 0;
    while let Some(length) = prefix_length(&bytes[at..]) {
        let marker = at..at + length;
        found.extend(
            marker.filter(|position| *position >= start && !bytes[*position].is_ascii_whitespace()),
        );
        at += length;
    }
    found
}

/// The length of a space, or of the marker of a quote, an item, a definition or a footnote.
fn prefix_length(rest: &[u8]) -> Option<usize> {
    let is_space = |at: usize| rest.get(at).is_none_or(u8::is_ascii_whitespace);
    match rest {
        [b' ' | b'\t' | b'>', ..] => Some(1),
        [b'-' | b'+' | b'*' | b':' | b'~', ..] if is_space(1) => Some(1),
        [b'0'..=b'9', ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let is_marker = matches!(rest.get(digits), Some(b'.' | b')')) && is_space(digits + 1);
            (digits < 10 && is_marker).then_some(digits + 1)
        }
        [b'[', b'^', ..] => {
            let label = rest.iter().position(|byte| *byte == b']')?;
            (rest.get(label + 1) == Some(&b':')).then_some(label + 2)
        }
        _ => None,
    }
}
