//! The first syntax error of a document, in words.

use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::validation::DiagnosticList;

use crate::apollo_workarounds::find_missing_colon;
use crate::rejection::{Problem, Rejection, RejectionKind, short};
use crate::source_map::SourceMap;
use crate::tokens::{Token, Tokens};

/// Rejects a text with its first syntax error.
pub(crate) fn rejection(text: &str, errors: &DiagnosticList, map: &SourceMap) -> Rejection {
    let errors = errors.iter().map(|one| {
        let span = one.error.location();
        let offset = span.map_or(text.len(), |span| span.offset());
        (offset, one.error.to_string())
    });
    let first = errors.min_by_key(|(offset, _)| *offset);
    let (offset, message) = first.unwrap_or((text.len(), String::new()));
    match find_missing_colon(text) {
        // The parser drops the name and is surprised by what follows.
        Some(token) if token.offset <= offset => missing_colon(text, token, map),
        _ => {
            let message = message.strip_prefix("syntax error: ").unwrap_or(&message);
            at(map, offset, &words(text, offset, message))
        }
    }
}

/// Rejects a text in which `token` follows a name that needs a colon.
pub(crate) fn missing_colon(text: &str, token: Token<'_>, map: &SourceMap) -> Rejection {
    let unexpected = unexpected(text, token.offset);
    at(map, token.offset, &format!("{unexpected}; expected `:`."))
}

fn at(map: &SourceMap, offset: usize, message: &str) -> Rejection {
    let problem = Problem::new(message, Some(map.position(offset)));
    Rejection::new(RejectionKind::Syntax, vec![problem])
}

/// The error in words. `message` is the parser's.
fn words(text: &str, offset: usize, message: &str) -> String {
    if let Some(lexical) = lexical(&text[offset..], message) {
        return lexical;
    }
    if offset >= text.trim_end().len() {
        return unexpected_end(text, message);
    }
    match (message, &text.as_bytes()[offset]) {
        ("expected at least one Selection in Selection Set", b'}') => {
            return "The selection set is empty. Select at least one field.".to_owned();
        }
        ("expected a Variable Definition", b')') => {
            return "The list of variables is empty. Declare a variable, or remove the parentheses."
                .to_owned();
        }
        ("expected an Argument", b')') => {
            return "The list of arguments is empty. Add an argument, or remove the parentheses."
                .to_owned();
        }
        ("expected an Operation Type or a Selection Set" | "expected definition", b'"') => {
            return "A description must be followed by `query`, `mutation`, `subscription` or `fragment`.".to_owned();
        }
        ("expected an Inline Fragment or a Fragment Spread", _) => {
            return "`...` must be followed by a fragment's name, `on` or `{`.".to_owned();
        }
        (_, b'}' | b')' | b']') if open_brackets(&text[..offset]).is_empty() => {
            return format!("{}. It closes no bracket.", unexpected(text, offset));
        }
        _ => {}
    }
    format!(
        "{}; expected {}.",
        unexpected(text, offset),
        expected(text, offset, message)
    )
}

fn unexpected_end(text: &str, message: &str) -> String {
    if Tokens::new(text).all(Token::is_ignored) {
        return "The document is empty. Send a query, a mutation or a subscription.".to_owned();
    }
    let missing = match open_brackets(text).pop() {
        Some("(") => "a `)`",
        Some("[") => "a `]`",
        Some(_) => "a `}`",
        None => expected(text, text.len(), message),
    };
    format!("The document ends unexpectedly; {missing} is missing.")
}

/// The brackets that are still open at the end of a text.
fn open_brackets(text: &str) -> Vec<&'static str> {
    let mut open = Vec::new();
    for token in Tokens::new(text) {
        match token.text {
            b"{" => open.push("{"),
            b"(" => open.push("("),
            b"[" => open.push("["),
            b"}" | b")" | b"]" => drop(open.pop()),
            _ => {}
        }
    }
    open
}

fn unexpected(text: &str, offset: usize) -> String {
    let rest = &text[offset..];
    let length = Tokens::new(rest).next().map_or(0, |token| token.text.len());
    format!(
        "Unexpected `{}`",
        short(&rest[..rest.ceil_char_boundary(length)])
    )
}

