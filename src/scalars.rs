//! The scalars of the API, and the types of fields in inputs: they are parsed once, and commands and stores use them as
//! they are.

mod times;

use std::{
    borrow::Cow,
    hash::{BuildHasher, Hash, RandomState},
    sync::LazyLock,
};

pub use async_graphql::{ID, MaybeUndefined};
use async_graphql::{
    InputType, InputValueError, InputValueResult, Scalar, ScalarType, Value, registry::Registry,
};
use graphql_gate::CustomScalar;
pub use times::{Date, DateTime};
use uuid::{Builder, Uuid};

use crate::db::sql;

/// The words for a value that is not a string. `expected` begins them.
fn unexpected(expected: &str, example: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Boolean(_) => "a boolean",
        Value::Binary(_) => "bytes",
        Value::Enum(_) => "an unquoted name",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("{expected} such as {example}; got {found}.")
}

/// The beginning of a text from the caller, for an error message that shows it in backticks.
fn shortened(text: &str) -> String {
    let printable = |character: char| match character {
        '`' => '\'',
        character if character.is_control() => ' ',
        character => character,
    };
    text.chars().take(40).map(printable).collect()
}

/// The checks of all custom scalars, by which the gate rejects invalid values with the path of their argument.
pub(crate) const CHECKS: &[CustomScalar] = &[
    CustomScalar {
        name: "Date",
        check: |value| Date::read(value).map(drop),
    },
    CustomScalar {
        name: "DateTime",
        check: |value| DateTime::read(value).map(drop),
    },
    CustomScalar {
        name: "JSONObject",
        check: JsonObject::check,
    },
    CustomScalar {
        name: "URL",
        check: |value| Url::read(value).map(drop),
    },
];

/// A JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonObject(pub serde_json::Value);

impl Default for JsonObject {
    fn default() -> Self {
        JsonObject(serde_json::json!({}))
    }
}

impl JsonObject {
    fn check(value: &Value) -> Result<(), String> {
        match value {
            Value::Object(_) => Ok(()),
            value => {
                let expected = "must be a JSON object";
                Err(unexpected(expected, "`{\"color\": \"red\"}`", value))
            }
        }
    }
}

/// A JSON object. Send and receive it as an object, not as a string of JSON. In variables, its keys are quoted, as in all JSON. In a GraphQL
/// document, they are not.
/// Example: `{ page: 3, source: { app: "scanner" } }`.
#[Scalar(name = "JSONObject")]
impl ScalarType for JsonObject {
    fn parse(value: Value) -> InputValueResult<Self> {
        JsonObject::check(&value).map_err(InputValueError::custom)?;
        let object = value.into_json().map_err(InputValueError::custom)?;
        Ok(JsonObject(object))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

/// An absolute http or https URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url(pub String);

impl Url {
    fn read(value: &Value) -> Result<Self, String> {
        let expected = "must be an absolute http or https URL";
        let example = "`\"https://example.com/page\"`";
        let Value::String(text) = value else {
            return Err(unexpected(expected, example, value));
        };
        match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(Url(url.into()))
            }
            _ => Err(format!(
                "{expected} such as {example}; got `{}`.",
                shortened(text)
            )),
        }
    }
}

/// An absolute http or https URL.
/// Example: `"https://example.com/page"`.
#[Scalar(name = "URL", specified_by_url = "https://url.spec.whatwg.org/")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        Url::read(&value).map_err(InputValueError::custom)
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
        Ok(ObjectId(parse_uuid(&id).unwrap_or_else(|| stand_in(&id))))
    }

    fn to_value(&self) -> Value {
        InputType::to_value(&id_of(self.0))
    }

    fn as_raw_value(&self) -> Option<&Uuid> {
        Some(&self.0)
    }
}

/// The UUID that replaces a text that is not one. Equal texts have equal UUIDs, so they count as one id. It depends on a
/// random key of the process, so that no client can predict it and create an object with it.
fn stand_in(text: &str) -> Uuid {
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
    let [first, second] = KEYS.each_ref().map(|key| key.hash_one(text).to_be_bytes());
    let bytes = std::array::from_fn(|at| match at {
        0..8 => first[at],
        _ => second[at - 8],
    });
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// A UUID in its hyphenated form, in either case.
pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    if text.len() == 36 {
        Uuid::try_parse(text).ok()
    } else {
        None
    }
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

sql_values!(Date, DateTime, JsonObject, ObjectId, Url);

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn problem(name: &str, value: Value) -> Option<String> {
        let scalar = CHECKS.iter().find(|scalar| scalar.name == name);
        (scalar.expect(name).check)(&value).err()
    }

    #[test]
    fn equal_texts_that_are_not_uuids_are_equal_ids() {
        let id = |text: &str| ObjectId::parse(Some(text.into())).expect(text).0;
        let uuid = Uuid::now_v7();
        assert_eq!(id(&uuid.to_string()), uuid);
        let texts = ["", "x", "X", "x ", &uuid.simple().to_string()];
        for text in texts {
            assert_eq!(id(text), id(text), "{text}");
            assert_ne!(id(text), uuid, "{text}");
        }
        let different: std::collections::HashSet<Uuid> = texts.map(id).into();
        assert_eq!(different.len(), texts.len());
    }

    #[test]
    fn other_scalars_say_what_they_expect() {
        for (name, value) in [
            ("URL", Value::from("example.com")),
            ("URL", Value::from("ftp://example.com")),
            ("URL", Value::from("https://")),
            ("URL", Value::from(1)),
            ("JSONObject", Value::from("{}")),
            ("JSONObject", Value::List(Vec::new())),
        ] {
            let problem = problem(name, value.clone()).expect(name);
            let expected = [
                "must be an absolute http or https URL",
                "must be a JSON object",
            ];
            let is_expected = expected.iter().any(|one| problem.starts_with(one));
            assert!(is_expected && problem.ends_with('.'), "{value}: {problem}");
        }
        assert_eq!(problem("URL", "HTTPS://example.com".into()), None);
        assert_eq!(
            problem("JSONObject", Value::Object(Default::default())),
            None
        );
    }
}
