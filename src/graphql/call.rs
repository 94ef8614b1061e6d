//! A GraphQL request as a transport has read it.

/// Why a request with a number that JSON parsers change is rejected. `path`: where the number is, as [`Call::inexact_number`].
pub(crate) fn inexact_number(path: &str) -> String {
    let number = match path {
        "" => "A number in the request".to_owned(),
        path => format!("`{path}`"),
    };
    format!("{number} does not fit into 64 bits. Round it, or send it as a string.")
}

/// How a request names its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentName {
    /// By its text.
    Text(String),
    /// By the id of a trusted document: `documentId`, or Relay's `doc_id`.
    Id(String),
    /// By the hash of a persisted query of Apollo: `extensions.persistedQuery.sha256Hash`.
    Hash {
        /// The SHA-256 of the text in hexadecimal digits, or the id of a trusted document.
        hash: String,
        /// The text, which clients send if the service did not know the hash.
        text: Option<String>,
    },
    /// By the name of a tool for agents.
    Tool(String),
}

impl DocumentName {
    /// The text, if the client sent it.
    pub fn text(&self) -> Option<&str> {
        match self {
            DocumentName::Text(text) => Some(text),
            DocumentName::Id(_) | DocumentName::Tool(_) => None,
            DocumentName::Hash { text, .. } => text.as_deref(),
        }
    }
}

/// A GraphQL request.
#[derive(Debug, Clone)]
pub struct Call {
    /// The document.
    pub document: DocumentName,
    /// The operation to execute; `None` if the document has only one.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// The path of a number that the parser of the request has changed, e.g. `$input.metadata.a`; `None` if there is none.
    pub inexact_number: Option<String>,
    /// Whether the response reports the cost.
    pub reports_cost: bool,
}
