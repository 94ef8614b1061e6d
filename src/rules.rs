//! Rules for inputs of all nouns: text lengths, omitted and null fields, and text that PostgreSQL cannot store.
//!
//! A command collects all [`Problems`] of its input before it returns, so that a form can mark every field at once.

mod field;

use std::{collections::HashSet, hash::Hash};

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    error::{Failure, Refusal, RefusalCode},
    scalars::ObjectId,
};
pub(crate) use field::Field;

/// Maximum number of ids per mutation, and per field of a filter.
pub(crate) const MAX_IDS: usize = 100;
/// Maximum number of entries per batch.
const MAX_ENTRIES: usize = 100;
/// Maximum nesting of metadata. The object itself is level 1.
const MAX_METADATA_DEPTH: usize = 32;
/// Maximum size of metadata in bytes of JSON.
const MAX_METADATA_BYTES: usize = 64 * 1024;

/// Characters with an empty glyph that Unicode classifies as visible: the Braille pattern without dots, the musical
/// null notehead, and two blanks among the Egyptian hieroglyphs.
const EMPTY_GLYPHS: [char; 4] = ['\u{2800}', '\u{1D159}', '\u{13441}', '\u{13442}'];

/// Whether readers see nothing: the text is empty, or has only whitespace and invisible characters.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// Whether a character is whitespace, a control or format character, or is otherwise not displayed.
pub(crate) fn is_invisible(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    GeneralCategoryGroup::Separator.contains(category)
        || matches!(category, GeneralCategory::Control | GeneralCategory::Format)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || EMPTY_GLYPHS.contains(&character)
}

/// The maximum size of metadata as PostgreSQL stores it, as a multiple of its JSON.
const STORED_PER_JSON_BYTE: usize = 8;

/// The errors found in an input so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    refusals: Vec<Refusal>,
    bytes: usize,
}

impl Problems {
    /// Adds an error in `input.<field>`.
    pub(crate) fn add(&mut self, field: &str, code: RefusalCode, message: impl Into<String>) {
        self.refusals.push(Refusal::of(field, code, message));
    }

    /// Adds an error.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// Adds the error of a field that its own type parses, if there is one.
    pub(crate) fn note<T>(&mut self, parsed: &Result<T, Refusal>) {
        self.refusals.extend(parsed.as_ref().err().cloned());
    }

    /// Checks text that must be given: not null, not blank, maximum `max` code points.
    pub(crate) fn text<F>(&mut self, field: &str, value: &F, max: usize)
    where
        F: Field<Value: AsRef<str>> + ?Sized,
    {
        self.not_null(field, value);
        if value.given().is_some_and(|text| is_blank(text.as_ref())) {
            let message = format!("`{field}` must not be blank.");
            return self.add(field, RefusalCode::Blank, message);
        }
        self.optional_text(field, value, max);
    }

    /// Checks text that may be empty or null: maximum `max` code points.
    pub(crate) fn optional_text<F>(&mut self, field: &str, value: &F, max: usize)
    where
        F: Field<Value: AsRef<str>> + ?Sized,
    {
        self.storable(field, value);
        let length = value.given().map(|text| text.as_ref().chars().count());
        if length.is_some_and(|length| length > max) {
            let message = format!("`{field}` must have at most {max} characters.");
            self.add(field, RefusalCode::TooLong, message);
        }
    }

    /// Checks that PostgreSQL can store the text, and counts its bytes.
    pub(crate) fn storable<F>(&mut self, field: &str, value: &F)
    where
        F: Field<Value: AsRef<str>> + ?Sized,
    {
        let text = value.given().map_or("", AsRef::as_ref);
        self.bytes += text.len();
        if text.contains('\0') {
            let message = format!("`{field}` must not contain the character U+0000.");
            self.add(field, RefusalCode::Invalid, message);
        }
    }

