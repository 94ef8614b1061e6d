//! The contract's scalars, and how ids are read.

use async_graphql::{ID, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike, SecondsFormat, SubsecRound, Utc};
use uuid::Uuid;

use crate::{items::parse_id, rules::Change};

/// An RFC 3339 date and time, in UTC on output, e.g. `2026-01-08T09:30:00Z`. Years 1 to 9999, kept to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DateTime(pub(crate) chrono::DateTime<Utc>);

#[Scalar(
    name = "DateTime",
    specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else {
            return Err(InputValueError::expected_type(value));
        };
        let Ok(time) = chrono::DateTime::parse_from_rfc3339(&text) else {
            return Err(InputValueError::custom(
                "It must be an RFC 3339 date and time, e.g. 2026-01-08T09:30:00Z.",
            ));
        };
        let time = time.with_timezone(&Utc).trunc_subsecs(6);
        if !(1..=9999).contains(&time.year()) {
            return Err(InputValueError::custom(
                "Its year must be between 1 and 9999.",
            ));
        }
        Ok(DateTime(time))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// A JSON object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonObject(pub(crate) serde_json::Value);

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url(pub(crate) String);

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

/// The id of an object that is asked for. One that is no UUID is what an unknown one is, so it becomes one that
/// nobody has: the same statement runs, and the same answer comes.
pub(crate) fn known_id(id: &ID) -> Uuid {
    parse_id(id).unwrap_or_else(Uuid::new_v4)
}

/// An id on its way out.
pub(crate) fn id_of(id: Uuid) -> ID {
    ID(id.hyphenated().to_string())
}

/// A field of an update, from the library's three states to the core's.
pub(crate) fn change<T, U>(
    field: async_graphql::MaybeUndefined<T>,
    convert: impl FnOnce(T) -> U,
) -> Change<U> {
    match field {
        async_graphql::MaybeUndefined::Undefined => Change::Keep,
        async_graphql::MaybeUndefined::Null => Change::Clear,
        async_graphql::MaybeUndefined::Value(value) => Change::Set(convert(value)),
    }
}
