//! The settings of a gate: how much one request may ask for, and how its cost is counted.
//!
//! Read on: `analysis.rs`, which measures operations, and `field_cost.rs`, which applies the cost rules.

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;

use crate::rejection::Rejection;
use crate::scalars::CustomScalar;

/// What a gate checks requests against.
pub(crate) struct Settings {
    pub(crate) schema: Valid<Schema>,
    pub(crate) scalars: &'static [CustomScalar],
    pub(crate) limits: Limits,
    pub(crate) cost_rules: CostRules,
}

/// How much one request may ask for. A request over a limit is rejected as
/// [`TooComplex`](crate::RejectionKind::TooComplex).
#[derive(Debug, Clone)]
pub struct Limits {
    /// Maximum bytes of the document's text.
    pub document_bytes: usize,
    /// Maximum bytes of all arguments after expanding fragments. Each use of a variable counts with the size of its value, because
    /// async-graphql copies it. Sizes are about those in JSON.
    pub argument_bytes: usize,
    /// Maximum tokens in the document. Comments and commas count, because they cost the parser as much.
    pub tokens: usize,
    /// Maximum nesting of brackets in the text, and of selection sets, including those of fragments. It protects the
    /// stack: `depth` alone does not, because fragments do not add to it.
    pub nesting: usize,
    /// Maximum operations in one document.
    pub operations: usize,
    /// Maximum named fragments in one document, multiplied by its operations.
    pub fragments: usize,
    /// Maximum nesting of fields. The standard introspection query needs 15.
    pub depth: usize,
    /// Maximum fields with an alias, after expanding fragments.
    pub aliases: usize,
    /// Maximum root fields of the operation, after expanding fragments.
    pub root_fields: usize,
    /// Maximum fields and fragments, after expanding fragments. async-graphql visits each of them on every request.
    pub selections: usize,
    /// Maximum cost in points. A point is about one object that the operation could load; see [`CostRules`].
    pub cost: u64,
    /// Maximum cached documents.
    pub cached_documents: usize,
    /// Maximum bytes of text in the cache. A prepared document takes 10 to 60 times its text.
    pub cached_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 256 * 1024,
            argument_bytes: 2 * 1024 * 1024,
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

/// How the cost of an operation is counted.
///
/// | field | points |
/// |---|---|
/// | one object | 1 + its children |
/// | one object for a list of ids or entries | 1 + its children, and at least 1 per id or entry |
/// | `…Connection` | page size × (1 + the children of `nodes` and of `edges { node }`, if either is selected), and the points of the conditions of its argument `filter`, of which the first is free |
/// | list of objects | length × (1 + its children) |
/// | an object of a field with lists of ids in an input object, apart from `ids` | and 1 per id; multiplied by the length of `ids`, if the input object has it |
/// | non-null `Int` whose name ends in `Count` | 1 |
/// | other scalars, objects of [`free_types`](Self::free_types) | 0 |
/// | `__schema`, `__type` | 1 + one point per 100 of its objects |
///
/// The page size is the argument `first` or `last`, its default in the schema, or
/// [`default_page_size`](Self::default_page_size). The length of a list is the length of the field's argument `ids`, of
/// the `ids` or the list of input objects in its input object, or of those of the parent field. Otherwise it is 10. Each field of a
/// filter that is not null is a condition, including those of the filters in its fields `and`, `or` and `not`. A condition costs 1
/// point, or those of [`filter_points`](Self::filter_points).
#[derive(Debug, Clone, Copy)]
pub struct CostRules {
    /// Names of the object types that come with their parent and cost nothing themselves.
    pub free_types: &'static [&'static str],
    /// Page size if neither the arguments nor the schema give one.
    pub default_page_size: u64,
    /// Maximum page size that the service accepts. Larger pages cost as much as this one.
    pub max_page_size: u64,
    /// Ends of the names of filter fields that cost more than 1 point, and their points.
    pub filter_points: &'static [(&'static str, u64)],
}

impl CostRules {
    /// The points of a condition of a filter.
    pub(crate) fn condition(&self, field: &str) -> u64 {
        let mut points = self.filter_points.iter();
        points
            .find(|(end, _)| field.ends_with(end))
            .map_or(1, |(_, points)| *points)
    }
}

/// Rejects a count above its limit. `what` is the subject of the error message.
pub(crate) fn check(what: &str, counted: usize, limit: usize) -> Result<(), Rejection> {
    if counted > limit {
        return Err(Rejection::over_limit(what, counted as u64, limit as u64));
    }
    Ok(())
}
