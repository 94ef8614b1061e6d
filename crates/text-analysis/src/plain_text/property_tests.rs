//! Properties of the plain text of every note.

use proptest::prelude::*;

use super::{PlainText, tests::check_map};

/// Pieces of syntax. Any sequence of them is a note.
const SYNTAX: [&str; 62] = [
    " ",
    "  ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "    ",
    "> ",
    "- ",
    "* ",
    "1. ",
    "- [x] ",
    "# ",
    "## ",
    "---\n",
    "===\n",
    "```\n",
    "~~~\n",
    "`",
    "``",
    "*",
    "**",
    "_",
    "~~",
    "$",
    "$$",
    "\\",
    "[",
    "](u)",
    "![",
    "[[",
    "]]",
    "|",
    "|-|\n",
    "[^n]",
    "[^n]: ",
    "[r]",
    "[r]: u\n",
    ": ",
    "> [!TIP]\n",
    "{#id}",
    "<",
    "<b>",
    "</b>",
    "<br>",
    "<div>",
    "</div>\n",
    "<p>",
    "<script>",
    "</script>",
    "<!--",
    "-->",
    "<img alt='",
    "'>",
    "<td>",
    "&amp;",
    "&nbsp;",
    "&ngE;",
    "&",
    "\u{ad}",
    "é",
    "語",
];

fn note() -> impl Strategy<Value = String> {
    let syntax = prop::sample::select(&SYNTAX[..]).prop_map(str::to_owned);
    let word = (0_u16..50).prop_map(|number| format!(" w{number} "));
    prop::collection::vec(prop_oneof![3 => syntax, 1 => word], 0..60)
        .prop_map(|parts| parts.concat())
}

fn is_separator(character: char) -> bool {
    matches!(character, '\n' | '\u{2029}')
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_are_trimmed_and_not_empty(note in note()) {
        let plain = PlainText::from_markdown(&note);
        if !plain.text().is_empty() {
            for line in plain.text().split(is_separator) {
                prop_assert!(!line.is_empty() && line.trim() == line, "{:?}", plain.text());
            }
        }
    }

    #[test]
    fn positions_keep_the_order_of_the_source(note in note()) {
        check_map(&note, &PlainText::from_markdown(&note));
    }

    #[test]
    fn positions_lead_to_the_same_word(note in note()) {
        // The parser gives code that contains the bar of a wiki link a range without that code.
        prop_assume!(!note.contains("[["));
        let plain = PlainText::from_markdown(&note);
        let is_word = |word: &&str| word.len() > 1 && word.starts_with('w') && word[1..].bytes().all(|byte| byte.is_ascii_digit());
        for word in plain.text().split([' ', '\n', '\u{2029}']).filter(is_word) {
            let start = word.as_ptr() as usize - plain.text().as_ptr() as usize;
            let source = plain.source_range(start..start + word.len());
            prop_assert_eq!(&note[source], word);
        }
    }

    #[test]
    fn a_text_without_markup_is_itself(text in "[a-zé語]{1,9}(( |\n)[a-zé語]{1,9}){0,20}") {
        let plain = PlainText::from_markdown(&text);
        prop_assert_eq!(plain.text(), &text);
        prop_assert_eq!(plain.source_range(0..text.len()), 0..text.len());
    }

    #[test]
    fn any_text_is_read(note in any::<String>()) {
        check_map(&note, &PlainText::from_markdown(&note));
    }
}
