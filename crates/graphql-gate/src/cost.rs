//! An operation's cost as a function of its variables: a small tree in which all that is known beforehand is summed up.
//!
//! It knows no schema and no field names; `price.rs` does. Evaluating it takes a step for each place that a variable
//! decides, and each fragment once, so a document without such variables costs no time at all.
//!
//! Read on: `price.rs` for the prices, `measure.rs` for who builds the tree.

use apollo_compiler::ast::Value as Literal;
use apollo_compiler::executable::DirectiveList;
use async_graphql::{Name, Value, Variables};

/// The length of a list that nothing tells anything about.
const ASSUMED_LENGTH: u64 = 10;

/// So many objects of introspection cost a point; they are made of memory, not of the database.
pub(super) const INTROSPECTED_FOR_A_POINT: u64 = 100;

/// What an operation costs, in points.
pub(super) struct Cost {
    /// Of the fragments, each behind those that it uses.
    fragments: Vec<Plan>,
    operation: Plan,
}

impl Cost {
    pub(super) fn new(fragments: Vec<Plan>, operation: Plan) -> Self {
        Self {
            fragments,
            operation,
        }
    }

    /// The cost with these variables, which must be coerced.
    pub(super) fn of(&self, variables: &Variables) -> u64 {
        if self.operation.terms.is_empty() {
            return self.operation.known.total();
        }
        let mut fragments = Vec::with_capacity(self.fragments.len());
        for fragment in &self.fragments {
            let sum = fragment.sum(variables, &fragments);
            fragments.push(sum);
        }
        self.operation.sum(variables, &fragments).total()
    }
}

/// What a selection set costs.
#[derive(Default)]
pub(super) struct Plan {
    /// What it costs whatever the variables are.
    known: Sum,
    terms: Vec<Term>,
}

/// What a selection costs if its conditions hold.
struct Term {
    conditions: Conditions,
    price: Price,
    children: Children,
}

/// What is selected within a selection.
pub(super) enum Children {
    Plan(Plan),
    /// An index into [`Cost::fragments`].
    Fragment(usize),
}

/// How a field's own cost follows from its children's.
pub(super) enum Price {
    /// A scalar of so many points.
    Leaf(u64),
    /// One object of so many points; lists in it that say no length have this one.
    Object(u64, Size),
    /// A list of objects of so many points each.
    List(u64, Size),
    /// A list of objects of so many points each, as long as the field around it says.
    ListOfParent(u64),
    /// A page of so many objects.
    Connection(Size),
    /// What a page holds of each of its objects.
    Page,
    /// The object of an edge, which its page counts.
    Node,
    /// `__schema` or `__type`.
    Introspection,
    /// A fragment: its children's cost is its own.
    Fragment,
}

/// Points so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    points: u64,
    /// Points for each object of the page or the list whose length the field around knows.
    each: u64,
    /// Whether the objects of the page are loaded, so that a connection is more than its count.
    paged: bool,
}

/// How many objects.
pub(super) struct Size {
    /// The largest of these counts.
    pub(super) asked: Vec<Amount>,
    /// What it is if none of them is there.
    pub(super) otherwise: u64,
    pub(super) most: u64,
}

/// A number that an argument gives.
pub(super) enum Amount {
    Known(u64),
    /// An integer variable; `left_out` is what it is if the variable is left out, and does not stand for null.
    Integer {
        variable: Name,
        left_out: Option<u64>,
    },
    /// As long as this variable's list.
    Length {
        variable: Name,
    },
    /// As long as the list `ids` in this variable's input object.
    LengthOfIds {
        variable: Name,
    },
}

/// What `@skip` and `@include` say.
#[derive(PartialEq)]
pub(super) enum Conditions {
    Never,
    /// Each of these variables has this value; always, if there is none.
    If(Vec<(Name, bool)>),
}

impl Plan {
    pub(super) fn add_field(&mut self, conditions: Conditions, price: Price, children: Plan) {
        self.add(conditions, price, Children::Plan(children));
    }

    pub(super) fn add_fragment(&mut self, conditions: Conditions, children: Children) {
        self.add(conditions, Price::Fragment, children);
    }

    fn add(&mut self, conditions: Conditions, price: Price, children: Children) {
        if conditions == Conditions::Never {
            return;
        }
        if let Children::Plan(Plan { known, terms }) = &children
            && terms.is_empty()
            && price.is_known()
        {
            let sum = price.apply(*known, &Variables::default());
            if sum == Sum::default() {
                return;
            }
            if conditions.is_always() {
                self.known = self.known.plus(sum);
                return;
            }
        }
        self.terms.push(Term {
            conditions,
            price,
            children,
        });
    }

