//! From what was typed and what the dictionary knows of it to what PostgreSQL is asked: `tsquery` texts of scoped lexemes,
//! and patterns for phrases. Everything in them is letters and digits that the database folded itself.

use super::{
    marks::{Marked, Marks},
    query::{Query, Term},
    store::LookedUp,
};

/// Words as they are written.
const LITERAL: i32 = 100;
/// And words of the same stem.
const SAME: i32 = 90;
/// And words that it is the beginning or a part of, or that look the same.
const ALIKE: i32 = 60;
/// And words that it is misspelt for.
const ANY: i32 = 0;

/// How long PostgreSQL's lexemes are at most, in bytes. No text has a longer one, and a query with one would be an error.
const LONGEST_LEXEME: usize = 2_046;

/// Words that are counted for a term, at most.
const MOST_COUNTED: usize = 8;

/// What is asked.
#[derive(Debug)]
pub(super) struct Plan {
    /// What has the words as written; of the same stems; alike; any: each holds those before it.
    pub(super) sets: [String; 4],
    /// The same without those before it; `None` where that leaves nothing.
    pub(super) apart: [Option<String>; 4],
    /// Any of the words: how often they stand there is what ranks within a class.
    pub(super) counted: String,
    /// One of these must hold, too, if there are any.
    pub(super) with_phrases: WithPhrases,
    /// Patterns of phrases that must not be there.
    pub(super) absent: Vec<String>,
}

/// Branches with phrases, or without where others have them.
#[derive(Debug, Default)]
pub(super) struct WithPhrases {
    pub(super) queries: Vec<String>,
    /// Of each, the patterns that must all be there, between commas.
    pub(super) present: Vec<String>,
}

/// A term with what it stands for.
#[derive(Clone)]
struct Known<'a> {
    term: &'a Term,
    /// Its words: several are a phrase.
    tokens: Vec<String>,
    scope: &'a str,
    is_stop_word: bool,
    /// Words of the dictionary that are like its only one, and how much.
    words: Vec<(&'a str, i32)>,
}

