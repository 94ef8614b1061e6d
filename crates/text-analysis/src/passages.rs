//! Passages: the parts of a text that show its highlights.

use std::{collections::HashSet, hash::Hash, ops::Range};

use unicode_segmentation::GraphemeCursor;

/// Approximate length of a passage in bytes.
const PASSAGE_LENGTH: usize = 240;
/// Approximate length of the context before the first highlight, in bytes.
const LEADING_CONTEXT: usize = 60;

/// A part of a text on one line, and its highlights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The part, with spaces in place of line breaks and control characters, without white space at its ends.
    pub text: String,
    /// The highlights in `text`, in UTF-16 code units, as for `String.slice` in JavaScript.
    pub ranges: Vec<Range<usize>>,
}

impl Passage {
    /// The whole text as one passage.
    pub fn whole<W>(text: &str, highlights: &[(Range<usize>, W)]) -> Self {
        passage(text, 0..text.len(), &valid(text, highlights))
    }
}

/// The passages of a text, at most `max`. Those with the most different words come first.
///
/// A highlight is a range of the text in bytes, with the word that it stands for. Highlights are in the order of the text and do
/// not overlap; others are ignored. A passage has about 240 bytes, or more if one highlight is longer. It starts and ends at
/// white space, or between two graphemes if there is none, as in texts that are written without spaces. Passages do not overlap.
pub fn passages<W: Eq + Hash>(
    text: &str,
    highlights: &[(Range<usize>, W)],
    max: usize,
) -> Vec<Passage> {
    let mut windows: Vec<Window<'_, W>> = Vec::new();
    for highlight in valid(text, highlights) {
        match windows.last_mut() {
            Some((window, inside)) if highlight.0.end <= window.end => inside.push(highlight),
            last => {
                let free_from = last.map_or(0, |(window, _)| window.end);
                let window = window_around(text, &highlight.0, free_from);
                windows.push((window, vec![highlight]));
            }
        }
    }
    let different_words = |highlights: &[&(Range<usize>, W)]| {
        let words = highlights.iter().map(|(_, word)| word);
        words.collect::<HashSet<_>>().len()
    };
    windows.sort_by_cached_key(|(_, inside)| std::cmp::Reverse(different_words(inside)));
    windows.truncate(max);
    let passages = windows.into_iter();
    passages
        .map(|(window, inside)| passage(text, window, &inside))
        .collect()
}

/// A part of the text, and the highlights in it.
type Window<'h, W> = (Range<usize>, Vec<&'h (Range<usize>, W)>);

/// The highlights that are ranges of the text and follow each other.
fn valid<'h, W>(text: &str, highlights: &'h [(Range<usize>, W)]) -> Vec<&'h (Range<usize>, W)> {
    let mut end = 0;
    let mut is_valid = |range: &Range<usize>| {
        let is_valid = range.start >= end && !range.is_empty() && text.get(range.clone()).is_some();
        if is_valid {
            end = range.end;
        }
        is_valid
    };
    highlights
        .iter()
        .filter(|(range, _)| is_valid(range))
        .collect()
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

