//! The cost of an operation as a formula of its variables: a small tree in which everything known is already added up.
//!
//! Evaluation takes one step per selection that depends on a variable, and visits each fragment once. A document
//! without such variables takes no time. The formula does not know the schema or field names; `field_cost.rs` does.
//!
//! Read on: `field_cost.rs` for the cost of each field, `filter_cost.rs` for that of filters, `id_cost.rs` for that of ids in inputs,
//! `analysis.rs` for the code that builds the formula.

use apollo_compiler::ast::Value as Literal;
use apollo_compiler::executable::DirectiveList;
use async_graphql::{Name, Value, Variables};

use crate::filter_cost::FilterCost;
use crate::id_cost::IdCost;

/// The length of a list if no argument determines it.
const ASSUMED_LENGTH: u64 = 10;

/// Introspection objects per point. They are cheap, because they come from memory.
const INTROSPECTION_OBJECTS_PER_POINT: u64 = 100;

/// The cost of an operation in points.
pub(crate) struct CostFormula {
    /// Each fragment comes after the fragments that it uses.
    pub(crate) fragments: Vec<SelectionCost>,
    pub(crate) operation: SelectionCost,
}

impl CostFormula {
    /// The cost with these variables. They must be coerced.
    pub(crate) fn evaluate(&self, variables: &Variables) -> u64 {
        if self.operation.terms.is_empty() {
            return self.operation.constant.total();
        }
        let mut fragments = Vec::with_capacity(self.fragments.len());
        for fragment in &self.fragments {
            let subtotal = fragment.evaluate(variables, &fragments);
            fragments.push(subtotal);
        }
        self.operation.evaluate(variables, &fragments).total()
    }
}

/// The cost of a selection set.
#[derive(Default)]
pub(crate) struct SelectionCost {
    /// The part that does not depend on variables.
    constant: Subtotal,
    terms: Vec<Term>,
}

/// The cost of a selection if its conditions hold.
struct Term {
    conditions: Conditions,
    rule: FieldCost,
    children: Children,
}

/// The selection set of a field or fragment.
pub(crate) enum Children {
    Inline(SelectionCost),
    /// An index into [`CostFormula::fragments`].
    Fragment(usize),
}

/// How the cost of a field follows from the cost of its children.
pub(crate) enum FieldCost {
    /// A scalar with its own points.
    Leaf(u64),
    /// One object with its own points. The length applies to lists in the object that have no length of their own.
    Object(u64, ListLength, IdCost),
    /// An object with its own points, for a list of ids or entries of this length. Each of them costs at least one point, even if
    /// nothing is selected of the lists in the object.
    Batch(u64, ListLength, IdCost),
    /// A list of objects, with the points of each object.
    List(u64, ListLength),
    /// A list of objects whose length the parent field determines, with the points of each object.
    ListOfParent(u64),
    /// A page of objects, which may be filtered.
    Connection(ListLength, FilterCost),
    /// A field of a page that is read for each of its objects.
    Page,
    /// The object of an edge. Its page counts it.
    Node,
    /// `__schema` or `__type`.
    Introspection,
    /// A fragment. It costs as much as its children.
    Fragment,
}

/// The cost of a selection before its parent is known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Subtotal {
    points: u64,
    /// Points per object of the page or list whose length the parent field determines.
    points_per_item: u64,
    /// Whether the objects of the page are loaded. A connection may select only its count.
    loads_items: bool,
}

/// The number of objects in a list or page.
pub(crate) struct ListLength {
    /// The largest of these applies.
    pub(crate) sources: Vec<LengthSource>,
    /// Applies if no source has a value.
    pub(crate) default: u64,
    pub(crate) max: u64,
}

/// An argument that determines the length of a list.
#[derive(Clone)]
pub(crate) enum LengthSource {
    Literal(u64),
    /// An integer variable. `if_omitted` applies if the variable is omitted, but not if it is null.
    Integer {
        variable: Name,
        if_omitted: Option<u64>,
    },
    /// The length of the list in this variable.
    Length {
        variable: Name,
    },
    /// The length of the list in this field of this variable's input object.
    LengthOfField {
        variable: Name,
        field: Name,
    },
    /// The lengths of the lists in the field `list` of the input objects in this variable, or in this field of its input object.
    InItems {
        variable: Name,
        field: Option<Name>,
        list: Name,
    },
}

