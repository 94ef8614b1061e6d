//! The cost of the argument `filter` of a connection: the points of its conditions, of which the first is free.
//!
//! Each field of a filter is a condition, unless it is null or omitted. Its fields `and`, `or` and `not` contain filters; a filter
//! without conditions counts as one. [`CostRules::filter_points`] has the points of a condition.
//!
//! Read on: `cost.rs`, which adds the points to those of the page.

use apollo_compiler::Node;
use apollo_compiler::ast::Value as Literal;
use apollo_compiler::executable::Field;
use async_graphql::{Value, Variables};

use crate::limits::CostRules;

/// The fields of a filter that contain filters.
const COMBINATIONS: [&str; 3] = ["and", "or", "not"];

/// A filter in the document, and the points of its conditions.
pub(crate) struct FilterCost {
    filter: Option<Node<Literal>>,
    rules: CostRules,
}

impl FilterCost {
    /// The cost of the filter of a connection.
    pub(crate) fn of(rules: &CostRules, field: &Field) -> Self {
        Self {
            filter: field.specified_argument_by_name("filter").cloned(),
            rules: *rules,
        }
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| is_constant(filter))
    }

    /// The points with these variables.
    pub(crate) fn evaluate(&self, variables: &Variables) -> u64 {
        let filter = self.filter.as_ref();
        let points = filter.map_or(0, |filter| self.literal(filter, variables));
        points.saturating_sub(1)
    }

    fn literal(&self, filter: &Literal, variables: &Variables) -> u64 {
        match filter {
            Literal::Variable(name) => variables
                .get(name.as_str())
                .map_or(0, |filter| self.value(filter)),
            Literal::List(filters) => filters
                .iter()
                .map(|filter| self.literal(filter, variables))
                .sum(),
            Literal::Object(fields) => {
                let points = fields.iter().map(|(name, value)| match &**value {
                    value if COMBINATIONS.contains(&name.as_str()) => {
                        self.literal(value, variables)
                    }
                    Literal::Null => 0,
                    Literal::Variable(name)
                        if matches!(variables.get(name.as_str()), None | Some(Value::Null)) =>
                    {
                        0
                    }
                    _ => self.rules.condition(name),
                });
                points.sum::<u64>().max(1)
            }
            _ => 0,
        }
    }

    fn value(&self, filter: &Value) -> u64 {
        match filter {
            Value::List(filters) => filters.iter().map(|filter| self.value(filter)).sum(),
            Value::Object(fields) => {
                let points = fields.iter().map(|(name, value)| match value {
                    value if COMBINATIONS.contains(&name.as_str()) => self.value(value),
                    Value::Null => 0,
                    _ => self.rules.condition(name),
                });
                points.sum::<u64>().max(1)
            }
            _ => 0,
        }
    }
}

/// Whether a literal contains no variables.
fn is_constant(literal: &Literal) -> bool {
    match literal {
        Literal::Variable(_) => false,
        Literal::List(items) => items.iter().all(|item| is_constant(item)),
        Literal::Object(fields) => fields.iter().all(|(_, value)| is_constant(value)),
        _ => true,
    }
}
