//! A set of words, and the words in it that are similar to a term of a query.
//!
//! The set holds the different words of one user's items: thousands, rarely hundreds of thousands. A look-up scans all words in 2 to
//! 5 ns per word, because the length of a word and the set of its letters reject almost all of them. Parts of words are searched in
//! the text of all words at once. With 10,000 words, a look-up takes 25 µs (slowest terms: 130 µs). A million words take 16 MB.
//!
//! Finite-state transducers (`fst` with `levenshtein_automata`) take a third of the memory. With 10,000 words, they need 19 µs to
//! build the automaton of a term and 140 µs to search it, 1.1 ms to find parts, and 9 ms to add a word. They are faster with about
//! half a million words or more. An index of deletions (SymSpell) has up to 29 entries per word, and finds neither parts nor
//! misspelled prefixes.

mod likeness;
mod word_list;

use std::cmp::Reverse;

pub use likeness::Likeness;
pub use word_list::WordList;

use crate::MAX_WORD_BYTES;
use likeness::Term;

/// Minimum length of a word in a vocabulary, and of a term that has similar words, in characters.
pub const MIN_CHARS: usize = 3;

/// Maximum length of a term that has similar words, in characters.
pub const MAX_TERM_CHARS: usize = 64;

/// Maximum length of all words of a vocabulary together, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// Maximum number of recent words that are kept separately until they are merged. A merge copies all words.
const MAX_RECENT: usize = 2_048;

/// A set of folded words. See the [module](self).
#[derive(Debug, Default, Clone)]
pub struct Vocabulary {
    words: WordList,
    /// Words inserted since the last merge. None of them is in `words`.
    recent: WordList,
}

/// A word that is similar to a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Similar<'v> {
    /// The word, as it was inserted.
    pub word: &'v str,
    /// How similar the word is to the term.
    pub likeness: Likeness,
}

impl From<WordList> for Vocabulary {
    fn from(words: WordList) -> Self {
        let recent = WordList::default();
        Self { words, recent }
    }
}

/// Whether a vocabulary keeps this word: at least [`MIN_CHARS`] characters and at most [`MAX_WORD_BYTES`] bytes.
pub fn accepts(word: &str) -> bool {
    word.len() <= MAX_WORD_BYTES && word.chars().nth(MIN_CHARS - 1).is_some()
}

impl Vocabulary {
    /// Adds the words that it [accepts] and does not contain. Ignores words beyond [`MAX_BYTES`].
    ///
    /// The words must be folded. Adding a few words takes some microseconds, but some calls copy all words.
    pub fn insert_all(&mut self, words: impl IntoIterator<Item = impl AsRef<str>>) {
        let is_new = |word: &_| {
            let word = AsRef::<str>::as_ref(word);
            accepts(word) && !self.contains(word)
        };
        let mut new: Vec<_> = words.into_iter().filter(is_new).collect();
        new.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        new.dedup_by(|one, other| one.as_ref() == other.as_ref());
        let mut total = self.words.text().len() + self.recent.text().len();
        new.retain(|word| {
            total += word.as_ref().len();
            total <= MAX_BYTES
        });
        if new.is_empty() {
            return;
        }
        let new = WordList::of(new.iter().map(AsRef::as_ref));
        self.recent = WordList::merged(&self.recent, &new);
        if self.recent.len() > MAX_RECENT {
            self.words = WordList::merged(&self.words, &self.recent);
            self.recent = WordList::default();
        }
    }

    /// Whether the word was inserted. Always false for a word that the vocabulary does not [accept](accepts).
    pub fn contains(&self, word: &str) -> bool {
        self.words.find(word).is_some() || self.recent.find(word).is_some()
    }

    /// The words that are similar to a folded term: the most similar first, then the shortest (in characters), then in the
    /// order of their bytes. Maximum `limit` words. Empty if the term contains a space, or is shorter than [`MIN_CHARS`] or
    /// longer than [`MAX_TERM_CHARS`].
    pub fn similar(&self, term: &str, limit: usize) -> Vec<Similar<'_>> {
        let Some(term) = Term::new(term) else {
            return Vec::new();
        };
        let found = [&self.words, &self.recent].into_iter().flat_map(|words| {
            let found = term.similar_in(words).into_iter();
            found.map(|(index, likeness)| (words.get(index), likeness))
        });
        let mut keyed: Vec<_> = found
            .map(|(word, likeness)| (Reverse(likeness), word.chars().count(), word))
            .collect();
        if keyed.len() > limit {
            keyed.select_nth_unstable(limit);
            keyed.truncate(limit);
        }
        keyed.sort_unstable();
        let found = keyed.into_iter();
        found
            .map(|(Reverse(likeness), _, word)| Similar { word, likeness })
            .collect()
    }

    /// All words, in ascending order of their bytes.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        word_list::merge(self.words.iter(), self.recent.iter())
    }

    /// The number of words.
    pub fn len(&self) -> usize {
        self.words.len() + self.recent.len()
    }

    /// Whether it contains no words.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory that it occupies, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.words.heap_bytes() + self.recent.heap_bytes()
    }
}

#[cfg(test)]
mod tests;
