//! Why a request was not admitted, in words for people and a code for programs.
//!
//! A message never repeats more of a request than a short name, so an answer is short however long the request was.
//!
//! Read on: `Gate::admit`, which returns these.

use async_graphql::{ErrorExtensionValues, Pos, ServerError};

/// What kind of mistake a request was rejected for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The request names no operation.
    BadRequest,
    /// The document is no GraphQL.
    ParseFailed,
    /// The document does not fit the schema.
    ValidationFailed,
    /// A variable has a value that it cannot have.
    BadUserInput,
    /// The operation would cost more than one request may.
    QueryTooComplex,
}

impl Code {
    /// The code as it stands in `extensions.code`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::BadRequest => "BAD_REQUEST",
            Code::ParseFailed => "PARSE_FAILED",
            Code::ValidationFailed => "VALIDATION_FAILED",
            Code::BadUserInput => "BAD_USER_INPUT",
            Code::QueryTooComplex => "QUERY_TOO_COMPLEX",
        }
    }
}

/// Errors that one answer holds at most; a document can have thousands.
pub(super) const MOST_PROBLEMS: usize = 20;

/// The largest number that every JSON reader takes exactly; fragments in fragments count up beyond it.
const LARGEST_NUMBER: u64 = (1 << 53) - 1;

/// Characters of one message at most.
const LONGEST_MESSAGE: usize = 200;

/// Characters at most of a name from the request within a message.
const LONGEST_NAME: usize = 40;

/// A request that must not run, with all reasons that were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection {
    /// What kind of mistake it is; one for all problems.
    pub code: Code,
    /// What was counted and what is allowed; only with [`Code::QueryTooComplex`].
    over: Option<(u64, u64)>,
    problems: Vec<Problem>,
}

/// One reason, on one line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    message: String,
    position: Option<Pos>,
}

impl Rejection {
    /// For these reasons, of which there must be one at least.
    pub(super) fn new(code: Code, problems: Vec<Problem>) -> Self {
        Self {
            code,
            over: None,
            problems,
        }
    }

    /// For one reason that stands nowhere in the document.
    pub(super) fn because(code: Code, message: &str) -> Self {
        Self::new(code, vec![Problem::new(message, None)])
    }

    /// `what` was counted and is more than is allowed.
    pub(super) fn over(what: &str, counted: u64, limit: u64) -> Self {
        let counted = counted.min(LARGEST_NUMBER);
        let message = format!("{what} is over the limit: {counted} of {limit} at most.");
        Self {
            over: Some((counted, limit)),
            ..Self::because(Code::QueryTooComplex, &message)
        }
    }

    /// The errors of an answer that has no data; each with its code, and with `cost` and `limit` if it asks too much.
    pub fn into_server_errors(self) -> Vec<ServerError> {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", self.code.as_str());
        if let Some((cost, limit)) = self.over {
            extensions.set("cost", cost);
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
    pub(super) fn new(message: &str, position: Option<Pos>) -> Self {
        Self {
            message: on_one_line(message, LONGEST_MESSAGE),
            position,
        }
    }
}

/// A name from the request, cut so that what is said about it is not cut off.
pub(super) fn short(name: &str) -> String {
    on_one_line(name, LONGEST_NAME)
}

fn on_one_line(text: &str, longest: usize) -> String {
    let printable = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    let mut characters = text.chars().map(printable);
    let mut line: String = characters.by_ref().take(longest).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}
