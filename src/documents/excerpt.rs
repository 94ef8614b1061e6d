//! Markdown as plain text, and excerpts: the start of that text.
//!
//! Omits what a reader would not read aloud: markup, link targets, HTML. Keeps formulas and code as they are written. Never
//! fails: whatever is not Markdown is text.

use pulldown_cmark::{Event, Options, Parser, TagEnd};
use unicode_segmentation::UnicodeSegmentation;

/// The maximum length of an excerpt, in code points.
pub const MAX_LENGTH: usize = 200;

/// The start of a Markdown note as plain text on one line, cut between two graphemes.
pub fn of_note(markdown: &str) -> String {
    let mut words = String::new();
    // Enough to fill an excerpt, so a note of megabytes is not read to its end.
    for event in Parser::new_ext(markdown, options()) {
        push_plain(&mut words, &event);
        if words.len() > MAX_LENGTH * 16 && words.chars().count() > MAX_LENGTH * 4 {
            break;
        }
    }
    let mut excerpt = String::new();
    let mut length = 0;
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    for grapheme in line.graphemes(true) {
        length += grapheme.chars().count();
        if length > MAX_LENGTH {
            break;
        }
        excerpt.push_str(grapheme);
    }
    excerpt.truncate(excerpt.trim_end().len());
    excerpt
}

/// A Markdown text as plain text, with one line per paragraph, item and row.
pub fn plain_text(markdown: &str) -> String {
    let mut plain = String::new();
    for event in Parser::new_ext(markdown, options()) {
        push_plain(&mut plain, &event);
    }
    plain
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
}

fn push_plain(plain: &mut String, event: &Event<'_>) {
    match event {
        Event::Text(text)
        | Event::Code(text)
        | Event::InlineMath(text)
        | Event::DisplayMath(text) => {
            plain.push_str(text);
        }
        Event::SoftBreak => plain.push(' '),
        Event::HardBreak | Event::Rule => plain.push('\n'),
        Event::End(TagEnd::TableCell) => plain.push(' '),
        Event::End(
            TagEnd::Paragraph
            | TagEnd::Heading(_)
            | TagEnd::Item
            | TagEnd::CodeBlock
            | TagEnd::TableHead
            | TagEnd::TableRow
            | TagEnd::HtmlBlock,
        ) => plain.push('\n'),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_omitted_and_words_stay_separate() {
        let note = "# Eigenvalues\n\nA *scalar* $\\lambda$ with [a link](https://example.com):\n\n- one\n- `two`\n\n\
                    | a | b |\n|---|---|\n| 1 | 2 |\n\n<b>bold</b>";
        assert_eq!(
            of_note(note),
            "Eigenvalues A scalar \\lambda with a link: one two a b 1 2 bold"
        );
    }

    #[test]
    fn an_excerpt_is_cut_between_graphemes() {
        let family = "👨‍👩‍👧‍👦";
        let note = format!("{}{family}", "x".repeat(195));
        assert_eq!(
            of_note(&note),
            "x".repeat(195),
            "the emoji has seven code points and would exceed 200"
        );
        assert_eq!(of_note(&"語".repeat(300)).chars().count(), MAX_LENGTH);
    }

    #[test]
    fn an_empty_note_has_an_empty_excerpt() {
        assert_eq!(of_note(""), "");
        assert_eq!(of_note("   \n\n---\n"), "");
    }
}
