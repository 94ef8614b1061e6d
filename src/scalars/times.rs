//! Times and dates.

use std::ops::RangeInclusive;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike, NaiveDate, SubsecRound, Utc};

use super::{shortened, unexpected};
use crate::db::time_text;

/// The years that times and dates can have: RFC 3339 has four digits, and PostgreSQL has no year 0.
const YEARS: RangeInclusive<i32> = 1..=9999;

/// A time of years 1 to 9999, truncated to microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// An instant in RFC 3339 format. Outputs are in UTC, always with six fraction digits and `Z`, so that they sort by time as
/// strings: `2026-01-08T09:30:00.000000Z`. Inputs may have any offset, and digits after the microseconds are dropped. Years
/// 1–9999, without leap seconds.
/// Example: `"2026-01-08T10:30:00+01:00"`.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        DateTime::read(&value).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(time_text::of(self.0))
    }
}

/// A time in RFC 3339 format. chrono also accepts a space for the `T`, a minus sign that is not ASCII, and leap seconds.
fn parse_time(text: &str) -> Result<chrono::DateTime<Utc>, String> {
    if text.get(17..19) == Some("60") {
        let problem = "must not have leap seconds: the seconds must be between 00 and 59.";
        return Err(problem.to_owned());
    }
    let is_strict = text.is_ascii() && matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    let time = chrono::DateTime::parse_from_rfc3339(text).ok();
    match time.filter(|_| is_strict) {
        Some(time) => Ok(time.to_utc().trunc_subsecs(6)),
        None => Err(date_time_problem(text)),
    }
}

impl DateTime {
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let text = match value {
            Value::String(text) => text,
            value => return Err(unexpected("must be a date and time", DATE_TIME, value)),
        };
        DateTime::of(text)
    }

    /// Parses a text.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        let time = parse_time(text)?;
        match YEARS.contains(&time.year()) {
            true => Ok(DateTime(time)),
            false => Err("must be in the years 1 to 9999 (UTC).".to_owned()),
        }
    }
}

const DATE_TIME: &str = "`\"2026-01-08T09:30:00Z\"`";

/// What a text that is not in RFC 3339 format lacks.
fn date_time_problem(text: &str) -> String {
    let date = text.parse::<chrono::NaiveDate>();
    let without_offset = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S%.f",
    ]
    .iter()
    .find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok());
    match (date, without_offset) {
        (Ok(date), _) => {
            let date = date.format("%Y-%m-%d");
            format!(
                "must include a time and an offset; got the date `{date}`. Send `{date}T00:00:00Z` for midnight in UTC."
            )
        }
        (_, Some(time)) => {
            let time = time.format("%Y-%m-%dT%H:%M:%S");
            format!(
                "must include an offset from UTC. Send `{time}Z` for UTC, or an offset such as `{time}+01:00`."
            )
        }
        _ => {
            let got = shortened(text);
            format!("must be a date and time in RFC 3339 format, such as {DATE_TIME}; got `{got}`.")
        }
    }
}

/// A calendar date of years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date(pub NaiveDate);

/// A calendar date without a time or a time zone: RFC 3339 full-date, `YYYY-MM-DD`. Years 1–9999.
/// Example: `"2026-01-08"`.
#[Scalar(
    name = "Date",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6"
)]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        Date::read(&value).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

const DATE: &str = "`\"2026-01-08\"`";

impl Date {
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let Value::String(text) = value else {
            return Err(unexpected("must be a date", DATE, value));
        };
        match parse_date(text) {
            Some(date) if YEARS.contains(&date.year()) => Ok(Date(date)),
            Some(_) => Err("must be in the years 1 to 9999.".to_owned()),
            None => Err(date_problem(text)),
        }
    }
}

/// A date in RFC 3339 format. chrono also accepts other numbers of digits, signs and spaces.
fn parse_date(text: &str) -> Option<NaiveDate> {
    let is_strict = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    text.parse().ok().filter(|_| is_strict && text.len() == 10)
}

/// What is wrong with a text that is not a date.
fn date_problem(text: &str) -> String {
    let got = shortened(text);
    match text.split_at_checked(10) {
        Some((date, time)) if time.starts_with(['T', 't', ' ']) && parse_date(date).is_some() => {
            format!("must be a date without a time; got `{got}`. Send `{date}`.")
        }
        _ => format!("must be a date in the format `YYYY-MM-DD`, such as {DATE}; got `{got}`."),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::problem, *};

    #[test]
    fn a_date_and_time_that_lacks_a_part_gets_a_hint() {
        for (text, hint) in [
            (
                "2026-03-01",
                "Send `2026-03-01T00:00:00Z` for midnight in UTC.",
            ),
            ("2026-03-01T10:20:30", "Send `2026-03-01T10:20:30Z` for UTC"),
            (
                "2026-03-01T10:20:30.123",
                "must include an offset from UTC.",
            ),
            ("2026-03-01T10:20", "Send `2026-03-01T10:20:00Z` for UTC"),
            ("2026-03-01 10:20:30", "Send `2026-03-01T10:20:30Z` for UTC"),
            ("2026-02-30", "RFC 3339 format"),
            ("2026-02-30T00:00:00Z", "got `2026-02-30T00:00:00Z`."),
            ("tomorrow", "got `tomorrow`."),
            ("", "RFC 3339 format"),
            ("0000-01-01T00:00:00Z", "years 1 to 9999"),
            ("9999-12-31T23:00:00-02:00", "years 1 to 9999"),
        ] {
            let problem = problem("DateTime", text.into()).expect(text);
            assert!(problem.contains(hint), "{text}: {problem}");
            assert!(problem.starts_with("must "), "{text}: {problem}");
        }
        for text in [
            "2026-03-01T10:20:30Z",
            "2026-03-01T10:20:30.5+02:00",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(problem("DateTime", text.into()), None, "{text}");
        }
        let number = problem("DateTime", Value::from(1_772_359_230)).expect("a timestamp");
        assert!(number.ends_with("got a number."), "{number}");
    }

    #[test]
    fn a_date_has_one_form() {
        for (text, hint) in [
            (
                "2026-03-01T10:20:30Z",
                "without a time; got `2026-03-01T10:20:30Z`. Send `2026-03-01`.",
            ),
            ("2026-03-01 10:20", "Send `2026-03-01`."),
            ("2026-3-1", "the format `YYYY-MM-DD`"),
            ("+2026-03-01", "the format `YYYY-MM-DD`"),
            ("2026-03-01x", "got `2026-03-01x`."),
            (" 2026-03-01", "got ` 2026-03-01`."),
            ("20260301", "got `20260301`."),
            ("12026-03-01", "got `12026-03-01`."),
            ("2026-02-30", "got `2026-02-30`."),
            ("2026-02-29", "got `2026-02-29`."),
            ("٢٠٢٦-03-01", "the format `YYYY-MM-DD`"),
            ("tomorrow", "got `tomorrow`."),
            ("", "the format `YYYY-MM-DD`"),
            ("0000-01-01", "years 1 to 9999"),
        ] {
            let problem = problem("Date", text.into()).expect(text);
            assert!(problem.contains(hint), "{text}: {problem}");
            assert!(problem.starts_with("must "), "{text}: {problem}");
        }
        for text in ["2026-03-01", "2028-02-29", "0001-01-01", "9999-12-31"] {
            let date = Date::read(&text.into()).expect(text);
            assert_eq!(date.to_value(), Value::from(text));
        }
        let number = problem("Date", Value::from(20_260_301)).expect("a number");
        assert!(number.ends_with("got a number."), "{number}");
    }
}
