//! Coerces the values of an operation's variables as the specification requires, before anything runs.
//!
//! This replaces apollo-compiler's `coerce_variable_values`; `apollo_workarounds` lists its faults, and a test compares
//! the two. Omitted values stay omitted, because an update treats them differently from null.

use std::collections::HashSet;
use std::fmt;

use apollo_compiler::ast::{self, Type};
use apollo_compiler::executable::Operation;
use apollo_compiler::schema::{EnumType, ExtendedType, InputObjectType};
use apollo_compiler::{self as apollo, Node, Schema};
use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Pos, Value, Variables};
use serde_json::{Map, Number, Value as Json};

use crate::apollo_workarounds::{is_one_of, one_field};
use crate::limits::Settings;
use crate::problems::{not_a_field, not_a_value, similar};
use crate::rejection::{INT_RANGE, MAX_PROBLEMS, Problem, Rejection, RejectionKind, short};
use crate::scalars::{self, CustomScalar};
use crate::source_map::SourceMap;
use crate::translate;

/// A variable that an operation declares.
pub(crate) struct VariableDeclaration {
    name: Name,
    ty: Type,
    default: Option<Value>,
    /// Whether a nullable variable is used where null is not allowed: it may be omitted, but not null.
    null_forbidden: bool,
    position: Option<Pos>,
}

/// The variables of a valid operation.
pub(crate) fn declarations(
    settings: &Settings,
    operation: &Operation,
    null_forbidden: &HashSet<apollo::Name>,
    source_map: &SourceMap,
) -> Vec<VariableDeclaration> {
    let declare = |variable: &Node<ast::VariableDefinition>| {
        let default = variable.default_value.as_ref();
        VariableDeclaration {
            name: Name::new(&variable.name),
            ty: variable.ty.as_ref().clone(),
            default: default.and_then(|value| Coercion::new(settings).default(value, &variable.ty)),
            null_forbidden: null_forbidden.contains(&variable.name),
            position: source_map.start(variable.location()),
        }
    };
    operation.variables.iter().map(declare).collect()
}

/// Coerces the values that the client sent. Undeclared variables are ignored. Each error has the path to the wrong value.
pub(crate) fn coerce(
    settings: &Settings,
    declarations: &[VariableDeclaration],
    mut sent: Map<String, Json>,
) -> Result<Variables, Rejection> {
    let is_declared = |name: &String| declarations.iter().any(|one| one.name.as_str() == name);
    let mut coercion = Coercion {
        undeclared: sent
            .keys()
            .filter(|name| !is_declared(name))
            .cloned()
            .collect(),
        ..Coercion::new(settings)
    };
    let mut values = Variables::default();
    for variable in declarations {
        coercion.position = variable.position;
        let sent = sent.remove(variable.name.as_str());
        if let Some(value) = coercion.variable(variable, sent) {
            values.insert(variable.name.clone(), value);
        }
    }
    if coercion.problems.is_empty() {
        return Ok(values);
    }
    Err(Rejection::new(RejectionKind::Values, coercion.problems))
}

struct Coercion<'a> {
    schema: &'a Schema,
    scalars: &'a [CustomScalar],
    /// The declaration of the variable that is being coerced.
    position: Option<Pos>,
    /// The names of the values that the client sent without need. A name may be misspelled.
    undeclared: Vec<String>,
    problems: Vec<Problem>,
}

/// The path from a variable to a value inside it.
#[derive(Clone, Copy)]
enum ValuePath<'a> {
    Variable(&'a str),
    /// A field of an object of this type.
    Field(&'a ValuePath<'a>, &'a str, &'a InputObjectType),
    Item(&'a ValuePath<'a>, usize),
}

impl fmt::Display for ValuePath<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(formatter, "${}", short(name)),
            Self::Field(outer, name, _) => write!(formatter, "{outer}.{}", short(name)),
            Self::Item(outer, index) => write!(formatter, "{outer}[{index}]"),
        }
    }
}

