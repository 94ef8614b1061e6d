//! Builds the parameters of the search statement from a query and the dictionary's words: `tsquery` texts of scoped
//! lexemes, and patterns for phrases. They contain only letters and digits, which the database itself has folded.

use super::{
    highlights::{HighlightTerm, Highlighter},
    query::{Query, Term},
    store::DictionaryMatch,
};

// Minimum likeness of words, by level of similarity. Each level includes those before it.
/// Words as written.
const LITERAL: i32 = 100;
/// Words with the same stem.
const SAME_STEM: i32 = 90;
/// Words that contain the term, or look the same.
const SIMILAR: i32 = 60;
/// Words that the term is a misspelling of.
const MISSPELT: i32 = 0;

/// Maximum length of a PostgreSQL lexeme in bytes. No text has a longer one, and a longer one in a query is an error.
const MAX_LEXEME_LENGTH: usize = 2_046;

/// Maximum number of words per term whose occurrences are counted for the ranking.
const MAX_COUNTED_WORDS: usize = 8;

/// The parameters of a search.
#[derive(Debug)]
pub(super) struct Plan {
    /// One `tsquery` per level of similarity. Each also matches what those before it match.
    pub(super) levels: [String; 4],
    /// The same without the matches of the levels before it; `None` if that leaves nothing.
    pub(super) exclusive_levels: [Option<String>; 4],
    /// Matches any of the words. The number of their occurrences ranks hits within a level.
    pub(super) counted: String,
    /// If there are any, at least one must match too.
    pub(super) phrases: PhraseBranches,
    /// Patterns of excluded phrases.
    pub(super) excluded_patterns: Vec<String>,
}

/// The branches of a query in which at least one branch has a phrase.
#[derive(Debug, Default)]
pub(super) struct PhraseBranches {
    /// The `tsquery` of each branch.
    pub(super) queries: Vec<String>,
    /// The patterns of each branch's phrases, separated by commas. All must match.
    pub(super) patterns: Vec<String>,
}

/// A term and the words of the dictionary that it matches.
#[derive(Clone)]
struct ResolvedTerm<'a> {
    term: &'a Term,
    /// The term's folded words. Several are a phrase.
    tokens: Vec<String>,
    scope: &'a str,
    is_stop_word: bool,
    /// For a term of one word: similar words of the dictionary, and their likeness.
    words: Vec<(&'a str, i32)>,
}

impl<'a> ResolvedTerm<'a> {
    /// `None` if the term has no letters.
    fn of(term: &'a Term, matches: &'a [DictionaryMatch], number: i64) -> Option<Self> {
        let mut rows = matches.iter().filter(|row| row.number == number).peekable();
        let first = *rows.peek()?;
        let tokens: Vec<String> = first.folded.split_whitespace().map(str::to_owned).collect();
        if tokens.is_empty() {
            return None;
        }
        let words = rows.filter_map(|row| Some((row.word.as_deref()?, row.likeness?)));
        Some(ResolvedTerm {
            term,
            tokens,
            scope: &first.scope,
            is_stop_word: first.is_stop_word,
            words: words.collect(),
        })
    }

    fn is_phrase(&self) -> bool {
        self.tokens.len() > 1
    }

    /// The phrase as one word: `eigen-value` also matches `eigenvalue`. Not for Chinese, Japanese and Korean, where every
    /// character is a word.
    fn joined(&self) -> Option<Self> {
        let is_alphabetic = |token: &String| token.chars().all(|character| character < '\u{2e80}');
        let can_be_joined = self.is_phrase() && !self.term.quoted;
        (can_be_joined && self.tokens.iter().all(is_alphabetic)).then(|| ResolvedTerm {
            tokens: vec![self.tokens.concat()],
            ..self.clone()
        })
    }

    /// The lexemes of words with at least this likeness. `between` joins the lexemes of a phrase.
    fn lexemes(&self, min_likeness: i32, between: &str) -> String {
        let lexeme = |word: &str, prefix: &str| {
            let word = &word[..word.floor_char_boundary(MAX_LEXEME_LENGTH - self.scope.len())];
            let word = word.replace('\\', "\\\\").replace('\'', "''");
            format!("'{}{word}'{prefix}", self.scope)
        };
        if self.is_phrase() {
            let last = self.tokens.len() - 1;
            let tokens = self.tokens.iter().enumerate().map(|(at, token)| {
                let is_open = at == last && self.term.unfinished;
                lexeme(token, if is_open { ":*" } else { "" })
            });
            return tokens.collect::<Vec<_>>().join(between);
        }
        let token = &self.tokens[0];
        let mut lexemes = vec![lexeme(token, "")];
        if self.term.unfinished && min_likeness <= SIMILAR {
            lexemes.push(lexeme(token, ":*"));
        }
        let is_covered =
            |word: &str| self.term.unfinished && min_likeness <= SIMILAR && word.starts_with(token);
        let similar = self.words.iter().filter(|(word, likeness)| {
            *likeness >= min_likeness && *word != token && !is_covered(word)
        });
        lexemes.extend(similar.map(|(word, _)| lexeme(word, "")));
        lexemes.join(" | ")
    }

