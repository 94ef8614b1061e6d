//! Passwords in normalized form, and the length rules for new ones.
//!
//! Keyboards and operating systems encode the same typed password differently, e.g. é as one or two code points.
//! Passwords are therefore normalized like the profile OpaqueString of RFC 8265 before they are measured, judged and
//! hashed: each space becomes U+0020, then the text is put in NFC. Nothing else is mapped, and no character is removed.

use icu_properties::{CodePointMapData, props::GeneralCategory};
use unicode_normalization::UnicodeNormalization;

use crate::{error::RefusalCode, rules::Problems};

const MIN_PASSWORD_LENGTH: usize = 8;
/// Maximum length of a normalized password in characters.
const MAX_PASSWORD_LENGTH: usize = 128;
/// Longer texts are not normalized: no character of NFC decomposes into more than four, so they cannot fit.
const MAX_NORMALIZED_BYTES: usize = MAX_PASSWORD_LENGTH * 4 * 4;

/// A password that a caller sent. Not `Debug`, so that it is never logged.
#[derive(Clone)]
pub(super) struct Password {
    normalized: String,
    /// `None` if it was sent in normalized form.
    typed: Option<String>,
}

impl Password {
    pub(super) fn new(typed: String) -> Password {
        if typed.len() > MAX_NORMALIZED_BYTES {
            let normalized = typed;
            return Password {
                normalized,
                typed: None,
            };
        }
        let categories = CodePointMapData::<GeneralCategory>::new();
        let space = |character| match categories.get(character) {
            GeneralCategory::SpaceSeparator => ' ',
            _ => character,
        };
        let normalized: String = typed.chars().map(space).nfc().collect();
        Password {
            typed: (typed != normalized).then_some(typed),
            normalized,
        }
    }

    /// The form that is measured, judged and hashed.
    pub(super) fn normalized(&self) -> &str {
        &self.normalized
    }

    /// The forms to compare with a hash. Other systems have hashed the text as typed.
    pub(super) fn spellings(&self) -> impl Iterator<Item = &str> {
        [&*self.normalized].into_iter().chain(self.typed.as_deref())
    }

    /// Whether its length is allowed. Longer passwords are never right, and are not hashed.
    pub(super) fn fits(&self) -> bool {
        self.length() <= MAX_PASSWORD_LENGTH
    }

    fn length(&self) -> usize {
        self.normalized.chars().count()
    }
}

/// Checks the length of the new password in `input.<field>`. `password_strength` checks whether it is easy to guess.
pub(super) fn check_new_password(problems: &mut Problems, field: &str, password: &Password) {
    problems.storable(field, password.normalized());
    let length = password.length();
    if length < MIN_PASSWORD_LENGTH {
        let message = format!("`{field}` must have at least {MIN_PASSWORD_LENGTH} characters.");
        problems.add(field, RefusalCode::TooShort, message);
    } else if !password.fits() {
        let message = format!("`{field}` must have at most {MAX_PASSWORD_LENGTH} characters.");
        problems.add(field, RefusalCode::TooLong, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    fn codes(check: impl FnOnce(&mut Problems)) -> Vec<RefusalCode> {
        let mut problems = Problems::default();
        check(&mut problems);
        match problems.finish() {
            Err(Failure::Refused(refusals)) => {
                refusals.iter().map(|refusal| refusal.code).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn spellings_of_a_password_are_normalized() {
        for (typed, expected) in [
            ("correct horse", "correct horse"),
            (
                "correct\u{A0}horse\u{3000}\u{2003}\u{1680}",
                "correct horse   ",
            ),
            ("cafe\u{301} zebra", "caf\u{e9} zebra"),
            ("\u{212B}ngstr\u{f6}m", "\u{c5}ngstr\u{f6}m"),
            ("\u{1112}\u{1161}\u{11AB}", "\u{D55C}"),
            ("\u{2000}\u{301}", " \u{301}"),
            // Neither case, width, compatibility forms nor invisible characters are mapped.
            (
                "ABC \u{FF21}\u{FB01}\u{200B}\t",
                "ABC \u{FF21}\u{FB01}\u{200B}\t",
            ),
        ] {
            let password = Password::new(typed.to_owned());
            assert_eq!(password.normalized(), expected, "{typed:?}");
            let both = [expected, typed];
            let spellings = if typed == expected {
                &both[..1]
            } else {
                &both[..]
            };
            assert_eq!(password.spellings().collect::<Vec<_>>(), spellings);
            let again = Password::new(expected.to_owned());
            assert_eq!(again.normalized(), expected);
        }
    }

    #[test]
    fn password_length_is_counted_in_normalized_code_points() {
        let cases: [(&str, &[RefusalCode]); 8] = [
            (&"e\u{301}".repeat(128), &[]),
            (&"e\u{301}".repeat(7), &[RefusalCode::TooShort]),
            (&"語".repeat(8), &[]),
            (&" ".repeat(128), &[]),
            (&"語".repeat(7), &[RefusalCode::TooShort]),
            ("", &[RefusalCode::TooShort]),
            (&"x".repeat(129), &[RefusalCode::TooLong]),
            ("1234567\0", &[RefusalCode::Invalid]),
        ];
        for (password, expected) in cases {
            let typed = Password::new(password.to_owned());
            assert_eq!(
                codes(|problems| check_new_password(problems, "password", &typed)),
                expected,
                "{password:?}"
            );
        }
    }
}
