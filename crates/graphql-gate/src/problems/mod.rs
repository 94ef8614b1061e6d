//! The errors of apollo-compiler in this crate's words. All its messages are rewritten here, and nowhere else.
//!
//! apollo-compiler writes lower-case fragments for the terminal, and does not say which argument is wrong. A [`Problem`] is
//! a sentence with code in backticks, the path of the argument, and a suggestion if a name is misspelled.
//!
//! - `syntax`: the first syntax error. The parser's later ones are usually consequences.
//! - `validation`: every other message. `consequential`: the errors that only follow from others.
//! - `argument_path`: the path to a literal. `suggestions`: similar names.

mod argument_path;
mod consequential;
mod suggestions;
mod syntax;
mod validation;

use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::validation::DiagnosticList;
use apollo_compiler::{Schema, ast};

pub(crate) use self::suggestions::{did_you_mean, similar};
pub(crate) use self::syntax::{missing_colon, rejection as syntax_rejection};
pub(crate) use self::validation::{
    conflicting_arguments, disallowed_usage, not_a_field, not_a_value, undeclared_variable,
};
use crate::rejection::{MAX_PROBLEMS, Problem, Rejection, RejectionKind};
use crate::source_map::SourceMap;

/// A document and its schema, which the words of an error refer to.
pub(crate) struct Source<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) text: &'a str,
    pub(crate) document: &'a ast::Document,
    pub(crate) map: &'a SourceMap,
}

impl Source<'_> {
    /// A problem of the literal at `span`. `words` completes the path of its argument to a sentence.
    pub(crate) fn problem(
        &self,
        span: Option<SourceSpan>,
        words: impl FnOnce(&str) -> String,
    ) -> Problem {
        Problem::new(&words(&self.path(span)), self.map.start(span))
    }

    /// The path of the argument to the literal at `span`, such as `input.tags[1]`.
    fn path(&self, span: Option<SourceSpan>) -> String {
        let path = span.and_then(|span| argument_path::find(self.document, span.offset()));
        path.unwrap_or_else(|| "value".to_owned())
    }

    fn slice(&self, span: Option<SourceSpan>) -> &str {
        span.and_then(|span| self.text.get(span.offset()..span.end_offset()))
            .unwrap_or_default()
    }
}

/// The rejection of a document that does not match the schema, with its errors in the order of the text.
pub(crate) fn validation_rejection(source: &Source<'_>, errors: &DiagnosticList) -> Rejection {
    let problems = consequential::without(source, errors)
        .into_iter()
        .take(MAX_PROBLEMS)
        .map(|error| {
            let position = source.map.start(error.location());
            Problem::new(&validation::message(source, error), position)
        });
    Rejection::new(RejectionKind::Validation, problems.collect())
}

/// The names in backticks in a message of apollo-compiler, in their order. Names of GraphQL contain no backticks.
fn names(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}
