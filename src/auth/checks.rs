//! What an address and a new password must be like.

use crate::{error::RefusalCode, rules::Problems};

/// Characters of an e-mail address at most.
pub(crate) const EMAIL_LENGTH: usize = 255;
const LEAST_PASSWORD: usize = 8;
/// Characters of a password at most.
pub(super) const MOST_PASSWORD: usize = 128;

/// Whether that has the form of an e-mail address: one @ with something on either side, without white space.
pub fn is_email(text: &str) -> bool {
    let formed = text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
    });
    let wrong = |character: char| character.is_whitespace() || character.is_control();
    formed && !text.contains(wrong) && text.chars().count() <= EMAIL_LENGTH
}

/// Checks the address in `input.<field>`.
pub(super) fn check_email(problems: &mut Problems, field: &str, email: &str) {
    problems.text(field, email, EMAIL_LENGTH);
    // What is blank, too long or holds U+0000 has been found already.
    let found = email.is_empty() || email.contains('\0') || email.chars().count() > EMAIL_LENGTH;
    if !found && !is_email(email) {
        problems.add(
            field,
            RefusalCode::Invalid,
            format!("{field} must be an e-mail address."),
        );
    }
}

/// Checks the length of the new password in `input.<field>`; whether it is easy to guess is `strength`'s.
pub(super) fn check_new_password(problems: &mut Problems, field: &str, password: &str) {
    problems.storable(field, password);
    let length = password.chars().count();
    if length < LEAST_PASSWORD {
        let message = format!("{field} must have {LEAST_PASSWORD} characters at least.");
        problems.add(field, RefusalCode::TooShort, message);
    } else if length > MOST_PASSWORD {
        let message = format!("{field} must have {MOST_PASSWORD} characters at most.");
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
    fn an_address_has_one_at_sign_with_something_on_either_side() {
        let long = format!("{}@b", "a".repeat(254));
        let cases: [(&str, &[RefusalCode]); 14] = [
            ("ada@example.com", &[]),
            ("ada+notes@localhost", &[]),
            ("ädä@bücher.example", &[]),
            (&long[1..], &[]),
            ("", &[RefusalCode::Blank]),
            ("ada", &[RefusalCode::Invalid]),
            ("@example.com", &[RefusalCode::Invalid]),
            ("ada@", &[RefusalCode::Invalid]),
            ("ada@home@example.com", &[RefusalCode::Invalid]),
            ("ada@.example.com", &[RefusalCode::Invalid]),
            ("ada lovelace@example.com", &[RefusalCode::Invalid]),
            ("ada\u{7}@example.com", &[RefusalCode::Invalid]),
            ("ada\0@example.com", &[RefusalCode::Invalid]),
            (&long, &[RefusalCode::TooLong]),
        ];
        for (email, expected) in cases {
            assert_eq!(
                codes(|problems| check_email(problems, "email", email)),
                expected,
                "{email:?}"
            );
        }
    }

    #[test]
    fn a_password_is_measured_in_code_points_and_may_be_of_anything_else() {
        let cases: [(&str, &[RefusalCode]); 6] = [
            (&"語".repeat(8), &[]),
            (&" ".repeat(128), &[]),
            (&"語".repeat(7), &[RefusalCode::TooShort]),
            ("", &[RefusalCode::TooShort]),
            (&"x".repeat(129), &[RefusalCode::TooLong]),
            ("1234567\0", &[RefusalCode::Invalid]),
        ];
        for (password, expected) in cases {
            assert_eq!(
                codes(|problems| check_new_password(problems, "password", password)),
                expected,
                "{password:?}"
            );
        }
    }
}
