//! How similar two words are, and the words of a list that are similar to a term.

use std::borrow::Cow;

use memchr::memmem;

use super::{MAX_TERM_CHARS, MIN_CHARS, Similar, word_list::WordList};
use crate::{
    look::look_of,
    stem::{Language, is_stop_word, stem},
};

/// How similar a word is to a term, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Likeness {
    /// The term is a misspelling of the start of the word: `algoritm` of `algorithmically`.
    MisspelledPrefix,
    /// The term is a misspelling of the word: `algoritm` of `algorithm`.
    Misspelled,
    /// The word contains the term: `rithm` in `algorithm`.
    Part,
    /// The term and the word look the same in print: `modern` and `modem`.
    SameLook,
    /// The word starts with the term: `algo` and `algorithm`.
    Prefix,
    /// The term and the word have the same stem: `connected` and `connections`.
    SameStem,
    /// The word is the term.
    Same,
}

/// The letters that a word has when it is printed, as a set of 32 bits. Several letters may share a bit.
pub(super) fn letters(word: &str) -> u32 {
    look_of(word).fold(0, |letters, letter| letters | 1 << (u32::from(letter) % 32))
}

/// The stem of a word. Stop words are their own stem: a search for `being` does not find `bees`.
fn stem_of(word: &str) -> Cow<'_, str> {
    if is_stop_word(word) {
        return Cow::Borrowed(word);
    }
    stem(word, Language::English)
}

/// Whether at most `limit` bits are set.
fn has_at_most(limit: usize, mut bits: u32) -> bool {
    for _ in 0..limit {
        bits &= bits.wrapping_sub(1);
    }
    bits == 0
}

/// English words whose stem begins unlike the word.
const IRREGULAR: [&str; 3] = ["dying", "lying", "tying"];

/// A term of a query, prepared for comparisons.
pub(super) struct Term<'t> {
    word: &'t str,
    stem: Cow<'t, str>,
    look: Vec<char>,
    letters: u32,
    /// Maximum number of characters inserted, deleted or replaced by a misspelling.
    max_edits: usize,
}

impl<'t> Term<'t> {
    /// `None` if a term of this length has no similar words, or if it contains a space.
    pub(super) fn new(word: &'t str) -> Option<Self> {
        let chars = word.chars().count();
        let has_similar = (MIN_CHARS..=MAX_TERM_CHARS).contains(&chars) && !word.contains(' ');
        has_similar.then(|| Self {
            word,
            stem: stem_of(word),
            look: look_of(word).collect(),
            letters: letters(word),
            max_edits: match chars {
                0..5 => 0,
                5..8 => 1,
                8.. => 2,
            },
        })
    }

    /// The similar words of a list, in no order.
    pub(super) fn similar_in<'v>(&self, words: &'v WordList) -> Vec<Similar<'v>> {
        let mut found = self.same_stem(words);
        found.extend(self.containing(words));
        found.extend(self.looking_alike(words));
        found.sort_unstable_by(|one, other| (other.0, other.1).cmp(&(one.0, one.1)));
        found.dedup_by_key(|(index, _)| *index);
        let found = found.into_iter();
        found
            .map(|(index, likeness)| Similar {
                word: words.get(index),
                likeness,
            })
            .collect()
    }

    /// A stem is the start of the word, except for its last letter: `happi` of `happy`, `sensibl` of `sensibility`.
    fn same_stem(&self, words: &WordList) -> Vec<(usize, Likeness)> {
        let mut start = self.stem.chars();
        start.next_back();
        let irregular = IRREGULAR.iter().filter_map(|word| words.find(word).ok());
        let candidates = words.starting_with(start.as_str()).chain(irregular);
        candidates
            .filter(|index| stem_of(words.get(*index)) == self.stem)
            .map(|index| {
                let is_same = words.get(index) == self.word;
                (
                    index,
                    if is_same {
                        Likeness::Same
                    } else {
                        Likeness::SameStem
                    },
                )
            })
            .collect()
    }

    /// Searches the text of all words at once.
    fn containing(&self, words: &WordList) -> Vec<(usize, Likeness)> {
        let (text, finder) = (words.text().as_bytes(), memmem::Finder::new(self.word));
        let mut found = Vec::new();
        let (mut at, mut index) = (0, 0);
        while let Some(next) = finder.find(&text[at..]) {
            at += next;
            index = words.index_at(at, index);
            if at + self.word.len() > words.end(index) {
                // It starts in this word and ends in the next.
                at += 1;
                continue;
            }
            let is_prefix = at == words.start(index);
            found.push((
                index,
                if is_prefix {
                    Likeness::Prefix
                } else {
                    Likeness::Part
                },
            ));
            at = words.end(index);
        }
        found
    }

    fn looking_alike(&self, words: &WordList) -> Vec<(usize, Likeness)> {
        let mut found = Vec::new();
        let mut word_look = Vec::new();
        for (index, letters) in words.letters().iter().enumerate() {
            if !has_at_most(self.max_edits, self.letters & !letters) {
                continue;
            }
            let is_whole = has_at_most(self.max_edits, letters & !self.letters);
            let word = words.get(index);
            if is_whole
                || (self.max_edits > 1 && look_of(word).take(2).eq(self.head().iter().copied()))
            {
                word_look.clear();
                word_look.extend(look_of(word));
                found.extend(
                    self.likeness_of_look(&word_look)
                        .map(|likeness| (index, likeness)),
                );
            }
        }
        found
    }

    fn likeness_of_look(&self, word: &[char]) -> Option<Likeness> {
        let term = self.look.as_slice();
        if word == term {
            return Some(Likeness::SameLook);
        }
        let same_start = word.starts_with(self.head());
        let same_end = word.ends_with(&term[term.len().saturating_sub(2)..]);
        if self.max_edits == 0 || !(same_start || same_end) {
            return None;
        }
        if are_swapped(word, term) || self.is_within_edits(word) {
            return Some(Likeness::Misspelled);
        }
        let start = &word[..word.len().min(term.len())];
        (self.max_edits > 1 && same_start && self.is_within_edits(start))
            .then_some(Likeness::MisspelledPrefix)
    }

    /// How the term starts in print.
    fn head(&self) -> &[char] {
        &self.look[..self.look.len().min(2)]
    }

    fn is_within_edits(&self, word: &[char]) -> bool {
        word.len().abs_diff(self.look.len()) <= self.max_edits
            && strsim::generic_levenshtein(&Chars(word), &Chars(&self.look)) <= self.max_edits
    }
}

/// Whether the words differ by one swap of neighboring letters.
fn are_swapped(one: &[char], other: &[char]) -> bool {
    let first = one.iter().zip(other).position(|(one, other)| one != other);
    first.is_some_and(|at| {
        one.len() == other.len()
            && at + 1 < one.len()
            && one[at] == other[at + 1]
            && one[at + 1] == other[at]
            && one[at + 2..] == other[at + 2..]
    })
}

/// Characters as the edit distance takes them.
struct Chars<'c>(&'c [char]);

impl<'c> IntoIterator for &Chars<'c> {
    type Item = &'c char;
    type IntoIter = std::slice::Iter<'c, char>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
