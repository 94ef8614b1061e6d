//! Emoji, and symbols that stand for letters.

use super::{TokenKind, Tokens, class::Class};
use crate::{characters::class, fold::fold_word};

const JOINER: char = '\u{200d}';

impl Tokens<'_> {
    /// Reads an emoji: a flag, or pictograms with joiners between them. Skin tones and presentation are ignored.
    pub(super) fn read_emoji(&mut self) {
        let start = self.at;
        let (mut word, mut last, mut end) = (String::new(), '\0', start);
        for character in self.text[start..].chars() {
            match character {
                '\u{e0020}'..='\u{e007f}' => word.push(character),
                '\u{1f3fb}'..='\u{1f3ff}' if !word.is_empty() => {}
                JOINER => {}
                _ if matches!(class(character), Class::Ignored | Class::Mark) => {}
                _ if class(character) != Class::Emoji => break,
                _ if word.is_empty() || is_flag(&word, character) => word.push(character),
                _ if last == JOINER => {
                    word.push(JOINER);
                    word.push(character);
                }
                _ => break,
            }
            last = character;
            end += character.len_utf8();
        }
        self.at = end;
        word.truncate(word.floor_char_boundary(crate::MAX_WORD_BYTES));
        self.push(start..end, word, TokenKind::Word);
    }

    /// Reads a symbol that stands for letters.
    pub(super) fn read_composed(&mut self, symbol: char) {
        let range = self.at..self.at + symbol.len_utf8();
        self.at = range.end;
        let folded = fold_word(&self.text[range.clone()]);
        self.push_expansion(range, &folded);
    }
}

/// Whether the word is the first half of a flag, and the character the second.
fn is_flag(word: &str, character: char) -> bool {
    let is_indicator = |character| matches!(character, '\u{1f1e6}'..='\u{1f1ff}');
    let mut letters = word.chars();
    letters.next().is_some_and(is_indicator) && letters.next().is_none() && is_indicator(character)
}
