//! The cost of the argument `filter` of a connection: one point per condition after the first.
//!
//! Each field of a filter is a condition. Its fields `and`, `or` and `not` contain filters; a filter without fields counts as one
//! condition.
//!
//! Read on: `cost.rs`, which adds the points to those of the page.

use apollo_compiler::ast::Value as Literal;
use apollo_compiler::executable::Field;
use async_graphql::{Name, Value, Variables};

/// The fields of a filter that contain filters.
const COMBINATIONS: [&str; 3] = ["and", "or", "not"];

/// The conditions of a filter.
#[derive(Default)]
pub(crate) struct FilterCost {
    /// Conditions in the document.
    literal: u64,
    /// Variables that contain filters.
    variables: Vec<Name>,
}

impl FilterCost {
    /// The cost of the filter of a connection.
    pub(crate) fn of(field: &Field) -> Self {
        let mut cost = Self::default();
        if let Some(filter) = field.specified_argument_by_name("filter") {
            cost.add(filter);
        }
        cost
    }

    fn add(&mut self, filter: &Literal) {
        match filter {
            Literal::Variable(name) => self.variables.push(Name::new(name)),
            Literal::List(filters) => filters.iter().for_each(|filter| self.add(filter)),
            Literal::Object(fields) if fields.is_empty() => self.literal += 1,
            Literal::Object(fields) => {
                for (name, value) in fields {
                    match COMBINATIONS.contains(&name.as_str()) {
                        true => self.add(value),
                        false => self.literal += 1,
                    }
                }
            }
            _ => {}
        }
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.variables.is_empty()
    }

    /// The points with these variables.
    pub(crate) fn evaluate(&self, variables: &Variables) -> u64 {
        let filters = self.variables.iter().filter_map(|name| variables.get(name));
        let conditions = filters.fold(self.literal, |sum, filter| sum + conditions(filter));
        conditions.saturating_sub(1)
    }
}

fn conditions(filter: &Value) -> u64 {
    match filter {
        Value::List(filters) => filters.iter().map(conditions).sum(),
        Value::Object(fields) if fields.is_empty() => 1,
        Value::Object(fields) => fields
            .iter()
            .map(
                |(name, value)| match COMBINATIONS.contains(&name.as_str()) {
                    true => conditions(value),
                    false => 1,
                },
            )
            .sum(),
        _ => 0,
    }
}
