//! The values of an operation's variables, coerced as the specification says, before anything runs.
//!
//! apollo-compiler's `coerce_variable_values` is not used: it leaves an id that came as a number a number, takes defaults
//! as they are written, refuses large floats, names the type but not the variable in an error, repeats the value there
//! whole, and copies every text two times. A test holds the two against each other.
//!
//! What is left out stays left out, since an update tells it from null. Custom scalars are checked by the library, when
//! it makes them.
//!
//! Read on: `Gate::admit`, which asks for it on every request.

use std::fmt;

use apollo_compiler::ast::{self, Type};
use apollo_compiler::executable::Operation;
use apollo_compiler::schema::{EnumType, ExtendedType, InputObjectType};
use apollo_compiler::validation::Valid;
use apollo_compiler::{self as apollo, Node, Schema};
use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Pos, Value, Variables};
use serde_json::{Map, Value as Json};

use super::apollo_workarounds::input_values::NeverNull;
use super::rejection::{MOST_PROBLEMS, Problem, Rejection, short};
use super::source_map::Places;
use super::translate;
use crate::rejection::Code;

/// A variable that an operation declares.
pub(super) struct Variable {
    name: Name,
    ty: Type,
    default: Option<Value>,
    /// It is nullable but stands where null is not allowed: it may be left out, not null.
    never_null: bool,
    position: Option<Pos>,
}

/// The variables of a valid operation.
pub(super) fn declared(
    schema: &Valid<Schema>,
    operation: &Operation,
    never_null: &NeverNull,
    places: &Places,
) -> Vec<Variable> {
    let declare = |variable: &Node<ast::VariableDefinition>| {
        let default = variable.default_value.as_ref();
        Variable {
            name: Name::new(&variable.name),
            ty: variable.ty.as_ref().clone(),
            default: default.and_then(|value| Coercion::new(schema).default(value, &variable.ty)),
            never_null: never_null.contains(&variable.name),
            position: places.start(variable.location()),
        }
    };
    operation.variables.iter().map(declare).collect()
}

/// Coerces what was sent. What is not declared is ignored.
///
/// # Errors
///
/// [`Code::BadUserInput`], with the place of each mistake within its variable.
pub(super) fn coerce(
    schema: &Valid<Schema>,
    declared: &[Variable],
    mut sent: Map<String, Json>,
) -> Result<Variables, Rejection> {
    let mut coercion = Coercion::new(schema);
    let mut values = Variables::default();
    for variable in declared {
        coercion.position = variable.position;
        let sent = sent.remove(variable.name.as_str());
        if let Some(value) = coercion.variable(variable, sent) {
            values.insert(variable.name.clone(), value);
        }
    }
    if coercion.problems.is_empty() {
        return Ok(values);
    }
    Err(Rejection::new(Code::BadUserInput, coercion.problems))
}

struct Coercion<'a> {
    schema: &'a Schema,
    /// Where the variable is declared that is coerced now.
    position: Option<Pos>,
    problems: Vec<Problem>,
}

/// Where a value stands within its variable.
#[derive(Clone, Copy)]
enum Place<'a> {
    Variable(&'a str),
    Field(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(formatter, "${}", short(name)),
            Self::Field(outer, name) => write!(formatter, "{outer}.{}", short(name)),
            Self::Item(outer, index) => write!(formatter, "{outer}[{index}]"),
        }
    }
}

