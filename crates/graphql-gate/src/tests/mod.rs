//! The gate, tried on documents good and bad, each with a cold cache and with a warm one.
//!
//! Read on: one file for each thing that the gate promises.

mod cost;
mod executed;
mod hostile_documents;
mod rejected;
mod time;
mod variables;

use serde_json::{Value as Json, json};

use super::{Admitted, Gate, Limits, Rejection};

const SDL: &str = include_str!("schema.graphql");

fn gate() -> Gate {
    Gate::new(SDL, Limits::default())
}

fn admit(gate: &Gate, query: &str, variables: &Json) -> Result<Admitted, Rejection> {
    let variables = variables.as_object().expect("variables are an object");
    gate.admit(query, None, variables.clone())
}

/// Asks twice and holds the answers against each other, since the second finds the cache warm.
fn admit_twice(query: &str, variables: &Json) -> Result<Admitted, Rejection> {
    let gate = gate();
    let cold = admit(&gate, query, variables);
    let warm = admit(&gate, query, variables);
    match (&cold, &warm) {
        (Ok(cold), Ok(warm)) => {
            assert_eq!(cold.cost, warm.cost, "{query}");
            assert_eq!(cold.request.variables, warm.request.variables, "{query}");
        }
        (cold, warm) => assert_eq!(cold.as_ref().err(), warm.as_ref().err(), "{query}"),
    }
    cold
}

/// A rejection as its code and its first message.
fn told(rejection: Rejection) -> (&'static str, String) {
    let code = rejection.code.as_str();
    let error = rejection.into_server_errors().swap_remove(0);
    (code, error.message)
}

/// What the client would see of a rejection.
fn errors(rejection: Rejection) -> Json {
    json!(rejection.into_server_errors())
}
