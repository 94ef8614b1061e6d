//! Every text can be read as Markdown, and each position of the result leads into the source.
#![no_main]

use libfuzzer_sys::fuzz_target;
use text_analysis::{PlainText, excerpt};

fuzz_target!(|markdown: &str| {
    let plain = PlainText::from_markdown(markdown);
    let mut last = 0..0;
    for (start, character) in plain.text().char_indices() {
        let source = plain.source_range(start..start + character.len_utf8());
        let shown = markdown.get(source.clone()).expect("a range of the source");
        assert!(last.start <= source.start && last.end <= source.end);
        // Only white space, entities, control characters and separators differ from their source.
        if character.is_ascii_alphanumeric() && !shown.starts_with('&') && shown.len() == 1 {
            assert_eq!(shown.chars().next(), Some(character));
        }
        last = source;
    }
    if !plain.text().is_empty() {
        let lines = plain.text().split(['\n', '\u{2029}']);
        assert!(lines.into_iter().all(|line| !line.trim().is_empty()));
    }
    let excerpt = excerpt(plain.text(), 200);
    assert!(excerpt.chars().count() <= 200);
    assert_eq!(excerpt.is_empty(), plain.text().is_empty());
});
