//! The cost of each field by the [`CostRules`]: one point per object that could be loaded, plus introspection.
//!
//! The rules follow the naming conventions of the schema (`…Connection`, `…Edge`, `…Count`, `ids`, `first`, `last`,
//! `filter`), not a list of fields. A new field has a cost at once.
//!
//! Read on: `cost.rs`, which adds the costs up.

use apollo_compiler::ast::Value;
use apollo_compiler::executable::Field;
use apollo_compiler::{Name as ApolloName, Node, Schema};
use async_graphql::Name;

use crate::cost::{FieldCost, LengthSource, ListLength};
use crate::filter_cost::FilterCost;
use crate::id_cost::IdCost;
use crate::limits::CostRules;

/// The cost of a field on an object of type `parent`.
pub(crate) fn of(rules: &CostRules, schema: &Schema, parent: &str, field: &Field) -> FieldCost {
    let ty = field.ty();
    let inner = ty.inner_named_type().as_str();
    if schema.types.get(inner).is_none_or(|ty| ty.is_leaf()) {
        let is_count = inner == "Int" && ty.is_non_null() && field.name.ends_with("Count");
        return FieldCost::Leaf(u64::from(is_count));
    }
    if matches!(field.name.as_str(), "__schema" | "__type") {
        return FieldCost::Introspection;
    }
    if inner.ends_with("Connection") {
        return FieldCost::Connection(page_size(rules, field), FilterCost::of(rules, field));
    }
    if parent.ends_with("Connection") {
        return FieldCost::Page;
    }
    if parent.ends_with("Edge") && field.name == "node" {
        return FieldCost::Node;
    }
    let own = u64::from(!rules.free_types.contains(&inner));
    match (ty.is_list(), list_length(schema, parent, field)) {
        (true, Some(length)) => FieldCost::List(own, length),
        (true, None) => FieldCost::ListOfParent(own),
        (false, Some(length)) => FieldCost::Batch(own, length, IdCost::of(schema, field)),
        (false, None) => FieldCost::Object(own, ListLength::assumed(), IdCost::of(schema, field)),
    }
}

fn page_size(rules: &CostRules, field: &Field) -> ListLength {
    let sources = ["first", "last"].into_iter().filter_map(|name| {
        let definition = field.definition.argument_by_name(name)?;
        let default = definition
            .default_value
            .as_ref()
            .and_then(|default| integer(default));
        match field.specified_argument_by_name(name) {
            None => default.map(LengthSource::Literal),
            Some(value) => match &**value {
                Value::Variable(variable) => Some(LengthSource::Integer {
                    variable: Name::new(variable),
                    if_omitted: default,
                }),
                value => integer(value).map(LengthSource::Literal),
            },
        }
    });
    ListLength {
        sources: sources.collect(),
        default: rules.default_page_size,
        max: rules.max_page_size,
    }
}

/// The length of the field's lists. None if no argument determines it.
fn list_length(schema: &Schema, parent: &str, field: &Field) -> Option<ListLength> {
    if parent == "__Schema" && field.name == "types" {
        let length = schema.types.len() as u64;
        return Some(ListLength::of(LengthSource::Literal(length)));
    }
    field.definition.arguments.iter().find_map(|argument| {
        let value = field.specified_argument_by_name(&argument.name);
        if argument.name == "ids" && argument.ty.is_list() {
            return Some(ListLength::of(item_count(value?)));
        }
        let input = schema.get_input_object(argument.ty.inner_named_type())?;
        let is_input = |of: &ApolloName| schema.get_input_object(of).is_some();
        let mut lists = input.fields.values().filter(|field| field.ty.is_list());
        let entries =
            lists.find(|list| list.name == "ids" || is_input(list.ty.inner_named_type()))?;
        length_of_field(value?, &entries.name).map(ListLength::of)
    })
}

/// The length of the list in a field of an input object.
pub(crate) fn length_of_field(input: &Value, field: &str) -> Option<LengthSource> {
    match input {
        Value::Variable(variable) => Some(LengthSource::LengthOfField {
            variable: Name::new(variable),
            field: Name::new(field),
        }),
        Value::Object(fields) => {
            let (_, list) = fields.iter().find(|(name, _)| *name == field)?;
            Some(item_count(list))
        }
        _ => None,
    }
}

fn item_count(value: &Node<Value>) -> LengthSource {
    match &**value {
        Value::Variable(variable) => LengthSource::Length {
            variable: Name::new(variable),
        },
        Value::Null => LengthSource::Literal(0),
        Value::List(items) => LengthSource::Literal(items.len() as u64),
        // A single value is coerced to a list of one item.
        _ => LengthSource::Literal(1),
    }
}

/// None if the value is not an integer. Negative integers count as zero.
fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => Some(number.try_to_i32().map_or(0, |number| number.max(0) as u64)),
        _ => None,
    }
}
