//! When a token is valid: its claims `exp`, `nbf` and `iat` (RFC 7519), for tokens of this service and of external
//! identity providers.
//!
//! The check is not the library's, which rounds fractions and has no leeway for `iat`.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

/// How far the clocks of two machines may differ. The same for all three claims.
pub(super) const LEEWAY: TimeDelta = TimeDelta::seconds(45);

/// A time in seconds since 1970, possibly with a fraction. A token with a negative time, or one after the year 9999, is
/// invalid.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct NumericDate(pub(super) DateTime<Utc>);

/// 10000-01-01T00:00:00Z.
const END: f64 = 253_402_300_800.0;

impl TryFrom<f64> for NumericDate {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        // NaN is in no range.
        let in_range = (0.0..END).contains(&seconds);
        let time = DateTime::from_timestamp_millis((seconds * 1000.0) as i64);
        time.filter(|_| in_range)
            .map(NumericDate)
            .ok_or("a numeric date must be between the years 1970 and 9999")
    }
}

/// The times of a token. Null counts as missing.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct TokenTimes {
    /// When it expires.
    pub(super) exp: NumericDate,
    /// Before this time it is not valid.
    #[serde(default)]
    pub(super) nbf: Option<NumericDate>,
    /// When it was issued.
    #[serde(default)]
    pub(super) iat: Option<NumericDate>,
}

impl TokenTimes {
    /// The times among these claims.
    ///
    /// # Errors
    /// What is wrong, for the log.
    pub(super) fn of(claims: &Map<String, Value>) -> Result<TokenTimes, String> {
        TokenTimes::deserialize(claims).map_err(|error| error.to_string())
    }

    /// Checks that the token is valid now.
    ///
    /// # Errors
    /// What is wrong, for the log.
    pub(super) fn check(&self, now: DateTime<Utc>) -> Result<(), &'static str> {
        let is_future = |time: Option<NumericDate>| time.is_some_and(|time| time.0 > now + LEEWAY);
        if self.exp.0 + LEEWAY <= now {
            return Err("it has expired");
        }
        if is_future(self.nbf) {
            return Err("it is not valid yet");
        }
        if is_future(self.iat) {
            return Err("it was issued in the future");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn check(claims: Value) -> Result<(), String> {
        let times = TokenTimes::of(claims.as_object().expect("an object"))?;
        let now = DateTime::from_timestamp(NOW, 0).expect("a time");
        times.check(now).map_err(str::to_owned)
    }

    #[test]
    fn all_claims_have_the_same_leeway() {
        let with = |name: &str, value: Value| {
            let mut claims = json!({ "exp": NOW + 600 });
            claims[name] = value;
            check(claims).is_ok()
        };
        for name in ["nbf", "iat"] {
            assert!(with(name, json!(NOW + 45)), "{name}");
            assert!(with(name, json!(NOW as f64 + 44.5)), "{name}");
            assert!(!with(name, json!(NOW + 46)), "{name}");
            assert!(!with(name, json!(NOW as f64 + 45.5)), "{name}");
            assert!(with(name, json!(0)), "{name}");
            assert!(with(name, json!(null)), "{name}");
        }
        assert!(with("exp", json!(NOW - 44)));
        assert!(with("exp", json!(NOW as f64 - 44.5)));
        assert!(with("exp", json!(253_402_300_799_i64)));
        assert!(!with("exp", json!(NOW - 45)));
    }

    #[test]
    fn a_time_that_is_not_a_numeric_date_makes_the_token_invalid() {
        for name in ["exp", "nbf", "iat"] {
            for value in [
                json!(-1),
                json!(-0.5),
                json!(253_402_300_800_i64),
                json!(u64::MAX),
                json!(i64::MIN),
                json!(1e300),
                json!("1800000600"),
                json!("soon"),
                json!(true),
                json!([NOW]),
                json!({}),
            ] {
                let mut claims = json!({ "exp": NOW + 600, "nbf": NOW, "iat": NOW });
                claims[name] = value;
                assert!(check(claims.clone()).is_err(), "{claims}");
            }
        }
        assert!(check(json!({ "exp": null })).is_err());
        assert!(check(json!({ "iat": NOW })).is_err());
        assert!(NumericDate::try_from(f64::NAN).is_err());
    }
}
