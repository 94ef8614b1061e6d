//! What the specification forbids and apollo-compiler 1.33 lets through: its gaps, closed.
//!
//! - A variable inside a list or an input object must fit its place in full, nullability and lists included, and must be
//!   declared even inside a custom scalar.
//! - A default of `null` does not make a nullable variable fit where null is not allowed.
//! - An input object names a field once, and one with `@oneOf` names exactly one, which is never null.
//! - Fields of the root that share a key have lists of the same length in their arguments.
//!
//! It never repeats what apollo-compiler checks, and looks at the chosen operation alone.
//!
//! Read on: `document.rs`, which asks for it.

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::{Argument, InputValueDefinition, Type, Value, VariableDefinition};
use apollo_compiler::executable::{
    DirectiveList, ExecutableDocument, Field, Operation, Selection, SelectionSet,
};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Node, Schema};

use crate::rejection::Code;
use crate::rejection::{MOST_PROBLEMS, Problem, Rejection, short};
use crate::source_map::Places;

/// The names of nullable variables that stand where null is not allowed. That is valid, since they or their places have
/// a default for when they are left out; but a null that is sent must be refused.
pub(crate) type NeverNull = HashSet<Name>;

/// Checks one operation of a document that apollo-compiler holds for valid.
pub(crate) fn check(
    schema: &Valid<Schema>,
    document: &ExecutableDocument,
    operation: &Operation,
    places: &Places,
) -> Result<NeverNull, Rejection> {
    let mut check = Check {
        schema,
        document,
        places,
        variables: operation
            .variables
            .iter()
            .map(|one| (&one.name, &**one))
            .collect(),
        seen: HashSet::new(),
        never_null: NeverNull::new(),
        problems: Vec::new(),
    };
    check.selections(&operation.selection_set);
    check.root(
        &operation.selection_set,
        &mut HashMap::new(),
        &mut HashSet::new(),
    );
    if check.problems.is_empty() {
        return Ok(check.never_null);
    }
    check.problems.truncate(MOST_PROBLEMS);
    Err(Rejection::new(Code::ValidationFailed, check.problems))
}

struct Check<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    places: &'a Places,
    variables: HashMap<&'a Name, &'a VariableDefinition>,
    /// Fragments that were looked at; a place in a fragment is the same however often it is spread.
    seen: HashSet<&'a Name>,
    never_null: NeverNull,
    problems: Vec<Problem>,
}

/// Where a value stands: of which type it must be, and whether it may be left out for a default there.
#[derive(Clone, Copy)]
struct Location<'a> {
    ty: &'a Type,
    has_default: bool,
}

impl<'a> Location<'a> {
    fn of(definition: &'a InputValueDefinition) -> Self {
        Self {
            ty: &definition.ty,
            has_default: definition.default_value.is_some(),
        }
    }
}

