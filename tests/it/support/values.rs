//! Reading JSON responses.

use serde_json::Value;

/// The elements of a list.
pub(crate) fn list(value: &Value) -> &Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"))
}

/// The text of a value.
pub(crate) fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// A text of each element of a list, e.g. of its field `node.id`.
pub(crate) fn texts(values: &Value, field: &str) -> Vec<String> {
    let pointer = format!("/{}", field.replace('.', "/"));
    let of = |value: &Value| text(value.pointer(&pointer).unwrap_or(value));
    list(values).iter().map(of).collect()
}

/// The codes of the user errors of a mutation's payload.
pub(crate) fn codes(payload: &Value) -> Vec<String> {
    texts(&payload["userErrors"], "code")
}

/// The user errors of a mutation's payload as `CODE field`, without the leading `input`.
pub(crate) fn errors(payload: &Value) -> Vec<String> {
    let error = |error: &Value| match error["field"].as_array() {
        Some(path) => {
            let path: Vec<String> = path[1..].iter().map(text).collect();
            format!("{} {}", text(&error["code"]), path.join("."))
        }
        None => text(&error["code"]),
    };
    list(&payload["userErrors"]).iter().map(error).collect()
}
