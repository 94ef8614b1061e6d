//! Chooses the words of an index that match the terms of a query.

use text_analysis::{
    Highlighter, Likeness, Similar, Token, TokenKind, Vocabulary, is_stop_word, tokens,
};
use text_index::{Alternative, Level};

use super::query::{Query, Term};

/// Maximum number of terms that also match similar words. Further terms match only as written.
const MAX_SIMILAR_TERMS: usize = 8;
/// Maximum number of similar words per term.
const MAX_SIMILAR_WORDS: usize = 100;
/// Maximum number of words per term whose occurrences are counted for the ranking.
const MAX_COUNTED_WORDS: usize = 8;

/// A term and what it matches.
struct ResolvedTerm {
    alternatives: Vec<Alternative>,
    /// Whether it is a stop word such as `the`, which is ignored next to other words.
    is_ignorable: bool,
}

/// The query for the index, and the highlighter of its matches. `None` if no branch has a term with letters.
pub(super) fn plan(
    query: &Query,
    vocabulary: &Vocabulary,
) -> Option<(text_index::Query, Highlighter)> {
    let mut number = 0;
    let mut resolve = |terms: &[Term]| -> Vec<ResolvedTerm> {
        let resolved = terms.iter().filter_map(|term| {
            number += 1;
            let with_similar = number <= MAX_SIMILAR_TERMS && !term.quoted;
            resolve(term, vocabulary, with_similar)
        });
        resolved.collect()
    };
    let branches = query
        .branches
        .iter()
        .map(|terms| without_stop_words(resolve(terms)));
    let branches: Vec<Vec<text_index::Term>> =
        branches.filter(|branch| !branch.is_empty()).collect();
    if branches.is_empty() {
        return None;
    }
    let highlighter = Highlighter::new(branches.iter().flatten().flat_map(highlighted));
    let excluded = resolve(&query.excluded).into_iter().map(excluded);
    let query = text_index::Query {
        excluded: excluded.collect(),
        branches,
    };
    Some((query, highlighter))
}

/// `None` if the term has no letters.
fn resolve(term: &Term, vocabulary: &Vocabulary, with_similar: bool) -> Option<ResolvedTerm> {
    let tokens: Vec<Token> = tokens(&term.text).collect();
    let parts = tokens
        .iter()
        .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Character));
    let parts: Vec<String> = parts.map(|token| token.word.clone()).collect();
    let mut wholes = whole_words(&tokens);
    wholes.retain(|(_, kind)| !term.quoted || *kind == TokenKind::Dictionary);
    let mut resolved = ResolvedTerm {
        is_ignorable: !term.quoted
            && !term.unfinished
            && parts.len() == 1
            && is_stop_word(&parts[0]),
        alternatives: Vec::new(),
    };
    // The characters of a dictionary word may also be parts of other words, so they match as similar.
    let mut kinds = wholes.iter().map(|(_, kind)| *kind);
    let level = match kinds.any(|kind| kind == TokenKind::Dictionary) {
        true => Level::Similar,
        false => Level::Literal,
    };
    let similar_to = |word: &str| match with_similar {
        true => vocabulary.similar(word, MAX_SIMILAR_WORDS),
        false => Vec::new(),
    };
    match &parts[..] {
        [] => return None,
        [word] => resolved.add_word(word, term.unfinished, similar_to(word)),
        _ => resolved.add_phrase(parts, term.unfinished, level),
    }
    for (word, kind) in wholes {
        let mut similar = similar_to(&word);
        // A compound matches no part of a word: users who type `e-ma` do not look for `demand`.
        similar.retain(|one| kind != TokenKind::Joined || one.likeness != Likeness::Part);
        resolved.add_word(&word, term.unfinished, similar);
    }
    Some(resolved)
}

/// The words that consist of all the tokens together: `todo` for `to-do`.
fn whole_words(tokens: &[Token]) -> Vec<(String, TokenKind)> {
    let start = tokens.first().map(|token| token.range.start);
    let end = tokens.iter().map(|token| token.range.end).max();
    let whole = tokens
        .iter()
        .filter(|token| matches!(token.kind, TokenKind::Joined | TokenKind::Dictionary));
    whole
        .filter(|token| Some(token.range.start) == start && Some(token.range.end) == end)
        .map(|token| (token.word.clone(), token.kind))
        .collect()
}

impl ResolvedTerm {
    /// Adds a word and similar words.
    fn add_word(&mut self, word: &str, is_unfinished: bool, similar: Vec<Similar<'_>>) {
        let mut add = |word: &str, is_prefix, level| {
            let is_counted = self.alternatives.len() < MAX_COUNTED_WORDS;
            let words = vec![word.to_owned()];
            self.alternatives.push(Alternative {
                words,
                is_prefix,
                level,
                is_counted,
            });
        };
        add(word, false, Level::Literal);
        if is_unfinished {
            add(word, true, Level::Similar);
        }
        for similar in similar {
            let level = level(similar.likeness);
            let is_known = level == Level::Literal
                || (is_unfinished && level == Level::Similar && similar.word.starts_with(word));
            if !is_known {
                add(similar.word, false, level);
            }
        }
    }

    fn add_phrase(&mut self, words: Vec<String>, is_unfinished: bool, level: Level) {
        let phrase = |words, is_prefix, level| Alternative {
            words,
            is_prefix,
            level,
            is_counted: true,
        };
        if is_unfinished {
            let prefix = phrase(words.clone(), true, Level::Similar);
            self.alternatives.push(prefix);
        }
        self.alternatives.push(phrase(words, false, level));
    }
}

fn level(likeness: Likeness) -> Level {
    match likeness {
        Likeness::Same => Level::Literal,
        Likeness::SameStem => Level::SameStem,
        Likeness::Prefix | Likeness::SameLook | Likeness::SameForeignStem | Likeness::Part => {
            Level::Similar
        }
        Likeness::Misspelled | Likeness::MisspelledPrefix => Level::Misspelled,
    }
}

/// The terms without stop words, unless all are stop words.
fn without_stop_words(terms: Vec<ResolvedTerm>) -> Vec<text_index::Term> {
    let ignores = terms.iter().any(|term| !term.is_ignorable);
    let kept = terms
        .into_iter()
        .filter(|term| !ignores || !term.is_ignorable);
    kept.map(|term| text_index::Term {
        alternatives: term.alternatives,
    })
    .collect()
}

/// An excluded term excludes all words with its stem, but no other similar words.
fn excluded(term: ResolvedTerm) -> text_index::Term {
    let mut alternatives = term.alternatives;
    let is_phrase = |alternative: &Alternative| alternative.words.len() > 1;
    alternatives.retain(|one| one.level >= Level::SameStem || is_phrase(one));
    text_index::Term { alternatives }
}

fn highlighted(term: &text_index::Term) -> impl Iterator<Item = text_analysis::Term> {
    term.alternatives
        .iter()
        .map(|alternative| text_analysis::Term {
            phrase: alternative.words.clone(),
            words: Vec::new(),
            unfinished: alternative.is_prefix,
        })
}
