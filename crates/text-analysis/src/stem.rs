//! Stems and stop words.
//!
//! The stems are those of Snowball's main branch. Of 66,000 English words, 21 have a different stem than in the older release that
//! other libraries use. For example, *university* and *universal* no longer have the same stem.

use std::borrow::Cow;

use frostem::{Algorithm, Stemmer};

/// A language with stems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Dutch.
    Dutch,
    /// English.
    English,
    /// French.
    French,
    /// German.
    German,
    /// Italian.
    Italian,
    /// Portuguese.
    Portuguese,
    /// Spanish.
    Spanish,
}

/// Returns the stem of a folded word, by the Snowball algorithm of the language. Most words that differ only by inflection have
/// the same stem.
pub fn stem(word: &str, language: Language) -> Cow<'_, str> {
    let algorithm = match language {
        Language::Dutch => Algorithm::Dutch,
        Language::English => Algorithm::English,
        Language::French => Algorithm::French,
        Language::German => Algorithm::German,
        Language::Italian => Algorithm::Italian,
        Language::Portuguese => Algorithm::Portuguese,
        Language::Spanish => Algorithm::Spanish,
    };
    Stemmer::new(algorithm).stem(word)
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
        use Language::{Dutch, English, French, German, Italian, Portuguese, Spanish};
        for (language, one, other) in [
            (English, "matrices", "matrice"),
            (English, "running", "runs"),
            (English, "proofs", "proof"),
            (English, "connected", "connecting"),
            (Dutch, "bewijzen", "bewijs"),
            (French, "vecteurs", "vecteur"),
            (German, "wahrscheinlichkeiten", "wahrscheinlichkeit"),
            (Italian, "matrici", "matrice"),
            (Portuguese, "provas", "prova"),
            (Spanish, "vectores", "vector"),
        ] {
            assert_eq!(stem(one, language), stem(other, language), "{one}");
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
