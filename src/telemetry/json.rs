//! Messages that do not pass through the log, as lines of a JSON log: what the program prints when it starts, and why it fails.

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};

/// A line of a JSON log, without a line break. `level`: as in the log, e.g. `ERROR`.
pub fn message(level: &str, message: &str, fields: &[(&str, &str)]) -> String {
    let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let own = [
        ("timestamp", &*timestamp),
        ("level", level),
        ("message", message),
    ];
    let fields = own.iter().chain(fields);
    let fields = fields.map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
    Value::Object(fields.collect::<Map<String, Value>>()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_json() {
        let line = message("ERROR", "it \"failed\"\nhere", &[("code", "1")]);
        assert!(!line.contains('\n'), "{line}");
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["message"], "it \"failed\"\nhere");
        assert_eq!(read["level"], "ERROR");
        assert_eq!(read["code"], "1");
        assert!(
            read["timestamp"]
                .as_str()
                .is_some_and(|it| it.ends_with('Z'))
        );
    }
}
