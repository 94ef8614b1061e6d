//! Tools for agents: documents that have a description, which programs can find and call without knowing GraphQL.
//!
//! Each document with one operation is a tool if the operation has a name and a description ("…" before the operation, September 2025
//! specification). The tool's arguments are the operation's variables, and their descriptions are those of the variables. A call passes
//! the same gate as any request with this document, with the same cost and the caller's rights.
//!
//! The documents are those in this folder, which only read, and the trusted documents.

use std::{collections::BTreeMap, sync::Arc};

use graphql_gate::{Gate, PreparedDocument};
use serde_json::{Map, Value, json};

use super::{Operation, admission::Prepared};

/// Which tools there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToolMode {
    /// None.
    #[default]
    Off,
    /// Those that only read.
    Read,
    /// All, also mutations.
    Write,
}

/// The tools that every service has.
const BUILT_IN: [&str; 3] = [
    include_str!("read_note.graphql"),
    include_str!("search_notes.graphql"),
    include_str!("tasks_due.graphql"),
];

/// A tool.
pub struct Tool {
    /// The name of the operation.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments.
    pub arguments: Arc<Map<String, Value>>,
    /// Whether it only reads.
    pub is_read_only: bool,
    document: Arc<PreparedDocument<Prepared>>,
}

/// All tools, by name.
#[derive(Default)]
pub(super) struct Tools(BTreeMap<String, Tool>);

impl Tools {
    /// Makes tools of the documents that have a description. `trusted`: the trusted documents. One with the name of a built-in tool
    /// replaces it.
    ///
    /// # Errors
    /// A message if two documents describe tools with the same name.
    pub(super) fn new<'a>(
        gate: &Gate<Prepared>,
        mode: ToolMode,
        trusted: impl Iterator<Item = &'a Arc<PreparedDocument<Prepared>>>,
    ) -> Result<Tools, String> {
        if mode == ToolMode::Off {
            return Ok(Tools::default());
        }
        let mut tools = BTreeMap::new();
        for document in trusted {
            let Some(tool) = Tool::new(gate, document.clone()) else {
                continue;
            };
            if !tool.is_read_only && mode == ToolMode::Read {
                continue;
            }
            let name = tool.name.clone();
            if tools.insert(name.clone(), tool).is_some() {
                return Err(format!(
                    "SNAPNOTE_DOCUMENTS: two documents describe a tool `{name}` for agents. Rename one of the operations, or remove its description."
                ));
            }
        }
        for text in BUILT_IN {
            let prepared = gate.prepare(text).map_err(|rejection| {
                let reasons: Vec<String> = rejection.reasons().collect();
                reasons.join(" ")
            })?;
            if let Some(tool) = Tool::new(gate, Arc::new(prepared)) {
                tools.entry(tool.name.clone()).or_insert(tool);
            }
        }
        Ok(Tools(tools))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Tool> {
        self.0.values()
    }

    pub(super) fn document(&self, name: &str) -> Option<Arc<PreparedDocument<Prepared>>> {
        self.0.get(name).map(|tool| tool.document.clone())
    }
}

impl Tool {
    /// The tool that a document describes. `None` without a description, and for subscriptions, which have no single result.
    fn new(gate: &Gate<Prepared>, document: Arc<PreparedDocument<Prepared>>) -> Option<Tool> {
        let described = gate.describe(document.text(), scalar)?;
        let is_read_only = match document.operation_type()? {
            Operation::Query => true,
            Operation::Mutation => false,
            Operation::Subscription => return None,
        };
        Some(Tool {
            name: described.name,
            description: described.description,
            arguments: Arc::new(described.variables),
            is_read_only,
            document,
        })
    }
}

/// The JSON Schema of a custom scalar.
fn scalar(name: &str) -> Option<Value> {
    match name {
        "Date" => Some(json!({"type": "string", "format": "date"})),
        "DateTime" => Some(json!({"type": "string", "format": "date-time"})),
        "JSONObject" => Some(json!({"type": "object"})),
        "URL" => Some(json!({"type": "string", "format": "uri"})),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        graphql::{Limits, gate, sdl},
        scalars,
    };

    fn tools(mode: ToolMode, documents: &[&str]) -> Result<Tools, String> {
        let gate = gate(&sdl(), Limits::default());
        let prepare = |text: &&str| Arc::new(gate.prepare(text).expect("a valid document"));
        let documents: Vec<_> = documents.iter().map(prepare).collect();
        Tools::new(&gate, mode, documents.iter())
    }

    fn names(tools: &Tools) -> Vec<&str> {
        tools.iter().map(|tool| tool.name.as_str()).collect()
    }

    const COMPLETE: &str = "\"Completes a task.\" mutation complete($id: ID!) { updateTask(input: {id: $id, completed: true}) { task { id } } }";

    #[test]
    fn every_service_has_tools_that_read() {
        let tools = tools(ToolMode::Write, &[]).expect("tools");
        assert_eq!(names(&tools), ["read_note", "search_notes", "tasks_due"]);
        assert!(tools.iter().all(|tool| tool.is_read_only));
        assert_eq!(
            names(&super::tests::tools(ToolMode::Off, &[COMPLETE]).expect("none")),
            [""; 0]
        );
    }

    #[test]
    fn all_arguments_of_the_built_in_tools_are_described() {
        for tool in tools(ToolMode::Read, &[]).expect("tools").iter() {
            let properties = tool.arguments["properties"].as_object();
            for (name, schema) in properties.expect("an object") {
                let described = schema["description"].as_str();
                assert!(described.is_some(), "{}: {name}", tool.name);
            }
        }
    }

    #[test]
    fn trusted_documents_with_a_description_are_tools() {
        let documents = [
            COMPLETE,
            "query silent { me { id } }",
            "\"The user.\" query who { me { id } }",
            "\"Mine.\" query read_note($id: ID!) { document(id: $id) { title } }",
            "\"News.\" subscription news { changes { itemId } }",
        ];
        let all = tools(ToolMode::Write, &documents).expect("tools");
        let expected = ["complete", "read_note", "search_notes", "tasks_due", "who"];
        assert_eq!(names(&all), expected);
        let mine = all.iter().find(|tool| tool.name == "read_note");
        assert_eq!(mine.expect("it is there").description, "Mine.");
        let reading = tools(ToolMode::Read, &documents).expect("tools");
        assert_eq!(names(&reading), &expected[1..]);
    }

    #[test]
    fn a_name_can_only_be_used_once() {
        let other = COMPLETE.replace("Completes", "Ends");
        let error = tools(ToolMode::Write, &[COMPLETE, &other]).err();
        assert!(error.expect("an error").contains("`complete`"));
    }

    #[test]
    fn every_custom_scalar_has_a_json_schema() {
        for check in scalars::CHECKS {
            assert!(scalar(check.name).is_some(), "{}", check.name);
        }
    }
}
