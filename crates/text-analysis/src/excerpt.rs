//! Excerpts: the start of a text.

use unicode_segmentation::UnicodeSegmentation;

/// The start of a text on one line, cut between two graphemes. Maximum `max` code points. Each run of white space becomes one
/// space. Empty only if the text contains only white space.
pub fn excerpt(text: &str, max: usize) -> String {
    let line = start(text, max);
    let mut excerpt = String::new();
    let mut length = 0;
    for grapheme in line.graphemes(true) {
        length += grapheme.chars().count();
        if length > max {
            break;
        }
        excerpt.push_str(grapheme);
    }
    if excerpt.is_empty() {
        // The first grapheme alone is too long.
        excerpt.extend(line.chars().take(max));
    }
    excerpt.truncate(excerpt.trim_end().len());
    excerpt
}

/// The start of the text on one line, one code point longer than an excerpt.
fn start(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut after_space = true;
    for character in text.chars() {
        let is_space = character.is_whitespace();
        if !(is_space && after_space) {
            line.push(if is_space { ' ' } else { character });
            length += 1;
        }
        after_space = is_space;
        if length > max {
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PlainText;

    fn of_note(markdown: &str) -> String {
        excerpt(PlainText::from_markdown(markdown).text(), 200)
    }

    #[test]
    fn an_excerpt_is_one_line() {
        assert_eq!(
            of_note("# One\n\ntwo<br>three\n\n<p>four</p>"),
            "One two three four"
        );
        assert_eq!(of_note(&format!("{}text", "&nbsp;".repeat(5_000))), "text");
        assert_eq!(excerpt(" a \u{2029} \t b\r\n", 200), "a b");
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
        assert_eq!(of_note(&"語".repeat(300)).chars().count(), 200);
    }

    #[test]
    fn a_grapheme_without_end_is_cut() {
        let note = format!("a{} hello", "\u{301}".repeat(250));
        assert_eq!(of_note(&note), format!("a{}", "\u{301}".repeat(199)));
    }

    #[test]
    fn an_empty_note_has_an_empty_excerpt() {
        assert_eq!(of_note(""), "");
        assert_eq!(of_note("   \n\n---\n"), "");
        assert_eq!(of_note("<!-- a comment -->"), "");
        assert_eq!(excerpt("text", 0), "");
    }
}
