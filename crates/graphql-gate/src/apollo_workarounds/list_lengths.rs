//! Compares the lengths of lists in the arguments of root fields that share a response key.
//!
//! apollo-compiler compares everything else. Below the root a difference does no harm: fields only read there, and each
//! runs with its own arguments.

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::{Argument, Value};
use apollo_compiler::executable::{ExecutableDocument, Field, Operation, Selection, SelectionSet};
use apollo_compiler::{Name, Node};

use crate::problems::conflicting_arguments;
use crate::rejection::{Problem, short};
use crate::source_map::SourceMap;

/// Adds a problem for each root field whose lists differ in length from those of an earlier field.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &Operation,
    source_map: &SourceMap,
    problems: &mut Vec<Problem>,
) {
    let mut check = Check {
        document,
        source_map,
        first_by_key: HashMap::new(),
        checked_fragments: HashSet::new(),
        problems,
    };
    check.root(&operation.selection_set);
}

struct Check<'a> {
    document: &'a ExecutableDocument,
    source_map: &'a SourceMap,
    first_by_key: HashMap<&'a Name, &'a Field>,
    checked_fragments: HashSet<&'a Name>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Check<'a> {
    fn root(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => self.field(field),
                Selection::InlineFragment(inline) => self.root(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    if self.checked_fragments.insert(&spread.fragment_name) {
                        let fragment = &self.document.fragments[&spread.fragment_name];
                        self.root(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &'a Field) {
        let key = field.response_key();
        let first = self.first_by_key.entry(key).or_insert(field);
        if let Some(argument) = conflict(first, field) {
            let message = conflicting_arguments(&short(key));
            let position = self.source_map.start(argument.value.location());
            self.problems.push(Problem::new(&message, position));
        }
    }
}

fn conflict<'a>(first: &Field, field: &'a Field) -> Option<&'a Node<Argument>> {
    field.arguments.iter().find(|argument| {
        let other = first.specified_argument_by_name(&argument.name);
        other.is_some_and(|other| !have_same_lengths(other, &argument.value))
    })
}

fn have_same_lengths(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(one, other)| have_same_lengths(one, other))
        }
        (Value::Object(one), Value::Object(other)) => one.iter().all(|(name, value)| {
            let same_field = other.iter().find(|(other, _)| other == name);
            same_field.is_some_and(|(_, other)| have_same_lengths(value, other))
        }),
        _ => true,
    }
}
