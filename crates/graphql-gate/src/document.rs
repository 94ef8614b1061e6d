//! A document whose operations are all prepared, before any request needs them.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;

use crate::gate::Plan;

use crate::limits::Settings;
use crate::prepare::{self, PreparedOperation, prepare};
use crate::rejection::Rejection;

/// A valid document within the limits, with its operations. Made by [`Gate::prepare`](crate::Gate::prepare).
pub struct PreparedDocument<P = ()> {
    text: Arc<str>,
    /// At least one.
    operations: Vec<Arc<PreparedOperation<P>>>,
}

impl<P> PreparedDocument<P> {
    pub(crate) fn new(settings: &Settings, text: &str, plan: Plan<P>) -> Result<Self, Rejection> {
        let names = prepare::operation_names(settings, text)?;
        let operations = names.iter().map(|name| {
            let operation = prepare(settings, text, name.as_deref(), plan)?;
            Ok(Arc::new(operation))
        });
        Ok(Self {
            operations: operations.collect::<Result<_, _>>()?,
            text: text.into(),
        })
    }

    /// Its text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The type of its operation. None if it has several.
    pub fn operation_type(&self) -> Option<OperationType> {
        match self.operations.as_slice() {
            [only] => Some(only.operation),
            _ => None,
        }
    }

    /// The specification's GetOperation.
    pub(crate) fn operation(
        &self,
        name: Option<&str>,
    ) -> Result<Arc<PreparedOperation<P>>, Rejection> {
        let found = match (name, self.operations.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), operations) => operations.iter().find(|one| one.name.as_deref() == name),
        };
        let names = || self.operations.iter().filter_map(|one| one.name.as_deref());
        found
            .map(Arc::clone)
            .ok_or_else(|| prepare::no_operation(name, names()))
    }
}
