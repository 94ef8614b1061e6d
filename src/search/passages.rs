//! Passages: the parts of an item's texts that show why it was found.

use std::{collections::HashSet, ops::Range};

use unicode_segmentation::GraphemeCursor;

use text_analysis::{Highlight, Highlighter};

/// Maximum number of passages per item.
const MAX_PASSAGES: usize = 3;
/// Approximate length of a passage in bytes.
const PASSAGE_LENGTH: usize = 240;
/// Approximate length of the context before the first highlight, in bytes.
const LEADING_CONTEXT: usize = 60;
/// Maximum number of code points that are searched for highlights: as many as are indexed.
const MAX_TEXT_LENGTH: usize = 200_000;

/// A searched field of an item.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The field's name in the API.
    pub(crate) name: &'static str,
    /// The field's plain text.
    pub(crate) text: String,
    /// Whether it is shown as a whole: a title or a name.
    pub(crate) whole: bool,
}

/// A passage and its highlights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passage {
    /// The field that it is from.
    pub(crate) field: &'static str,
    /// The passage's text on one line.
    pub(crate) text: String,
    /// The highlights in the text, in UTF-16 code units.
    pub(crate) ranges: Vec<Range<i32>>,
}

/// The passages of an item in the order of its fields. Within a field, those with the most different words come first.
pub(crate) fn passages(highlighter: &Highlighter, fields: &[Field]) -> Vec<Passage> {
    let mut passages = Vec::new();
    for field in fields {
        let text = start(&field.text);
        let highlights = highlighter.highlights(text);
        let windows = match field.whole && !highlights.is_empty() {
            true => vec![(0..text.len(), highlights)],
            false => windows(text, highlights),
        };
        for (window, highlights) in windows {
            if passages.len() == MAX_PASSAGES {
                return passages;
            }
            passages.push(passage(field.name, text, window, &highlights));
        }
    }
    passages
}

fn start(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_TEXT_LENGTH);
    end.map_or(text, |(at, _)| &text[..at])
}

/// Windows of the text with the highlights in each. Those with the most different words come first.
fn windows(text: &str, highlights: Vec<Highlight>) -> Vec<(Range<usize>, Vec<Highlight>)> {
    let mut windows: Vec<(Range<usize>, Vec<Highlight>)> = Vec::new();
    for highlight in highlights {
        match windows.last_mut() {
            Some((window, inside)) if highlight.range.end <= window.end => inside.push(highlight),
            last => {
                let free_from = last.map_or(0, |(window, _)| window.end);
                let window = window_around(text, &highlight.range, free_from);
                windows.push((window, vec![highlight]));
            }
        }
    }
    let different_words = |highlights: &[Highlight]| {
        let words = highlights.iter().map(|one| one.word.as_str());
        words.collect::<HashSet<_>>().len()
    };
    windows.sort_by_key(|(_, inside)| std::cmp::Reverse(different_words(inside)));
    windows
}

/// A window that starts at a word shortly before the highlight, but not before `free_from`.
fn window_around(text: &str, highlight: &Range<usize>, free_from: usize) -> Range<usize> {
    let first = text.floor_char_boundary(highlight.start.saturating_sub(LEADING_CONTEXT));
    let start = match first {
        0 => 0,
        _ => text[first..highlight.start]
            .find(char::is_whitespace)
            .map_or_else(|| grapheme_from(text, first), |at| first + at),
    };
    let last =
        text.floor_char_boundary((start + PASSAGE_LENGTH).max(highlight.end).min(text.len()));
    let end = match last == text.len() {
        true => last,
        false => text[highlight.end..last]
            .rfind(char::is_whitespace)
            .map_or_else(|| grapheme_until(text, last), |at| highlight.end + at),
    };
    start.max(free_from).min(highlight.start)..end.max(highlight.end)
}

/// The first boundary between graphemes at or after a position.
fn grapheme_from(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    match cursor.is_boundary(text, 0) {
        Ok(false) => cursor
            .next_boundary(text, 0)
            .ok()
            .flatten()
            .unwrap_or(text.len()),
        _ => at,
    }
}

/// The last boundary between graphemes at or before a position.
fn grapheme_until(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    match cursor.is_boundary(text, 0) {
        Ok(false) => cursor.prev_boundary(text, 0).ok().flatten().unwrap_or(0),
        _ => at,
    }
}

