//! The specification's CollectFields for the root of an operation: each key stands there once, with all that is selected
//! under it.
//!
//! The library resolves a field as often as it is written, which at the root of a mutation runs it as often; and it
//! looks for a subscription's field outside of fragments only. Further down, where fields only read, it merges the
//! answers, so nothing below the root is touched.
//!
//! Read on: `document.rs`, which asks for it.

use std::collections::HashSet;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, Selection,
    SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};

type Fragments = std::collections::HashMap<Name, Positioned<FragmentDefinition>>;

/// Whether variables decide which fields the root has.
pub(super) fn depends_on_variables(document: &ExecutableDocument) -> bool {
    let mut seen = HashSet::new();
    let mut operations = document.operations.iter();
    operations.any(|(_, operation)| {
        has_condition(
            &operation.node.selection_set.node,
            &document.fragments,
            &mut seen,
        )
    })
}

fn has_condition<'a>(
    set: &'a SelectionSet,
    fragments: &'a Fragments,
    seen: &mut HashSet<&'a Name>,
) -> bool {
    set.items.iter().any(|selection| {
        let directives = selection.node.directives();
        let variable =
            |one: &Positioned<Directive>| condition(one, &Variables::default()).is_none();
        if directives.iter().any(variable) {
            return true;
        }
        match &selection.node {
            Selection::Field(_) => false,
            Selection::InlineFragment(inline) => {
                has_condition(&inline.node.selection_set.node, fragments, seen)
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                let fragment = fragments.get(name).filter(|_| seen.insert(name));
                fragment.is_some_and(|fragment| {
                    has_condition(&fragment.node.selection_set.node, fragments, seen)
                })
            }
        }
    })
}

/// Replaces the root's selections by its fields, each once and without conditions. The variables must be coerced.
pub(super) fn root(document: &mut ExecutableDocument, variables: &Variables) {
    let DocumentOperations::Single(operation) = &mut document.operations else {
        return;
    };
    let set = &mut operation.node.selection_set.node;
    let mut collection = Collection {
        fragments: &document.fragments,
        variables,
        seen: HashSet::new(),
        fields: IndexMap::new(),
    };
    collection.collect(std::mem::take(&mut set.items));
    let field =
        |field: Positioned<Field>| Positioned::new(Selection::Field(field.clone()), field.pos);
    set.items = collection.fields.into_values().map(field).collect();
}

struct Collection<'a> {
    fragments: &'a Fragments,
    variables: &'a Variables,
    /// Fragments that were collected; once is enough.
    seen: HashSet<Name>,
    fields: IndexMap<Name, Positioned<Field>>,
}

impl Collection<'_> {
    fn collect(&mut self, items: Vec<Positioned<Selection>>) {
        for selection in items {
            if !self.is_included(&selection.node) {
                continue;
            }
            match selection.node {
                Selection::Field(field) => self.add(field),
                Selection::InlineFragment(inline) => {
                    self.collect(inline.node.selection_set.node.items);
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node;
                    if let Some(fragment) = self.fragments.get(&name)
                        && self.seen.insert(name)
                    {
                        self.collect(fragment.node.selection_set.node.items.clone());
                    }
                }
            }
        }
    }

    fn add(&mut self, mut field: Positioned<Field>) {
        field.node.directives.clear();
        let key = field.node.response_key().node.clone();
        match self.fields.get_mut(&key) {
            Some(earlier) => {
                let selected = &mut earlier.node.selection_set.node.items;
                selected.append(&mut field.node.selection_set.node.items);
            }
            None => {
                self.fields.insert(key, field);
            }
        }
    }

    fn is_included(&self, selection: &Selection) -> bool {
        let conditions = selection.directives().iter();
        conditions
            .map(|one| condition(one, self.variables))
            .all(|holds| holds == Some(true))
    }
}

/// Whether a directive lets its selection stand; None if that depends on a variable that has no value.
fn condition(directive: &Positioned<Directive>, variables: &Variables) -> Option<bool> {
    let wanted = match directive.node.name.node.as_str() {
        "include" => true,
        "skip" => false,
        _ => return Some(true),
    };
    let value = directive.node.get_argument("if")?.node.clone();
    let value = value.into_const_with(|name| variables.get(&name).cloned().ok_or(()));
    match value {
        Ok(Value::Boolean(value)) => Some(value == wanted),
        _ => None,
    }
}
