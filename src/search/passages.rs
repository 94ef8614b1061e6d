//! The passages of an item that show why it was found.

use std::{collections::HashSet, ops::Range};

use super::marks::{Mark, Marks};

/// Passages of an item at most.
const MOST_PASSAGES: usize = 3;
/// About how long a passage is, in bytes; a title stands there whole.
const LENGTH: usize = 240;
/// How much of it stands before the first mark.
const BEFORE: usize = 60;
/// How much of a text is looked through, in code points: as much as is searched.
const MOST_TEXT: usize = 200_000;

/// A part of an item's text, by the API's name of the field.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Its name in the API.
    pub(crate) name: &'static str,
    /// Its text, plain.
    pub(crate) text: String,
}

/// A passage with what was looked for in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passage {
    /// The field that it is from.
    pub(crate) field: &'static str,
    /// The passage on one line.
    pub(crate) text: String,
    /// Where the marks stand in it, in UTF-16 code units.
    pub(crate) ranges: Vec<Range<i32>>,
}

/// The passages of an item, those of its first fields first: from each the one that shows most, and then the next.
pub(crate) fn passages(marks: &Marks, fields: &[Field]) -> Vec<Passage> {
    let mut passages = Vec::new();
    for field in fields {
        let text = start(&field.text);
        for (window, marks) in windows(text, marks.of(text)) {
            if passages.len() == MOST_PASSAGES {
                return passages;
            }
            passages.push(passage(field.name, text, window, &marks));
        }
    }
    passages
}

fn start(text: &str) -> &str {
    let end = text.char_indices().nth(MOST_TEXT);
    end.map_or(text, |(at, _)| &text[..at])
}

/// Windows over the marks with the marks in each; those with more different words first.
fn windows(text: &str, marks: Vec<Mark>) -> Vec<(Range<usize>, Vec<Mark>)> {
    let mut windows: Vec<(Range<usize>, Vec<Mark>)> = Vec::new();
    for mark in marks {
        match windows.last_mut() {
            Some((window, marks)) if mark.at.end <= window.end => marks.push(mark),
            last => {
                let free_from = last.map_or(0, |(window, _)| window.end);
                windows.push((around(text, &mark.at, free_from), vec![mark]));
            }
        }
    }
    let different = |marks: &[Mark]| {
        let words: HashSet<&str> = marks.iter().map(|mark| mark.folded.as_str()).collect();
        words.len()
    };
    windows.sort_by_key(|(_, marks)| std::cmp::Reverse(different(marks)));
    windows
}

/// A window that begins a little before the mark, at a word.
fn around(text: &str, mark: &Range<usize>, free_from: usize) -> Range<usize> {
    let first = text.floor_char_boundary(mark.start.saturating_sub(BEFORE));
    let start = match first {
        0 => 0,
        _ => text[first..mark.start]
            .find(char::is_whitespace)
            .map_or(first, |at| first + at),
    };
    let last = text.floor_char_boundary((start + LENGTH).max(mark.end).min(text.len()));
    let end = match last == text.len() {
        true => last,
        false => text[mark.end..last]
            .rfind(char::is_whitespace)
            .map_or(last, |at| mark.end + at),
    };
    start.max(free_from).min(mark.start)..end
}

fn passage(field: &'static str, text: &str, window: Range<usize>, marks: &[Mark]) -> Passage {
    let shown = &text[window.clone()];
    let trimmed = shown.trim();
    let from = window.start + (shown.len() - shown.trim_start().len());
    let units = |to: usize| {
        let units = text[from..to].encode_utf16().count();
        i32::try_from(units).unwrap_or(i32::MAX)
    };
    let on_one_line = trimmed.chars().map(|character| match character {
        '\n' | '\r' | '\t' => ' ',
        character => character,
    });
    Passage {
        field,
        text: on_one_line.collect(),
        ranges: marks
            .iter()
            .map(|mark| units(mark.at.start)..units(mark.at.end))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::marks::Marked, *};

    fn marks(terms: &[&str]) -> Marks {
        Marks::new(terms.iter().map(|term| {
            Marked {
                unfinished: term.ends_with('…'),
                tokens: term
                    .trim_end_matches('…')
                    .split(' ')
                    .map(str::to_owned)
                    .collect(),
                words: Vec::new(),
            }
        }))
    }

    /// The passages with brackets around the marks, cut by UTF-16 code units as JavaScript does.
    fn shown(terms: &[&str], text: &str) -> Vec<String> {
        let field = Field {
            name: "note",
            text: text.to_owned(),
        };
        let passages = passages(&marks(terms), &[field]);
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
    fn what_was_looked_for_is_marked_as_it_is_written() {
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
    fn three_passages_at_most_and_those_that_show_most_first() {
        let far = "filler ".repeat(60);
        let text = format!("one {far} one two {far} two {far} one {far} one");
        let shown = shown(&["one", "two"], &text);
        assert_eq!(shown.len(), MOST_PASSAGES);
        assert!(shown[0].contains("[one] [two]"), "{}", shown[0]);
        assert!(shown.iter().all(|passage| passage.len() < LENGTH + 20));
    }

    #[test]
    fn a_text_without_spaces_is_cut_between_characters() {
        let text = format!("{}行列{}", "あ".repeat(500), "い".repeat(500));
        assert!(shown(&["行 列"], &text)[0].contains("[行列]"));
    }
}