    /// The lexemes whose occurrences are counted. Only a few, since they are counted in every hit.
    fn counted(&self) -> String {
        let few = self.words.iter().take(MAX_COUNTED_WORDS).copied().collect();
        let term = ResolvedTerm {
            words: few,
            ..self.clone()
        };
        term.lexemes(MISSPELT, " | ")
    }

    /// The `LIKE` pattern of a phrase. Folded text has single spaces, and no characters with a meaning in patterns.
    fn pattern(&self) -> String {
        let end = if self.term.unfinished { "%" } else { " %" };
        format!("% {}{end}", self.tokens.join(" "))
    }

    fn highlight(&self) -> HighlightTerm {
        HighlightTerm {
            tokens: self.tokens.clone(),
            words: self
                .words
                .iter()
                .map(|(word, _)| (*word).to_owned())
                .collect(),
            unfinished: self.term.unfinished,
        }
    }
}

/// `None` if no branch has a term with letters.
pub(super) fn plan(query: &Query, matches: &[DictionaryMatch]) -> Option<(Plan, Highlighter)> {
    let mut terms = query
        .terms()
        .zip(1..)
        .map(|(term, number)| ResolvedTerm::of(term, matches, number));
    let mut next = |terms_of: &[Term]| -> Vec<ResolvedTerm<'_>> {
        terms.by_ref().take(terms_of.len()).flatten().collect()
    };
    let mut branches = Vec::new();
    for branch in &query.branches {
        let terms = without_stop_words(next(branch));
        branches.extend(with_joined(&terms));
        branches.push(terms);
    }
    branches.retain(|branch| !branch.is_empty());
    if branches.is_empty() {
        return None;
    }
    let excluded = next(&query.excluded);
    let highlighter = Highlighter::new(branches.iter().flatten().map(ResolvedTerm::highlight));
    let exclusion = exclusion(&excluded);
    let level = |min_likeness| {
        let branches = branches.iter();
        let branches = branches.map(|branch| conjunction(branch, min_likeness));
        format!("({}){exclusion}", disjunction(branches))
    };
    let levels = [LITERAL, SAME_STEM, SIMILAR, MISSPELT].map(level);
    let phrases = excluded.iter().filter(|term| term.is_phrase());
    let plan = Plan {
        exclusive_levels: exclusive(&levels),
        levels,
        counted: disjunction(branches.iter().flatten().map(ResolvedTerm::counted)),
        phrases: phrase_branches(&branches),
        excluded_patterns: phrases.map(ResolvedTerm::pattern).collect(),
    };
    Some((plan, highlighter))
}

/// Each level without the one before it.
fn exclusive(levels: &[String; 4]) -> [Option<String>; 4] {
    std::array::from_fn(|at| match at.checked_sub(1).map(|before| &levels[before]) {
        None => Some(levels[at].clone()),
        Some(before) if *before == levels[at] => None,
        Some(before) => Some(format!("({}) & !({before})", levels[at])),
    })
}

/// The terms without stop words, unless all are stop words.
fn without_stop_words(terms: Vec<ResolvedTerm<'_>>) -> Vec<ResolvedTerm<'_>> {
    let is_significant =
        |term: &ResolvedTerm<'_>| !term.is_stop_word || term.term.quoted || term.term.unfinished;
    if !terms.iter().any(is_significant) {
        return terms;
    }
    terms.into_iter().filter(is_significant).collect()
}

/// The same branch with hyphenated words as one word; `None` if it has no such words.
fn with_joined<'a>(terms: &[ResolvedTerm<'a>]) -> Option<Vec<ResolvedTerm<'a>>> {
    let joined = terms.iter().any(|term| term.joined().is_some());
    let each = terms
        .iter()
        .map(|term| term.joined().unwrap_or_else(|| term.clone()));
    joined.then(|| each.collect())
}

fn conjunction(terms: &[ResolvedTerm<'_>], min_likeness: i32) -> String {
    let terms = terms
        .iter()
        .map(|term| format!("({})", term.lexemes(min_likeness, " & ")));
    terms.collect::<Vec<_>>().join(" & ")
}

fn disjunction(alternatives: impl Iterator<Item = String>) -> String {
    let alternatives = alternatives.map(|one| format!("({one})"));
    alternatives.collect::<Vec<_>>().join(" | ")
}

/// Excludes the terms in all forms of their stem. The words of an excluded phrase may occur separately.
fn exclusion(excluded: &[ResolvedTerm<'_>]) -> String {
    let words = excluded.iter().filter(|term| !term.is_phrase());
    let words = words.map(|term| format!(" & !({})", term.lexemes(SAME_STEM, " & ")));
    words.collect()
}

fn phrase_branches(branches: &[Vec<ResolvedTerm<'_>>]) -> PhraseBranches {
    let mut phrase_branches = PhraseBranches::default();
    if !branches.iter().flatten().any(ResolvedTerm::is_phrase) {
        return phrase_branches;
    }
    for terms in branches {
        let phrases = terms.iter().filter(|term| term.is_phrase());
        let patterns: Vec<String> = phrases.map(ResolvedTerm::pattern).collect();
        phrase_branches.queries.push(conjunction(terms, MISSPELT));
        phrase_branches.patterns.push(patterns.join(","));
    }
    phrase_branches
}
