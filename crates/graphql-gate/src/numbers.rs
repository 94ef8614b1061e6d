//! Numbers that a 64-bit integer or float cannot hold.
//!
//! Parsers of JSON round them silently, so data that a client stores would come back changed.

use crate::rejection::{Problem, Rejection, RejectionKind, short};
use crate::source_map::SourceMap;
use crate::tokens::Tokens;

/// Rejects a document with a literal that would be changed by parsing.
pub(crate) fn check(text: &str, source_map: &SourceMap) -> Result<(), Rejection> {
    let literals = Tokens::new(text).filter(|token| matches!(token.text[0], b'-' | b'0'..=b'9'));
    for token in literals {
        let number = str::from_utf8(token.text).unwrap_or_default();
        if !is_exact(number) {
            let message = format!(
                "The number {} does not fit into 64 bits. Round it, or send it as a string.",
                short(number)
            );
            let problem = Problem::new(&message, Some(source_map.position(token.offset)));
            return Err(Rejection::new(RejectionKind::Validation, vec![problem]));
        }
    }
    Ok(())
}

/// The first number in a JSON text that would be changed by parsing: an integer outside 64 bits, or a decimal that differs from the
/// nearest float in its first 17 digits. More digits than 17 identify no other float, but a caller who sends them expects them
/// back. The text may be invalid JSON.
pub fn inexact_number(json: &str) -> Option<&str> {
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at + 1),
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|byte| is_in_number(**byte))
                    .count();
                let number = &json[at..at + length];
                if !is_exact(number) {
                    return Some(number);
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

/// The position after the closing quote.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn is_in_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// Whether a number has the same value after it was parsed. True if the text is no number.
pub(crate) fn is_exact(number: &str) -> bool {
    // 15 digits fit into a float.
    if number.len() <= 15 && !number.contains(['e', 'E']) {
        return true;
    }
    match number.parse::<serde_json::Number>() {
        Ok(parsed) => {
            let written = decimal(number);
            // Two texts of up to 17 digits can be the same float, e.g. 0.1 and 0.10000000000000001.
            written == decimal(&parsed.to_string())
                || (parsed.is_f64() && written.digits.len() <= 17)
        }
        Err(_) => number.parse::<f64>().is_err(),
    }
}

/// The value `0.digits * 10^exponent`, in one form.
#[derive(PartialEq, Eq)]
struct Decimal {
    digits: String,
    exponent: i64,
}

fn decimal(number: &str) -> Decimal {
    let number = number.trim_start_matches('-');
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    let leading_zeros = i64::try_from(all.len() - digits.len()).unwrap_or(i64::MAX);
    let digits = digits.trim_end_matches('0').to_owned();
    let exponent = match digits.is_empty() {
        true => 0,
        false => exponent
            .parse::<i64>()
            .unwrap_or(i64::MAX)
            .saturating_add(point - leading_zeros),
    };
    Decimal { digits, exponent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_come_back_are_exact() {
        for number in [
            "0",
            "-0",
            "-0.0",
            "1e2",
            "1E+2",
            "1.50",
            "0.1",
            "0.10000000000000001",
            "9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
            "1e300",
            "100000000000000000000",
            "0e400",
            "1.7976931348623157e308",
            "5e-324",
            "12345678.12345678",
        ] {
            assert!(is_exact(number), "{number}");
        }
    }

    #[test]
    fn numbers_that_would_change_are_inexact() {
        for number in [
            "18446744073709551616",
            "-9223372036854775809",
            "1e400",
            "-1e400",
            "1e99999999999999999999",
            "123456789012345678901234567890",
            "0.123456789012345678901",
            "1.00000000000000000001",
        ] {
            assert!(!is_exact(number), "{number}");
        }
    }

    #[test]
    fn numbers_are_found_outside_of_strings() {
        let big = "18446744073709551616";
        assert_eq!(
            inexact_number(&format!("{{\"a\":[1,{{\"b\":{big}}}]}}")),
            Some(big)
        );
        assert_eq!(
            inexact_number(&format!("{{\"{big}\":\"x\\\"{big}\"}}")),
            None
        );
        for invalid in ["\"", "\"\\", "-", "1e", "é1", "--1--------------------", ""] {
            assert_eq!(inexact_number(invalid), None, "{invalid}");
        }
    }
}
