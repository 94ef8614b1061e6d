//! The specification's CollectFields for the root of an operation: each response key once, with all its selections.
//!
//! async-graphql resolves a field as often as the document selects it, so a mutation would run several times. It also
//! looks for a subscription's field only outside fragments. Below the root fields only read, and async-graphql merges
//! their values, so only the root is changed.

use std::collections::HashSet;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, Selection,
};
use async_graphql::{Name, Positioned, Value, Variables};

type Fragments = std::collections::HashMap<Name, Positioned<FragmentDefinition>>;

/// Replaces the selections of the root with its fields, each once and without conditions.
///
/// Returns whether the result is complete: false if a condition depends on a variable without a value. Its selection is
/// then omitted. With coerced variables, every result is complete.
pub(crate) fn collect(document: &mut ExecutableDocument, variables: &Variables) -> bool {
    let DocumentOperations::Single(operation) = &mut document.operations else {
        return true;
    };
    let set = &mut operation.node.selection_set.node;
    let mut collected = CollectedFields {
        fragments: &document.fragments,
        variables,
        visited_fragments: HashSet::new(),
        is_complete: true,
        by_key: IndexMap::new(),
    };
    collected.add_selections(std::mem::take(&mut set.items));
    let field =
        |field: Positioned<Field>| Positioned::new(Selection::Field(field.clone()), field.pos);
    set.items = collected.by_key.into_values().map(field).collect();
    collected.is_complete
}

struct CollectedFields<'a> {
    fragments: &'a Fragments,
    variables: &'a Variables,
    visited_fragments: HashSet<Name>,
    is_complete: bool,
    by_key: IndexMap<Name, Positioned<Field>>,
}

impl CollectedFields<'_> {
    fn add_selections(&mut self, items: Vec<Positioned<Selection>>) {
        for selection in items {
            if !self.is_included(&selection.node) {
                continue;
            }
            match selection.node {
                Selection::Field(field) => self.add_field(field),
                Selection::InlineFragment(inline) => {
                    self.add_selections(inline.node.selection_set.node.items);
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node;
                    if let Some(fragment) = self.fragments.get(&name)
                        && self.visited_fragments.insert(name)
                    {
                        self.add_selections(fragment.node.selection_set.node.items.clone());
                    }
                }
            }
        }
    }

    fn add_field(&mut self, mut field: Positioned<Field>) {
        field.node.directives.clear();
        let key = field.node.response_key().node.clone();
        match self.by_key.get_mut(&key) {
            Some(earlier) => {
                let selected = &mut earlier.node.selection_set.node.items;
                selected.append(&mut field.node.selection_set.node.items);
            }
            None => {
                self.by_key.insert(key, field);
            }
        }
    }

    fn is_included(&mut self, selection: &Selection) -> bool {
        let mut conditions = selection.directives().iter();
        conditions.all(|one| {
            let holds = condition(one, self.variables);
            self.is_complete &= holds.is_some();
            holds == Some(true)
        })
    }
}

/// Whether a directive includes its selection. None if this depends on a variable without a value.
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