fn passage<W>(text: &str, window: Range<usize>, highlights: &[&(Range<usize>, W)]) -> Passage {
    let shown = &text[window.clone()];
    let start = window.start + (shown.len() - shown.trim_start().len());
    let end = window.start + shown.trim_end().len();
    // Highlights contain words. If one starts or ends with white space, the caller has made an error.
    let trimmed = text.get(start..end).unwrap_or_default();
    let mut counted = start;
    let mut units = 0;
    let mut units_until = |to: usize| {
        let to = to.clamp(start, end.max(start));
        units += text[counted..to].encode_utf16().count();
        counted = to;
        units
    };
    let ranges = highlights
        .iter()
        .map(|(range, _)| units_until(range.start)..units_until(range.end));
    let ranges = ranges.collect();
    // Each replaced character is one UTF-16 code unit, like the space, so the ranges stay valid.
    let on_one_line = trimmed.chars().map(|character| match character {
        '\u{2028}' | '\u{2029}' => ' ',
        character if character.is_control() => ' ',
        character => character,
    });
    Passage {
        text: on_one_line.collect(),
        ranges,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The highlights of each word's occurrences.
    fn highlights<'w>(text: &str, words: &[&'w str]) -> Vec<(Range<usize>, &'w str)> {
        let mut found: Vec<_> = words
            .iter()
            .flat_map(|word| {
                text.match_indices(word)
                    .map(|(at, _)| (at..at + word.len(), *word))
            })
            .collect();
        found.sort_by_key(|(range, _)| range.start);
        found
    }

    /// The passage with brackets around the highlights, cut by UTF-16 code units as JavaScript does.
    fn marked(passage: &Passage) -> String {
        let units: Vec<u16> = passage.text.encode_utf16().collect();
        let cut =
            |range: Range<usize>| String::from_utf16(&units[range]).expect("between characters");
        let mut shown = String::new();
        let mut at = 0;
        for range in &passage.ranges {
            shown += &format!("{}[{}]", cut(at..range.start), cut(range.clone()));
            at = range.end;
        }
        shown + &cut(at..units.len())
    }

    fn shown(words: &[&str], text: &str) -> Vec<String> {
        let passages = passages(text, &highlights(text, words), 3);
        passages.iter().map(marked).collect()
    }

    #[test]
    fn ranges_count_utf_16_code_units() {
        for (words, text, expected) in [
            (
                &["matrix"][..],
                "A 𝔸 matrix, matrix.",
                "A 𝔸 [matrix], [matrix].",
            ),
            (
                &["eigen-\n  value"],
                "The eigen-\n  value λ",
                "The [eigen-   value] λ",
            ),
            (&["行列"], "この行列は", "この[行列]は"),
            (&["🏷️"], "a 🏷️ tag", "a [🏷️] tag"),
            (&["one", "two"], "  one two\n", "[one] [two]"),
        ] {
            assert_eq!(shown(words, text), [expected], "{words:?}");
        }
        assert_eq!(shown(&["nothing"], "something"), [""; 0]);
    }

    #[test]
    fn there_are_at_most_the_given_number_with_the_most_different_words_first() {
        let far = "filler ".repeat(60);
        let text = format!("one {far} one two {far} two {far} one {far} one");
        let shown = shown(&["one", "two"], &text);
        assert_eq!(shown.len(), 3);
        assert!(shown[0].contains("[one] [two]"), "{}", shown[0]);
        assert!(
            shown
                .iter()
                .all(|passage| passage.len() < PASSAGE_LENGTH + 20)
        );
        let found = highlights(&text, &["one"]);
        assert_eq!(passages(&text, &found, 1).len(), 1);
        assert_eq!(passages(&text, &found, 0), []);
    }

    #[test]
    fn a_whole_text_is_not_cut() {
        let text = format!("needle {} needle", "lorem ipsum ".repeat(60));
        let found = highlights(&text, &["needle"]);
        let whole = Passage::whole(&text, &found);
        assert_eq!(whole.text, text);
        assert_eq!(whole.ranges.len(), 2);
        assert_eq!(passages(&text, &found, 3).len(), 2);
    }

    #[test]
    fn a_passage_is_one_line() {
        for separator in [
            '\n', '\r', '\t', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}', '\0',
        ] {
            let text = format!("needle{separator}after");
            assert_eq!(shown(&["needle"], &text), ["[needle] after"]);
        }
    }

    #[test]
    fn a_passage_has_whole_words() {
        let text = format!("{}needle{}", "first ".repeat(50), " second".repeat(50));
        let passage = &shown(&["needle"], &text)[0];
        let words: HashSet<_> = passage.split(' ').collect();
        assert_eq!(words, HashSet::from(["first", "[needle]", "second"]));
    }

    #[test]
    fn texts_without_spaces_are_cut_between_graphemes() {
        for (before, after) in [
            ("🇩🇪", "🇫🇷"),
            ("👨‍👩‍👧", "👩🏽‍🚀"),
            ("あ", "が"),
            ("e\u{301}", "น้ำ"),
            ("क्षि", "நி"),
        ] {
            let text = format!("{}needle{}", before.repeat(99), after.repeat(99));
            let passage = &shown(&["needle"], &text)[0];
            let (left, right) = passage.split_once("[needle]").expect("the highlight");
            assert!(!left.is_empty() && !right.is_empty(), "{passage}");
            assert_eq!(left.replace(before, ""), "");
            assert_eq!(right.replace(after, ""), "");
        }
        let family = "👨‍👩‍👧".repeat(30);
        let passage = &shown(&["needle"], &format!("{family} needle {family}"))[0];
        assert_eq!(passage.replace("👨‍👩‍👧", ""), "[needle]");
    }

    #[test]
    fn a_long_highlight_is_shown_as_a_whole() {
        let long = "many words ".repeat(40);
        let text = format!("x {long} y");
        let found = [(2..2 + long.len(), 0)];
        assert_eq!(
            passages(&text, &found, 3)[0].text.matches("many").count(),
            40
        );
    }

    proptest! {
        #[test]
        fn any_highlights_give_passages_in_their_order(
            text in "[a é\n語🇩\u{301}]{0,600}",
            cuts in prop::collection::vec((0_usize..2500, 0_usize..40, 0_u8..3), 0..20),
        ) {
            let found: Vec<_> = cuts.iter().map(|(start, length, word)| (*start..start + length, *word)).collect();
            for passage in passages(&text, &found, 3) {
                prop_assert!(!passage.text.contains('\n'));
                prop_assert!(passage.ranges.is_sorted_by(|one, next| one.end <= next.start));
                marked(&passage);
            }
        }
    }
}
