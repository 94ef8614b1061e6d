//! Manifests of trusted documents, as the build tools of clients write them:
//! - graphql-codegen (`persistedDocuments` of its client preset) and Relay (`persistConfig`): one JSON object, `{"<id>": "<document>"}`.
//! - Apollo (`generate-persisted-query-manifest`): `{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": …,
//!   "body": "<document>"}]}`.

use std::{fmt, fs, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

const APOLLO_FORMAT: &str = "apollo-persisted-query-manifest";

/// The trusted documents of one file. They may still be invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The file, as messages name it.
    pub(super) file: String,
    /// The ids of the documents, and their texts, in the order of the file. One id can occur several times.
    pub(super) documents: Vec<(String, String)>,
}

impl Manifest {
    /// Reads a file.
    ///
    /// # Errors
    /// A message that names the file and says what is wrong with it.
    pub fn read(path: &Path) -> Result<Manifest, String> {
        let file = path.display().to_string();
        let json = fs::read_to_string(path)
            .map_err(|error| format!("SNAPNOTE_DOCUMENTS: {file} cannot be read: {error}."))?;
        Manifest::parse(file, &json)
    }

    /// Parses the JSON of a file with this name.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn parse(file: String, json: &str) -> Result<Manifest, String> {
        let parsed =
            serde_json::from_str(json).map_err(|error| format!("is not a JSON object: {error}"));
        match parsed.and_then(documents) {
            Ok(documents) => Ok(Manifest { file, documents }),
            Err(problem) => Err(format!(
                "SNAPNOTE_DOCUMENTS: {file} {problem}. Name a manifest of graphql-codegen, Relay or Apollo."
            )),
        }
    }
}

fn documents(Entries(entries): Entries) -> Result<Vec<(String, String)>, String> {
    let field = |name: &str| {
        let mut fields = entries.iter();
        fields
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    let documents = match field("format") {
        None => plain(entries)?,
        Some(format) if format != APOLLO_FORMAT => {
            return Err(format!("has the unknown format {format}"));
        }
        Some(_) if field("version") != Some(&Value::from(1)) => {
            return Err("is not of version 1 of Apollo's format".to_owned());
        }
        Some(_) => apollo(field("operations").and_then(Value::as_array))?,
    };
    match documents.is_empty() {
        true => Err("has no documents".to_owned()),
        false => Ok(documents),
    }
}

fn plain(entries: Vec<(String, Value)>) -> Result<Vec<(String, String)>, String> {
    let document = |(id, value)| match value {
        Value::String(text) => Ok((id, text)),
        _ => Err(format!("has no text for the id {id:?}")),
    };
    entries.into_iter().map(document).collect()
}

fn apollo(operations: Option<&Vec<Value>>) -> Result<Vec<(String, String)>, String> {
    let operations = operations.ok_or("has no list `operations`")?;
    let document = |(index, operation): (usize, &Value)| {
        let text = |field: &str| match &operation[field] {
            Value::String(text) => Ok(text.clone()),
            _ => Err(format!(
                "has no text `{field}` in operation {index}, counted from 0"
            )),
        };
        Ok((text("id")?, text("body")?))
    };
    operations.iter().enumerate().map(document).collect()
}

/// The fields of a JSON object. Unlike in a map, a repeated field does not replace the earlier one.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}
