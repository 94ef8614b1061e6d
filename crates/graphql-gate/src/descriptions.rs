//! Descriptions of operations, fragments and variables (September 2025 specification), which apollo-compiler's parser rejects.
//!
//! A description has no effect on the execution. It is replaced by spaces of the same length, so the positions of all other
//! tokens stay the same.

use std::borrow::Cow;

use apollo_compiler::parser::Parser;

use crate::tokens::{Token, Tokens};

/// The text with spaces instead of its valid descriptions.
pub(crate) fn blank(text: &str) -> Cow<'_, str> {
    if !text.contains('"') {
        return Cow::Borrowed(text);
    }
    let tokens: Vec<Token<'_>> = Tokens::new(text)
        .filter(|token| !token.is_ignored())
        .collect();
    let mut blanked = Cow::Borrowed(text);
    // The number of open brackets, and whether the first one opened the declarations of variables.
    let (mut open, mut declares) = (0_usize, false);
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| tokens[index].text);
        let next = tokens.get(index + 1).map(|token| token.text);
        match token.text {
            b"(" | b"[" | b"{" => {
                if open == 0 {
                    declares = token.text == b"(" && follows_operation(&tokens[..index]);
                }
                open += 1;
            }
            b")" | b"]" | b"}" => open = open.saturating_sub(1),
            [b'"', ..] if is_description(before, next, open, declares) && is_valid(token) => {
                erase(blanked.to_mut(), token);
            }
            _ => {}
        }
    }
    blanked
}

/// Whether these tokens end with the type of an operation, or with its type and name.
fn follows_operation(tokens: &[Token<'_>]) -> bool {
    let is_type =
        |token: &Token<'_>| matches!(token.text, b"query" | b"mutation" | b"subscription");
    match tokens {
        [.., kind, name] => is_type(name) || (is_type(kind) && name.is_name()),
        [kind] => is_type(kind),
        [] => false,
    }
}

/// Whether a string between two tokens is a description.
fn is_description(before: Option<&[u8]>, next: Option<&[u8]>, open: usize, declares: bool) -> bool {
    // Of two strings in a row, the first one remains, which is a syntax error.
    if matches!(before, Some([b'"' | b'=' | b':', ..])) {
        return false;
    }
    match next {
        Some(b"query" | b"mutation" | b"subscription" | b"fragment") => open == 0,
        Some(b"$") => open == 1 && declares,
        _ => false,
    }
}

/// Whether the parser accepts the string as a value.
fn is_valid(token: &Token<'_>) -> bool {
    let Ok(string) = std::str::from_utf8(token.text) else {
        return false;
    };
    let document = format!("{{ field(argument: {string}) }}");
    Parser::new().parse_ast(document, "description").is_ok()
}

fn erase(text: &mut String, token: &Token<'_>) {
    let range = token.offset..token.offset + token.text.len();
    let spaces = token.text.iter().map(|byte| match byte {
        b'\n' | b'\r' => char::from(*byte),
        _ => ' ',
    });
    let spaces: String = spaces.collect();
    text.replace_range(range, &spaces);
}
