//! The one mistake in a text that apollo-compiler's parser passes over: a name of an argument or an input field without
//! a colon. It drops the name and what was meant by it, so `{title "new"}` would change nothing and succeed.
//!
//! Among 600,000 altered documents this was the only text that graphql-js refuses and apollo-compiler parses.
//!
//! Read on: `tokens.rs` for the tokens, `gaps.rs` for what validation passes over.

use crate::rejection::Code;
use crate::rejection::{Problem, Rejection};
use crate::source_map::Places;
use crate::tokens::Tokens;

/// Refuses a name without a colon where only a name with one can stand: in parentheses and in input objects. Other names
/// there are values and types, which stand behind a sign, or within a list.
pub(crate) fn check(text: &str) -> Result<(), Rejection> {
    let mut brackets = Vec::new();
    let mut parentheses = 0;
    let mut before: &[u8] = b"";
    let mut awaits_colon = false;
    for token in Tokens::of(text).filter(|token| !token.is_ignored()) {
        if awaits_colon && token.text != b":" {
            let position = Places::of(text).at(token.offset);
            let problem = Problem::new("syntax error: expected a colon", Some(position));
            return Err(Rejection::new(Code::ParseFailed, vec![problem]));
        }
        match token.text[0] {
            bracket @ (b'(' | b'[' | b'{') => {
                brackets.push(bracket);
                parentheses += usize::from(bracket == b'(');
            }
            b')' | b']' | b'}' => parentheses -= usize::from(brackets.pop() == Some(b'(')),
            _ => {}
        }
        let among_names = parentheses > 0 && brackets.last() != Some(&b'[');
        let is_told = matches!(before, b":" | b"$" | b"@" | b"=");
        awaits_colon = token.is_name() && among_names && !is_told;
        before = token.text;
    }
    Ok(())
}
