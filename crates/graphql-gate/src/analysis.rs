//! The one walk over an operation: how deep and how large it is, and what it costs as a function of its variables.
//!
//! A fragment is walked once and remembered, so fragments that double at each of 30 levels take microseconds; all sums
//! saturate. Other operations of the document do not count. Fields that a variable may skip count in every measure but
//! the cost.
//!
//! Read on: `price.rs` for what a field costs, `cost.rs` for how the cost is kept and evaluated.

use std::collections::HashMap;

use apollo_compiler::executable::{ExecutableDocument, Field, Operation, Selection, SelectionSet};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Schema};

use super::Limits;
use super::cost::{Children, Conditions, Cost, Plan};
use super::field_cost;
use super::rejection::Rejection;

/// Measures an operation against all limits but the cost's, which waits for the variables.
pub(super) fn measure(
    schema: &Valid<Schema>,
    document: &ExecutableDocument,
    operation: &Operation,
    limits: &Limits,
) -> Result<Cost, Rejection> {
    let mut walk = Walk {
        schema,
        document,
        limits,
        fragments: HashMap::new(),
        plans: Vec::new(),
    };
    let (shape, plan) = walk.selections(&operation.selection_set, 1)?;
    shape.check(limits)?;
    Ok(Cost::new(walk.plans, plan))
}

/// How often lists of introspection may stand within each other, as in graphql-js: types of fields of types of fields
/// multiply, and the standard introspection query needs one.
const INTROSPECTED_LISTS: usize = 2;

struct Walk<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    fragments: HashMap<&'a Name, (Shape, usize)>,
    /// The fragments' plans, each behind those that it uses.
    plans: Vec<Plan>,
}

/// How large a selection set is, fragments expanded.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    /// Fields within fields.
    depth: usize,
    /// Selection sets within selection sets, those of fragments included.
    levels: usize,
    /// Fields and fragments.
    selections: usize,
    aliases: usize,
    /// Fields of the set itself.
    own_fields: usize,
    /// Lists of introspection within each other.
    introspected_lists: usize,
}

impl<'a> Walk<'a> {
    /// `level` counts the selection sets around this one, and itself: the walk's own depth in the stack.
    fn selections(
        &mut self,
        set: &'a SelectionSet,
        level: usize,
    ) -> Result<(Shape, Plan), Rejection> {
        self.check_nesting(level)?;
        let mut shape = Shape {
            levels: 1,
            ..Shape::default()
        };
        let mut plan = Plan::default();
        for selection in &set.selections {
            let part = match selection {
                Selection::Field(field) => self.field(field, &set.ty, level, &mut plan)?,
                Selection::InlineFragment(inline) => {
                    let (shape, children) = self.selections(&inline.selection_set, level + 1)?;
                    let conditions = Conditions::of(&inline.directives);
                    plan.add_fragment(conditions, Children::Plan(children));
                    shape.within_fragment()
                }
                Selection::FragmentSpread(spread) => {
                    let (shape, index) = self.fragment(&spread.fragment_name, level + 1)?;
                    let children = Children::of_fragment(index, &self.plans);
                    plan.add_fragment(Conditions::of(&spread.directives), children);
                    shape.within_fragment()
                }
            };
            shape = shape.beside(part);
        }
        Ok((shape, plan))
    }

    fn field(
        &mut self,
        field: &'a Field,
        parent: &Name,
        level: usize,
        plan: &mut Plan,
    ) -> Result<Shape, Rejection> {
        let (shape, children) = match field.selection_set.selections.is_empty() {
            true => Default::default(),
            false => self.selections(&field.selection_set, level + 1)?,
        };
        let price = field_cost::of(self.schema, parent, field);
        plan.add_field(Conditions::of(&field.directives), price, children);
        Ok(shape.within_field(parent, field))
    }

    fn fragment(&mut self, name: &'a Name, level: usize) -> Result<(Shape, usize), Rejection> {
        if let Some(&(shape, index)) = self.fragments.get(name) {
            self.check_nesting(level + shape.levels - 1)?;
            return Ok((shape, index));
        }
        let (shape, plan) = self.selections(&self.document.fragments[name].selection_set, level)?;
        let index = self.plans.len();
        self.plans.push(plan);
        self.fragments.insert(name, (shape, index));
        Ok((shape, index))
    }

    fn check_nesting(&self, level: usize) -> Result<(), Rejection> {
        within(
            "The nesting of fields and fragments",
            level,
            self.limits.nesting,
        )
    }
}

impl Shape {
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels),
            selections: self.selections.saturating_add(other.selections),
            aliases: self.aliases.saturating_add(other.aliases),
            own_fields: self.own_fields.saturating_add(other.own_fields),
            introspected_lists: self.introspected_lists.max(other.introspected_lists),
        }
    }

    fn within_field(self, parent: &Name, field: &Field) -> Self {
        let lists = ["fields", "inputFields", "interfaces", "possibleTypes"];
        let is_list = parent == "__Type" && lists.contains(&field.name.as_str());
        Self {
            introspected_lists: self.introspected_lists + usize::from(is_list),
            depth: self.depth + 1,
            levels: self.levels + 1,
            selections: self.selections.saturating_add(1),
            aliases: self
                .aliases
                .saturating_add(usize::from(field.alias.is_some())),
            own_fields: 1,
        }
    }

    fn within_fragment(self) -> Self {
        Self {
            levels: self.levels + 1,
            selections: self.selections.saturating_add(1),
            ..self
        }
    }

    fn check(self, limits: &Limits) -> Result<(), Rejection> {
        for (what, counted, limit) in [
            ("The depth of fields", self.depth, limits.depth),
            (
                "The number of fields of the root",
                self.own_fields,
                limits.root_fields,
            ),
            ("The number of aliases", self.aliases, limits.aliases),
            (
                "The number of fields and fragments",
                self.selections,
                limits.selections,
            ),
            (
                "The nesting of lists of introspection",
                self.introspected_lists,
                INTROSPECTED_LISTS,
            ),
        ] {
            within(what, counted, limit)?;
        }
        Ok(())
    }
}

/// Refuses more than the limit.
pub(super) fn within(what: &str, counted: usize, limit: usize) -> Result<(), Rejection> {
    if counted > limit {
        return Err(Rejection::over(what, counted as u64, limit as u64));
    }
    Ok(())
}
