//! How similar two words are. Finds the words of a list that are similar to a term.

use std::{borrow::Cow, cmp::Reverse, iter};

use memchr::memmem;

use super::{MAX_TERM_CHARS, MIN_CHARS, word_list::WordList};
use crate::{
    look::{look_of, starts_of},
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
    /// The term and the word have the same stem in a language other than English: `chevaux` and `cheval`.
    SameForeignStem,
    /// The term and the word look the same in print: `modern` and `modem`.
    SameLook,
    /// The word starts with the term: `algo` and `algorithm`.
    Prefix,
    /// The term and the word have the same stem: `connected` and `connections`.
    SameStem,
    /// The word is the term.
    Same,
}

/// The letters of a word's look, as a set of 32 bits. Several letters may share a bit.
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

/// English words that do not start like their stem.
const IRREGULAR: [&str; 3] = ["dying", "lying", "tying"];

pub(super) const FOREIGN: [Language; 6] = [
    Language::Dutch,
    Language::French,
    Language::German,
    Language::Italian,
    Language::Portuguese,
    Language::Spanish,
];

/// Minimum length of a stem in a language other than English. Shorter ones would match unrelated words.
const MIN_FOREIGN_STEM: usize = 4;

/// The stems of a word in the languages of [`FOREIGN`], if it consists of ASCII letters.
fn foreign_stems(word: &str) -> Vec<(Language, Cow<'_, str>)> {
    let is_latin = word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let languages = FOREIGN.iter().filter(|_| is_latin);
    let stems = languages.map(|language| (*language, stem(word, *language)));
    stems
        .filter(|(_, stem)| stem.len() >= MIN_FOREIGN_STEM)
        .collect()
}

/// A term of a query, prepared for comparisons.
pub(super) struct Term<'t> {
    word: &'t str,
    stem: Cow<'t, str>,
    /// The stems of the term in languages other than English.
    foreign_stems: Vec<(Language, Cow<'t, str>)>,
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
            foreign_stems: foreign_stems(word),
            look: look_of(word).collect(),
            letters: letters(word),
            max_edits: match chars {
                0..5 => 0,
                5..8 => 1,
                8.. => 2,
            },
        })
    }

    /// The indexes of the similar words of a list, each once.
    pub(super) fn similar_in(&self, words: &WordList) -> Vec<(usize, Likeness)> {
        let same = words.find(self.word).map(|index| (index, Likeness::Same));
        let mut found: Vec<_> = same.into_iter().chain(self.same_stem(words)).collect();
        found.extend(self.same_foreign_stem(words));
        found.extend(self.containing(words));
        found.extend(self.looking_alike(words));
        found.extend(self.misspelled_prefixes(words));
        found.sort_unstable_by_key(|(index, likeness)| (*index, Reverse(*likeness)));
        found.dedup_by_key(|(index, _)| *index);
        found
    }

    /// A stem is the start of the word, or the start with `e`, `i`, `l` or `y` as its last letter: `happi` of `happy`, `sensibl` of
    /// `sensibility`. So only the stems of a few words are needed.
    fn same_stem(&self, words: &WordList) -> impl Iterator<Item = (usize, Likeness)> {
        let start = self.stem.strip_suffix(['e', 'i', 'l', 'y']);
        let candidates = words.starting_with(start.unwrap_or(&self.stem));
        let irregular = IRREGULAR.iter().filter_map(|word| words.find(word));
        let candidates = candidates.chain(irregular);
        candidates
            .filter(|index| stem_of(words.get(*index)) == self.stem)
            .map(|index| (index, Likeness::SameStem))
    }

    /// Nearly all forms of a word start with its stem, or with the stem without its last letter: `chevaux` and `cheval`. So only a
    /// few words need to be stemmed. The language of a word is not known, so all are tried.
    fn same_foreign_stem(&self, words: &WordList) -> impl Iterator<Item = (usize, Likeness)> {
        self.foreign_stems
            .iter()
            .flat_map(move |(language, of_term)| {
                let candidates = words.starting_with(&of_term[..of_term.len() - 1]);
                let same =
                    candidates.filter(move |index| stem(words.get(*index), *language) == *of_term);
                same.map(|index| (index, Likeness::SameForeignStem))
            })
    }

    /// The words that contain the term, found by one search in the text of all words.
    fn containing(&self, words: &WordList) -> impl Iterator<Item = (usize, Likeness)> {
        let (text, finder) = (words.text().as_bytes(), memmem::Finder::new(self.word));
        let (mut at, mut index) = (0, 0);
        iter::from_fn(move || {
            loop {
                at += finder.find(&text[at..])?;
                index = words.index_at(at, index);
                let word = words.range(index);
                if at + self.word.len() <= word.end {
                    let is_prefix = at == word.start;
                    at = word.end;
                    let likeness = if is_prefix {
                        Likeness::Prefix
                    } else {
                        Likeness::Part
                    };
                    return Some((index, likeness));
                }
                // This match starts in one word and ends in the next.
                at += 1;
            }
        })
    }

    fn looking_alike(&self, words: &WordList) -> impl Iterator<Item = (usize, Likeness)> {
        let candidates = (0..words.len()).filter(|index| {
            let added = words.letters(*index) & !self.letters;
            self.may_start_like(words, *index) && has_at_most(self.max_edits, added)
        });
        let mut word = Vec::new();
        candidates.filter_map(move |index| {
            word.clear();
            word.extend(look_of(words.get(index)));
            if word == self.look {
                return Some((index, Likeness::SameLook));
            }
            let is_misspelled = self.is_misspelling_of(&word);
            is_misspelled.then_some((index, Likeness::Misspelled))
        })
    }

    /// Whether the term may be a misspelling of the word or of its start. An edit removes at most one letter. Rejects almost all
    /// words without reading them.
    fn may_start_like(&self, words: &WordList, index: usize) -> bool {
        has_at_most(self.max_edits, self.letters & !words.letters(index))
            && words.range(index).len() + self.max_edits >= self.look.len()
    }

    fn is_misspelling_of(&self, word: &[char]) -> bool {
        let end = &self.look[self.look.len().saturating_sub(2)..];
        self.max_edits > 0
            && (word.starts_with(self.start()) || word.ends_with(end))
            && (are_swapped(word, &self.look) || self.is_within_edits(word))
    }

    /// Only for terms in which two letters may be wrong. Shorter ones would match the starts of too many words.
    fn misspelled_prefixes(&self, words: &WordList) -> impl Iterator<Item = (usize, Likeness)> {
        let starts = self.look.first().filter(|_| self.max_edits > 1);
        let starts = starts.into_iter().flat_map(|start| starts_of(*start));
        let candidates = starts
            .flat_map(|start| words.starting_with(start.encode_utf8(&mut [0; 4])))
            .filter(|index| self.may_start_like(words, *index));
        let mut prefix = Vec::new();
        candidates.filter_map(move |index| {
            prefix.clear();
            prefix.extend(look_of(words.get(index)).take(self.look.len()));
            let is_misspelled = prefix.starts_with(self.start()) && self.is_within_edits(&prefix);
            is_misspelled.then_some((index, Likeness::MisspelledPrefix))
        })
    }

    /// The first two characters of the term's look.
    fn start(&self) -> &[char] {
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

/// Characters in the form that `strsim` expects.
struct Chars<'c>(&'c [char]);

impl<'c> IntoIterator for &Chars<'c> {
    type Item = &'c char;
    type IntoIter = std::slice::Iter<'c, char>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
