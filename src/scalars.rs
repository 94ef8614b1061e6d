//! The scalars of the API, and the types of fields in inputs: they are parsed once, and commands and stores use them as
//! they are.

use std::{borrow::Cow, hash::Hash};

pub use async_graphql::{ID, MaybeUndefined};
use async_graphql::{
    InputType, InputValueError, InputValueResult, Scalar, ScalarType, Value, registry::Registry,
};
use chrono::{Datelike, SecondsFormat, SubsecRound, Utc};
use uuid::Uuid;

use crate::{db::sql, error::Error};

/// A time of years 1 to 9999, truncated to microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// A date and time in RFC 3339 format, e.g. `2026-01-08T09:30:00Z`. Inputs may have any offset, and digits after the
/// microseconds are dropped. Outputs are in UTC with six decimals: `2026-01-08T09:30:00.000000Z`. Years 1–9999, without leap
/// seconds.
#[Scalar(
    name = "DateTime",
    specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else {
            return Err(InputValueError::expected_type(value));
        };
        parse_time(&text)
            .map(DateTime)
            .map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// A time in RFC 3339 format. chrono also accepts a space for the `T`, a minus sign that is not ASCII, and leap seconds.
fn parse_time(text: &str) -> Result<chrono::DateTime<Utc>, &'static str> {
    if text.get(17..19) == Some("60") {
        return Err("Leap seconds are not supported: the seconds must be between 00 and 59.");
    }
    let is_strict = text.is_ascii() && matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    let time = chrono::DateTime::parse_from_rfc3339(text).ok();
    let time = time
        .filter(|_| is_strict)
        .ok_or("It must be a date and time in RFC 3339 format, e.g. 2026-01-08T09:30:00Z.")?;
    let time = time.to_utc().trunc_subsecs(6);
    match (1..=9999).contains(&time.year()) {
        true => Ok(time),
        false => Err("Its year in UTC must be between 1 and 9999."),
    }
}

/// A JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonObject(pub serde_json::Value);

impl Default for JsonObject {
    fn default() -> Self {
        JsonObject(serde_json::json!({}))
    }
}

/// A JSON object. Send and receive it as an object, not as a string of JSON.
#[Scalar(name = "JSONObject")]
impl ScalarType for JsonObject {
    fn parse(value: Value) -> InputValueResult<Self> {
        if !matches!(value, Value::Object(_)) {
            return Err(InputValueError::custom("It must be a JSON object."));
        }
        match value.into_json() {
            Ok(object) => Ok(JsonObject(object)),
            Err(_) => Err(InputValueError::custom("It must be a JSON object.")),
        }
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

/// An absolute http or https URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url(pub String);

/// An absolute http or https URL.
#[Scalar(name = "URL", specified_by_url = "https://url.spec.whatwg.org/")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else {
            return Err(InputValueError::expected_type(value));
        };
        match url::Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(Url(url.into()))
            }
            _ => Err(InputValueError::custom(
                "It must be an absolute http or https URL.",
            )),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// The id of an existing object, as an argument. An id that is not a UUID is treated like an unknown id: it becomes an id that
/// no object has. So the same statement runs, and the response is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId(pub Uuid);

impl InputType for ObjectId {
    type RawValueType = Uuid;

    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let id = <ID as InputType>::parse(value).map_err(InputValueError::propagate)?;
        Ok(ObjectId(parse_uuid(&id).unwrap_or_else(Uuid::new_v4)))
    }

    fn to_value(&self) -> Value {
        InputType::to_value(&id_of(self.0))
    }

    fn as_raw_value(&self) -> Option<&Uuid> {
        Some(&self.0)
    }
}

/// A UUID in its hyphenated form, in either case.
pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    if text.len() == 36 {
        Uuid::try_parse(text).ok()
    } else {
        None
    }
}

/// Checks that the database can compare with a text.
///
/// # Errors
/// BAD_USER_INPUT if it contains U+0000.
pub(crate) fn check_text(argument: &str, text: Option<&str>) -> Result<(), Error> {
    if text.is_some_and(|text| text.contains('\0')) {
        let message = format!("`{argument}` must not contain the character U+0000.");
        return Err(Error::bad_input(message));
    }
    Ok(())
}

/// An id as an output.
pub(crate) fn id_of(id: Uuid) -> ID {
    ID(id.hyphenated().to_string())
}

/// The value that each of these has as a parameter of a statement.
macro_rules! sql_values {
    ($($scalar:ident),+) => {$(
        impl From<Option<$scalar>> for sql::Value {
            fn from(scalar: Option<$scalar>) -> Self {
                scalar.map(|scalar| scalar.0).into()
            }
        }

        impl From<$scalar> for sql::Value {
            fn from(scalar: $scalar) -> Self {
                scalar.0.into()
            }
        }
    )+};
}

sql_values!(DateTime, JsonObject, ObjectId, Url);
