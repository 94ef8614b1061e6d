//! The text of a time in responses and cursors: RFC 3339 in UTC with six fraction digits.

use chrono::{DateTime, Datelike, Timelike, Utc};

/// Appends the text of a time of years 0 to 9999, such as `2026-01-08T09:30:00.000000Z`. chrono's own formatting takes several times
/// as long, and a page has hundreds of times.
pub(crate) fn write(out: &mut Vec<u8>, time: DateTime<Utc>) {
    let (date, of_day) = (time.date_naive(), time.time());
    digits(out, date.year().unsigned_abs(), 4);
    for (separator, number) in [
        (b'-', date.month()),
        (b'-', date.day()),
        (b'T', of_day.hour()),
        (b':', of_day.minute()),
        (b':', of_day.second()),
    ] {
        out.push(separator);
        digits(out, number, 2);
    }
    out.push(b'.');
    digits(out, of_day.nanosecond() % 1_000_000_000 / 1_000, 6);
    out.push(b'Z');
}

/// The same as text.
pub(crate) fn of(time: DateTime<Utc>) -> String {
    let mut text = Vec::with_capacity(27);
    write(&mut text, time);
    String::from_utf8(text).unwrap_or_default()
}

/// Appends the last `count` decimal digits of a number.
fn digits(out: &mut Vec<u8>, number: u32, count: u32) {
    for place in (0..count).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::*;

    #[test]
    fn times_are_formatted_as_by_chrono() {
        for text in [
            "0001-01-01T00:00:00Z",
            "0999-12-31T23:59:59.999999Z",
            "1969-12-31T23:59:59.000001Z",
            "1999-02-28T01:02:03.1Z",
            "2024-02-29T12:00:00.123Z",
            "2026-11-30T09:08:07.654321Z",
            "9999-12-31T23:59:59.999999Z",
        ] {
            let time: DateTime<Utc> = text.parse().expect(text);
            assert_eq!(of(time), time.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
    }

    #[test]
    fn every_hour_of_400_years_is_written_as_by_chrono() {
        let start: DateTime<Utc> = "1800-01-01T00:00:00Z".parse().expect("a time");
        for hour in (0..400 * 8_766).step_by(7) {
            let time =
                start + chrono::TimeDelta::hours(hour) + chrono::TimeDelta::microseconds(hour);
            assert_eq!(of(time), time.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
    }
}