/// Methods return None for an omitted value, and after adding a problem.
impl<'a> Coercion<'a> {
    fn new(settings: &'a Settings) -> Self {
        Self {
            schema: &settings.schema,
            scalars: settings.scalars,
            position: None,
            undeclared: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn variable(&mut self, variable: &VariableDeclaration, sent: Option<Json>) -> Option<Value> {
        let path = ValuePath::Variable(&variable.name);
        match sent {
            Some(Json::Null) if variable.null_forbidden => {
                self.problem(path, "must not be null where the operation uses it.")
            }
            Some(value) => self.value(value, &variable.ty, path),
            None if variable.default.is_some() => variable.default.clone(),
            None if variable.ty.is_non_null() => {
                let undeclared = self.undeclared.iter().map(String::as_str);
                let sent = similar(&variable.name, undeclared)
                    .first()
                    .map(|name| short(name));
                let hint = sent.map(|name| format!(" The request has `${name}` instead."));
                let hint = hint.unwrap_or_default();
                self.problem(
                    path,
                    &format!("of type `{}` is required.{hint}", variable.ty),
                )
            }
            None => None,
        }
    }

    fn value(&mut self, value: Json, ty: &Type, path: ValuePath<'_>) -> Option<Value> {
        match (value, ty) {
            (Json::Null, ty) if ty.is_non_null() => {
                self.problem(path, &format!("must be of type `{ty}`; got null."))
            }
            (Json::Null, _) => Some(Value::Null),
            (value, Type::Named(name) | Type::NonNullNamed(name)) => self.named(value, name, path),
            (Json::Array(items), Type::List(ty) | Type::NonNullList(ty)) => {
                let items = items.into_iter().enumerate();
                // Coerces all items before collecting, to report the problems of all.
                let items: Vec<_> = items
                    .map(|(index, item)| self.value(item, ty, ValuePath::Item(&path, index)))
                    .collect();
                items
                    .into_iter()
                    .collect::<Option<Vec<_>>>()
                    .map(Value::List)
            }
            (single, Type::List(ty) | Type::NonNullList(ty)) => {
                Some(Value::List(vec![self.value(single, ty, path)?]))
            }
        }
    }

    fn named(&mut self, value: Json, name: &apollo::Name, path: ValuePath<'_>) -> Option<Value> {
        match self.schema.types.get(name)? {
            ExtendedType::Enum(ty) => self.enumerated(value, ty, path),
            ExtendedType::InputObject(ty) => self.object(value, ty, path),
            _ => self.scalar(value, name, path),
        }
    }

    fn scalar(&mut self, value: Json, ty: &str, path: ValuePath<'_>) -> Option<Value> {
        match (ty, value) {
            ("Int", Json::Number(number)) => match as_int(&number) {
                Some(number) => Some(number.into()),
                None => self.problem(path, &format!("must be {INT_RANGE}; got `{number}`.")),
            },
            ("Float", Json::Number(number)) => Some(Value::Number(number)),
            ("String" | "ID", Json::String(text)) => Some(Value::String(text)),
            ("Boolean", Json::Bool(value)) => Some(Value::Boolean(value)),
            ("ID", Json::Number(number)) if !number.is_f64() => {
                Some(Value::String(number.to_string()))
            }
            ("ID", Json::Number(number)) => {
                let problem = format!("must be a string or an integer; got `{number}`.");
                self.problem(path, &problem)
            }
            ("Int" | "Float" | "String" | "Boolean" | "ID", value) => {
                self.unexpected(path, ty, &value)
            }
            (ty, value) => self.custom_scalar(value, ty, path),
        }
    }

    fn custom_scalar(&mut self, value: Json, ty: &str, path: ValuePath<'_>) -> Option<Value> {
        let value = Value::from_json(value).ok()?;
        let object = match path {
            ValuePath::Field(_, _, object) => Some(object),
            _ => None,
        };
        match scalars::problem(self.scalars, ty, &value, object) {
            Some(problem) => self.problem(path, &problem),
            None => Some(value),
        }
    }

    fn enumerated(&mut self, value: Json, ty: &EnumType, path: ValuePath<'_>) -> Option<Value> {
        match value {
            Json::String(text) if ty.values.contains_key(text.as_str()) => {
                Some(Value::Enum(Name::new(text)))
            }
            Json::String(text) => {
                self.add(not_a_value(self.schema, &path.to_string(), &text, &ty.name))
            }
            value => self.unexpected(path, &ty.name, &value),
        }
    }

    fn object(&mut self, value: Json, ty: &InputObjectType, path: ValuePath<'_>) -> Option<Value> {
        let Json::Object(mut sent) = value else {
            return self.unexpected(path, &ty.name, &value);
        };
        if is_one_of(ty) && (sent.len() != 1 || sent.values().any(Json::is_null)) {
            return self.add(one_field(&path.to_string(), &ty.name));
        }
        let mut object = IndexMap::with_capacity(sent.len());
        for (name, field) in &ty.fields {
            let path = ValuePath::Field(&path, name, ty);
            let value = match (sent.remove(name.as_str()), &field.default_value) {
                (Some(value), _) => self.value(value, &field.ty, path),
                (None, Some(default)) => self.default(default, &field.ty),
                (None, None) if field.ty.is_non_null() => self.missing(path, &field.ty),
                (None, None) => None,
            };
            if let Some(value) = value {
                object.insert(Name::new(name), value);
            }
        }
        for unknown in sent.keys().take(MAX_PROBLEMS) {
            let path = ValuePath::Field(&path, unknown, ty).to_string();
            self.add(not_a_field(self.schema, &path, unknown, &ty.name));
        }
        Some(Value::Object(object))
    }

    /// A default is valid, because its document or schema is.
    fn default(&mut self, literal: &ast::Value, ty: &Type) -> Option<Value> {
        let literal = translate::constant(self.schema, literal, ty)?;
        self.value(
            literal.into_json().ok()?,
            ty,
            ValuePath::Variable("default"),
        )
    }

    fn missing(&mut self, path: ValuePath<'_>, ty: &Type) -> Option<Value> {
        self.problem(path, &format!("of type `{ty}` is required."))
    }

    fn unexpected(&mut self, path: ValuePath<'_>, expected: &str, value: &Json) -> Option<Value> {
        let found = match value {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        };
        self.problem(path, &format!("must be of type `{expected}`; got {found}."))
    }

    /// `words` completes the path to a sentence.
    fn problem(&mut self, path: ValuePath<'_>, words: &str) -> Option<Value> {
        self.add(format!("`{path}` {words}"))
    }

    fn add(&mut self, message: String) -> Option<Value> {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::new(&message, self.position));
        }
        None
    }
}

/// A whole number of 32 bits. JSON has one type of numbers, so `10.0` and `1e1` are the integer 10.
fn as_int(number: &Number) -> Option<i32> {
    if let Some(integer) = number.as_i64() {
        return i32::try_from(integer).ok();
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    let range = f64::from(i32::MIN)..=f64::from(i32::MAX);
    range.contains(&float).then_some(float as i32)
}