/// None where there is no value, or where a problem was noted; then what is made is not used.
impl<'a> Coercion<'a> {
    fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            position: None,
            problems: Vec::new(),
        }
    }

    fn variable(&mut self, variable: &Variable, sent: Option<Json>) -> Option<Value> {
        let place = Place::Variable(&variable.name);
        match sent {
            Some(Json::Null) if variable.never_null => {
                self.problem(place, "null is not allowed where it is used")
            }
            Some(value) => self.value(value, &variable.ty, place),
            None if variable.default.is_some() => variable.default.clone(),
            None if variable.ty.is_non_null() => self.missing(place, &variable.ty),
            None => None,
        }
    }

    fn value(&mut self, value: Json, ty: &Type, place: Place<'_>) -> Option<Value> {
        match (value, ty) {
            (Json::Null, ty) if ty.is_non_null() => {
                self.problem(place, &format!("{ty} is expected, and null is not allowed"))
            }
            (Json::Null, _) => Some(Value::Null),
            (value, Type::Named(name) | Type::NonNullNamed(name)) => self.named(value, name, place),
            (Json::Array(items), Type::List(ty) | Type::NonNullList(ty)) => {
                let items = items.into_iter().enumerate();
                // All of them, for all their problems; None if one of them is none.
                let items: Vec<_> = items
                    .map(|(index, item)| self.value(item, ty, Place::Item(&place, index)))
                    .collect();
                items
                    .into_iter()
                    .collect::<Option<Vec<_>>>()
                    .map(Value::List)
            }
            (single, Type::List(ty) | Type::NonNullList(ty)) => {
                Some(Value::List(vec![self.value(single, ty, place)?]))
            }
        }
    }

    fn named(&mut self, value: Json, name: &apollo::Name, place: Place<'_>) -> Option<Value> {
        match self.schema.types.get(name)? {
            ExtendedType::Enum(ty) => self.enumerated(value, ty, place),
            ExtendedType::InputObject(ty) => self.object(value, ty, place),
            _ => self.scalar(value, name, place),
        }
    }

    fn scalar(&mut self, value: Json, ty: &str, place: Place<'_>) -> Option<Value> {
        match (ty, value) {
            ("Int", Json::Number(number)) => match number.as_i64().map(i32::try_from) {
                Some(Ok(number)) => Some(number.into()),
                _ => self.problem(place, "Int is expected, a whole number of 32 bits"),
            },
            ("Float", Json::Number(number)) => Some(Value::Number(number)),
            ("String" | "ID", Json::String(text)) => Some(Value::String(text)),
            ("Boolean", Json::Bool(value)) => Some(Value::Boolean(value)),
            ("ID", Json::Number(number)) if !number.is_f64() => {
                Some(Value::String(number.to_string()))
            }
            ("Int" | "Float" | "String" | "Boolean" | "ID", value) => {
                self.unexpected(place, ty, &value)
            }
            // A custom scalar.
            (_, value) => Value::from_json(value).ok(),
        }
    }

    fn enumerated(&mut self, value: Json, ty: &EnumType, place: Place<'_>) -> Option<Value> {
        match value {
            Json::String(text) => match ty.values.contains_key(text.as_str()) {
                true => Some(Value::Enum(Name::new(text))),
                false => {
                    let message = format!("\"{}\" is no value of {}", short(&text), ty.name);
                    self.problem(place, &message)
                }
            },
            value => self.unexpected(place, &ty.name, &value),
        }
    }

    fn object(&mut self, value: Json, ty: &InputObjectType, place: Place<'_>) -> Option<Value> {
        let Json::Object(mut sent) = value else {
            return self.unexpected(place, &ty.name, &value);
        };
        if ty.directives.has("oneOf") && (sent.len() != 1 || sent.values().any(Json::is_null)) {
            let message = format!("{} takes exactly one of its fields, not null", ty.name);
            return self.problem(place, &message);
        }
        let mut object = IndexMap::with_capacity(sent.len());
        for (name, field) in &ty.fields {
            let place = Place::Field(&place, name);
            let value = match (sent.remove(name.as_str()), &field.default_value) {
                (Some(value), _) => self.value(value, &field.ty, place),
                (None, Some(default)) => self.default(default, &field.ty),
                (None, None) if field.ty.is_non_null() => self.missing(place, &field.ty),
                (None, None) => None,
            };
            if let Some(value) = value {
                object.insert(Name::new(name), value);
            }
        }
        for unknown in sent.keys().take(MOST_PROBLEMS) {
            let message = format!("{} has no such field", ty.name);
            self.problem(Place::Field(&place, unknown), &message);
        }
        Some(Value::Object(object))
    }

    /// A default is as valid as the document or the schema in which it stands.
    fn default(&mut self, literal: &ast::Value, ty: &Type) -> Option<Value> {
        let literal = translate::constant(literal)?.into_json().ok()?;
        self.value(literal, ty, Place::Variable("default"))
    }

    fn missing(&mut self, place: Place<'_>, ty: &Type) -> Option<Value> {
        self.problem(place, &format!("{ty} is expected, and it is missing"))
    }

    fn unexpected(&mut self, place: Place<'_>, expected: &str, value: &Json) -> Option<Value> {
        let found = match value {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        };
        self.problem(place, &format!("{expected} is expected, not {found}"))
    }

    fn problem(&mut self, place: Place<'_>, message: &str) -> Option<Value> {
        if self.problems.len() < MOST_PROBLEMS {
            let message = format!("Variable \"{place}\": {message}.");
            self.problems.push(Problem::new(&message, self.position));
        }
        None
    }
}