/// The conditions of `@skip` and `@include`.
#[derive(PartialEq)]
pub(crate) enum Conditions {
    Never,
    /// Each of these variables must have this value. No variables means always.
    If(Vec<(Name, bool)>),
}

impl SelectionCost {
    /// Adds a field or fragment.
    pub(crate) fn add(&mut self, conditions: Conditions, rule: FieldCost, children: Children) {
        if conditions == Conditions::Never {
            return;
        }
        if let Children::Inline(SelectionCost { constant, terms }) = &children
            && terms.is_empty()
            && rule.is_constant()
        {
            let subtotal = rule.apply(*constant, &Variables::default());
            if subtotal == Subtotal::default() {
                return;
            }
            if conditions.is_always() {
                self.constant = self.constant.plus(subtotal);
                return;
            }
        }
        self.terms.push(Term {
            conditions,
            rule,
            children,
        });
    }

    fn evaluate(&self, variables: &Variables, fragments: &[Subtotal]) -> Subtotal {
        let terms = self.terms.iter();
        let included = terms.filter(|term| term.conditions.hold(variables));
        included.fold(self.constant, |subtotal, term| {
            let children = match &term.children {
                Children::Inline(cost) => cost.evaluate(variables, fragments),
                Children::Fragment(index) => fragments[*index],
            };
            subtotal.plus(term.rule.apply(children, variables))
        })
    }
}

impl Children {
    /// The fragment at `index`. A constant cost is copied, so that evaluation does not look it up.
    pub(crate) fn of_fragment(index: usize, fragments: &[SelectionCost]) -> Self {
        let fragment = &fragments[index];
        if fragment.terms.is_empty() {
            return Self::Inline(SelectionCost {
                constant: fragment.constant,
                terms: Vec::new(),
            });
        }
        Self::Fragment(index)
    }
}

impl FieldCost {
    fn is_constant(&self) -> bool {
        match self {
            Self::Object(_, length, ids) | Self::Batch(_, length, ids) => {
                length.is_constant() && ids.is_constant()
            }
            Self::List(_, length) => length.is_constant(),
            Self::Connection(length, filter) => length.is_constant() && filter.is_constant(),
            _ => true,
        }
    }

    /// The cost of a connection with pages of this size, and with these points for its filter.
    pub(crate) fn of_page(children: Subtotal, size: u64, filter: u64) -> Subtotal {
        let own = u64::from(children.loads_items);
        let page = children
            .points_per_item
            .saturating_add(own)
            .saturating_mul(size);
        Subtotal {
            points: page.saturating_add(children.points).saturating_add(filter),
            ..Subtotal::default()
        }
    }

    pub(crate) fn apply(&self, children: Subtotal, variables: &Variables) -> Subtotal {
        let points = |points| Subtotal {
            points,
            ..Subtotal::default()
        };
        let per_item = |points_per_item, loads_items| Subtotal {
            points: 0,
            points_per_item,
            loads_items,
        };
        match self {
            Self::Leaf(own) => points(*own),
            Self::Object(own, length, ids) => {
                let length = length.evaluate(variables);
                let lists = children.points_per_item.saturating_mul(length);
                let own = own.saturating_add(ids.evaluate(variables));
                points(own.saturating_add(children.points).saturating_add(lists))
            }
            Self::Batch(own, length, ids) => {
                let entry = children.points_per_item.max(1);
                let entries = entry.saturating_mul(length.evaluate(variables));
                let own = own.saturating_add(ids.evaluate(variables));
                points(own.saturating_add(children.points).saturating_add(entries))
            }
            Self::List(own, length) => {
                let item = own.saturating_add(children.total());
                points(item.saturating_mul(length.evaluate(variables)))
            }
            Self::ListOfParent(own) => per_item(own.saturating_add(children.total()), false),
            Self::Connection(length, filter) => {
                let (size, filter) = (length.evaluate(variables), filter.evaluate(variables));
                Self::of_page(children, size, filter)
            }
            Self::Page => per_item(children.total(), true),
            Self::Node => points(children.total()),
            Self::Introspection => points(1 + children.total() / INTROSPECTION_OBJECTS_PER_POINT),
            Self::Fragment => children,
        }
    }
}

