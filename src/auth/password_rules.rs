//! Length rules for new passwords.

use crate::{error::RefusalCode, rules::Problems};

const MIN_PASSWORD_LENGTH: usize = 8;
/// Maximum length of a password in characters.
pub(super) const MAX_PASSWORD_LENGTH: usize = 128;

/// Checks the length of the new password in `input.<field>`. `password_strength` checks whether it is easy to guess.
pub(super) fn check_new_password(problems: &mut Problems, field: &str, password: &str) {
    problems.storable(field, password);
    let length = password.chars().count();
    if length < MIN_PASSWORD_LENGTH {
        let message = format!("{field} must have at least {MIN_PASSWORD_LENGTH} characters.");
        problems.add(field, RefusalCode::TooShort, message);
    } else if length > MAX_PASSWORD_LENGTH {
        let message = format!("{field} must have at most {MAX_PASSWORD_LENGTH} characters.");
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
    fn password_length_is_counted_in_code_points() {
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
