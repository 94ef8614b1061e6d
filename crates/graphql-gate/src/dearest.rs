//! Explains why an operation costs too much: the field to change first, its share, and a page size that fits.
//!
//! It runs only for an operation over the limit, so it measures the document again instead of keeping the names of fields
//! in the formula.
//!
//! The search starts at the root and follows the most expensive selection while that accounts for at least half of the
//! cost. The last list or page on this path is the dearest field.

use std::collections::HashMap;

use apollo_compiler::Name;
use apollo_compiler::Schema;
use apollo_compiler::executable::{ExecutableDocument, Field, Operation, Selection, SelectionSet};
use async_graphql::Variables;

use crate::cost::{Conditions, FieldCost, Subtotal};
use crate::field_cost;
use crate::limits::CostRules;
use crate::rejection::short;

/// What is needed to measure an operation.
pub(crate) struct Measure<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) rules: &'a CostRules,
    pub(crate) document: &'a ExecutableDocument,
    pub(crate) variables: &'a Variables,
    /// The cost of each selection set that was visited.
    pub(crate) visited: HashMap<*const SelectionSet, Subtotal>,
}

/// A field or fragment on the path to the dearest field.
struct Step<'a> {
    field: Option<&'a Field>,
    rule: FieldCost,
    /// The cost of its selections.
    children: Subtotal,
    /// The cost of the selections beside it.
    siblings: Subtotal,
}

impl<'a> Measure<'a> {
    /// Sentences that follow the error message. Empty if the operation has no lists.
    pub(crate) fn explain(mut self, operation: &'a Operation, limit: u64) -> String {
        let path = self.path(&operation.selection_set);
        let total = self.total(&path);
        let is_list =
            |step: &Step<'_>| matches!(step.rule, FieldCost::Connection(..) | FieldCost::List(..));
        let half = |end: usize| total - self.total_without(&path, end) >= total / 2;
        let lists = (0..path.len()).filter(|&index| is_list(&path[index]));
        let lists: Vec<usize> = lists.collect();
        let Some(&dearest) = lists.iter().rev().find(|&&end| half(end)).or(lists.first()) else {
            return String::new();
        };
        let name = name(&path[..=dearest]);
        let share = total - self.total_without(&path, dearest);
        let share = format!(" `{name}` accounts for {share} of them.");
        let outward = lists.iter().rev().filter(|&&end| end <= dearest);
        let size = outward
            .filter_map(|&end| Some((end, self.page_size(&path, end, limit)?)))
            .next();
        let hint = match size {
            Some((end, size)) if end == dearest => {
                format!(" Use `{}: {size}`.", size_argument(path[end].field))
            }
            Some((end, size)) => {
                let (argument, name) = (size_argument(path[end].field), self::name(&path[..=end]));
                format!(" Use `{argument}: {size}` in `{name}`.")
            }
            None => " Select less, or split the operation.".to_owned(),
        };
        share + &hint
    }

    /// The most expensive selection, the most expensive one in it, and so on.
    fn path(&mut self, set: &'a SelectionSet) -> Vec<Step<'a>> {
        let (mut set, mut path) = (set, Vec::new());
        loop {
            let mut costs = Vec::new();
            for selection in &set.selections {
                costs.extend(self.step(selection, &set.ty));
            }
            let sum = |costs: &[(Step<'a>, &'a SelectionSet, Subtotal)]| {
                let costs = costs.iter().map(|(_, _, cost)| *cost);
                costs.fold(Subtotal::default(), Subtotal::plus)
            };
            let dearest = (0..costs.len()).max_by_key(|&index| costs[index].2.total());
            let Some(dearest) = dearest.filter(|&index| costs[index].2.total() > 0) else {
                return path;
            };
            let (mut step, children, _) = costs.swap_remove(dearest);
            step.siblings = sum(&costs);
            path.push(step);
            set = children;
        }
    }

    /// A selection with its own selections and its cost. None if its conditions do not hold.
    fn step(
        &mut self,
        selection: &'a Selection,
        parent: &Name,
    ) -> Option<(Step<'a>, &'a SelectionSet, Subtotal)> {
        let (field, directives, set) = match selection {
            Selection::Field(field) => (Some(&**field), &field.directives, &field.selection_set),
            Selection::InlineFragment(inline) => (None, &inline.directives, &inline.selection_set),
            Selection::FragmentSpread(spread) => {
                let fragment = &self.document.fragments[&spread.fragment_name];
                (None, &spread.directives, &fragment.selection_set)
            }
        };
        if !Conditions::of(directives).hold(self.variables) {
            return None;
        }
        let children = self.selections(set);
        let rule = match field {
            Some(field) => field_cost::of(self.rules, self.schema, parent, field),
            None => FieldCost::Fragment,
        };
        let cost = rule.apply(children, self.variables);
        let step = Step {
            field,
            rule,
            children,
            siblings: Subtotal::default(),
        };
        Some((step, set, cost))
    }

    fn selections(&mut self, set: &'a SelectionSet) -> Subtotal {
        if let Some(known) = self.visited.get(&std::ptr::from_ref(set)) {
            return *known;
        }
        let mut sum = Subtotal::default();
        for selection in &set.selections {
            if let Some((_, _, cost)) = self.step(selection, &set.ty) {
                sum = sum.plus(cost);
            }
        }
        self.visited.insert(set, sum);
        sum
    }

    /// The cost of the operation.
    fn total(&self, path: &[Step<'_>]) -> u64 {
        let end = path.len().saturating_sub(1);
        let cost = path
            .last()
            .map(|step| step.rule.apply(step.children, self.variables));
        self.outward(path, end, cost.unwrap_or_default())
    }

    /// The cost of the operation if it did not select the step at `index`.
    fn total_without(&self, path: &[Step<'_>], index: usize) -> u64 {
        self.outward(path, index, Subtotal::default())
    }

    /// The cost of the operation if the step at `index` has this cost.
    fn outward(&self, path: &[Step<'_>], index: usize, mut cost: Subtotal) -> u64 {
        for at in (0..index).rev() {
            let children = cost.plus(path[at + 1].siblings);
            cost = path[at].rule.apply(children, self.variables);
        }
        cost.plus(path.first().map_or(cost, |step| step.siblings))
            .total()
    }

    /// The largest page size of the step at `index` that fits into the limit.
    fn page_size(&self, path: &[Step<'_>], index: usize, limit: u64) -> Option<u64> {
        let FieldCost::Connection(_, filter) = &path[index].rule else {
            return None;
        };
        let filter = filter.evaluate(self.variables);
        let fits = |size: &u64| {
            let cost = FieldCost::of_page(path[index].children, *size, filter);
            self.outward(path, index, cost) <= limit
        };
        (1..=self.rules.max_page_size).rev().find(fits)
    }
}

/// The path of the fields, such as `courses.nodes.tasks`.
fn name(path: &[Step<'_>]) -> String {
    let fields = path.iter().filter_map(|step| step.field);
    let keys: Vec<String> = fields.map(|field| short(field.response_key())).collect();
    keys.join(".")
}

/// The argument that sets the page size of a field.
fn size_argument(field: Option<&Field>) -> &'static str {
    let last = field.and_then(|field| field.specified_argument_by_name("last"));
    let first = field.and_then(|field| field.specified_argument_by_name("first"));
    match (first, last) {
        (None, Some(_)) => "last",
        _ => "first",
    }
}
