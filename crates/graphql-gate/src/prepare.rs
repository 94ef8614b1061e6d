//! From a text to an operation that is ready to run as often as it is asked for: all that can be done before the
//! variables are known.
//!
//! It never looks at a variable's value, so what it makes can be cached by the text.
//!
//! Read on: `gaps.rs`, `measure.rs`, `translate.rs`, which are its steps.

use std::sync::Arc;

use apollo_compiler::diagnostic::{Diagnostic, ToCliReport};
use apollo_compiler::executable::{ExecutableDocument, Operation};
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::{DiagnosticData, DiagnosticList, Valid};
use apollo_compiler::{Node, Schema, ast};
use async_graphql::Variables;
use async_graphql::parser::types;

use super::apollo_workarounds::{input_values, missing_colons};
use super::cost::Cost;
use super::rejection::{MOST_PROBLEMS, Problem, Rejection, short};
use super::source_map::Places;
use super::variables::Variable;
use super::{Limits, analysis, root_fields, tokens, translate, variables};
use crate::rejection::Code;

/// One operation of a valid document that keeps the limits.
pub(super) struct Prepared {
    pub(super) operation: types::OperationType,
    pub(super) name: Option<Arc<str>>,
    pub(super) variables: Vec<Variable>,
    pub(super) cost: Cost,
    document: types::ExecutableDocument,
    /// Whether it depends on the variables which fields the root has; then they cannot be merged once for all.
    root_depends: bool,
}

impl Prepared {
    /// The document for one execution, in which no field of the root stands twice.
    pub(super) fn document(&self, variables: &Variables) -> types::ExecutableDocument {
        let mut document = self.document.clone();
        if self.root_depends {
            root_fields::root(&mut document, variables);
        }
        document
    }
}

/// The schema that documents are validated against. Panics if `sdl` is not valid.
pub(super) fn schema(sdl: &str) -> Valid<Schema> {
    let schema = Schema::parse_and_validate(sdl, "schema.graphql")
        .expect("the SDL is exported from a schema that was built");
    if schema.type_field("__Type", "isOneOf").is_ok() {
        return schema;
    }
    // The library answers this field of today's introspection; apollo-compiler's own types do not have it yet.
    let extended = format!("{sdl}\nextend type __Type {{ isOneOf: Boolean }}");
    Schema::parse_and_validate(extended, "schema.graphql").expect("a new field keeps it valid")
}

/// Parses, validates, measures and translates one operation of a document.
pub(super) fn prepare(
    schema: &Valid<Schema>,
    limits: &Limits,
    text: &str,
    operation_name: Option<&str>,
) -> Result<Prepared, Rejection> {
    tokens::check(text, limits)?;
    missing_colons::check(text)?;
    let places = Places::of(text);
    let document = validated(schema, limits, text, &places)?;
    let operation = chosen(&document, operation_name)?;
    let never_null = input_values::check(schema, &document, operation, &places)?;
    let cost = analysis::measure(schema, &document, operation, limits)?;
    let mut translated = translate::translate(schema, &document, operation, &places);
    let root_depends = root_fields::depends_on_variables(&translated);
    if !root_depends {
        root_fields::root(&mut translated, &Variables::default());
    }
    Ok(Prepared {
        operation: translate::operation_type(operation.operation_type),
        name: operation.name.as_ref().map(|name| name.as_str().into()),
        variables: variables::declared(schema, operation, &never_null, &places),
        cost,
        document: translated,
        root_depends,
    })
}

fn validated(
    schema: &Valid<Schema>,
    limits: &Limits,
    text: &str,
    places: &Places,
) -> Result<Valid<ExecutableDocument>, Rejection> {
    // Only a second line behind `tokens`, which has counted; the parser counts the blanks between tokens, too.
    let mut parser = Parser::new().token_limit(2 * limits.tokens + 2);
    let parsed = parser
        .parse_ast(text, "query")
        .map_err(|invalid| rejection(Code::ParseFailed, &invalid.errors, places))?;
    check_definitions(&parsed, limits)?;
    parsed
        .to_executable_validate(schema)
        .map_err(|invalid| rejection(Code::ValidationFailed, &invalid.errors, places))
}

/// Validation reads all of a fragment anew for each operation that uses it, so not both may be many.
fn check_definitions(document: &ast::Document, limits: &Limits) -> Result<(), Rejection> {
    let count = |is: fn(&ast::Definition) -> bool| {
        let definitions = document.definitions.iter();
        definitions.filter(|definition| is(definition)).count()
    };
    let operations = count(|one| matches!(one, ast::Definition::OperationDefinition(_)));
    let fragments = count(|one| matches!(one, ast::Definition::FragmentDefinition(_)));
    analysis::within("The number of operations", operations, limits.operations)?;
    let what = "The number of fragments times operations";
    analysis::within(what, fragments * operations, limits.fragments)
}

/// apollo-compiler's findings on one line each, in the order of the text.
fn rejection(code: Code, errors: &DiagnosticList, places: &Places) -> Rejection {
    // A field that is not there is left out, and then its object selects nothing, which is not worth telling.
    let name = |one: &Diagnostic<'_, DiagnosticData>| one.error.unstable_error_name();
    let is_undefined = |one| name(&one) == Some("UndefinedField");
    let undefined = errors.iter().any(is_undefined);
    let tells = |one: &_| !(undefined && name(one) == Some("MissingSubselection"));
    let problem = |one: Diagnostic<'_, DiagnosticData>| {
        Problem::new(&one.error.to_string(), places.start(one.error.location()))
    };
    let telling = errors.iter().filter(tells).map(problem);
    Rejection::new(code, telling.take(MOST_PROBLEMS).collect())
}

/// The specification's GetOperation.
fn chosen<'a>(
    document: &'a Valid<ExecutableDocument>,
    name: Option<&str>,
) -> Result<&'a Node<Operation>, Rejection> {
    document.operations.get(name).map_err(|_| {
        let message = match name {
            Some(name) => format!("There is no operation named \"{}\".", short(name)),
            None => "There are several operations, so operationName must name one.".to_owned(),
        };
        Rejection::because(Code::BadRequest, &message)
    })
}
