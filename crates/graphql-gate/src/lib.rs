//! Admission of GraphQL requests before async-graphql executes them.
//!
//! async-graphql has gaps that a public API must not have. It expands fragments without a limit before any deadline
//! applies. It executes operations whose required variables are missing. In fast validation it ignores unknown input
//! fields. It runs a mutation twice if a document selects it twice. A [`Gate`] closes these gaps in five steps:
//!
//! 1. Count the tokens of the text, before anything is built from it (`tokens`).
//! 2. Parse and validate the text with apollo-compiler (`prepare`, `descriptions`, `apollo_workarounds`). Its errors are
//!    reworded in `problems`.
//! 3. Measure the operation. Derive its cost and the size of its arguments as formulas of its variables (`analysis`, `field_cost`,
//!    `filter_cost`, `id_cost`, `cost`, `argument_size`).
//! 4. Translate the document into async-graphql's types (`translate`), with each root field once (`root_fields`).
//! 5. Coerce the variables and evaluate both formulas (`variables`, `scalars`). `dearest` explains a cost over the limit.
//!
//! The results of steps 1 to 4 are cached by the document's text. Step 5 runs on every request, so a response does not
//! depend on the state of the cache. Only apollo-compiler parses the text: async-graphql executes what was validated.
//! A service that knows documents in advance does steps 1 to 4 once ([`Gate::prepare`], `document`), and can offer them to other programs
//! with a JSON Schema of their variables ([`Gate::describe`], `json_schema`).
//!
//! The gate does not execute anything, does not wait, and does not know the caller or the transport. It is meant for a
//! schema that is built with `ValidationMode::Fast` and without async-graphql's own limits.
//!
//! # Example
//!
//! ```
//! use graphql_gate::{CostRules, Gate, Limits, RejectionKind};
//! use serde_json::Map;
//!
//! let sdl = "type Query { book(id: ID!): Book } type Book { title: String! }";
//! let rules = CostRules { free_types: &[], default_page_size: 20, max_page_size: 100, filter_points: &[] };
//! let gate = Gate::new(sdl, Limits::default(), rules);
//!
//! let admitted = gate.admit("{ book(id: 7) { title } }", None, Map::new())?;
//! assert_eq!(admitted.cost, 1);
//!
//! let rejection = gate.admit("{ book { title } }", None, Map::new()).err().expect("`id` is required");
//! assert_eq!(rejection.kind, RejectionKind::Validation);
//! let errors = rejection.into_server_errors("VALIDATION_FAILED");
//! assert_eq!(errors[0].message, "`Query.book` requires the argument `id`.");
//! # Ok::<(), graphql_gate::Rejection>(())
//! ```

mod analysis;
mod apollo_workarounds;
mod argument_size;
mod cache;
mod cost;
mod dearest;
mod describe;
mod descriptions;
mod document;
mod field_cost;
mod filter_cost;
mod gate;
mod id_cost;
mod json_schema;
mod limits;
mod numbers;
mod prepare;
mod problems;
mod rejection;
mod root_fields;
mod scalars;
mod source_map;
#[cfg(test)]
mod tests;
mod tokens;
mod translate;
mod variables;

pub use describe::DescribedOperation;
pub use document::PreparedDocument;
pub use gate::{Admitted, Gate, ValidOperation};
pub use limits::{CostRules, Limits};
pub use numbers::inexact_number;
pub use rejection::{Rejection, RejectionKind};
pub use scalars::CustomScalar;

/// Runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
