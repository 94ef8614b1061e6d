//! The rules for a new password.

use crate::{error::RefusalCode, rules::Problems};

const LEAST_PASSWORD: usize = 8;
/// Characters of a password at most.
pub(super) const MOST_PASSWORD: usize = 128;

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
