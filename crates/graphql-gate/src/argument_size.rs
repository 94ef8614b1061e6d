//! The size of an operation's arguments after expanding fragments, with the values of variables in place.
//!
//! async-graphql copies the value of a variable at each use. So a short document can multiply a large variable: 100 entries of a
//! list that use a text of 900 kB take 90 MB. The size is a formula of the variables, so nothing is expanded to compute it.
//!
//! It is about the length of the arguments as JSON, and never more. So a request in which each variable is used once is at most as
//! large as its body. A field counts once, however many objects it is resolved for.

use std::collections::HashMap;

use apollo_compiler::ast::Value as Literal;
use apollo_compiler::executable::Field;
use async_graphql::{Name, Value, Variables};

/// The arguments in one selection set with its nested ones, without those in fragments.
#[derive(Default)]
pub(crate) struct OwnArguments {
    literal_bytes: usize,
    /// Each use of a variable.
    variables: Vec<Name>,
    /// Each use of a fragment, as its index.
    pub(crate) fragments: Vec<usize>,
}

/// The size of all arguments of an operation.
#[derive(Default)]
pub(crate) struct ArgumentSize {
    literal_bytes: usize,
    /// How often each variable is used.
    uses: HashMap<Name, usize>,
}

impl OwnArguments {
    pub(crate) fn add(&mut self, field: &Field) {
        for argument in &field.arguments {
            self.add_value(&argument.value);
        }
    }

    fn add_value(&mut self, value: &Literal) {
        self.literal_bytes += 1;
        match value {
            Literal::Variable(name) => self.variables.push(Name::new(name)),
            Literal::String(text) => self.literal_bytes += text.len(),
            Literal::List(items) => items.iter().for_each(|item| self.add_value(item)),
            Literal::Object(fields) => {
                for (name, value) in fields {
                    self.literal_bytes += name.len();
                    self.add_value(value);
                }
            }
            _ => {}
        }
    }
}

impl ArgumentSize {
    /// `fragments`: each comes after the fragments that it uses.
    pub(crate) fn of(operation: &OwnArguments, fragments: &[OwnArguments]) -> Self {
        let mut size = Self::default();
        let mut times = vec![0; fragments.len()];
        size.add(operation, 1, &mut times);
        for (index, fragment) in fragments.iter().enumerate().rev() {
            size.add(fragment, times[index], &mut times);
        }
        size
    }

    /// Adds arguments that are used `times` times. `fragments`: how often each fragment is used.
    fn add(&mut self, arguments: &OwnArguments, times: usize, fragments: &mut [usize]) {
        let bytes = arguments.literal_bytes.saturating_mul(times);
        self.literal_bytes = self.literal_bytes.saturating_add(bytes);
        for variable in &arguments.variables {
            let uses = self.uses.entry(variable.clone()).or_default();
            *uses = uses.saturating_add(times);
        }
        for fragment in &arguments.fragments {
            fragments[*fragment] = fragments[*fragment].saturating_add(times);
        }
    }

    /// The bytes with these variables.
    pub(crate) fn bytes(&self, variables: &Variables) -> usize {
        let uses = self.uses.iter().filter_map(|(name, uses)| {
            let value = variables.get(name)?;
            Some(bytes(value).saturating_mul(*uses))
        });
        uses.fold(self.literal_bytes, usize::saturating_add)
    }
}

fn bytes(value: &Value) -> usize {
    1 + match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(bytes).sum(),
        Value::Object(fields) => {
            let fields = fields.iter();
            fields.map(|(name, value)| name.len() + bytes(value)).sum()
        }
        _ => 0,
    }
}
