//! Why a request was not admitted: a kind for programs, messages for people.
//!
//! A message repeats at most a short name from the request, so a response is short however long the request was.

use async_graphql::{ErrorExtensionValues, Pos, ServerError};

/// Maximum errors in one response. A document can have thousands.
pub(crate) const MAX_PROBLEMS: usize = 20;

/// The largest integer that every JSON parser reads exactly. Counts can exceed it, because nested fragments multiply.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Maximum characters of a message.
const MAX_MESSAGE: usize = 300;

/// Maximum characters of a name from the request in a message.
const MAX_NAME: usize = 40;

/// The values of an `Int`, in words.
pub(crate) const INT_RANGE: &str = "a 32-bit integer (-2147483648 to 2147483647)";

/// A request that must not run, with all reasons that were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection {
    /// The kind of mistake. All errors of one rejection have the same kind.
    pub kind: RejectionKind,
    exceeded: Option<Exceeded>,
    problems: Vec<Problem>,
}

/// The kind of mistake in a rejected request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// The operation name is missing or unknown.
    OperationName,
    /// The document is not valid GraphQL syntax.
    Syntax,
    /// The document does not match the schema.
    Validation,
    /// A variable or a custom scalar has an invalid value.
    Values,
    /// The request exceeds a limit.
    TooComplex,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Exceeded {
    counted: u64,
    limit: u64,
    is_cost: bool,
}

/// One reason, on one line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    message: String,
    position: Option<Pos>,
}

impl Rejection {
    /// `problems` must not be empty.
    pub(crate) fn new(kind: RejectionKind, problems: Vec<Problem>) -> Self {
        Self {
            kind,
            exceeded: None,
            problems,
        }
    }

    /// A rejection for one reason that has no position in the document.
    pub(crate) fn because(kind: RejectionKind, message: &str) -> Self {
        Self::new(kind, vec![Problem::new(message, None)])
    }

    pub(crate) fn over_limit(what: &str, counted: u64, limit: u64) -> Self {
        let counted = counted.min(MAX_SAFE_INTEGER);
        let message = format!("{what} is {counted}; the maximum is {limit}.");
        let exceeded = Exceeded {
            counted,
            limit,
            is_cost: false,
        };
        Self::too_complex(&message, exceeded)
    }

    /// A rejection of an operation that costs too much. `explanation` follows the first sentence.
    pub(crate) fn over_cost(cost: u64, limit: u64, explanation: &str) -> Self {
        let cost = cost.min(MAX_SAFE_INTEGER);
        let message =
            format!("The operation costs {cost} points; the maximum is {limit}.{explanation}");
        let exceeded = Exceeded {
            counted: cost,
            limit,
            is_cost: true,
        };
        Self::too_complex(&message, exceeded)
    }

    fn too_complex(message: &str, exceeded: Exceeded) -> Self {
        Self {
            exceeded: Some(exceeded),
            ..Self::because(RejectionKind::TooComplex, message)
        }
    }

    /// The cost in points, if it is over the limit.
    pub fn cost(&self) -> Option<u64> {
        let cost = self.exceeded.filter(|exceeded| exceeded.is_cost)?;
        Some(cost.counted)
    }

    /// The reasons as sentences, each with its line and column if it has a position in the document.
    pub fn reasons(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(|problem| match problem.position {
            Some(Pos { line, column }) => {
                format!("line {line}, column {column}: {}", problem.message)
            }
            None => problem.message.clone(),
        })
    }

    /// The errors of a response without data. Each has `code` in its extensions, and `cost` and `limit` if the request
    /// exceeds a limit.
    pub fn into_server_errors(self, code: &str) -> Vec<ServerError> {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code);
        if let Some(Exceeded { counted, limit, .. }) = self.exceeded {
            extensions.set("cost", counted);
            extensions.set("limit", limit);
        }
        let error = |problem: Problem| ServerError {
            extensions: Some(extensions.clone()),
            ..ServerError::new(problem.message, problem.position)
        };
        self.problems.into_iter().map(error).collect()
    }
}

impl Problem {
    pub(crate) fn new(message: &str, position: Option<Pos>) -> Self {
        Self {
            message: on_one_line(message, MAX_MESSAGE),
            position,
        }
    }
}

/// Shortens a text from the request, so that the rest of the message is not cut off. The message shows it in backticks, so
/// it contains none.
pub(crate) fn short(name: &str) -> String {
    on_one_line(name, MAX_NAME).replace('`', "'")
}

fn on_one_line(text: &str, max_characters: usize) -> String {
    let printable = |character: char| match character.is_control() {
        true => ' ',
        false => character,
    };
    let mut characters = text.chars().map(printable);
    let mut line: String = characters.by_ref().take(max_characters).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}
