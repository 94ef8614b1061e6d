//! Everything that can be done with a document before the variables are known: parse, validate, measure, translate.
//!
//! Nothing here reads the value of a variable, so the result can be cached by the document's text.
//!
//! Read on: `apollo_workarounds`, `analysis.rs` and `translate.rs`, in the order in which they run.

use std::sync::Arc;

use apollo_compiler::diagnostic::{Diagnostic, ToCliReport};
use apollo_compiler::executable::{ExecutableDocument, Operation};
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::{DiagnosticData, DiagnosticList, Valid};
use apollo_compiler::{Node, Schema, ast};
use async_graphql::Variables;
use async_graphql::parser::types;

use crate::cost::CostFormula;
use crate::limits::{self, CostRules, Limits};
use crate::rejection::{MAX_PROBLEMS, Problem, Rejection, RejectionKind, short};
use crate::source_map::SourceMap;
use crate::variables::{self, VariableDeclaration};
use crate::{analysis, apollo_workarounds, numbers, root_fields, tokens, translate};

/// One operation of a valid document that is within the limits.
pub(crate) struct PreparedOperation {
    pub(crate) operation: types::OperationType,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) variables: Vec<VariableDeclaration>,
    pub(crate) cost: CostFormula,
    document: types::ExecutableDocument,
    /// Whether variables decide which root fields are selected. They are then collected on each request.
    root_depends_on_variables: bool,
}

impl PreparedOperation {
    /// The document for one execution. It selects each root field once.
    pub(crate) fn document(&self, variables: &Variables) -> types::ExecutableDocument {
        let mut document = self.document.clone();
        if self.root_depends_on_variables {
            root_fields::collect(&mut document, variables);
        }
        document
    }
}

/// The schema that documents are validated against. Panics if `sdl` is not valid.
pub(crate) fn schema(sdl: &str) -> Valid<Schema> {
    let schema = Schema::parse_and_validate(sdl, "schema.graphql")
        .expect("the SDL is exported from a schema that was built");
    apollo_workarounds::with_is_one_of(schema, sdl)
}

/// Checks one operation of a document and prepares it for execution.
pub(crate) fn prepare(
    schema: &Valid<Schema>,
    limits: &Limits,
    cost_rules: &CostRules,
    text: &str,
    operation_name: Option<&str>,
) -> Result<PreparedOperation, Rejection> {
    tokens::check(text, limits)?;
    apollo_workarounds::check_colons(text)?;
    let source_map = SourceMap::new(text);
    let document = parse_and_validate(schema, limits, text, &source_map)?;
    numbers::check(text, &source_map)?;
    let operation = select_operation(&document, operation_name)?;
    let null_forbidden =
        apollo_workarounds::check_operation(schema, &document, operation, &source_map)?;
    let cost = analysis::analyse(schema, &document, operation, limits, cost_rules)?;
    let translated = translate::translate(schema, &document, operation, &source_map);
    let mut collected = translated.clone();
    let root_depends_on_variables = !root_fields::collect(&mut collected, &Variables::default());
    Ok(PreparedOperation {
        operation: translate::operation_type(operation.operation_type),
        name: operation.name.as_ref().map(|name| name.as_str().into()),
        variables: variables::declarations(schema, operation, &null_forbidden, &source_map),
        cost,
        document: match root_depends_on_variables {
            true => translated,
            false => collected,
        },
        root_depends_on_variables,
    })
}

fn parse_and_validate(
    schema: &Valid<Schema>,
    limits: &Limits,
    text: &str,
    source_map: &SourceMap,
) -> Result<Valid<ExecutableDocument>, Rejection> {
    // A second safeguard: `tokens` has already counted. The parser's count includes the whitespace between tokens.
    let mut parser = Parser::new().token_limit(2 * limits.tokens + 2);
    let parsed = parser
        .parse_ast(text, "query")
        .map_err(|invalid| rejection(RejectionKind::Syntax, &invalid.errors, source_map))?;
    check_definitions(&parsed, limits)?;
    parsed
        .to_executable_validate(schema)
        .map_err(|invalid| rejection(RejectionKind::Validation, &invalid.errors, source_map))
}

/// apollo-compiler validates a fragment again for each operation that uses it, so the product of both is limited.
fn check_definitions(document: &ast::Document, limits: &Limits) -> Result<(), Rejection> {
    let count = |is: fn(&ast::Definition) -> bool| {
        let definitions = document.definitions.iter();
        definitions.filter(|definition| is(definition)).count()
    };
    let operations = count(|one| matches!(one, ast::Definition::OperationDefinition(_)));
    let fragments = count(|one| matches!(one, ast::Definition::FragmentDefinition(_)));
    limits::check("The number of operations", operations, limits.operations)?;
    let what = "The number of fragments times operations";
    limits::check(what, fragments * operations, limits.fragments)
}

/// The errors of apollo-compiler, one line each, in the order of the text.
fn rejection(kind: RejectionKind, errors: &DiagnosticList, source_map: &SourceMap) -> Rejection {
    let problem = |one: Diagnostic<'_, DiagnosticData>| {
        let position = source_map.start(one.error.location());
        Problem::new(&one.error.to_string(), position)
    };
    let problems = apollo_workarounds::without_consequential_errors(errors).map(problem);
    Rejection::new(kind, problems.take(MAX_PROBLEMS).collect())
}

/// The specification's GetOperation.
fn select_operation<'a>(
    document: &'a Valid<ExecutableDocument>,
    name: Option<&str>,
) -> Result<&'a Node<Operation>, Rejection> {
    document.operations.get(name).map_err(|_| {
        let message = match name {
            Some(name) => format!("The document has no operation named \"{}\".", short(name)),
            None => "The document has several operations. Set operationName to one of them.".into(),
        };
        Rejection::because(RejectionKind::OperationName, &message)
    })
}
