//! Which passwords are too weak: those known from leaks, and those that are guessed soon by whoever knows the person.
//!
//! The crate `zxcvbn` judges, with its lists of the commonest leaked passwords, names and words; nothing is sent anywhere.
//! It takes some tens of milliseconds for the worst passwords: call it off the async threads.

use zxcvbn::{Score, zxcvbn};

/// Characters that are judged: a password that begins so weakly is not saved by what follows.
const JUDGED: usize = 64;
/// Every letter that such a character can stand for doubles the work and more; a word needs few of them.
const STAND_INS: &str = "4@8({[<369!1|70$5+%2";
const MOST_STAND_INS: usize = 8;
/// Characters that are judged where more of them stand.
const JUDGED_OF_STAND_INS: usize = 24;
/// Shorter parts of an address or a name say nothing of a password.
const LEAST_PART: usize = 3;
const OUR_NAME: &str = "snapnote";

/// Whether fewer than a million guesses find the password. `about_them`: their e-mail address, their name.
pub(super) fn is_weak(password: &str, about_them: &[&str]) -> bool {
    let stand_ins = STAND_INS
        .chars()
        .filter(|character| password.contains(*character));
    let judged = if stand_ins.count() > MOST_STAND_INS {
        JUDGED_OF_STAND_INS
    } else {
        JUDGED
    };
    let known: Vec<&str> = about_them
        .iter()
        .flat_map(|text| known_from(text))
        .chain([OUR_NAME])
        .map(|text| beginning(text, judged))
        .collect();
    zxcvbn(beginning(password, judged), &known).score() <= Score::One
}

/// An address or a name, what stands before the at sign, and the words in it.
fn known_from(text: &str) -> impl Iterator<Item = &str> {
    let local_part = text.split('@').next().unwrap_or(text);
    let words = text.split(|character: char| !character.is_alphanumeric());
    [text, local_part]
        .into_iter()
        .chain(words)
        .filter(|part| part.chars().count() >= LEAST_PART)
}

fn beginning(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters);
    end.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const ADA: [&str; 2] = ["ada.lovelace.1815@example.com", "Ada Lovelace"];

    #[test]
    fn what_is_leaked_or_says_who_they_are_is_weak() {
        for password in [
            "password",
            "password1",
            "12345678",
            "qwertyuiop",
            "iloveyou1",
            "P@ssw0rd",
            "aaaaaaaaaaaaaaaa",
            "abcdefghijklmnop",
            "passwordpassword",
            "12345678901234567890",
            "snapnote1",
            "lovelace1",
            "Ada Lovelace",
            "ada.lovelace.1815",
            "ADA.lovelace.1815@example.com",
        ] {
            assert!(is_weak(password, &ADA), "{password}");
        }
        let long = format!("{}@example.com", "kq7zvw4hx2".repeat(12));
        assert!(is_weak(&long, &[&long]));
    }

    #[test]
    fn what_is_long_or_random_is_not_weak() {
        for password in [
            "correct horse",
            "correct horse battery staple",
            "kT9xbQ2mZw",
            "語学の勉強は楽しい",
            "4@8({[<369!1|70$5+%2 and so on",
        ] {
            assert!(!is_weak(password, &ADA), "{password}");
            assert!(!is_weak(password, &[]), "{password}");
        }
    }

    /// `cargo test --release --lib strength -- --ignored --nocapture`: 41 ms was the worst.
    #[test]
    #[ignore = "prints how long the worst passwords take"]
    fn the_worst_passwords() {
        is_weak("The lists are read at the first call.", &[]);
        for seed in [
            STAND_INS,
            "({[<1|!7",
            "1|!7+({[",
            "qwertyuiop[]",
            "11/11/1991",
            "aab",
        ] {
            let repeated: String = seed.chars().cycle().take(128).collect();
            let half: String = seed
                .chars()
                .cycle()
                .zip(0..31)
                .map(|(c, i)| if i % 7 == 3 { 'a' } else { c })
                .collect();
            for password in [repeated, half.repeat(4), format!("{half}x{half}y{half}")] {
                let begun = Instant::now();
                is_weak(&password, &ADA);
                println!("{:?} {password}", begun.elapsed());
            }
        }
    }
}