/// What the parser expected.
fn expected(text: &str, offset: usize, message: &str) -> &'static str {
    if follows_variable(&text[..offset]) {
        return "`:` and a type";
    }
    match message {
        "expected a Selection Set" | "expected Selection Set" => "a selection set `{ … }`",
        "expected at least one Selection in Selection Set" => "a field",
        "expected a Variable Definition" => "a variable such as `$id: ID!`",
        "expected an Argument" => "an argument such as `first: 10`",
        "expected a Type" | "expected a type" => "a type",
        "expected a valid Value" => "a value",
        "unexpected variable value in a Const context" => "a value without variables",
        "expected Fragment Name" | "Fragment Name cannot be 'on'" => "the fragment's name",
        "expected 'on'" | "expected Type Condition" => "`on` and a type",
        "expected a Name in Type Condition" => "a type's name",
        message if message.starts_with("expected R_CURLY") => "a field or `}`",
        message if message.starts_with("expected R_PAREN") => "`)`",
        message if message.starts_with("expected R_BRACK") => "`]`",
        message if message.to_ascii_lowercase().starts_with("expected a name") => "a name",
        _ => "a query, a mutation, a subscription or a fragment",
    }
}

/// Whether a text ends with a variable that its operation declares, such as `query($id`.
fn follows_variable(text: &str) -> bool {
    let tokens: Vec<_> = Tokens::new(text)
        .filter(|token| !token.is_ignored())
        .collect();
    let mut open = open_brackets(text);
    let is_declared = open.pop() == Some("(") && open.is_empty();
    is_declared
        && matches!(tokens.as_slice(), [.., before, sign, name]
            if sign.text == b"$" && name.is_name() && before.text != b":" && before.text != b"=")
}

/// The words for an error inside a token. `text` starts with the token.
fn lexical(text: &str, message: &str) -> Option<String> {
    let words = in_string(text, message).or_else(|| in_number(text, message));
    if let Some(words) = words {
        return Some(words.to_owned());
    }
    if message == "Unterminated spread operator" {
        return Some("A fragment is spread with three dots: `...`.".to_owned());
    }
    message.strip_prefix("Unexpected character")?;
    Some(match text.chars().next() {
        Some('\'' | '‘' | '’' | '“' | '”') => {
            "Strings must be in double quotes: `\"…\"`.".to_owned()
        }
        Some(character) if character.is_control() || character == '`' => {
            format!("Unexpected character `U+{:04X}`.", u32::from(character))
        }
        character => format!("Unexpected character `{}`.", character.unwrap_or_default()),
    })
}

fn in_string(text: &str, message: &str) -> Option<&'static str> {
    Some(match message {
        "unterminated string value" | "unexpected end of data while lexing string value" => {
            match text.starts_with("\"\"\"") {
                true => "The string is not terminated. End it with `\"\"\"`.",
                false => "The string is not terminated. End it with `\"`.",
            }
        }
        "unexpected line terminator" => {
            "The string contains a line break. Write it as `\\n`, or use a block string `\"\"\"…\"\"\"`."
        }
        "unexpected escaped character" => {
            "The string has an invalid escape sequence. Write a backslash as `\\\\`."
        }
        _ if message.contains("unicode") => {
            "The string has an invalid Unicode escape sequence. Use `\\uXXXX` or `\\u{X…}`."
        }
        _ => return None,
    })
}

fn in_number(text: &str, message: &str) -> Option<&'static str> {
    let is_number = |word| message.contains(word);
    Some(match message {
        "Numbers must not have non-significant leading zeroes" => {
            "A number must not start with extra zeros."
        }
        "Unterminated spread operator" if starts_with_decimals(text) => {
            "A number must start with a digit, such as `0.5`."
        }
        _ if ["suffix", "digit", "float"].into_iter().any(is_number) => {
            "The number is incomplete or has invalid characters."
        }
        _ if message.starts_with("Unexpected character") && text.starts_with('-') => {
            "A digit must follow the sign `-`."
        }
        _ => return None,
    })
}

fn starts_with_decimals(text: &str) -> bool {
    matches!(text.as_bytes(), [b'.', b'0'..=b'9', ..])
}