    /// Checks optional text that must have 1 to `max` printable ASCII characters.
    pub(crate) fn printable_ascii<F>(&mut self, field: &str, value: &F, max: usize)
    where
        F: Field<Value: AsRef<str>> + ?Sized,
    {
        let Some(text) = value.given().map(AsRef::as_ref) else {
            return;
        };
        if text.is_empty() {
            let message = format!("`{field}` must not be empty. Send null for no value.");
            self.add(field, RefusalCode::Blank, message);
        }
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            let message = format!("`{field}` must have only printable ASCII characters.");
            self.add(field, RefusalCode::Invalid, message);
        }
        if text.chars().count() > max {
            let message = format!("`{field}` must have at most {max} characters.");
            self.add(field, RefusalCode::TooLong, message);
        }
    }

    /// Checks two fields of which only one may be given.
    pub(crate) fn either<A: Field, B: Field>(
        &mut self,
        one: &str,
        one_value: &A,
        other: &str,
        other_value: &B,
    ) {
        if one_value.given().is_none() || other_value.given().is_none() {
            return;
        }
        for field in [one, other] {
            let message = format!("`{one}` and `{other}` must not both be set. Send one of them.");
            self.add(field, RefusalCode::Invalid, message);
        }
    }

    /// Checks a field that must not be null.
    pub(crate) fn not_null<F: Field + ?Sized>(&mut self, field: &str, value: &F) {
        if value.is_null() {
            let message = format!("`{field}` must not be null.");
            self.add(field, RefusalCode::Blank, message);
        }
    }

    /// Checks a color: `#RRGGBB`.
    pub(crate) fn color<F>(&mut self, field: &str, value: &F)
    where
        F: Field<Value: AsRef<str>> + ?Sized,
    {
        let is_color = |text: &str| {
            let digits = text.strip_prefix('#').unwrap_or_default();
            digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        };
        if value.given().is_some_and(|text| !is_color(text.as_ref())) {
            let message = format!("`{field}` must have the form `#RRGGBB`.");
            self.add(field, RefusalCode::Invalid, message);
        }
    }

    /// Checks the number of different ids in a list.
    pub(crate) fn max_ids(&mut self, field: &str, ids: &[ObjectId], max: usize) {
        self.note(&check_number(field, ids, max));
    }

    /// Checks metadata: maximum nesting and size. Counts its bytes.
    pub(crate) fn metadata(&mut self, field: &str, value: &Value) {
        if depth_of(value) > MAX_METADATA_DEPTH {
            self.add(
                field,
                RefusalCode::Invalid,
                format!("`{field}` must have at most {MAX_METADATA_DEPTH} levels of nesting."),
            );
        }
        if contains_nul(value) {
            self.add(
                field,
                RefusalCode::Invalid,
                format!("`{field}` must not contain the character U+0000."),
            );
        }
        let length = value.to_string().len();
        self.bytes += STORED_PER_JSON_BYTE * length;
        if length > MAX_METADATA_BYTES {
            self.add(
                field,
                RefusalCode::TooLong,
                format!("`{field}` must have at most {MAX_METADATA_BYTES} bytes of JSON."),
            );
        }
    }

    /// The most bytes that the checked texts and metadata take in the database.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All errors in the order in which they were found.
    pub(crate) fn into_refusals(self) -> Vec<Refusal> {
        self.refusals
    }

    /// Succeeds if there are no errors.
    ///
    /// # Errors
    /// All errors in the order in which they were found.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        if self.refusals.is_empty() {
            Ok(())
        } else {
            Err(Failure::Refused(self.refusals))
        }
    }
}

/// Checks the number of ids of a mutation.
///
/// # Errors
/// BLANK or TOO_LONG for `ids`.
pub(crate) fn check_ids(ids: &[Uuid]) -> Result<(), Refusal> {
    if ids.is_empty() {
        let message = "`ids` must contain at least one id.";
        return Err(Refusal::of("ids", RefusalCode::Blank, message));
    }
    check_number("ids", ids, MAX_IDS)
}

fn check_number<I: Eq + Hash>(field: &str, ids: &[I], max: usize) -> Result<(), Refusal> {
    let given = ids.iter().collect::<HashSet<_>>().len();
    if given <= max {
        return Ok(());
    }
    let message = format!("`{field}` must contain at most {max} different ids; got {given}.");
    Err(Refusal::of(field, RefusalCode::TooLong, message))
}

/// Checks the number of entries of a batch.
///
/// # Errors
/// BLANK or TOO_LONG for `field`.
pub(crate) fn check_entries(field: &str, number: usize) -> Result<(), Refusal> {
    let (code, message) = match number {
        0 => (
            RefusalCode::Blank,
            format!("`{field}` must contain at least one entry."),
        ),
        1..=MAX_ENTRIES => return Ok(()),
        _ => {
            let message =
                format!("`{field}` must contain at most {MAX_ENTRIES} entries; got {number}.");
            (RefusalCode::TooLong, message)
        }
    };
    Err(Refusal::of(field, code, message))
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
        problems
            .refusals
            .into_iter()
            .map(|refusal| refusal.code)
            .collect()
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
    fn text_without_visible_characters_is_blank() {
        for blank in [
            "",
            " \t\u{3000}\u{2028}\u{85}",
            "\u{200B}\u{200D}\u{FEFF}\u{2060}",
            "\u{AD}\u{34F}\u{61C}\u{202E}\u{2066}",
            "\u{3164}\u{FFA0}\u{115F}\u{1160}",
            "\u{180E}\u{180B}\u{FE0F}\u{E0100}\u{E0041}",
            "\u{17B4}\u{FFF9}\u{1D173}\u{1BCA0}",
            "\u{2800} \u{1D159}\u{13441}\u{13442}",
            "\0",
        ] {
            let mut problems = Problems::default();
            problems.text("name", blank, 255);
            assert_eq!(codes(problems), [RefusalCode::Blank], "{blank:?}");
        }
        for visible in [
            ".",
            "\u{2801}",
            "🏷\u{FE0F}",
            "م\u{200C}",
            "\u{FFFD}",
            "가",
            "\u{301}",
        ] {
            assert!(!is_blank(visible), "{visible:?}");
        }
    }

    #[test]
    fn nul_is_invalid() {
        let mut problems = Problems::default();
        problems.text("title", "a\0b", 255);
        assert_eq!(codes(problems), [RefusalCode::Invalid]);
    }

    #[test]
    fn metadata_is_limited_in_depth_and_size() {
        let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
        let mut problems = Problems::default();
        problems.metadata("metadata", &nested(32));
        assert!(codes(problems).is_empty());
        let mut problems = Problems::default();
        problems.metadata("metadata", &nested(33));
        problems.metadata("metadata", &json!({ "a": "x".repeat(MAX_METADATA_BYTES) }));
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
