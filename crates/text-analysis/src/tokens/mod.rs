//! Splits text of any script into folded words.
//!
//! | text | tokens |
//! | --- | --- |
//! | `The Row-Rank` | `the`, `row`, `rank`, and `rowrank` (joined) |
//! | `978-3-16-148410-0` | five numbers, and `9783161484100` (joined) |
//! | `C++`, `C#`, `x^2`, `x_{12}`, `x²` | `cplusplus`, `csharp`, `x2`, `x12`, `x2` |
//! | `infor-` at the end of a line, `mation` on the next | `information` |
//! | `東京都` | the characters `東`, `京`, `都`, and the dictionary word `東京` |
//! | `น้ำ`, `กินข้าว` | the characters `น้ำ`, `กิ`, `น`, `ข้`, `า`, `ว`, and the dictionary words `กิน`, `ข้าว` |
//! | 👍🏽, 🏷️ | 👍, 🏷 |
//!
//! # Decisions
//! - In scripts without spaces, characters are tokens, because a dictionary sometimes splits the same words differently in a query
//!   and in a sentence. A phrase of characters finds every part of a text; dictionary words only improve the ranking. The dictionaries
//!   are those of ICU. Its neural models take a hundred times as long.
//! - A character includes all its vowel signs and the letters below it (Khmer, Burmese), so that words with different vowels have
//!   different tokens. This is slightly more than Unicode's grapheme cluster.
//! - Only compounds that users may type without separators are joined: maximum eight parts and 64 bytes.
//! - A hyphen at a line end joins the halves of a word if a lower-case letter follows, or if both halves are in capital letters.
//!   `Anglo-` and `Saxon` stay two words.
//! - A page number or an emoji between two words is a word of its own, so the two words are neither joined nor a phrase.
//!
//! # Why not charabia
//! Meilisearch's tokenizer (0.9) removes the vowel signs and tone marks of Thai (`กิน` becomes `กน`), and treats each Lao or Burmese
//! sentence as one word. It does not fold `ё`, `ł`, `ø`, skin tones, digits of other scripts and invisible characters. It supports
//! neither compounds nor words broken at line ends. On the same machine, it splits 9 to 27 MB of text per second, and this module 18
//! to 145 MB (English 131, Russian 145, Hindi 140, Thai 28, Chinese 18). A program with charabia has 10 MB without its Japanese and
//! Korean dictionaries; a program with this module has 3.8 MB, and an empty program 0.3 MB.

pub(crate) mod class;
mod compound;
mod spaceless;
mod symbol;

use std::{collections::VecDeque, ops::Range};

use self::class::Class;
use crate::characters::class;

/// A word of a text, or a part of a word that can be found by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Where the word is in the text, in bytes.
    pub range: Range<usize>,
    /// The folded word. Not empty; maximum [`MAX_WORD_BYTES`](crate::MAX_WORD_BYTES) bytes.
    pub word: String,
    /// How many words and characters precede it in the text. Tokens of the kinds `Dictionary` and `Joined` have the position of
    /// their first part, so words at consecutive positions are a phrase.
    pub position: u32,
    /// The kind.
    pub kind: TokenKind,
}

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A word between spaces or punctuation, a number, or an emoji.
    Word,
    /// A character with its marks, in a script written without spaces between words: Thai, Lao, Khmer, Burmese, Chinese, Japanese.
    /// Korean syllables are characters too.
    Character,
    /// A word of at least two characters in a dictionary of the language.
    Dictionary,
    /// The parts of a compound without their separators: `todo` for `to-do`.
    Joined,
}

/// Returns the tokens of a text in the order of their positions. At each position, the `Word` or `Character` comes first.
pub fn tokens(text: &str) -> Tokens<'_> {
    Tokens {
        text,
        at: 0,
        position: 0,
        pending: VecDeque::new(),
        expands: true,
    }
}

/// The tokens of a text. See [`tokens`].
#[derive(Debug)]
pub struct Tokens<'t> {
    text: &'t str,
    /// Where the text that is not read yet starts.
    at: usize,
    /// The position of the next word.
    position: u32,
    pending: VecDeque<Token>,
    /// Whether characters that stand for several words are expanded. False for the text of such an expansion.
    expands: bool,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            if let Some(token) = self.pending.pop_front() {
                return Some(token);
            }
            let character = self.peek()?;
            match class(character) {
                Class::Letter => self.read_compound(),
                Class::Spaceless => self.read_spaceless(),
                Class::Emoji => self.read_emoji(),
                Class::Composed => self.read_composed(character),
                Class::Other | Class::Mark | Class::Ignored => self.at += character.len_utf8(),
            }
        }
    }
}

impl Tokens<'_> {
    /// Moves to the next word that is wanted, or that may be more than a run of ASCII letters and digits. The words before it are
    /// counted in positions, but are not returned.
    pub(crate) fn skip_words(&mut self, is_wanted: impl Fn(&[u8]) -> bool) {
        if !self.pending.is_empty() {
            return;
        }
        let bytes = self.text.as_bytes();
        loop {
            let between = bytes[self.at..].iter();
            self.at += between
                .take_while(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric())
                .count();
            let rest = &bytes[self.at..];
            let length = rest
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric())
                .count();
            let (word, after) = rest.split_at(length);
            if word.is_empty() || !ends_word(after) || is_wanted(word) {
                return;
            }
            self.at += length;
            self.position += 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Adds a word at the next position.
    fn push(&mut self, range: Range<usize>, word: String, kind: TokenKind) {
        self.pending.push_back(Token {
            range,
            word,
            position: self.position,
            kind,
        });
        self.position += 1;
    }

    /// Adds the words of a folded text that one or more characters of the text stand for.
    fn push_expansion(&mut self, range: Range<usize>, folded: &str) {
        if !self.expands {
            return;
        }
        let mut words = Tokens {
            position: self.position,
            expands: false,
            ..tokens(folded)
        };
        for word in words.by_ref() {
            self.pending.push_back(Token {
                range: range.clone(),
                ..word
            });
        }
        self.position = words.position;
    }
}

/// Whether what follows an ASCII letter or digit always ends the word, so that neither a sign, a connector nor the other half of a
/// broken word follows.
fn ends_word(after: &[u8]) -> bool {
    matches!(
        after,
        [] | [b' ' | b'\n' | b')' | b':' | b';' | b'!' | b'?', ..]
            | [b'.' | b',']
            | [b'.' | b',', b' ' | b'\n', ..]
    )
}
