//! Finds the words of a text that match a query.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use crate::{
    tokens::{Token, TokenKind, tokens},
    word_filter::WordFilter,
};

/// What a term of a query matches in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Term {
    /// The folded words at consecutive positions: those of the kinds `Word` and `Character`. Several are a phrase.
    pub phrase: Vec<String>,
    /// Other folded words that match the term. They may be of any kind.
    pub words: Vec<String>,
    /// Whether the last word of the phrase is a prefix.
    pub unfinished: bool,
}

impl Term {
    /// The term that matches a text as it is written: its words in sequence, or joined if they are one compound.
    pub fn new(text: &str, unfinished: bool) -> Term {
        let mut term = Term {
            unfinished,
            ..Term::default()
        };
        let tokens: Vec<Token> = tokens(text).collect();
        let whole = tokens.first().map(|token| token.range.start)
            ..tokens.last().map(|token| token.range.end);
        for token in tokens {
            match token.kind {
                TokenKind::Word | TokenKind::Character => term.phrase.push(token.word),
                TokenKind::Dictionary | TokenKind::Joined => {
                    if whole == (Some(token.range.start)..Some(token.range.end)) {
                        term.words.push(token.word);
                    }
                }
            }
        }
        term
    }
}

/// Finds the words and phrases that match a query in the texts of its hits.
#[derive(Debug, Default)]
pub struct Highlighter {
    words: HashSet<String>,
    prefixes: Vec<String>,
    /// Phrases by their first word, without it.
    phrases: HashMap<String, Vec<Phrase>>,
    /// Passes all words and prefixes above, and all words of phrases.
    filter: WordFilter,
}

#[derive(Debug)]
struct Phrase {
    rest: Vec<String>,
    unfinished: bool,
}

/// A part of a text that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Highlight {
    /// Where the part is in the text, in bytes.
    pub range: Range<usize>,
    /// Its first word, folded.
    pub word: String,
}

impl Highlighter {
    /// Returns a highlighter for these terms. Do not pass excluded terms.
    pub fn new(terms: impl IntoIterator<Item = Term>) -> Highlighter {
        let mut highlighter = Highlighter::default();
        for term in terms {
            highlighter.filter_in(&term);
            highlighter.words.extend(term.words);
            let mut phrase = term.phrase.into_iter();
            let Some(first) = phrase.next() else { continue };
            let rest: Vec<String> = phrase.collect();
            if !rest.is_empty() {
                let phrase = Phrase {
                    rest,
                    unfinished: term.unfinished,
                };
                highlighter.phrases.entry(first).or_default().push(phrase);
                continue;
            }
            if term.unfinished {
                highlighter.prefixes.push(first.clone());
            }
            highlighter.words.insert(first);
        }
        highlighter
    }

    /// Lets the words of a term pass the filter.
    fn filter_in(&mut self, term: &Term) {
        for word in term.phrase.iter().chain(&term.words) {
            self.filter.insert(word);
        }
        if let (true, Some(last)) = (term.unfinished, term.phrase.last()) {
            self.filter.insert_prefix(last);
        }
    }

    /// The highlights of a text in their order, without overlaps. If several terms match at a position, the longest match is used.
    pub fn highlights(&self, text: &str) -> Vec<Highlight> {
        let mut all = tokens(text);
        let wanted = std::iter::from_fn(|| {
            all.skip_words(|word| self.filter.passes(word));
            all.next()
        });
        self.highlights_of(&wanted.collect::<Vec<_>>())
    }

    /// The highlights of tokens, which are all those of a text or only those that can match.
    fn highlights_of(&self, tokens: &[Token]) -> Vec<Highlight> {
        let mut highlights: Vec<Highlight> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            // A compound or a dictionary word starts at the same position as its first part.
            let last = highlights.last_mut().map(|last| &mut last.range);
            let same_start = last.filter(|last| token.range.start < last.end);
            if same_start
                .as_ref()
                .is_some_and(|last| last.start != token.range.start)
            {
                continue;
            }
            let Some(end) = self.end_at(&tokens[at..]) else {
                continue;
            };
            match same_start {
                Some(last) => last.end = last.end.max(end),
                None => highlights.push(Highlight {
                    range: token.range.start..end,
                    word: token.word.clone(),
                }),
            }
        }
        highlights
    }

    /// The end of the longest match that starts with the first of these tokens.
    fn end_at(&self, tokens: &[Token]) -> Option<usize> {
        let first = tokens.first()?;
        let word = self.is_word(&first.word).then_some(first.range.end);
        let phrases = self.phrases.get(&first.word).into_iter().flatten();
        let is_part = matches!(first.kind, TokenKind::Word | TokenKind::Character);
        let ends = phrases
            .filter(|_| is_part)
            .filter_map(|phrase| phrase.end_after(first.position, &tokens[1..]));
        word.into_iter().chain(ends).max()
    }

    fn is_word(&self, word: &str) -> bool {
        self.words.contains(word)
            || self
                .prefixes
                .iter()
                .any(|prefix| word.starts_with(prefix.as_str()))
    }
}

