//! One walk over an operation that measures its depth and size and builds the formulas of its cost and of the size of its arguments.
//!
//! Each fragment is visited once and its measurements are reused, so fragments that double at each of 30 levels take
//! microseconds. All sums saturate. Other operations of the document do not count. Fields that variables may skip count
//! in all measurements except the cost.
//!
//! Read on: `field_cost.rs` for the cost of a field, `cost.rs` and `argument_size.rs` for the formulas.

use std::collections::HashMap;
use std::mem;

use apollo_compiler::executable::{ExecutableDocument, Field, Operation, Selection, SelectionSet};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Schema};

use crate::argument_size::{ArgumentSize, OwnArguments};
use crate::cost::{Children, Conditions, CostFormula, FieldCost, SelectionCost};
use crate::field_cost;
use crate::limits::{self, CostRules, Limits};
use crate::rejection::Rejection;

/// Maximum nesting of introspection lists, as in graphql-js. Types of fields of types of fields multiply, and the
/// standard introspection query needs one.
const MAX_INTROSPECTION_LISTS: usize = 2;

/// Checks an operation against all limits except the cost and the size of its arguments, which depend on the variables. Returns the
/// formulas of both.
pub(crate) fn analyse(
    schema: &Valid<Schema>,
    document: &ExecutableDocument,
    operation: &Operation,
    limits: &Limits,
    cost_rules: &CostRules,
) -> Result<(CostFormula, ArgumentSize), Rejection> {
    let mut walk = Walk {
        schema,
        document,
        limits,
        cost_rules,
        fragments: HashMap::new(),
        fragment_costs: Vec::new(),
        arguments: OwnArguments::default(),
        fragment_arguments: Vec::new(),
    };
    let (size, cost) = walk.selections(&operation.selection_set, 1)?;
    size.check(limits)?;
    let arguments = ArgumentSize::of(&walk.arguments, &walk.fragment_arguments);
    let cost = CostFormula {
        fragments: walk.fragment_costs,
        operation: cost,
    };
    Ok((cost, arguments))
}

struct Walk<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    cost_rules: &'a CostRules,
    /// The size of each visited fragment, and the index of its cost.
    fragments: HashMap<&'a Name, (SelectionSize, usize)>,
    /// Each fragment comes after the fragments that it uses.
    fragment_costs: Vec<SelectionCost>,
    /// The arguments in the operation or fragment that is being visited.
    arguments: OwnArguments,
    /// In the order of `fragment_costs`.
    fragment_arguments: Vec<OwnArguments>,
}

/// The size of a selection set after expanding fragments.
#[derive(Debug, Clone, Copy, Default)]
struct SelectionSize {
    /// Nesting of fields.
    depth: usize,
    /// Nesting of selection sets, including those of fragments.
    levels: usize,
    /// Fields and fragments.
    selections: usize,
    aliases: usize,
    /// Fields of the set itself, without nested ones.
    own_fields: usize,
    /// Nesting of introspection lists.
    introspection_lists: usize,
}

impl<'a> Walk<'a> {
    /// `level` counts this selection set and those around it. It is the depth of the recursion.
    fn selections(
        &mut self,
        set: &'a SelectionSet,
        level: usize,
    ) -> Result<(SelectionSize, SelectionCost), Rejection> {
        self.check_nesting(level)?;
        let mut size = SelectionSize {
            levels: 1,
            ..SelectionSize::default()
        };
        let mut cost = SelectionCost::default();
        for selection in &set.selections {
            let part = match selection {
                Selection::Field(field) => self.field(field, &set.ty, level, &mut cost)?,
                Selection::InlineFragment(inline) => {
                    let (size, children) = self.selections(&inline.selection_set, level + 1)?;
                    let conditions = Conditions::of(&inline.directives);
                    cost.add(conditions, FieldCost::Fragment, Children::Inline(children));
                    size.in_fragment()
                }
                Selection::FragmentSpread(spread) => {
                    let (size, index) = self.fragment(&spread.fragment_name, level + 1)?;
                    self.arguments.fragments.push(index);
                    let children = Children::of_fragment(index, &self.fragment_costs);
                    let conditions = Conditions::of(&spread.directives);
                    cost.add(conditions, FieldCost::Fragment, children);
                    size.in_fragment()
                }
            };
            size = size.with_sibling(part);
        }
        Ok((size, cost))
    }

    fn field(
        &mut self,
        field: &'a Field,
        parent: &Name,
        level: usize,
        cost: &mut SelectionCost,
    ) -> Result<SelectionSize, Rejection> {
        let (size, children) = match field.selection_set.selections.is_empty() {
            true => Default::default(),
            false => self.selections(&field.selection_set, level + 1)?,
        };
        self.arguments.add(field);
        let rule = field_cost::of(self.cost_rules, self.schema, parent, field);
        let conditions = Conditions::of(&field.directives);
        cost.add(conditions, rule, Children::Inline(children));
        Ok(size.in_field(parent, field))
    }

    fn fragment(
        &mut self,
        name: &'a Name,
        level: usize,
    ) -> Result<(SelectionSize, usize), Rejection> {
        if let Some(&(size, index)) = self.fragments.get(name) {
            self.check_nesting(level + size.levels - 1)?;
            return Ok((size, index));
        }
        let outer = mem::take(&mut self.arguments);
        let (size, cost) = self.selections(&self.document.fragments[name].selection_set, level)?;
        let arguments = mem::replace(&mut self.arguments, outer);
        self.fragment_arguments.push(arguments);
        let index = self.fragment_costs.len();
        self.fragment_costs.push(cost);
        self.fragments.insert(name, (size, index));
        Ok((size, index))
    }

    fn check_nesting(&self, level: usize) -> Result<(), Rejection> {
        let what = "The nesting of fields and fragments";
        limits::check(what, level, self.limits.nesting)
    }
}

impl SelectionSize {
    fn with_sibling(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels),
            selections: self.selections.saturating_add(other.selections),
            aliases: self.aliases.saturating_add(other.aliases),
            own_fields: self.own_fields.saturating_add(other.own_fields),
            introspection_lists: self.introspection_lists.max(other.introspection_lists),
        }
    }

    fn in_field(self, parent: &Name, field: &Field) -> Self {
        let lists = ["fields", "inputFields", "interfaces", "possibleTypes"];
        let is_list = parent == "__Type" && lists.contains(&field.name.as_str());
        Self {
            introspection_lists: self.introspection_lists + usize::from(is_list),
            depth: self.depth + 1,
            levels: self.levels + 1,
            selections: self.selections.saturating_add(1),
            aliases: self
                .aliases
                .saturating_add(usize::from(field.alias.is_some())),
            own_fields: 1,
        }
    }

    fn in_fragment(self) -> Self {
        Self {
            levels: self.levels + 1,
            selections: self.selections.saturating_add(1),
            ..self
        }
    }

    fn check(self, limits: &Limits) -> Result<(), Rejection> {
        limits::check("The depth of fields", self.depth, limits.depth)?;
        let what = "The number of root fields";
        limits::check(what, self.own_fields, limits.root_fields)?;
        limits::check("The number of aliases", self.aliases, limits.aliases)?;
        let what = "The number of fields and fragments";
        limits::check(what, self.selections, limits.selections)?;
        let what = "The nesting of introspection lists";
        limits::check(what, self.introspection_lists, MAX_INTROSPECTION_LISTS)
    }
}
