//! The look of a word: its appearance in print.

use std::iter;

/// Returns the look of a word: letters and digits that text recognition confuses become the same (`rn` and `m`,
/// `cl` and `d`, `vv` and `w`, `0` and `o`, `1`, `i` and `l`, `5` and `s`). Expects a folded word.
pub fn look(word: &str) -> String {
    look_of(word).collect()
}

/// The characters of a word's [`look`].
pub(crate) fn look_of(word: &str) -> impl Iterator<Item = char> {
    let mut rest = word.chars();
    iter::from_fn(move || {
        let character = rest.next()?;
        let (second, pair) = match character {
            'r' => (b'n', 'm'),
            'c' => (b'l', 'd'),
            'v' => (b'v', 'w'),
            '0' => return Some('o'),
            '1' | 'i' => return Some('l'),
            '5' => return Some('s'),
            other => return Some(other),
        };
        if rest.as_str().as_bytes().first() != Some(&second) {
            return Some(character);
        }
        rest.next();
        Some(pair)
    })
}

/// The characters that a word can start with if its look starts with this character.
pub(crate) fn starts_of(look: char) -> impl Iterator<Item = char> {
    let others = match look {
        'm' => "r",
        'd' => "c",
        'w' => "v",
        'o' => "0",
        'l' => "1i",
        's' => "5",
        _ => "",
    };
    iter::once(look).chain(others.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_recognition_confuses_look_the_same() {
        for (one, other) in [
            ("modern", "modem"),
            ("clear", "dear"),
            ("vvorld", "world"),
            ("0n1y", "only"),
            ("5um", "sum"),
            ("i11", "ill"),
        ] {
            assert_eq!(look(one), look(other), "{one} {other}");
        }
        for (word, expected) in [
            ("", ""),
            ("rrn", "rm"),
            ("vvv", "wv"),
            ("c1", "cl"),
            ("ночь", "ночь"),
            ("r", "r"),
        ] {
            assert_eq!(look(word), expected);
        }
    }

    #[test]
    fn a_look_starts_like_one_of_its_starts() {
        let letters = "rnmclvwd01iols5x";
        for (first, second) in letters
            .chars()
            .flat_map(|one| letters.chars().map(move |two| (one, two)))
        {
            let start = look_of(&format!("{first}{second}")).next();
            let mut starts = start.into_iter().flat_map(starts_of);
            assert!(starts.any(|start| start == first), "{first}{second}");
        }
    }
}