    fn sum(&self, variables: &Variables, fragments: &[Sum]) -> Sum {
        let holding = self
            .terms
            .iter()
            .filter(|term| term.conditions.hold(variables));
        holding.fold(self.known, |sum, term| {
            let children = match &term.children {
                Children::Plan(plan) => plan.sum(variables, fragments),
                Children::Fragment(index) => fragments[*index],
            };
            sum.plus(term.price.apply(children, variables))
        })
    }
}

impl Children {
    /// The fragment at `index` of the plans; what is known of it needs no looking up later.
    pub(super) fn of_fragment(index: usize, plans: &[Plan]) -> Self {
        let plan = &plans[index];
        if plan.terms.is_empty() {
            return Self::Plan(Plan {
                known: plan.known,
                terms: Vec::new(),
            });
        }
        Self::Fragment(index)
    }
}

impl Price {
    fn is_known(&self) -> bool {
        match self {
            Self::Object(_, size) | Self::List(_, size) | Self::Connection(size) => size.is_known(),
            _ => true,
        }
    }

    fn apply(&self, children: Sum, variables: &Variables) -> Sum {
        let points = |points| Sum {
            points,
            ..Sum::default()
        };
        let each = |each, paged| Sum {
            points: 0,
            each,
            paged,
        };
        match self {
            Self::Leaf(own) => points(*own),
            Self::Object(own, size) => {
                let listed = children.each.saturating_mul(size.of(variables));
                points(own.saturating_add(children.points).saturating_add(listed))
            }
            Self::List(own, size) => {
                let one = own.saturating_add(children.total());
                points(one.saturating_mul(size.of(variables)))
            }
            Self::ListOfParent(own) => each(own.saturating_add(children.total()), false),
            Self::Connection(size) => {
                let one = children.each.saturating_add(u64::from(children.paged));
                let page = one.saturating_mul(size.of(variables));
                points(page.saturating_add(children.points))
            }
            Self::Page => each(children.total(), true),
            Self::Node => points(children.total()),
            Self::Introspection => points(1 + children.total() / INTROSPECTED_FOR_A_POINT),
            Self::Fragment => children,
        }
    }
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        Self {
            points: self.points.saturating_add(other.points),
            each: self.each.saturating_add(other.each),
            paged: self.paged || other.paged,
        }
    }

    /// The points where nothing tells how long the lists are.
    fn total(self) -> u64 {
        self.points
            .saturating_add(self.each.saturating_mul(ASSUMED_LENGTH))
    }
}

impl Size {
    pub(super) fn of_amount(amount: Amount) -> Self {
        Self {
            asked: vec![amount],
            otherwise: ASSUMED_LENGTH,
            most: u64::MAX,
        }
    }

    pub(super) fn assumed() -> Self {
        Self::of_amount(Amount::Known(ASSUMED_LENGTH))
    }

    fn is_known(&self) -> bool {
        let known = |amount: &Amount| matches!(amount, Amount::Known(_));
        self.asked.iter().all(known)
    }

    fn of(&self, variables: &Variables) -> u64 {
        let asked = self.asked.iter().filter_map(|amount| amount.of(variables));
        asked.max().unwrap_or(self.otherwise).min(self.most)
    }
}

impl Amount {
    fn of(&self, variables: &Variables) -> Option<u64> {
        match self {
            Self::Known(amount) => Some(*amount),
            Self::Integer { variable, left_out } => match variables.get(variable) {
                None => *left_out,
                // Below zero is refused behind the gate and loads nothing.
                Some(Value::Number(number)) => Some(number.as_u64().unwrap_or(0)),
                Some(_) => None,
            },
            Self::Length { variable } => length(variables.get(variable)?),
            Self::LengthOfIds { variable } => match variables.get(variable)? {
                Value::Object(input) => length(input.get("ids")?),
                _ => None,
            },
        }
    }
}

fn length(value: &Value) -> Option<u64> {
    match value {
        Value::List(items) => Some(items.len() as u64),
        _ => None,
    }
}

impl Conditions {
    pub(super) fn of(directives: &DirectiveList) -> Self {
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

    fn hold(&self, variables: &Variables) -> bool {
        match self {
            Self::Never => false,
            Self::If(wanted) => wanted
                .iter()
                .all(|(name, wanted)| variables.get(name) == Some(&Value::Boolean(*wanted))),
        }
    }
}
