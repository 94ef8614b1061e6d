//! Every passage is one line, and its ranges start and end between characters, for any highlights.
#![no_main]

use libfuzzer_sys::fuzz_target;
use text_analysis::{Passage, passages};

fuzz_target!(|input: (&str, Vec<(u16, u8, u8)>)| {
    let (text, cuts) = input;
    let range = |start: u16, length: u8| usize::from(start)..usize::from(start) + usize::from(length);
    let highlights = cuts.into_iter().map(|(start, length, word)| (range(start, length), word));
    let highlights: Vec<_> = highlights.collect();
    let mut shown = passages(text, &highlights, 3);
    shown.push(Passage::whole(text, &highlights));
    for passage in shown {
        assert!(!passage.text.contains(['\n', '\r', '\u{2028}', '\u{2029}']));
        let units: Vec<u16> = passage.text.encode_utf16().collect();
        let mut end = 0;
        for range in passage.ranges {
            assert!(end <= range.start && range.start <= range.end);
            String::from_utf16(&units[range.clone()]).expect("whole characters");
            end = range.end;
        }
    }
});
