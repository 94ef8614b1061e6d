//! A GraphQL request as a transport has read it.

/// Why a request with a number that JSON parsers change is rejected. `path`: where the number is, as [`Call::inexact_number`].
pub(crate) fn inexact_number(path: &str) -> String {
    let number = match path {
        "" => "A number in the request".to_owned(),
        path => format!("`{path}`"),
    };
    format!("{number} does not fit into 64 bits. Round it, or send it as a string.")
}

/// A GraphQL request.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The document; `None` if the client sent only the hash of a persisted query.
    pub query: Option<String>,
    /// The operation to execute; `None` if the document has only one.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// The path of a number that the parser of the request has changed, e.g. `$input.metadata.a`; `None` if there is none.
    pub inexact_number: Option<String>,
    /// Whether the response reports the cost.
    pub reports_cost: bool,
}