impl Phrase {
    /// The end of the phrase if these tokens have the words after its first, which is at a position.
    fn end_after(&self, first: u32, tokens: &[Token]) -> Option<usize> {
        let mut parts = tokens
            .iter()
            .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Character));
        let mut end = 0;
        for (wanted, position) in self.rest.iter().zip(first + 1..) {
            let token = parts.next().filter(|token| token.position == position)?;
            let is_prefix = self.unfinished && position - first == self.rest.len() as u32;
            if token.word != *wanted && !(is_prefix && token.word.starts_with(wanted.as_str())) {
                return None;
            }
            end = token.range.end;
        }
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text with brackets around what matches the terms; `…` at the end of a term marks it as unfinished.
    fn marked(terms: &[&str], text: &str) -> String {
        let term = |term: &&str| match term.strip_suffix('…') {
            Some(prefix) => Term::new(prefix, true),
            None => Term::new(term, false),
        };
        let mut marked = text.to_owned();
        for highlight in Highlighter::new(terms.iter().map(term))
            .highlights(text)
            .iter()
            .rev()
        {
            marked.insert(highlight.range.end, ']');
            marked.insert(highlight.range.start, '[');
        }
        marked
    }

    #[test]
    fn words_prefixes_and_phrases_are_highlighted() {
        for (terms, expected) in [
            (&["rank"][..], "The [Rank] of ranks"),
            (&["rank…"], "The [Rank] of [ranks]"),
            (&["row rank"], "row, [ROW-rank], rank"),
            (&["row ra…"], "[row rank] and row rock"),
            (&["row", "row rank"], "[row rank] [row]"),
            (&["rank", "row rank"], "[row rank]"),
            (&["a b", "b c d"], "[a b] c d"),
            (&["todo"], "the [to-do] list"),
            (&["to-do"], "the [todo] list, [to do]"),
            (&["to", "todo"], "[to-do]"),
            (&["9783161484100"], "ISBN [978-3-16-148410-0]"),
            (&["dont"], "[don’t]"),
            (&["information"], "[infor-\nmation] theory"),
            (&["C++"], "C and [C++]17"),
            (&["हिन्दी"], "मुझे [हिन्दी] पसंद है"),
            (&["ガラス"], "[ｶﾞﾗｽ]の窓"),
            (&["京都"], "東[京都]に"),
            (&["กิน"], "ฉันชอบ[กิน]ข้าว"),
            (&["كتاب"], "هذا [كِتَابٌ] جميل"),
            (&["式会"], "[㍿]"),
            (&["🏷"], "tag [🏷\u{fe0f}]"),
            (&["zebra"], "[ze\u{2060}bra]\u{200b}"),
            (&[""], "nothing"),
        ] {
            let text = expected.replace(['[', ']'], "");
            assert_eq!(marked(terms, &text), expected, "{terms:?}");
        }
    }

    #[test]
    fn other_words_of_a_term_are_highlighted() {
        let term = Term {
            words: vec!["ranks".to_owned(), "東京".to_owned()],
            ..Term::new("rank", false)
        };
        let highlights = Highlighter::new([term]).highlights("ranks of 東京都");
        let words: Vec<&str> = highlights
            .iter()
            .map(|highlight| highlight.word.as_str())
            .collect();
        assert_eq!(words, ["ranks", "東京"]);
        assert_eq!(highlights[1].range, 9..15);
    }

    proptest! {
        #[test]
        fn skipping_words_changes_no_highlight(
            text in "([abA1]{1,3}|[ \n.,;:)(^_#+'/\"-]|é|東京|\u{ad}|\u{2029}|ｂ|㎏|🏷){0,60}",
            words in prop::collection::vec("[ab1]{1,3}([ -][ab1]{1,2}){0,2}|é|京", 0..4),
            unfinished in any::<bool>(),
        ) {
            let highlighter = Highlighter::new(words.iter().map(|word| Term::new(word, unfinished)));
            let all: Vec<Token> = tokens(&text).collect();
            prop_assert_eq!(highlighter.highlights(&text), highlighter.highlights_of(&all));
        }
    }
}
