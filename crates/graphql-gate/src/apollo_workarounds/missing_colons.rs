//! Finds names of arguments and input fields that have no colon.
//!
//! apollo-compiler's parser accepts them and drops the name, so `{title "new"}` would change nothing and succeed. Among
//! 600,000 mutated documents this was the only fault that graphql-js rejects and apollo-compiler's parser accepts.

use crate::tokens::{Token, Tokens};

/// The first token that follows a name where only a colon can follow: in parentheses and in input objects. Other names in
/// these positions are values and types. They follow a sign, or are inside a list.
pub(crate) fn find(text: &str) -> Option<Token<'_>> {
    let mut brackets = Vec::new();
    let mut parentheses = 0;
    let mut previous: &[u8] = b"";
    let mut expects_colon = false;
    for token in Tokens::new(text).filter(|token| !token.is_ignored()) {
        if expects_colon && token.text != b":" {
            return Some(token);
        }
        match token.text[0] {
            bracket @ (b'(' | b'[' | b'{') => {
                brackets.push(bracket);
                parentheses += usize::from(bracket == b'(');
            }
            b')' | b']' | b'}' => parentheses -= usize::from(brackets.pop() == Some(b'(')),
            _ => {}
        }
        let is_name_position = parentheses > 0 && brackets.last() != Some(&b'[');
        let follows_sign = matches!(previous, b":" | b"$" | b"@" | b"=");
        expects_colon = token.is_name() && is_name_position && !follows_sign;
        previous = token.text;
    }
    None
}
