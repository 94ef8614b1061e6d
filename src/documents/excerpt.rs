//! Excerpts: the start of a note as a reader sees it.

use text_analysis::PlainText;

/// The maximum length of an excerpt, in code points.
pub const MAX_LENGTH: usize = 200;

/// The start of a Markdown note as plain text on one line. Empty only if the note has no text.
pub fn of_note(markdown: &str) -> String {
    text_analysis::excerpt(PlainText::from_markdown(markdown).text(), MAX_LENGTH)
}
