//! What a field costs: a point for each object that could be loaded for it, and its share of introspection.
//!
//! | field | points |
//! |---|---|
//! | one object (`me`, `owner`, a mutation's payload) | 1 and its children's |
//! | `…Connection` | page size × (1 and the children's of `nodes` and of `edges { node }`, whichever are read) |
//! | list of objects | length × (1 and the children's) |
//! | number that is counted (`totalCount`, `documentCount`) | 1 |
//! | other scalars, [values within objects](VALUES) | 0 |
//! | `__schema`, `__type` | 1, and a point for each [`INTROSPECTED_FOR_A_POINT`] of its objects |
//!
//! The page size is the field's `first` or `last`, its default, or 50. A list is as long as the field's own `ids`, or as
//! the `ids` of the field around it (`completeTasks(input: {ids: …}) { tasks { … } }`), or 10.
//!
//! It goes by the schema's naming conventions and never by a list of fields: a new field has its price at once.
//!
//! Read on: `cost.rs`, which adds up.

use apollo_compiler::ast::Value;
use apollo_compiler::executable::Field;
use apollo_compiler::{Node, Schema};
use async_graphql::Name;

use super::cost::{Amount, Price, Size};

/// Types whose objects come with the object that holds them and cost nothing of their own.
pub(super) const VALUES: [&str; 5] = [
    "PageInfo",
    "UserError",
    "Highlight",
    "TextRange",
    "HttpHeader",
];

/// The page size that the service takes if neither an argument nor the schema says one.
const DEFAULT_PAGE: u64 = 50;

/// More than this is refused behind the gate.
const LARGEST_PAGE: u64 = 100;

/// What a field costs on an object of type `parent`.
pub(super) fn of(schema: &Schema, parent: &str, field: &Field) -> Price {
    let ty = field.ty();
    let inner = ty.inner_named_type().as_str();
    if schema.types.get(inner).is_none_or(|ty| ty.is_leaf()) {
        let counts = inner == "Int" && ty.is_non_null() && field.name.ends_with("Count");
        return Price::Leaf(u64::from(counts));
    }
    if matches!(field.name.as_str(), "__schema" | "__type") {
        return Price::Introspection;
    }
    if inner.ends_with("Connection") {
        return Price::Connection(page(field));
    }
    if parent.ends_with("Connection") {
        return Price::Page;
    }
    if parent.ends_with("Edge") && field.name == "node" {
        return Price::Node;
    }
    let own = u64::from(!VALUES.contains(&inner));
    match (ty.is_list(), length(schema, parent, field)) {
        (true, Some(size)) => Price::List(own, size),
        (true, None) => Price::ListOfParent(own),
        (false, Some(size)) => Price::Object(own, size),
        (false, None) => Price::Object(own, Size::assumed()),
    }
}

fn page(field: &Field) -> Size {
    let asked = ["first", "last"].into_iter().filter_map(|name| {
        let definition = field.definition.argument_by_name(name)?;
        let default = definition
            .default_value
            .as_ref()
            .and_then(|default| integer(default));
        match field.specified_argument_by_name(name) {
            None => default.map(Amount::Known),
            Some(value) => match &**value {
                Value::Variable(variable) => Some(Amount::Integer {
                    variable: Name::new(variable),
                    left_out: default,
                }),
                value => integer(value).map(Amount::Known),
            },
        }
    });
    Size {
        asked: asked.collect(),
        otherwise: DEFAULT_PAGE,
        most: LARGEST_PAGE,
    }
}

/// None if nothing says how long the field's lists are.
fn length(schema: &Schema, parent: &str, field: &Field) -> Option<Size> {
    if parent == "__Schema" && field.name == "types" {
        return Some(Size::of_amount(Amount::Known(schema.types.len() as u64)));
    }
    field.definition.arguments.iter().find_map(|argument| {
        let value = field.specified_argument_by_name(&argument.name);
        if argument.name == "ids" && argument.ty.is_list() {
            return Some(Size::of_amount(items(value?)));
        }
        let input = schema.get_input_object(argument.ty.inner_named_type())?;
        input.fields.get("ids").filter(|ids| ids.ty.is_list())?;
        match &**value? {
            Value::Variable(variable) => Some(Size::of_amount(Amount::LengthOfIds {
                variable: Name::new(variable),
            })),
            Value::Object(fields) => {
                let ids = fields.iter().find(|(name, _)| name == "ids");
                Some(Size::of_amount(items(&ids?.1)))
            }
            _ => None,
        }
    })
}

fn items(value: &Node<Value>) -> Amount {
    match &**value {
        Value::Variable(variable) => Amount::Length {
            variable: Name::new(variable),
        },
        Value::List(items) => Amount::Known(items.len() as u64),
        // A single value stands for a list of one.
        _ => Amount::Known(1),
    }
}

/// None for what is no integer; below zero is zero.
fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => Some(number.try_to_i32().map_or(0, |number| number.max(0) as u64)),
        _ => None,
    }
}
