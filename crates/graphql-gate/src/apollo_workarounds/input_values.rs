//! Checks the arguments of fields and directives, and the defaults of variables, in one operation.
//!
//! - A variable inside a list or an input object must match its position in full, including nullability and lists. It
//!   must be declared even inside a custom scalar.
//! - A default of `null` does not make a nullable variable valid where null is not allowed.
//! - An input object contains each field once. One with `@oneOf` contains exactly one field, which is never null.
//! - A custom scalar passes its check, and contains only numbers that parsing does not change.

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::{Argument, InputValueDefinition, Type, Value, VariableDefinition};
use apollo_compiler::executable::{
    DirectiveList, ExecutableDocument, Operation, Selection, SelectionSet,
};
use apollo_compiler::schema::InputObjectType;
use apollo_compiler::{Name, Node};

use super::{is_one_of, one_field};
use crate::numbers::is_exact;
use crate::problems::{Source, disallowed_usage, undeclared_variable};
use crate::rejection::{Problem, short};
use crate::scalars::{self, CustomScalar};

/// What was found in one operation.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    pub(super) invalid_scalars: Vec<Problem>,
    /// The nullable variables that are used where null is not allowed.
    pub(super) null_forbidden: HashSet<Name>,
}

pub(super) fn check(
    source: &Source<'_>,
    scalars: &[CustomScalar],
    document: &ExecutableDocument,
    operation: &Operation,
) -> Checked {
    let mut check = Check {
        source,
        scalars,
        document,
        variables: operation
            .variables
            .iter()
            .map(|variable| (&variable.name, &**variable))
            .collect(),
        checked_fragments: HashSet::new(),
        checked: Checked::default(),
    };
    for variable in &operation.variables {
        if let Some(default) = &variable.default_value {
            let location = Location {
                ty: &variable.ty,
                has_default: false,
                object: None,
            };
            check.value(default, Some(location));
        }
    }
    check.selections(&operation.selection_set);
    check.checked
}

struct Check<'a> {
    source: &'a Source<'a>,
    scalars: &'a [CustomScalar],
    document: &'a ExecutableDocument,
    variables: HashMap<&'a Name, &'a VariableDefinition>,
    /// A fragment is checked once, because its positions are the same in every spread.
    checked_fragments: HashSet<&'a Name>,
    checked: Checked,
}

/// The position of a value: its type, whether it has a default for an omitted value, and the input object that contains it.
#[derive(Clone, Copy)]
struct Location<'a> {
    ty: &'a Type,
    has_default: bool,
    object: Option<&'a InputObjectType>,
}

impl<'a> Location<'a> {
    fn of(definition: &'a InputValueDefinition) -> Self {
        Self {
            ty: &definition.ty,
            has_default: definition.default_value.is_some(),
            object: None,
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
                    if self.checked_fragments.insert(&spread.fragment_name) {
                        let fragment = &self.document.fragments[&spread.fragment_name];
                        self.selections(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn directives(&mut self, directives: &'a DirectiveList) {
        for directive in directives {
            if let Some(definition) = self
                .source
                .schema
                .directive_definitions
                .get(&directive.name)
            {
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
            let location = definition.map(|one| Location::of(one.as_ref()));
            self.value(&argument.value, location);
        }
    }

    /// `location` is None inside a custom scalar, where every value is valid.
    fn value(&mut self, value: &'a Node<Value>, location: Option<Location<'a>>) {
        if let Some(location) = location {
            self.custom_scalar(value, location);
        }
        match &**value {
            Value::Variable(name) => self.variable(name, value, location),
            Value::List(items) => {
                let item = location.map(|location| Location {
                    ty: location.ty.item_type(),
                    has_default: false,
                    object: None,
                });
                for value in items {
                    self.value(value, item);
                }
            }
            Value::Object(fields) => self.object(value, fields, location),
            Value::Int(number) => self.number(number.as_str(), value, location),
            Value::Float(number) => self.number(number.as_str(), value, location),
            _ => {}
        }
    }

    /// A number that parsing would change. Only an `ID` keeps the digits of an integer.
    fn number(&mut self, digits: &str, value: &Node<Value>, location: Option<Location<'_>>) {
        let is_id = location.is_some_and(|location| location.ty.inner_named_type() == "ID");
        if !is_id && !is_exact(digits) {
            let words = "does not fit into 64 bits. Round it, or send it as a string.";
            self.problem(value, |path| format!("`{path}` {words}"));
        }
    }

    fn custom_scalar(&mut self, value: &Node<Value>, location: Location<'_>) {
        let Location { ty, object, .. } = location;
        // The items of a list are checked one by one.
        if value.as_variable().is_some() || (value.as_list().is_some() && ty.is_list()) {
            return;
        }
        let ty = ty.inner_named_type();
        if let Some(problem) = scalars::literal_problem(self.scalars, ty, value, object) {
            let words = |path: &str| format!("`{path}` {problem}");
            let problem = self.source.problem(value.location(), words);
            self.checked.invalid_scalars.push(problem);
        }
    }

    fn object(
        &mut self,
        object: &Node<Value>,
        fields: &'a [(Name, Node<Value>)],
        location: Option<Location<'a>>,
    ) {
        let ty = location.map(|location| location.ty.inner_named_type().as_str());
        let input = ty.and_then(|name| self.source.schema.get_input_object(name));
        if let Some(input) = input.filter(|input| is_one_of(input))
            && !matches!(fields, [(_, value)] if !self.can_be_null(value))
        {
            self.problem(object, |path| one_field(path, &input.name));
        }
        let mut names = HashSet::with_capacity(fields.len());
        for (name, value) in fields {
            if !names.insert(name) {
                self.problem(value, |path| format!("`{path}` is given several times."));
            }
            let definition = input.and_then(|input| input.fields.get(name));
            let location = definition.map(|one| Location {
                object: input.map(|input| &**input),
                ..Location::of(one)
            });
            self.value(value, location);
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
            let message = undeclared_variable(self.source, name);
            return self.problem(value, |_| message);
        };
        let Some(location) = location else { return };
        let has_default = |default: &Node<Value>| !default.is_null();
        let default = variable.default_value.as_ref();
        let may_be_omitted = default.is_some_and(has_default) || location.has_default;
        let is_allowed =
            if location.ty.is_non_null() && !variable.ty.is_non_null() && may_be_omitted {
                self.checked.null_forbidden.insert(name.clone());
                let nullable = location.ty.clone().nullable();
                variable.ty.is_assignable_to(&nullable)
            } else {
                variable.ty.is_assignable_to(location.ty)
            };
        if !is_allowed {
            let (name, ty) = (format!("${}", short(name)), variable.ty.to_string());
            let expected = location.ty.to_string();
            self.problem(value, |path| disallowed_usage(&name, &ty, path, &expected));
        }
    }

    /// `words` completes the path of the argument to a sentence.
    fn problem(&mut self, at: &Node<Value>, words: impl FnOnce(&str) -> String) {
        self.checked
            .problems
            .push(self.source.problem(at.location(), words));
    }
}
