//! Queries. The caller has already chosen all words that match.

/// How well a word matches what the user typed. Greater is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A misspelling.
    Misspelled,
    /// A part, a prefix, or a word that looks the same in print.
    Similar,
    /// A word with the same stem.
    SameStem,
    /// The word as it was typed.
    Literal,
}

/// A query. An item matches if it matches all terms of one branch, and no excluded term.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Alternatives, each with its terms. No item matches a branch without terms.
    pub branches: Vec<Vec<Term>>,
    /// Terms that must not match, at any level.
    pub excluded: Vec<Term>,
}

/// A term: an item matches if it contains one of the alternatives.
#[derive(Debug, Clone, Default)]
pub struct Term {
    /// Words and phrases.
    pub alternatives: Vec<Alternative>,
}

/// A word, or words in sequence.
#[derive(Debug, Clone)]
pub struct Alternative {
    /// The folded words. Several are a phrase: they are at consecutive positions.
    pub words: Vec<String>,
    /// Whether the last word may be the start of a longer word.
    pub is_prefix: bool,
    /// How well it matches the term.
    pub level: Level,
    /// Whether its occurrences count for the rank. An alternative counts once, even if several terms contain it.
    pub is_counted: bool,
}