impl<'a> Known<'a> {
    /// `None` if it has no letters.
    fn of(term: &'a Term, looked_up: &'a [LookedUp], number: i64) -> Option<Self> {
        let mut rows = looked_up
            .iter()
            .filter(|row| row.number == number)
            .peekable();
        let first = *rows.peek()?;
        let tokens: Vec<String> = first.folded.split_whitespace().map(str::to_owned).collect();
        if tokens.is_empty() {
            return None;
        }
        let words = rows.filter_map(|row| Some((row.word.as_deref()?, row.likeness?)));
        Some(Known {
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

    /// `eigen-value` is `eigenvalue`, too. In Chinese, Japanese and Korean every character is a word of its own anyway.
    fn joined(&self) -> Option<Self> {
        let is_alphabetic = |token: &String| token.chars().all(|character| character < '\u{2e80}');
        let may_be = self.is_phrase() && !self.term.quoted;
        (may_be && self.tokens.iter().all(is_alphabetic)).then(|| Known {
            tokens: vec![self.tokens.concat()],
            ..self.clone()
        })
    }

    /// Lexemes that stand for it, of words that are at least so much like it.
    fn lexemes(&self, least: i32, between: &str) -> String {
        let lexeme = |word: &str, prefix: &str| {
            let word = &word[..word.floor_char_boundary(LONGEST_LEXEME - self.scope.len())];
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
        if self.term.unfinished && least <= ALIKE {
            lexemes.push(lexeme(token, ":*"));
        }
        let is_covered =
            |word: &str| self.term.unfinished && least <= ALIKE && word.starts_with(token);
        let alike = self
            .words
            .iter()
            .filter(|(word, likeness)| *likeness >= least && *word != token && !is_covered(word));
        lexemes.extend(alike.map(|(word, _)| lexeme(word, "")));
        lexemes.join(" | ")
    }

    /// Lexemes by which it is counted how often it is there: a few, since every hit is counted.
    fn counted(&self) -> String {
        let few = self.words.iter().take(MOST_COUNTED).copied().collect();
        let term = Known {
            words: few,
            ..self.clone()
        };
        term.lexemes(ANY, " | ")
    }

    /// What a phrase is looked for by: folded text has single spaces, and nothing that a pattern could take for its own.
    fn pattern(&self) -> String {
        let end = if self.term.unfinished { "%" } else { " %" };
        format!("% {}{end}", self.tokens.join(" "))
    }

    fn marked(&self) -> Marked {
        Marked {
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

/// `None` if nothing is left to look for.
pub(super) fn plan(query: &Query, looked_up: &[LookedUp]) -> Option<(Plan, Marks)> {
    let mut terms = query
        .terms()
        .zip(1..)
        .map(|(term, number)| Known::of(term, looked_up, number));
    let mut next = |terms_of: &[Term]| -> Vec<Known<'_>> {
        terms.by_ref().take(terms_of.len()).flatten().collect()
    };
    let mut branches = Vec::new();
    for branch in &query.branches {
        let known = without_stop_words(next(branch));
        branches.extend(with_joined(&known));
        branches.push(known);
    }
    branches.retain(|branch| !branch.is_empty());
    if branches.is_empty() {
        return None;
    }
    let excluded = next(&query.excluded);
    let marks = Marks::new(branches.iter().flatten().map(Known::marked));
    let without = without(&excluded);
    let all = |least| {
        let branches = branches.iter().map(|branch| conjunction(branch, least));
        format!("({}){without}", either(branches))
    };
    let sets = [LITERAL, SAME, ALIKE, ANY].map(all);
    let phrases = excluded.iter().filter(|term| term.is_phrase());
    let plan = Plan {
        apart: apart(&sets),
        sets,
        counted: either(branches.iter().flatten().map(Known::counted)),
        with_phrases: with_phrases(&branches),
        absent: phrases.map(Known::pattern).collect(),
    };
    Some((plan, marks))
}

fn apart(sets: &[String; 4]) -> [Option<String>; 4] {
    std::array::from_fn(|at| match at.checked_sub(1).map(|before| &sets[before]) {
        None => Some(sets[at].clone()),
        Some(before) if *before == sets[at] => None,
        Some(before) => Some(format!("({}) & !({before})", sets[at])),
    })
}

/// Words that say nothing by themselves are left out where others are asked for.
fn without_stop_words(terms: Vec<Known<'_>>) -> Vec<Known<'_>> {
    let says_something =
        |term: &Known<'_>| !term.is_stop_word || term.term.quoted || term.term.unfinished;
    if !terms.iter().any(says_something) {
        return terms;
    }
    terms.into_iter().filter(says_something).collect()
}

/// The same branch, what a hyphen or the like holds together written as one word; `None` if there is no such thing.
fn with_joined<'a>(terms: &[Known<'a>]) -> Option<Vec<Known<'a>>> {
    let joined = terms.iter().any(|term| term.joined().is_some());
    let each = terms
        .iter()
        .map(|term| term.joined().unwrap_or_else(|| term.clone()));
    joined.then(|| each.collect())
}

fn conjunction(terms: &[Known<'_>], least: i32) -> String {
    let terms = terms
        .iter()
        .map(|term| format!("({})", term.lexemes(least, " & ")));
    terms.collect::<Vec<_>>().join(" & ")
}

fn either(alternatives: impl Iterator<Item = String>) -> String {
    let alternatives = alternatives.map(|one| format!("({one})"));
    alternatives.collect::<Vec<_>>().join(" | ")
}

/// What must not be there must not be there anywhere, in whatever form. The words of such a phrase may be.
fn without(excluded: &[Known<'_>]) -> String {
    let words = excluded.iter().filter(|term| !term.is_phrase());
    let words = words.map(|term| format!(" & !({})", term.lexemes(SAME, " & ")));
    words.collect()
}

fn with_phrases(branches: &[Vec<Known<'_>>]) -> WithPhrases {
    let mut with_phrases = WithPhrases::default();
    if !branches.iter().flatten().any(Known::is_phrase) {
        return with_phrases;
    }
    for terms in branches {
        let phrases = terms.iter().filter(|term| term.is_phrase());
        let patterns: Vec<String> = phrases.map(Known::pattern).collect();
        with_phrases.queries.push(conjunction(terms, ANY));
        with_phrases.present.push(patterns.join(","));
    }
    with_phrases
}