impl<'a> Check<'a> {
    fn selections(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    self.directives(&field.directives);
                    self.arguments(&field.arguments, &field.definition.arguments);
                    self.selections(&field.selection_set);
                }
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.directives);
                    self.selections(&inline.selection_set);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives);
                    if self.seen.insert(&spread.fragment_name) {
                        self.selections(
                            &self.document.fragments[&spread.fragment_name].selection_set,
                        );
                    }
                }
            }
        }
    }

    fn directives(&mut self, directives: &'a DirectiveList) {
        for directive in directives {
            if let Some(definition) = self.schema.directive_definitions.get(&directive.name) {
                self.arguments(&directive.arguments, &definition.arguments);
            }
        }
    }

    fn arguments(
        &mut self,
        arguments: &'a [Node<Argument>],
        definitions: &'a [Node<InputValueDefinition>],
    ) {
        for argument in arguments {
            let definition = definitions.iter().find(|one| one.name == argument.name);
            self.value(
                &argument.value,
                definition.map(|one| Location::of(one.as_ref())),
            );
        }
    }

    /// `location` is None inside a custom scalar, where anything may stand.
    fn value(&mut self, value: &'a Node<Value>, location: Option<Location<'a>>) {
        match &**value {
            Value::Variable(name) => self.variable(name, value, location),
            Value::List(items) => {
                let item = location.map(|location| Location {
                    ty: location.ty.item_type(),
                    has_default: false,
                });
                for value in items {
                    self.value(value, item);
                }
            }
            Value::Object(fields) => self.object(value, fields, location),
            _ => {}
        }
    }

    fn object(
        &mut self,
        object: &Node<Value>,
        fields: &'a [(Name, Node<Value>)],
        location: Option<Location<'a>>,
    ) {
        let ty = location.map(|location| location.ty.inner_named_type().as_str());
        let input = ty.and_then(|name| self.schema.get_input_object(name));
        if let Some(input) = input.filter(|input| input.directives.has("oneOf"))
            && !matches!(fields, [(_, value)] if !self.can_be_null(value))
        {
            let message = format!("`{}` takes exactly one of its fields, not null", input.name);
            self.problem(&message, object);
        }
        let mut names = HashSet::with_capacity(fields.len());
        for (name, value) in fields {
            if !names.insert(name) {
                let message = format!(
                    "the input field `{}` is provided multiple times",
                    short(name)
                );
                self.problem(&message, value);
            }
            let definition = input.and_then(|input| input.fields.get(name));
            self.value(
                value,
                definition.map(|definition| Location::of(definition.as_ref())),
            );
        }
    }

    fn can_be_null(&self, value: &Value) -> bool {
        match value {
            Value::Variable(name) => {
                let variable = self.variables.get(name);
                variable.is_some_and(|variable| !variable.ty.is_non_null())
            }
            value => value.is_null(),
        }
    }

    /// The specification's IsVariableUsageAllowed.
    fn variable(&mut self, name: &'a Name, value: &'a Node<Value>, location: Option<Location<'a>>) {
        let Some(variable) = self.variables.get(name).copied() else {
            let message = format!("variable `${}` is not declared", short(name));
            return self.problem(&message, value);
        };
        let Some(location) = location else { return };
        let has_default = |default: &Node<Value>| !default.is_null();
        let bridges =
            variable.default_value.as_ref().is_some_and(has_default) || location.has_default;
        let fits = if location.ty.is_non_null() && !variable.ty.is_non_null() && bridges {
            self.never_null.insert(name.clone());
            variable
                .ty
                .is_assignable_to(&location.ty.clone().nullable())
        } else {
            variable.ty.is_assignable_to(location.ty)
        };
        if !fits {
            let (name, ty) = (short(name), &variable.ty);
            let message = format!(
                "variable `${name}` of type `{ty}` cannot be used where `{}` is expected",
                location.ty
            );
            self.problem(&message, value);
        }
    }

    /// Compares the root's fields by key. apollo-compiler has compared all of their arguments but for the length of lists.
    fn root(
        &mut self,
        set: &'a SelectionSet,
        first: &mut HashMap<&'a Name, &'a Field>,
        seen: &mut HashSet<&'a Name>,
    ) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    let earlier = first.entry(field.response_key()).or_insert(field);
                    if let Some(argument) = conflict(earlier, field) {
                        let key = short(field.response_key());
                        let message = format!("different arguments for the same name `{key}`");
                        self.problem(&message, &argument.value);
                    }
                }
                Selection::InlineFragment(inline) => self.root(&inline.selection_set, first, seen),
                Selection::FragmentSpread(spread) => {
                    if seen.insert(&spread.fragment_name) {
                        let fragment = &self.document.fragments[&spread.fragment_name];
                        self.root(&fragment.selection_set, first, seen);
                    }
                }
            }
        }
    }

    fn problem(&mut self, message: &str, at: &Node<Value>) {
        let position = self.places.start(at.location());
        self.problems.push(Problem::new(message, position));
    }
}

fn conflict<'a>(earlier: &Field, later: &'a Field) -> Option<&'a Node<Argument>> {
    later.arguments.iter().find(|argument| {
        let other = earlier.specified_argument_by_name(&argument.name);
        other.is_some_and(|other| !same_lengths(other, &argument.value))
    })
}

fn same_lengths(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_lengths(a, b))
        }
        (Value::Object(one), Value::Object(other)) => one.iter().all(|(name, value)| {
            let same_field = other.iter().find(|(other, _)| other == name);
            same_field.is_some_and(|(_, other)| same_lengths(value, other))
        }),
        _ => true,
    }
}
