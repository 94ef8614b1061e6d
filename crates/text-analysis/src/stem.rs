//! Stems and stop words.

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};

/// A language with stems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// English.
    English,
}

/// Returns the stem of a folded word, by the Snowball algorithm of the language. Most words that differ only by inflection have
/// the same stem.
pub fn stem(word: &str, language: Language) -> Cow<'_, str> {
    let algorithm = match language {
        Language::English => Algorithm::English,
    };
    Stemmer::create(algorithm).stem(word)
}

/// Whether a folded word is so frequent in English that a search ignores it next to other words.
pub fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// The stop words of PostgreSQL's dictionary `english_stem`, in alphabetical order.
const STOP_WORDS: [&str; 127] = [
    "a",
    "about",
    "above",
    "after",
    "again",
    "against",
    "all",
    "am",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "because",
    "been",
    "before",
    "being",
    "below",
    "between",
    "both",
    "but",
    "by",
    "can",
    "did",
    "do",
    "does",
    "doing",
    "don",
    "down",
    "during",
    "each",
    "few",
    "for",
    "from",
    "further",
    "had",
    "has",
    "have",
    "having",
    "he",
    "her",
    "here",
    "hers",
    "herself",
    "him",
    "himself",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "itself",
    "just",
    "me",
    "more",
    "most",
    "my",
    "myself",
    "no",
    "nor",
    "not",
    "now",
    "of",
    "off",
    "on",
    "once",
    "only",
    "or",
    "other",
    "our",
    "ours",
    "ourselves",
    "out",
    "over",
    "own",
    "s",
    "same",
    "she",
    "should",
    "so",
    "some",
    "such",
    "t",
    "than",
    "that",
    "the",
    "their",
    "theirs",
    "them",
    "themselves",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "to",
    "too",
    "under",
    "until",
    "up",
    "very",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "whom",
    "why",
    "will",
    "with",
    "you",
    "your",
    "yours",
    "yourself",
    "yourselves",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflected_words_have_the_same_stem() {
        for (one, other) in [
            ("matrices", "matrice"),
            ("running", "runs"),
            ("proofs", "proof"),
            ("connected", "connecting"),
        ] {
            assert_eq!(stem(one, Language::English), stem(other, Language::English));
        }
        assert_eq!(stem("行列", Language::English), "行列");
    }

    #[test]
    fn stop_words_are_in_alphabetical_order_and_found() {
        assert!(STOP_WORDS.is_sorted());
        assert!(STOP_WORDS.iter().all(|word| is_stop_word(word)));
        assert!(!is_stop_word("matrix"));
    }
}
