//! The values of columns are compared with what the library writes.

use async_graphql::ScalarType;

use super::*;
use crate::scalars::{Date, DateTime, JsonObject};

fn written(format: Format, column: Option<&[u8]>) -> Option<String> {
    let mut out = Vec::new();
    value(&mut out, format, column)?;
    Some(String::from_utf8(out).expect("UTF-8"))
}

fn by_library(value: &impl serde::Serialize) -> Option<String> {
    Some(serde_json::to_string(value).expect("JSON"))
}

#[test]
fn texts_are_escaped_as_by_the_library() {
    let all: String = (0..0x300).filter_map(char::from_u32).collect();
    let more = [
        "",
        "plain",
        "\u{2028}\u{2029}\u{feff}",
        "😀 \u{10ffff}",
        all.as_str(),
    ];
    for text in more
        .into_iter()
        .map(str::to_owned)
        .chain(all.chars().map(|it| it.to_string()))
    {
        for text in [text.clone(), format!("{}{text}", "x".repeat(200))] {
            let expected = by_library(&async_graphql::Value::from(text.as_str()));
            assert_eq!(written(Format::Text, Some(text.as_bytes())), expected);
        }
    }
}

#[test]
fn times_and_dates_are_written_as_by_the_library() {
    for text in [
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "2000-01-01T00:00:00Z",
        "2026-02-28T12:34:56.1Z",
        "9999-12-31T23:59:59.999999Z",
    ] {
        let time: chrono::DateTime<chrono::Utc> = text.parse().expect(text);
        let micros = time.timestamp_micros() - 946_684_800_000_000;
        let expected = by_library(&DateTime(time).to_value());
        assert_eq!(written(Format::Time, Some(&micros.to_be_bytes())), expected);
        let date = time.date_naive();
        let days = (date - START_OF_2000).num_days();
        let days = i32::try_from(days).expect("days");
        let expected = by_library(&Date(date).to_value());
        assert_eq!(written(Format::Date, Some(&days.to_be_bytes())), expected);
    }
    assert_eq!(written(Format::Time, Some(&i64::MAX.to_be_bytes())), None);
    assert_eq!(written(Format::Time, Some(&[0])), None);
}

#[test]
fn numbers_are_written_as_by_the_library() {
    for number in [0.0, -0.0, 1.0, 0.1, 1e21, 1.5e-9, 123_456_789.123, f64::MAX] {
        let expected = by_library(&async_graphql::Value::from(number));
        assert_eq!(
            written(Format::Float, Some(&number.to_be_bytes())),
            expected
        );
    }
    for number in [i32::MIN, -1, 0, 7, i32::MAX] {
        let expected = Some(number.to_string());
        assert_eq!(written(Format::Int, Some(&number.to_be_bytes())), expected);
    }
    let count = |number: i64| written(Format::Count, Some(&number.to_be_bytes()));
    assert_eq!(count(3), Some("3".to_owned()));
    assert_eq!(count(i64::MAX), Some(i32::MAX.to_string()));
}

#[test]
fn json_is_written_as_by_the_library() {
    for text in [
        "{}",
        r#"{"a": 1, "b": [1, 2.50, -0, 1e3, 18446744073709551615], "é\n": {"c": null, "d": true}}"#,
        r#"{"z": "a \"quoted\" \\ \u0001 text: {, }", "a": []}"#,
    ] {
        let stored = [b"\x01", text.as_bytes()].concat();
        let parsed = JsonObject(serde_json::from_str(text).expect(text));
        assert_eq!(
            written(Format::Json, Some(&stored)),
            by_library(&parsed.to_value()),
            "{text}"
        );
    }
    assert_eq!(written(Format::Json, Some(b"{}")), None);
}

#[test]
fn null_and_enums_have_their_own_forms() {
    assert_eq!(written(Format::Text, None).as_deref(), Some("null"));
    assert_eq!(written(Format::IsSet, None).as_deref(), Some("false"));
    assert_eq!(written(Format::IsSet, Some(&[])).as_deref(), Some("true"));
    assert_eq!(written(Format::Status, None).as_deref(), Some("\"ACTIVE\""));
    assert_eq!(
        written(Format::Status, Some(&[])).as_deref(),
        Some("\"TRASH\"")
    );
    let priority = |number: i16| written(Format::Priority, Some(&number.to_be_bytes()));
    assert_eq!(priority(2).as_deref(), Some("\"HIGH\""));
    assert_eq!(priority(3), None);
    assert_eq!(
        written(Format::Role, Some(b"admin")).as_deref(),
        Some("\"ADMIN\"")
    );
    let id = Uuid::now_v7();
    assert_eq!(
        written(Format::Id, Some(id.as_bytes())),
        Some(format!("\"{id}\""))
    );
}