fn passage(
    field: &'static str,
    text: &str,
    window: Range<usize>,
    highlights: &[Highlight],
) -> Passage {
    let shown = &text[window.clone()];
    let trimmed = shown.trim();
    let from = window.start + (shown.len() - shown.trim_start().len());
    let units = |to: usize| {
        let units = text[from..to].encode_utf16().count();
        i32::try_from(units).unwrap_or(i32::MAX)
    };
    // Each of these is one UTF-16 code unit, as the space is.
    let on_one_line = trimmed.chars().map(|character| match character {
        '\u{2028}' | '\u{2029}' => ' ',
        character if character.is_control() => ' ',
        character => character,
    });
    Passage {
        field,
        text: on_one_line.collect(),
        ranges: highlights
            .iter()
            .map(|one| units(one.range.start)..units(one.range.end))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use text_analysis::Term;

    use super::*;

    fn highlighter(terms: &[&str]) -> Highlighter {
        Highlighter::new(
            terms
                .iter()
                .map(|term| Term::new(term.trim_end_matches('…'), term.ends_with('…'))),
        )
    }

    /// The passages with brackets around the highlights, cut by UTF-16 code units as JavaScript does.
    fn shown(terms: &[&str], text: &str) -> Vec<String> {
        let field = Field {
            name: "note",
            text: text.to_owned(),
            whole: false,
        };
        let passages = passages(&highlighter(terms), &[field]);
        let show = |passage: &Passage| {
            let units: Vec<u16> = passage.text.encode_utf16().collect();
            let mut shown = String::new();
            let mut at = 0;
            for range in &passage.ranges {
                let (start, end) = (range.start as usize, range.end as usize);
                shown += &String::from_utf16(&units[at..start]).expect("between characters");
                shown += &format!(
                    "[{}]",
                    String::from_utf16(&units[start..end]).expect("between characters")
                );
                at = end;
            }
            shown + &String::from_utf16(&units[at..]).expect("between characters")
        };
        passages.iter().map(show).collect()
    }

    #[test]
    fn highlights_cover_the_matching_words_as_written() {
        for (terms, text, expected) in [
            (
                &["matrix"][..],
                "A Matrix, 𝔸 matrix.",
                "A [Matrix], 𝔸 [matrix].",
            ),
            (
                &["eigenvalue"],
                "The eigen-\n  value λ",
                "The [eigen-   value] λ",
            ),
            (
                &["linear map"],
                "linear, map; a linear thing",
                "[linear, map]; a linear thing",
            ),
            (&["eig…"], "Eigenwert und Eis", "[Eigenwert] und Eis"),
            (&["行 列"], "この行列は", "この[行列]は"),
            (&["csharp"], "C# or C", "[C#] or C"),
            (
                &["angstrom"],
                "A\u{30a}ngstro\u{308}m",
                "[A\u{30a}ngstro\u{308}m]",
            ),
            (&["final"], "the ﬁnal one", "the [ﬁnal] one"),
            (&["a b…"], "a bc a d", "[a bc] a d"),
        ] {
            assert_eq!(shown(terms, text), [expected], "{terms:?}");
        }
        assert_eq!(shown(&["nothing"], "something"), [""; 0]);
    }

    #[test]
    fn there_are_at_most_three_passages_with_the_most_different_words_first() {
        let far = "filler ".repeat(60);
        let text = format!("one {far} one two {far} two {far} one {far} one");
        let shown = shown(&["one", "two"], &text);
        assert_eq!(shown.len(), MAX_PASSAGES);
        assert!(shown[0].contains("[one] [two]"), "{}", shown[0]);
        assert!(
            shown
                .iter()
                .all(|passage| passage.len() < PASSAGE_LENGTH + 20)
        );
    }

    #[test]
    fn a_whole_field_is_not_cut() {
        let text = format!("needle {} needle", "lorem ipsum ".repeat(60));
        let field = |whole| Field {
            name: "title",
            text: text.clone(),
            whole,
        };
        let whole = passages(&highlighter(&["needle"]), &[field(true)]);
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].text, text);
        assert_eq!(whole[0].ranges.len(), 2);
        assert_eq!(
            passages(&highlighter(&["needle"]), &[field(false)]).len(),
            2
        );
        assert_eq!(passages(&highlighter(&["absent"]), &[field(true)]), []);
    }

    #[test]
    fn a_passage_is_one_line_of_whole_graphemes() {
        for separator in [
            '\n', '\r', '\t', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}',
        ] {
            let text = format!("needle{separator}after");
            assert_eq!(shown(&["needle"], &text), ["[needle] after"]);
        }
        let flags = "🇩🇪".repeat(41);
        let text = format!("{flags}needle{flags}");
        let passage = &shown(&["needle"], &text)[0];
        let (before, after) = passage.split_once("[needle]").expect("the highlight");
        for flags in [before, after] {
            assert!(!flags.is_empty());
            assert_eq!(flags.replace("🇩🇪", ""), "");
        }
        let family = "👨‍👩‍👧".repeat(30);
        let passage = &shown(&["needle"], &format!("{family} needle {family}"))[0];
        assert_eq!(passage.replace("👨‍👩‍👧", ""), "[needle]");
    }

    #[test]
    fn a_text_without_spaces_is_cut_between_characters() {
        let text = format!("{}行列{}", "あ".repeat(500), "い".repeat(500));
        assert!(shown(&["行 列"], &text)[0].contains("[行列]"));
    }
}