impl Subtotal {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            points: self.points.saturating_add(other.points),
            points_per_item: self.points_per_item.saturating_add(other.points_per_item),
            loads_items: self.loads_items || other.loads_items,
        }
    }

    /// The points if no parent field determines the length of the lists.
    pub(crate) fn total(self) -> u64 {
        let lists = self.points_per_item.saturating_mul(ASSUMED_LENGTH);
        self.points.saturating_add(lists)
    }
}

impl ListLength {
    pub(crate) fn of(source: LengthSource) -> Self {
        Self {
            sources: vec![source],
            default: ASSUMED_LENGTH,
            max: u64::MAX,
        }
    }

    pub(crate) fn assumed() -> Self {
        Self::of(LengthSource::Literal(ASSUMED_LENGTH))
    }

    fn is_constant(&self) -> bool {
        self.sources.iter().all(LengthSource::is_constant)
    }

    fn evaluate(&self, variables: &Variables) -> u64 {
        let sources = self.sources.iter();
        let lengths = sources.filter_map(|source| source.evaluate(variables));
        lengths.max().unwrap_or(self.default).min(self.max)
    }
}

impl LengthSource {
    pub(crate) fn is_constant(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    pub(crate) fn evaluate(&self, variables: &Variables) -> Option<u64> {
        match self {
            Self::Literal(length) => Some(*length),
            Self::Integer {
                variable,
                if_omitted,
            } => match variables.get(variable) {
                None => *if_omitted,
                // Resolvers reject negative sizes and load nothing.
                Some(Value::Number(number)) => Some(number.as_u64().unwrap_or(0)),
                Some(_) => None,
            },
            Self::Length { variable } => length(variables.get(variable)?),
            Self::LengthOfField { variable, field } => {
                length(field_of(variables.get(variable)?, field)?)
            }
            Self::InItems {
                variable,
                field,
                list,
            } => {
                let input = variables.get(variable)?;
                let items = match field {
                    Some(field) => field_of(input, field)?,
                    None => input,
                };
                let Value::List(items) = items else {
                    return None;
                };
                let lengths = items
                    .iter()
                    .filter_map(|item| length(field_of(item, list)?));
                Some(lengths.sum())
            }
        }
    }
}

fn field_of<'a>(input: &'a Value, field: &Name) -> Option<&'a Value> {
    match input {
        Value::Object(fields) => fields.get(field),
        _ => None,
    }
}

fn length(value: &Value) -> Option<u64> {
    match value {
        Value::List(items) => Some(items.len() as u64),
        _ => None,
    }
}

impl Conditions {
    pub(crate) fn of(directives: &DirectiveList) -> Self {
        let mut variables = Vec::new();
        for directive in directives {
            let wanted = match directive.name.as_str() {
                "include" => true,
                "skip" => false,
                _ => continue,
            };
            let value = directive.specified_argument_by_name("if");
            match value.map(|value| &**value) {
                Some(Literal::Boolean(value)) if *value != wanted => return Self::Never,
                Some(Literal::Variable(name)) => variables.push((Name::new(name), wanted)),
                _ => {}
            }
        }
        Self::If(variables)
    }

    fn is_always(&self) -> bool {
        matches!(self, Self::If(variables) if variables.is_empty())
    }

    pub(crate) fn hold(&self, variables: &Variables) -> bool {
        match self {
            Self::Never => false,
            Self::If(wanted) => wanted
                .iter()
                .all(|(name, wanted)| variables.get(name) == Some(&Value::Boolean(*wanted))),
        }
    }
}
