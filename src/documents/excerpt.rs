//! Excerpts: the start of a note as plain text.

use unicode_segmentation::UnicodeSegmentation;

use super::plain_text;

/// The maximum length of an excerpt, in code points.
pub const MAX_LENGTH: usize = 200;

/// The start of a Markdown note as plain text on one line, cut between two graphemes. Empty only if the note has no text.
pub fn of_note(markdown: &str) -> String {
    let line = start(markdown);
    let mut excerpt = String::new();
    let mut length = 0;
    for grapheme in line.graphemes(true) {
        length += grapheme.chars().count();
        if length > MAX_LENGTH {
            break;
        }
        excerpt.push_str(grapheme);
    }
    if excerpt.is_empty() {
        // The first grapheme alone is too long.
        excerpt.extend(line.chars().take(MAX_LENGTH));
    }
    excerpt.truncate(excerpt.trim_end().len());
    excerpt
}

/// The start of the plain text on one line, one code point longer than an excerpt.
fn start(markdown: &str) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut after_space = true;
    for part in plain_text::parts(markdown) {
        for character in part.chars() {
            let is_space = character.is_whitespace();
            if !(is_space && after_space) {
                line.push(if is_space { ' ' } else { character });
                length += 1;
            }
            after_space = is_space;
            if length > MAX_LENGTH {
                return line;
            }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line() {
        assert_eq!(
            of_note("# One\n\ntwo<br>three\n\n<p>four</p>"),
            "One two three four"
        );
        assert_eq!(of_note(&format!("{}text", "&nbsp;".repeat(5_000))), "text");
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
    fn a_grapheme_without_end_is_cut() {
        let note = format!("a{} hello", "\u{301}".repeat(250));
        assert_eq!(
            of_note(&note),
            format!("a{}", "\u{301}".repeat(MAX_LENGTH - 1))
        );
    }

    #[test]
    fn an_empty_note_has_an_empty_excerpt() {
        assert_eq!(of_note(""), "");
        assert_eq!(of_note("   \n\n---\n"), "");
        assert_eq!(of_note("<!-- a comment -->"), "");
    }
}
