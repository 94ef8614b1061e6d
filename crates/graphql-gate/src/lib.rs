//! The gate: all that a GraphQL request must pass before the library executes it.
//!
//! async-graphql leaves holes that this module closes: it expands fragments without a bound before any deadline, executes
//! with required variables missing, in fast validation drops input fields it does not know, and runs a mutation twice
//! that is written twice. So a request's text is counted ([`tokens`]), parsed and validated by apollo-compiler
//! (`prepare`, with `apollo_workarounds` for what that library lets through), measured and priced in one walk
//! (`analysis`, `field_cost`, [`cost`]) and translated into the library's own tree ([`translate`]), in which a field of the
//! root stands once (`root_fields`). What comes out is cached by the text; on every request only the variables are coerced
//! ([`variables`]) and the cost is evaluated, so the answer is the same whether the cache is warm or cold.
//!
//! One parser alone reads the text: what was validated is what runs, with no room between two grammars.
//!
//! The gate never executes anything, never waits, and knows neither who asks nor HTTP. What it admits is meant for a
//! schema built with `ValidationMode::Fast` and the library's own limits off.
//!
//! Read on: [`Gate::admit`], then `prepare.rs`.

mod analysis;
mod apollo_workarounds;
mod cost;
mod field_cost;
mod prepare;
mod rejection;
mod root_fields;
mod source_map;
#[cfg(test)]
mod tests;
mod tokens;
mod translate;
mod variables;

use std::sync::Arc;

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use async_graphql::Request;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use serde_json::{Map, Value as Json};

use self::prepare::Prepared;
pub use self::rejection::{Code, Rejection};
pub use async_graphql::parser::types::OperationType as Operation;

/// How much one request may ask for. What is over a limit is refused with [`QUERY_TOO_COMPLEX`](Code::QueryTooComplex).
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of the document's text.
    pub document_bytes: usize,
    /// Tokens of the document; comments and commas count, too, since they cost the parser as much.
    pub tokens: usize,
    /// Brackets within brackets in the text, and selection sets within each other, fragments included. It guards the
    /// stack: depth alone does not, since a fragment adds none.
    pub nesting: usize,
    /// Operations in one document.
    pub operations: usize,
    /// Named fragments in one document, each counted for each operation.
    pub fragments: usize,
    /// Fields within fields. The standard introspection query has 15.
    pub depth: usize,
    /// Fields with an alias, fragments expanded.
    pub aliases: usize,
    /// Fields of the operation's root, fragments expanded.
    pub root_fields: usize,
    /// Fields and fragments, fragments expanded. The library looks at each of them on every request.
    pub selections: usize,
    /// Points; about one for each object that the operation could load, see `field_cost.rs`.
    pub cost: u64,
    /// Documents that are remembered, at most.
    pub cached_documents: usize,
    /// Bytes of text that are remembered, at most. What is kept of a document takes 10 to 60 times its text.
    pub cached_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 256 * 1024,
            tokens: 4_000,
            nesting: 64,
            operations: 30,
            fragments: 1_000,
            depth: 15,
            aliases: 100,
            root_fields: 50,
            selections: 5_000,
            cost: 10_000,
            cached_documents: 1_000,
            cached_bytes: 1024 * 1024,
        }
    }
}

/// A longer text is validated anew each time: long ones carry their data inline and hardly ever come back.
const LONGEST_CACHED: usize = 64 * 1024;

/// Lets requests in or refuses them. One serves the whole process.
pub struct Gate {
    schema: Valid<Schema>,
    limits: Limits,
    cache: Cache<Key, Arc<Prepared>, ByText>,
}

/// A request that may run.
pub struct Admitted {
    /// What it does; a mutation must not come by GET, and only a subscription streams.
    pub operation: Operation,
    /// The name of the operation, for logs; None if it has none.
    pub operation_name: Option<Arc<str>>,
    /// Points, see [`Limits::cost`].
    pub cost: u64,
    /// Ready for the library: the parsed document with the one operation, and the coerced variables, in which what the
    /// client left out is still left out. Its `query` is empty and it names no operation, since the document holds one.
    pub request: Request,
}

impl Gate {
    /// A gate for the schema that `sdl` describes.
    ///
    /// # Panics
    ///
    /// If `sdl` is no valid schema. It is exported from the code, so that would be a bug.
    pub fn new(sdl: &str, limits: Limits) -> Self {
        let by_text = ByText {
            least: (limits.cached_bytes / limits.cached_documents.max(1)) as u64,
        };
        let capacity = limits.cached_bytes as u64;
        Self {
            schema: prepare::schema(sdl),
            cache: Cache::with_weighter(limits.cached_documents, capacity, by_text),
            limits,
        }
    }

    /// Checks a request against everything that can be known before it runs.
    ///
    /// An `operation_name` of `""` counts as none. `variables` that the operation does not declare are ignored.
    ///
    /// # Errors
    ///
    /// [`Rejection`] says why not, with a code for programs; nothing has run then.
    pub fn admit(
        &self,
        query: &str,
        operation_name: Option<&str>,
        variables: Map<String, Json>,
    ) -> Result<Admitted, Rejection> {
        let operation_name = operation_name.filter(|name| !name.is_empty());
        let prepared = self.prepared(query, operation_name)?;
        let variables = variables::coerce(&self.schema, &prepared.variables, variables)?;
        let cost = prepared.cost.of(&variables);
        if cost > self.limits.cost {
            return Err(Rejection::over(
                "The operation's cost",
                cost,
                self.limits.cost,
            ));
        }
        let mut request = Request::new("");
        request.set_parsed_query(prepared.document(&variables));
        request.variables = variables;
        Ok(Admitted {
            operation: prepared.operation,
            operation_name: prepared.name.clone(),
            cost,
            request,
        })
    }

    /// The document as it was validated before, or validated now. Only good ones are remembered, and all limits but the
    /// cost's hold for the text alone, so finding one says that it keeps them.
    fn prepared(&self, text: &str, operation: Option<&str>) -> Result<Arc<Prepared>, Rejection> {
        if text.len() > LONGEST_CACHED {
            return prepare::prepare(&self.schema, &self.limits, text, operation).map(Arc::new);
        }
        if let Some(prepared) = self.cache.get(&Asked { text, operation }) {
            return Ok(prepared);
        }
        let prepared = prepare::prepare(&self.schema, &self.limits, text, operation)?;
        let prepared = Arc::new(prepared);
        let key = Key {
            text: text.into(),
            operation: operation.map(Into::into),
        };
        self.cache.insert(key, Arc::clone(&prepared));
        Ok(prepared)
    }
}

/// What a cached document is found by. The operation is part of it: what is cached is one operation's.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    text: Box<str>,
    operation: Option<Box<str>>,
}

/// A [`Key`] to look up, which must hash as one does.
#[derive(Hash)]
struct Asked<'a> {
    text: &'a str,
    operation: Option<&'a str>,
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.text == &*key.text && self.operation == key.operation.as_deref()
    }
}

/// Weighs a document by its text, and short ones as if they were longer, so that one capacity bounds both the bytes and
/// the number.
#[derive(Clone)]
struct ByText {
    least: u64,
}

impl Weighter<Key, Arc<Prepared>> for ByText {
    fn weight(&self, key: &Key, _: &Arc<Prepared>) -> u64 {
        (key.text.len() as u64).max(self.least)
    }
}
