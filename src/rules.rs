//! The rules that inputs of every noun share: how text is checked, what is left out of an update, and what text
//! PostgreSQL cannot hold.
//!
//! A command collects all [`Problems`] of its input before it answers, so that a form can mark every field at once.

use serde_json::Value;

use crate::{
    error::{Failure, Refusal, RefusalCode},
    scalars::MaybeUndefined,
};

/// Ids that one mutation takes at most.
pub(crate) const MOST_IDS: usize = 100;
/// How deep metadata may be nested; the object itself is level 1.
const METADATA_DEPTH: usize = 32;
/// How long metadata may be, in bytes of JSON.
const METADATA_BYTES: usize = 64 * 1024;

/// The mistakes found in an input so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Refusal>);

impl Problems {
    /// Notes a mistake in `input.<field>`.
    pub(crate) fn add(&mut self, field: &str, code: RefusalCode, message: impl Into<String>) {
        self.0.push(Refusal::of(field, code, message));
    }

    /// Notes the mistake of a field that is parsed by a type of its own, if it has one.
    pub(crate) fn note<T>(&mut self, parsed: &Result<T, Refusal>) {
        self.0.extend(parsed.as_ref().err().cloned());
    }

    /// Text that must be there: not blank, `most` code points at most.
    pub(crate) fn text(&mut self, field: &str, value: &str, most: usize) {
        if value.trim().is_empty() {
            return self.add(
                field,
                RefusalCode::Blank,
                format!("{field} must not be blank."),
            );
        }
        self.optional_text(field, Some(value), most);
    }

    /// Text that may be empty: `most` code points at most.
    pub(crate) fn optional_text(
        &mut self,
        field: &str,
        value: Option<impl AsRef<str>>,
        most: usize,
    ) {
        let Some(value) = value.as_ref().map(AsRef::as_ref) else {
            return;
        };
        self.storable(field, value);
        if value.chars().count() > most {
            self.add(
                field,
                RefusalCode::TooLong,
                format!("{field} must have {most} characters at most."),
            );
        }
    }

    /// Text of any length that PostgreSQL can hold.
    pub(crate) fn storable(&mut self, field: &str, value: &str) {
        if value.contains('\0') {
            self.add(
                field,
                RefusalCode::Invalid,
                format!("{field} must not contain the character U+0000."),
            );
        }
    }

    /// A required text of an update: left out is fine, null is blank.
    pub(crate) fn changed_text(
        &mut self,
        field: &str,
        change: &MaybeUndefined<String>,
        most: usize,
    ) {
        self.not_null(field, change);
        if let MaybeUndefined::Value(value) = change {
            self.text(field, value, most);
        }
    }

    /// A field of an update that must have a value, if it is given.
    pub(crate) fn not_null<T>(&mut self, field: &str, change: &MaybeUndefined<T>) {
        if change.is_null() {
            self.must_not_be_null(field);
        }
    }

    /// Null where there must be a value.
    pub(crate) fn must_not_be_null(&mut self, field: &str) {
        self.add(
            field,
            RefusalCode::Blank,
            format!("{field} must not be null."),
        );
    }

    /// Metadata: a JSON object, not too deep, not too long.
    pub(crate) fn metadata(&mut self, field: &str, value: &Value) {
        if depth_of(value) > METADATA_DEPTH {
            self.add(
                field,
                RefusalCode::Invalid,
                format!("{field} must be nested {METADATA_DEPTH} levels at most."),
            );
        }
        if contains_nul(value) {
            self.add(
                field,
                RefusalCode::Invalid,
                format!("{field} must not contain the character U+0000."),
            );
        }
        if value.to_string().len() > METADATA_BYTES {
            self.add(
                field,
                RefusalCode::TooLong,
                format!("{field} must have {METADATA_BYTES} bytes of JSON at most."),
            );
        }
    }

    /// The ids of a mutation: one at least, not too many.
    pub(crate) fn ids(&mut self, count: usize) {
        if count == 0 {
            self.add(
                "ids",
                RefusalCode::Blank,
                "ids must name one item at least.",
            );
        } else if count > MOST_IDS {
            self.add(
                "ids",
                RefusalCode::TooLong,
                format!("ids must name {MOST_IDS} items at most."),
            );
        }
    }

    /// Goes on if there are none.
    ///
    /// # Errors
    /// All of them, in the order in which they were found.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Failure::Refused(self.0))
        }
    }
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

fn contains_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(contains_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || contains_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn codes(problems: Problems) -> Vec<RefusalCode> {
        problems.0.into_iter().map(|refusal| refusal.code).collect()
    }

    #[test]
    fn lengths_are_counted_in_code_points() {
        let mut problems = Problems::default();
        problems.text("name", &"語".repeat(255), 255);
        assert!(codes(problems).is_empty());
        let mut problems = Problems::default();
        problems.text("name", &"語".repeat(256), 255);
        assert_eq!(codes(problems), [RefusalCode::TooLong]);
    }

    #[test]
    fn white_space_is_blank_and_nul_is_invalid() {
        let mut problems = Problems::default();
        problems.text("name", " \t\u{3000}", 255);
        problems.text("title", "a\0b", 255);
        assert_eq!(codes(problems), [RefusalCode::Blank, RefusalCode::Invalid]);
    }

    #[test]
    fn metadata_is_bounded_in_depth_and_length() {
        let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
        let mut problems = Problems::default();
        problems.metadata("metadata", &nested(32));
        assert!(codes(problems).is_empty());
        let mut problems = Problems::default();
        problems.metadata("metadata", &nested(33));
        problems.metadata("metadata", &json!({ "a": "x".repeat(METADATA_BYTES) }));
        problems.metadata("metadata", &json!({ "a": ["\0"] }));
        assert_eq!(
            codes(problems),
            [
                RefusalCode::Invalid,
                RefusalCode::TooLong,
                RefusalCode::Invalid
            ]
        );
    }
}
