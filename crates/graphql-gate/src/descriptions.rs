//! Descriptions of operations, fragments and variables (September 2025 specification), which apollo-compiler's parser rejects.
//!
//! A description has no effect on the execution. It is replaced by spaces of the same length, so the positions of all other
//! tokens stay the same.

use std::borrow::Cow;
use std::collections::HashMap;

use apollo_compiler::ast::{self, Value};
use apollo_compiler::parser::Parser;

use crate::tokens::{Token, Tokens};

/// The text with spaces instead of its valid descriptions.
pub(crate) fn blank(text: &str) -> Cow<'_, str> {
    let mut blanked = Cow::Borrowed(text);
    for_each(text, |token, _| erase(blanked.to_mut(), token));
    blanked
}

/// The descriptions of a document with one operation.
#[derive(Default)]
pub(crate) struct Descriptions {
    pub(crate) operation: Option<String>,
    /// Those of its variables, by the variable's name.
    pub(crate) variables: HashMap<String, String>,
}

/// Reads the descriptions of a document with one operation.
pub(crate) fn read(text: &str) -> Descriptions {
    let mut descriptions = Descriptions::default();
    for_each(text, |token, described| {
        let Some(value) = string(token) else { return };
        match described {
            [dollar, name, ..] if dollar.text == b"$" => {
                let name = String::from_utf8_lossy(name.text).into_owned();
                descriptions.variables.insert(name, value);
            }
            [first, ..] if first.text == b"fragment" => {}
            _ => descriptions.operation = Some(value),
        }
    });
    descriptions
}

/// Calls a function with each valid description, and the tokens after it.
fn for_each(text: &str, mut found: impl FnMut(&Token<'_>, &[Token<'_>])) {
    if !text.contains('"') {
        return;
    }
    let tokens: Vec<Token<'_>> = Tokens::new(text)
        .filter(|token| !token.is_ignored())
        .collect();
    // The number of open brackets, and whether the first one opened the declarations of variables.
    let (mut open, mut declares) = (0_usize, false);
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| tokens[index].text);
        let after = &tokens[index + 1..];
        let next = after.first().map(|token| token.text);
        match token.text {
            b"(" | b"[" | b"{" => {
                if open == 0 {
                    declares = token.text == b"(" && follows_operation(&tokens[..index]);
                }
                open += 1;
            }
            b")" | b"]" | b"}" => open = open.saturating_sub(1),
            [b'"', ..]
                if is_description(before, next, open, declares) && string(token).is_some() =>
            {
                found(token, after);
            }
            _ => {}
        }
    }
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

/// The value of a string. None if the parser does not accept it.
fn string(token: &Token<'_>) -> Option<String> {
    let string = std::str::from_utf8(token.text).ok()?;
    let document = format!("{{ field(argument: {string}) }}");
    let document = Parser::new().parse_ast(document, "description").ok()?;
    let ast::Definition::OperationDefinition(operation) = document.definitions.first()? else {
        return None;
    };
    let field = operation.selection_set.first()?.as_field()?;
    match &*field.arguments.first()?.value {
        Value::String(value) => Some(value.clone()),
        _ => None,
    }
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
