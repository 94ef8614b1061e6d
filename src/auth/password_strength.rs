//! Password strength: rejects leaked passwords, and those that someone who knows the user can guess.
//!
//! The crate `zxcvbn` decides, with its lists of common leaked passwords, names and words. No data leaves the process.
//! The worst passwords take some tens of milliseconds, so call it in a blocking thread.

use zxcvbn::{Score, zxcvbn};

/// Maximum characters that are judged. What follows a weak start does not make a password strong.
const MAX_JUDGED: usize = 64;
/// Each letter that such a character can stand for at least doubles the work. Words need few of them.
const SUBSTITUTES: &str = "4@8({[<369!1|70$5+%2";
const MAX_SUBSTITUTES: usize = 8;
/// Maximum characters that are judged if there are more substitutes.
const MAX_JUDGED_WITH_SUBSTITUTES: usize = 24;
/// Shorter parts of an address or a name are not searched for.
const MIN_PART_LENGTH: usize = 3;
const PRODUCT_NAME: &str = "snapnote";

/// Whether fewer than a million guesses find the password. `known_about_user`: email address and name.
pub(super) fn is_weak(password: &str, known_about_user: &[&str]) -> bool {
    let substitutes = SUBSTITUTES
        .chars()
        .filter(|character| password.contains(*character));
    let judged = if substitutes.count() > MAX_SUBSTITUTES {
        MAX_JUDGED_WITH_SUBSTITUTES
    } else {
        MAX_JUDGED
    };
    let known: Vec<&str> = known_about_user
        .iter()
        .flat_map(|text| parts_of(text))
        .chain([PRODUCT_NAME])
        .map(|text| prefix(text, judged))
        .collect();
    zxcvbn(prefix(password, judged), &known).score() <= Score::One
}

/// The text itself, the part before the `@`, and the words in it.
fn parts_of(text: &str) -> impl Iterator<Item = &str> {
    let local_part = text.split('@').next().unwrap_or(text);
    let words = text.split(|character: char| !character.is_alphanumeric());
    [text, local_part]
        .into_iter()
        .chain(words)
        .filter(|part| part.chars().count() >= MIN_PART_LENGTH)
}

fn prefix(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters);
    end.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const ADA: [&str; 2] = ["ada.lovelace.1815@example.com", "Ada Lovelace"];

    #[test]
    fn leaked_and_personal_passwords_are_weak() {
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
    fn long_and_random_passwords_are_not_weak() {
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

    /// `cargo test --release --lib password_strength -- --ignored --nocapture`: the worst took 41 ms.
    #[test]
    #[ignore = "prints how long the worst passwords take"]
    fn the_worst_passwords() {
        is_weak("The lists are read at the first call.", &[]);
        for seed in [
            SUBSTITUTES,
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
