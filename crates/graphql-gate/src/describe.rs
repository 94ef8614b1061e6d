//! What a document says of itself: the description of its only operation, and the JSON Schema of the operation's variables.
//!
//! Descriptions of operations and variables are of the September 2025 specification. `descriptions` finds them.

use apollo_compiler::ast::{self, OperationDefinition};
use apollo_compiler::parser::Parser;
use serde_json::{Map, Value as Json};

use crate::descriptions;
use crate::gate::Gate;
use crate::json_schema::JsonSchemas;

/// An operation with a description.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedOperation {
    /// The name of the operation.
    pub name: String,
    /// The description of the operation.
    pub description: String,
    /// The JSON Schema (2020-12) of the object of its variables. Its definitions are in `$defs`.
    pub variables: Map<String, Json>,
}

impl<P> Gate<P> {
    /// Describes the only operation of a document that [`Gate::prepare`] has accepted. None if the operation has no name or no
    /// description, and if the document has several operations.
    ///
    /// `scalars`: the JSON Schema of a custom scalar, by its name. A scalar without one accepts everything.
    pub fn describe(
        &self,
        text: &str,
        scalars: fn(&str) -> Option<Json>,
    ) -> Option<DescribedOperation> {
        let blanked = descriptions::blank(text);
        let document = Parser::new().parse_ast(&*blanked, "query").ok()?;
        let operation = only_operation(&document)?;
        let name = operation.name.as_ref()?.to_string();
        let descriptions = descriptions::read(text);
        let schemas = JsonSchemas::new(self.schema(), scalars);
        Some(DescribedOperation {
            name,
            description: descriptions.operation?,
            variables: schemas.of_variables(&operation.variables, &descriptions.variables),
        })
    }
}

fn only_operation(document: &ast::Document) -> Option<&OperationDefinition> {
    let mut operations = document.definitions.iter().filter_map(|one| match one {
        ast::Definition::OperationDefinition(operation) => Some(&**operation),
        _ => None,
    });
    operations.next().filter(|_| operations.next().is_none())
}
