//! Numbers that a 64-bit integer or float cannot hold.
//!
//! Parsers of JSON round them silently, so data that a client stores would come back changed.

use std::fmt::Write;

/// Maximum characters of a path. The names in it come from the client.
const MAX_PATH: usize = 200;

/// The path of the first number in a JSON text that would be changed by parsing, e.g. `variables.input.metadata.a[0]`. The text may be invalid
/// JSON.
pub fn inexact_number(json: &str) -> Option<String> {
    let at = position(json)?;
    let mut path = path(&json[..at]);
    if let Some((end, _)) = path.char_indices().nth(MAX_PATH) {
        path.truncate(end);
        path.push('…');
    }
    Some(path)
}

/// Where the first number starts that would be changed by parsing.
fn position(json: &str) -> Option<usize> {
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
                    return Some(at);
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

/// A value that contains the one at the end of the text.
enum Container<'a> {
    Object { name: &'a str },
    List { index: usize },
}

/// The path of the value that follows this text.
fn path(before: &str) -> String {
    let bytes = before.as_bytes();
    let (mut containers, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let start = at;
        at += 1;
        match (bytes[start], containers.last_mut()) {
            (b'{', _) => containers.push(Container::Object { name: "" }),
            (b'[', _) => containers.push(Container::List { index: 0 }),
            (b'}' | b']', _) => {
                containers.pop();
            }
            (b',', Some(Container::List { index })) => *index += 1,
            (b'"', container) => {
                at = end_of_string(bytes, at);
                // The last text of an object is the name of the value. A text that is a value precedes another name.
                if let Some(Container::Object { name }) = container {
                    *name = before.get(start + 1..at - 1).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    let mut path = String::new();
    for container in containers {
        let _ = match container {
            Container::List { index } => write!(path, "[{index}]"),
            Container::Object { name } if path.is_empty() => write!(path, "{name}"),
            Container::Object { name } => write!(path, ".{name}"),
        };
    }
    path
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

/// Whether a number has the same value after it was parsed. True if the text is no number. Programs write a float with as few digits
/// as identify it, or with all 17 that can, such as 0.10000000000000001.
pub(crate) fn is_exact(number: &str) -> bool {
    // 15 digits fit into a float.
    if number.len() <= 15 && !number.contains(['e', 'E']) {
        return true;
    }
    match number.parse::<serde_json::Number>() {
        Ok(parsed) => {
            let written = decimal(number);
            let is_float = |float: f64| {
                // Of two shortest texts that are equally close, programs choose either.
                let texts = [format!("{float:?}"), format!("{float:.16e}")];
                texts.iter().any(|text| written == decimal(text))
            };
            written == decimal(&parsed.to_string()) || parsed.as_f64().is_some_and(is_float)
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
            "9007199254740993.0",
            "1e-400",
        ] {
            assert!(!is_exact(number), "{number}");
        }
    }

    #[test]
    fn floats_come_back_as_they_were_written() {
        // A fixed sequence of floats of all sizes.
        let mut bits = 1_u64;
        for _ in 0..20_000 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let float = f64::from_bits(bits);
            if float.is_finite() {
                for text in [format!("{float:?}"), format!("{float:.16e}")] {
                    assert!(is_exact(&text), "{text}");
                    let parsed: serde_json::Value = serde_json::from_str(&text).expect("a number");
                    assert_eq!(parsed.as_f64(), Some(float), "{text}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_found_outside_of_strings() {
        let big = "18446744073709551616";
        for (json, path) in [
            (r#"{"a":[1,{"b":BIG}]}"#, "a[1].b"),
            (
                r#"{"x":{"y":1},"a":{"b":"c","d":[[0],["]",{},BIG]]}}"#,
                "a.d[1][2]",
            ),
            (r#"{"variables":{"i":{"m":BIG}}}"#, "variables.i.m"),
            (r#"{"a\"{":BIG"#, r#"a\"{"#),
            ("[[],BIG", "[1]"),
            ("}],BIG", ""),
            ("BIG", ""),
        ] {
            let found = inexact_number(&json.replace("BIG", big));
            assert_eq!(found.as_deref(), Some(path), "{json}");
        }
        let long = inexact_number(&format!("{{\"{}\":{big}}}", "é".repeat(1000)));
        assert_eq!(long, Some(format!("{}…", "é".repeat(200))));
        assert_eq!(
            inexact_number(&format!("{{\"{big}\":\"x\\\"{big}\"}}")),
            None
        );
        for invalid in ["\"", "\"\\", "-", "1e", "é1", "--1--------------------", ""] {
            assert_eq!(inexact_number(invalid), None, "{invalid}");
        }
    }
}
