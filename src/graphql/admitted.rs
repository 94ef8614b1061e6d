//! A request that the gate has admitted, and what is kept with its prepared document.

use std::sync::Arc;

use graphql_gate::PreparedDocument;

use super::{Cost, Operation, plan::Plans};
use crate::telemetry::OperationLabel;

/// A request that can be executed.
pub struct Admitted {
    /// The type of its operation. The transport decides which types it accepts.
    pub operation: Operation,
    /// The cost that every response reports; `None` if the caller did not ask for it.
    pub reported_cost: Option<Cost>,
    pub(super) admitted: graphql_gate::Admitted<Prepared>,
}

impl Admitted {
    /// What metrics and log call the operation.
    pub(crate) fn label(&self) -> &Arc<OperationLabel> {
        &self.admitted.plan().label
    }
}

/// What is made once for each prepared document.
pub(super) struct Prepared {
    pub(super) plans: Plans,
    label: Arc<OperationLabel>,
}

impl Prepared {
    pub(super) fn new(document: &PreparedDocument<'_>) -> Prepared {
        let kind = match document.operation {
            Operation::Query => "query",
            Operation::Mutation => "mutation",
            Operation::Subscription => "subscription",
        };
        let name = document.operation_name.unwrap_or_default();
        let label = OperationLabel::new(kind, name, document.text);
        Prepared {
            plans: Plans::new(document.document),
            label: Arc::new(label),
        }
    }
}
