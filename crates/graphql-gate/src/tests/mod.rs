//! Tests of the gate on valid and invalid documents, each with a cold and a warm cache.
//!
//! - `rejected`: which documents are valid. `syntax`, `descriptions`: which texts are. `wording`: the form of messages. `variables`: which values are valid, and how they are coerced.
//! - `cost`: what operations cost. `hostile`: the limits.
//! - `prepared`: documents that are prepared in advance.
//! - `executed`: how async-graphql executes admitted documents, with the schema in `service`.

mod cost;
mod descriptions;
mod executed;
mod hostile;
mod hostile_documents;
mod prepared;
mod rejected;
mod service;
mod syntax;
mod variables;
mod wording;

use serde_json::{Value as Json, json};

use crate::{Admitted, CostRules, Gate, Limits, Rejection, RejectionKind};

const SDL: &str = include_str!("schema.graphql");

const RULES: CostRules = CostRules {
    free_types: &[
        "PageInfo",
        "UserError",
        "Highlight",
        "TextRange",
        "HttpHeader",
    ],
    default_page_size: 50,
    max_page_size: 100,
    filter_points: &[("Contains", 5)],
};

fn gate() -> Gate {
    Gate::new(SDL, Limits::default(), RULES)
}

fn admit(gate: &Gate, query: &str, variables: &Json) -> Result<Admitted, Rejection> {
    let variables = variables.as_object().expect("variables are an object");
    gate.admit(query, None, variables.clone())
}

/// Admits a request twice and compares the results, because the second finds a warm cache.
fn admit_twice(query: &str, variables: &Json) -> Result<Admitted, Rejection> {
    let gate = gate();
    let cold = admit(&gate, query, variables);
    let warm = admit(&gate, query, variables);
    match (&cold, &warm) {
        (Ok(cold), Ok(warm)) => {
            assert_eq!(cold.cost, warm.cost, "{query}");
            assert_eq!(cold.variables, warm.variables, "{query}");
        }
        (cold, warm) => assert_eq!(cold.as_ref().err(), warm.as_ref().err(), "{query}"),
    }
    cold
}

/// The rejection of a document without variables.
fn rejection(query: &str) -> Rejection {
    admit_twice(query, &json!({})).err().expect(query)
}

fn assert_rejected(query: &str, code: &str, message: &str) {
    let error = first_error(rejection(query));
    assert_eq!(error, (code, message.to_owned()), "{query}");
}

fn code(rejection: &Rejection) -> &'static str {
    match rejection.kind {
        RejectionKind::OperationName => "BAD_REQUEST",
        RejectionKind::Syntax => "PARSE_FAILED",
        RejectionKind::Validation => "VALIDATION_FAILED",
        RejectionKind::Values => "BAD_USER_INPUT",
        RejectionKind::TooComplex => "QUERY_TOO_COMPLEX",
    }
}

/// The code and the first message of a rejection.
fn first_error(rejection: Rejection) -> (&'static str, String) {
    let code = code(&rejection);
    let error = rejection.into_server_errors(code).swap_remove(0);
    (code, error.message)
}

/// The errors in the response to the client.
fn errors(rejection: Rejection) -> Json {
    let code = code(&rejection);
    json!(rejection.into_server_errors(code))
}
