//! Parses a query: words, `"quoted phrases"`, `-exclusions` and `OR`. It is independent of languages and never fails:
//! invalid syntax is text, and text without letters is ignored.

/// Maximum length of a query in code points.
pub(super) const MAX_QUERY_LENGTH: usize = 1_000;

/// Punctuation that separates words, as spaces do.
const BREAKS: &str = ",;!?|\u{ff0c}\u{3001}\u{3002}\u{ff1b}\u{ff01}\u{ff1f}";
/// Quotation marks around phrases, as keyboards and word processors write them.
const QUOTES: &[char] = &['"', '“', '”', '„', '‟', '«', '»', '＂'];
/// Signs before an excluded term: hyphens, dashes and minus signs.
const MINUS: &[char] = &['-', '‐', '‑', '‒', '–', '—', '−', '－'];

/// A parsed query.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// Alternatives, none of them empty. A hit has all terms of at least one.
    pub(super) branches: Vec<Vec<Term>>,
    /// Terms that a hit must not have.
    pub(super) excluded: Vec<Term>,
}

/// A word or a phrase.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) text: String,
    /// Whether the term matches only as written, and not similar words.
    pub(super) quoted: bool,
    /// Whether it is the last word, so that the user may not have finished typing it.
    pub(super) unfinished: bool,
}

/// Parses a query.
pub(super) fn parse(text: &str) -> Query {
    let mut query = Query::default();
    let (mut rest, mut branch) = (text, Vec::new());
    while let Some((piece, after)) = next_piece(rest) {
        rest = after;
        match piece {
            Piece::Or => query.branches.push(std::mem::take(&mut branch)),
            Piece::Excluded(term) => query.excluded.push(term),
            Piece::Wanted(term) => branch.push(Term {
                unfinished: rest.is_empty() && !term.quoted,
                ..term
            }),
        }
    }
    query.branches.push(branch);
    query.branches.retain(|branch| !branch.is_empty());
    query
}

enum Piece {
    Or,
    Wanted(Term),
    Excluded(Term),
}

/// The next piece and the rest of the text.
fn next_piece(text: &str) -> Option<(Piece, &str)> {
    let start = text.trim_start_matches(is_break);
    let (excluded, body) = match start.strip_prefix(MINUS) {
        Some(body) if !body.starts_with(is_break) => (true, body),
        _ => (false, start),
    };
    let term = |text: &str, quoted| {
        let term = Term {
            text: text.to_owned(),
            quoted,
            unfinished: false,
        };
        if excluded {
            Piece::Excluded(term)
        } else {
            Piece::Wanted(term)
        }
    };
    if let Some((phrase, after)) = body
        .strip_prefix(QUOTES)
        .and_then(|body| body.split_once(QUOTES))
    {
        return Some((term(phrase, true), after));
    }
    // An unclosed quote is ignored.
    let body = body.trim_start_matches(QUOTES);
    let end = body
        .find(|character: char| is_break(character) || QUOTES.contains(&character))
        .unwrap_or(body.len());
    let (word, after) = body.split_at(end);
    match word {
        "" if after.is_empty() => None,
        "OR" if !excluded => Some((Piece::Or, after)),
        _ => Some((term(word, false), after)),
    }
}

fn is_break(character: char) -> bool {
    character.is_whitespace() || BREAKS.contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `word`, `"phrase"`, `word…` (unfinished), branches between bars, excluded terms after a minus.
    fn shown(text: &str) -> String {
        let show = |term: &Term| {
            let quote = if term.quoted { "\"" } else { "" };
            let end = if term.unfinished { "…" } else { "" };
            format!("{quote}{}{quote}{end}", term.text)
        };
        let terms = |terms: &[Term]| terms.iter().map(show).collect::<Vec<_>>().join(" ");
        let query = parse(text);
        let branches: Vec<String> = query.branches.iter().map(|branch| terms(branch)).collect();
        let excluded = match query.excluded.is_empty() {
            true => String::new(),
            false => format!(" - {}", terms(&query.excluded)),
        };
        branches.join(" | ") + &excluded
    }

    #[test]
    fn queries_are_parsed() {
        for (query, expected) in [
            ("", ""),
            ("  \t ", ""),
            ("eigen", "eigen…"),
            ("eigen ", "eigen"),
            ("eigen values", "eigen values…"),
            ("\"linear map\" -proof", "\"linear map\" - proof"),
            ("a OR b c", "a | b c…"),
            ("a or b", "a or b…"),
            ("OR a OR", "a"),
            ("-a", " - a"),
            ("a -\"b c\"", "a - \"b c\""),
            ("a -b OR c", "a | c… - b"),
            ("- a", "- a…"),
            ("well-known", "well-known…"),
            ("a,b、c", "a b c…"),
            ("\"open", "open…"),
            ("a\"b c\"d", "a \"b c\" d…"),
            ("\"\"", "\"\""),
            ("a OR -b", "a - b"),
            ("\"", ""),
            ("-\"", ""),
        ] {
            assert_eq!(shown(query), expected, "{query:?}");
        }
    }

    #[test]
    fn every_long_query_is_parsed() {
        for piece in ["\"", "-", "\"-", "OR ", "a\"", "(", "\\", "%"] {
            let query = parse(&piece.repeat(MAX_QUERY_LENGTH));
            let terms = query.branches.iter().flatten().chain(&query.excluded);
            assert!(terms.count() <= MAX_QUERY_LENGTH);
        }
    }
}
