//! Notes that are designed to slow down or break the reader.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::PlainText;

/// Pairs of a start and a line. Tests repeat them: first all starts and then all lines, or alternately.
const PATTERNS: [(&str, &str); 24] = [
    ("> ", "a\n"),
    ("- ", "a\n"),
    ("- ", "\n"),
    ("1. > ", " \n"),
    ("> ", "[!NOTE]\n"),
    ("[^a]: ", "a\n"),
    ("a\n: ", "a\n"),
    ("[", "](a)"),
    ("![", "](a)"),
    ("[[", "|b]]"),
    ("[a](<b", "a\n"),
    ("*a", "**"),
    ("_a ", "a__"),
    ("~", "a"),
    ("`", "``"),
    ("${", "}$"),
    ("<a ", "b='c\n"),
    ("<b>", "</b>"),
    ("<div>", "</div>\n"),
    ("<!--", "-->"),
    ("<script>", "</scrip"),
    ("&", "&amp"),
    ("# {#a ", "}\n"),
    ("|a", "\n|-"),
];

/// The processor time of this thread to read a note of about this length, whatever else the machine does.
fn reading_time(note: &str) -> Duration {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let now = || Duration::from(clock_gettime(clock).expect("the clock of the thread"));
    let times = (0..2).map(|_| {
        let start = now();
        std::hint::black_box(PlainText::from_markdown(note));
        now() - start
    });
    times.min().unwrap_or_default()
}

#[test]
fn the_time_is_linear_in_the_length() {
    for (start, line) in PATTERNS {
        let note = |length: usize, in_turns: bool| match in_turns {
            true => format!("{start}{line}").repeat(length / (start.len() + line.len())),
            false => {
                let half = |part: &str| part.repeat(length / 2 / part.len());
                format!("{}x {}", half(start), half(line))
            }
        };
        for in_turns in [false, true] {
            let short = reading_time(&note(1 << 11, in_turns));
            let long = reading_time(&note(1 << 16, in_turns));
            // The long note has 32 times the length. New memory may cost more time; quadratic time would be 1,024 times as long.
            assert!(
                long < short * 320,
                "{start:?} {line:?}: {short:?}, {long:?}"
            );
        }
    }
}

#[test]
fn deep_nesting_is_text() {
    for (start, line) in PATTERNS {
        let text = format!("{}word {}", start.repeat(1_000), line.repeat(1_000));
        let plain = PlainText::from_markdown(&text);
        super::tests::check_map(&text, &plain);
    }
    let quoted = format!("{}word\n{}more", "> ".repeat(5_000), "> ".repeat(40));
    assert_eq!(PlainText::from_markdown(&quoted).text(), "word\u{2029}more");
    let rule = format!("a\n\n{}\n\nb", "- ".repeat(200));
    assert_eq!(PlainText::from_markdown(&rule).text(), "a\u{2029}b");
    let digits = "31415926535. ".repeat(30);
    assert_eq!(PlainText::from_markdown(&digits).text(), digits.trim());
}
