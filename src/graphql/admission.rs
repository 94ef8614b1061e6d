//! Admits a request: finds its document, has the gate check it, and computes its cost. What is made once for each prepared operation.

use std::sync::Arc;

use async_graphql::Response;
use graphql_gate::{CostRules, ValidOperation};

use super::{
    Api, Call, Cost, Operation,
    documents::Found,
    error, inexact_number,
    page::{DEFAULT_SIZE, MAX_SIZE},
    plan::{self, Plan, Plans},
};
use crate::{error::Error, telemetry::OperationLabel};

/// How the gate computes the cost of an operation.
pub(super) const COST_RULES: CostRules = CostRules {
    free_types: &[
        "PageInfo",
        "UserError",
        "Highlight",
        "TextRange",
        "HttpHeader",
    ],
    default_page_size: DEFAULT_SIZE as u64,
    max_page_size: MAX_SIZE as u64,
    // They compare the texts of all items of the owner.
    filter_points: &[("Contains", 5)],
};

/// Queries with one of these fields read everything from the primary.
/// - The change feed is read from the primary. A client that has read a change, or a cursor after it, must not read an older state.
/// - The index of the search follows the feed, and building it may take long.
/// - Private fields that an admin reads are recorded, and a query that fails on the replica runs again.
const PRIMARY_ONLY: [&str; 9] = [
    "changes",
    "changesCursor",
    "search",
    "users",
    "profile",
    "sessions",
    "accounts",
    "usage",
    "auditLog",
];

/// A request that can be executed.
pub struct Admitted {
    /// The type of its operation. The transport decides which types it accepts.
    pub operation: Operation,
    /// The cost in points.
    pub cost: u64,
    /// The length of its document in bytes. 0 for a trusted document.
    pub document_bytes: usize,
    /// Whether the document was parsed and validated for this request.
    pub was_parsed: bool,
    /// The cost that every response reports; `None` if the caller did not ask for it.
    pub reported_cost: Option<Cost>,
    pub(super) admitted: graphql_gate::Admitted<Prepared>,
}

impl Admitted {
    /// The names of the operation in metrics and the log.
    pub(crate) fn label(&self) -> &Arc<OperationLabel> {
        &self.admitted.plan().label
    }

    /// Whether it is a query whose items may come from a replica.
    pub(super) fn may_use_replica(&self) -> bool {
        self.operation == Operation::Query && !self.admitted.plan().is_primary_only
    }

    /// The plan for its variables, if it has one.
    pub(super) fn plan(&self) -> Option<Arc<Plan>> {
        self.admitted.plan().plans.of(&self.admitted.variables)
    }
}

/// A request that must not be executed.
pub struct NotAdmitted {
    /// The complete response, which has no data.
    pub response: Box<Response>,
    /// The length of its document in bytes, as far as the document is known. 0 for a trusted document.
    pub document_bytes: usize,
}

/// What is made once for each prepared operation.
pub(super) struct Prepared {
    pub(super) plans: Plans,
    is_primary_only: bool,
    label: Arc<OperationLabel>,
}

impl Prepared {
    pub(super) fn new(document: &ValidOperation<'_>) -> Prepared {
        let kind = match document.operation {
            Operation::Query => "query",
            Operation::Mutation => "mutation",
            Operation::Subscription => "subscription",
        };
        let name = document.operation_name.unwrap_or_default();
        let label = OperationLabel::new(kind, name, document.text);
        Prepared {
            plans: Plans::new(document.document),
            is_primary_only: plan::selects_any(document.document, &PRIMARY_ONLY),
            label: Arc::new(label),
        }
    }
}

impl Api {
    /// Finds the document of a request, which is parsed and validated unless it is known. Computes the cost. Nothing is executed yet.
    ///
    /// # Errors
    /// [`NotAdmitted`].
    pub fn admit(&self, call: Call) -> Result<Admitted, NotAdmitted> {
        let refuse = |response, document_bytes| NotAdmitted {
            response: Box::new(response),
            document_bytes,
        };
        let sent_bytes = call.document.text().map_or(0, str::len);
        let found = self.inner.documents.find(call.document);
        let found = found.map_err(|error| refuse(error::error_response(error), sent_bytes))?;
        let document_bytes = match &found {
            Found::Trusted(_) => 0,
            Found::Text { text, .. } => text.len(),
        };
        if let Some(path) = call.inexact_number {
            let error = Error::bad_input(inexact_number(&path));
            return Err(refuse(error::error_response(error), document_bytes));
        }
        let limit = self.inner.cost_limit;
        let reported = |requested| call.reports_cost.then_some(Cost { requested, limit });
        let (gate, name) = (&self.inner.gate, call.operation_name.as_deref());
        let admitted = match &found {
            Found::Trusted(document) => gate.admit_prepared(document, name, call.variables),
            Found::Text { text, .. } => gate.admit(text, name, call.variables),
        };
        match admitted {
            Ok(admitted) => {
                let name = admitted.operation_name.as_deref();
                self.inner.documents.note_admitted(found, name);
                Ok(Admitted {
                    operation: admitted.operation,
                    cost: admitted.cost,
                    document_bytes,
                    was_parsed: admitted.was_parsed,
                    reported_cost: reported(admitted.cost),
                    admitted,
                })
            }
            Err(rejection) => {
                let cost = rejection.cost().and_then(reported);
                let mut response = error::rejection_response(rejection);
                if let Some(cost) = cost {
                    cost.report(&mut response);
                }
                Err(refuse(response, document_bytes))
            }
        }
    }
}
