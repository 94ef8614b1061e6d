//! Everything that can be done with a document before the variables are known: parse, validate, measure, translate.
//!
//! Nothing here reads the value of a variable, so the result can be cached by the document's text.
//!
//! Read on: `descriptions.rs`, `problems`, `apollo_workarounds`, `analysis.rs` and `translate.rs`, in the order in which they
//! run.

use std::collections::HashMap;
use std::sync::Arc;

use apollo_compiler::executable::{ExecutableDocument, Operation};
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::Valid;
use apollo_compiler::{Node, Schema, ast};
use async_graphql::Variables;
use async_graphql::parser::types;

use crate::argument_size::ArgumentSize;
use crate::cost::CostFormula;
use crate::dearest::Measure;
use crate::gate::{Plan, ValidOperation};
use crate::limits::{self, Limits, Settings};
use crate::problems::{self, Source, did_you_mean};
use crate::rejection::{Rejection, RejectionKind, short};
use crate::source_map::SourceMap;
use crate::variables::{self, VariableDeclaration};
use crate::{analysis, apollo_workarounds, descriptions, root_fields, tokens, translate};

/// One operation of a valid document that is within the limits.
pub(crate) struct PreparedOperation<P> {
    pub(crate) operation: types::OperationType,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) variables: Vec<VariableDeclaration>,
    pub(crate) cost: CostFormula,
    pub(crate) arguments: ArgumentSize,
    pub(crate) plan: P,
    document: types::ExecutableDocument,
    /// Whether variables decide which root fields are selected. They are then collected on each request.
    root_depends_on_variables: bool,
}

impl<P> PreparedOperation<P> {
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
pub(crate) fn prepare<P>(
    settings: &Settings,
    text: &str,
    operation_name: Option<&str>,
    plan: Plan<P>,
) -> Result<PreparedOperation<P>, Rejection> {
    tokens::check(text, &settings.limits)?;
    let span = tracing::trace_span!("graphql.parse").entered();
    let source_map = SourceMap::new(text);
    let sent = text;
    let text = &*descriptions::blank(text);
    let parsed = parse(text, &settings.limits, &source_map)?;
    drop(span);
    let _span = tracing::trace_span!("graphql.validate").entered();
    check_definitions(&parsed, &settings.limits)?;
    let source = Source {
        schema: &settings.schema,
        text,
        document: &parsed,
        map: &source_map,
    };
    let document = parsed
        .to_executable_validate(&settings.schema)
        .map_err(|invalid| problems::validation_rejection(&source, &invalid.errors))?;
    let operation = select_operation(&document, operation_name)?;
    let scalars = settings.scalars;
    let null_forbidden =
        apollo_workarounds::check_operation(&source, scalars, &document, operation)?;
    let declarations = variables::declarations(settings, operation, &null_forbidden, &source_map);
    let source = (sent, &source_map);
    translated(settings, &document, operation, declarations, source, plan)
}

/// Measures an operation that is valid, and translates it.
fn translated<P>(
    settings: &Settings,
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
    variables: Vec<VariableDeclaration>,
    (text, source_map): (&str, &SourceMap),
    plan: Plan<P>,
) -> Result<PreparedOperation<P>, Rejection> {
    let schema = &settings.schema;
    let (limits, cost_rules) = (&settings.limits, &settings.cost_rules);
    let (cost, arguments) = analysis::analyse(schema, document, operation, limits, cost_rules)?;
    let translated = translate::translate(schema, document, operation, source_map);
    let mut collected = translated.clone();
    let root_depends_on_variables = !root_fields::collect(&mut collected, &Variables::default());
    let document = match root_depends_on_variables {
        true => translated,
        false => collected,
    };
    let name = operation.name.as_ref().map(|name| name.as_str());
    let operation = translate::operation_type(operation.operation_type);
    Ok(PreparedOperation {
        operation,
        name: name.map(Into::into),
        variables,
        cost,
        arguments,
        plan: plan(&ValidOperation {
            text,
            operation,
            operation_name: name,
            document: &document,
        }),
        document,
        root_depends_on_variables,
    })
}

fn parse(text: &str, limits: &Limits, map: &SourceMap) -> Result<ast::Document, Rejection> {
    // A second safeguard: `tokens` has already counted. The parser's count includes the whitespace between tokens.
    let mut parser = Parser::new().token_limit(2 * limits.tokens + 2);
    match parser.parse_ast(text, "query") {
        Err(invalid) => Err(problems::syntax_rejection(text, &invalid.errors, map)),
        Ok(parsed) => match apollo_workarounds::find_missing_colon(text) {
            Some(token) => Err(problems::missing_colon(text, token, map)),
            None => Ok(parsed),
        },
    }
}

/// What makes a prepared operation expensive, in sentences. It was valid, so its document is only parsed again.
pub(crate) fn explain_cost(
    settings: &Settings,
    text: &str,
    operation_name: Option<&str>,
    variables: &Variables,
) -> String {
    let map = SourceMap::new(text);
    let text = &*descriptions::blank(text);
    let schema = &settings.schema;
    let document = parse(text, &settings.limits, &map).ok();
    let document = document.and_then(|parsed| parsed.to_executable(schema).ok());
    let operation = document
        .as_ref()
        .and_then(|document| Some((document, document.operations.get(operation_name).ok()?)));
    let Some((document, operation)) = operation else {
        return String::new();
    };
    let measure = Measure {
        schema,
        rules: &settings.cost_rules,
        document,
        variables,
        visited: HashMap::new(),
    };
    measure.explain(operation, settings.limits.cost)
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

/// The specification's GetOperation.
fn select_operation<'a>(
    document: &'a Valid<ExecutableDocument>,
    name: Option<&str>,
) -> Result<&'a Node<Operation>, Rejection> {
    let known = document.operations.named.keys();
    let found = document.operations.get(name);
    found.map_err(|_| no_operation(name, known.map(|name| name.as_str())))
}

/// The rejection of a request whose operation does not exist, or is not named. `known`: the names of the document's operations.
pub(crate) fn no_operation<'a>(
    name: Option<&str>,
    known: impl Iterator<Item = &'a str>,
) -> Rejection {
    let message = match name {
        Some(name) => {
            let hint = did_you_mean("", name, known);
            let name = short(name);
            format!("The document has no operation named `{name}`.{hint}")
        }
        None => "The document has several operations. Set `operationName` to one of them.".into(),
    };
    Rejection::because(RejectionKind::OperationName, &message)
}

/// The names of a document's operations; `None` for one without a name. At least one.
pub(crate) fn operation_names(
    settings: &Settings,
    text: &str,
) -> Result<Vec<Option<String>>, Rejection> {
    tokens::check(text, &settings.limits)?;
    let source_map = SourceMap::new(text);
    let parsed = parse(&descriptions::blank(text), &settings.limits, &source_map)?;
    let names = parsed.definitions.iter().filter_map(|one| match one {
        ast::Definition::OperationDefinition(operation) => {
            Some(operation.name.as_ref().map(ToString::to_string))
        }
        _ => None,
    });
    let names: Vec<Option<String>> = names.collect();
    match names.is_empty() {
        true => {
            let message = "The document has no operation.";
            Err(Rejection::because(RejectionKind::Validation, message))
        }
        false => Ok(names),
    }
}
