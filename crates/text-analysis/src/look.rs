//! What a word looks like in print.

/// Returns what a printed word looks like: letters and digits that text recognition confuses become the same (`rn` and `m`,
/// `cl` and `d`, `vv` and `w`, `0` and `o`, `1`, `i` and `l`, `5` and `s`). Expects a folded word.
pub fn look(word: &str) -> String {
    let mut look = String::with_capacity(word.len());
    let mut rest = word.chars().peekable();
    while let Some(character) = rest.next() {
        let (second, pair) = match character {
            'r' => ('n', 'm'),
            'c' => ('l', 'd'),
            'v' => ('v', 'w'),
            _ => ('\0', '\0'),
        };
        look.push(match rest.next_if_eq(&second) {
            Some(_) => pair,
            None => single(character),
        });
    }
    look
}

fn single(character: char) -> char {
    match character {
        '0' => 'o',
        '1' | 'i' => 'l',
        '5' => 's',
        character => character,
    }
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
}
