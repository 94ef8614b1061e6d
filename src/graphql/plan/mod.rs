//! Plans: queries of items without the library. A plan is made once for each prepared document. It reads only the selected columns
//! and writes rows straight to the bytes of the response, where the library builds a future and a value for each field of each
//! object (docs/benchmarks.md).
//!
//! - `fields`: the fields that plans support, in one table. `compile`: from a document to a plan (`model`).
//! - `load`: from a plan to rows. `write` and `values`: from rows to JSON.
//!
//! **Plans report no errors.** Queries with unsupported fields have no plan. If a plan fails, its output is discarded, and the
//! library executes the request from the start. Reads have no effects, so every error message, code and log line comes from
//! one place. The gate has validated the document, limited its cost and coerced its variables before, as for all requests.
//!
//! The response of a plan consists of the same bytes as that of the library. Tests run every query both ways
//! ([`Mode::Verify`]).

mod compile;
mod fields;
mod load;
mod model;
mod values;
mod verify;
mod write;

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Name, Value, Variables, parser::types::ExecutableDocument};
use parking_lot::Mutex;

pub(super) use compile::selects_any;
use load::Loader;
pub(crate) use model::Plan;
pub(super) use verify::verify;

use super::Cost;
use crate::{
    auth::Viewer,
    db::{Database, raw::RawReads},
};

/// Maximum size of the rows that a plan reads, and of the response. Larger responses wait for their turn (`budget`).
const MAX_BYTES: usize = 1 << 20;

/// Maximum number of variables in `@skip` and `@include`. Each combination of their values has a plan of its own.
const MAX_DECIDING_VARIABLES: usize = 4;

/// Whether queries run with plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Queries that have a plan run with it.
    #[default]
    On,
    /// The library executes all queries.
    Off,
    /// Queries that have a plan run both ways. If the responses differ, the request fails.
    Verify,
}

/// The plans of a prepared document.
pub(crate) enum Plans {
    /// The same for all variables; `None` if it has no plan.
    One(Option<Arc<Plan>>),
    ByVariables(Box<PlansByVariables>),
}

/// One plan for each combination of the values of the variables that decide what is selected.
pub(crate) struct PlansByVariables {
    document: ExecutableDocument,
    deciding: Vec<Name>,
    plans: Mutex<HashMap<Vec<bool>, Option<Arc<Plan>>>>,
}

impl Plans {
    /// The plans of a document.
    pub(crate) fn new(document: &ExecutableDocument) -> Plans {
        let deciding = compile::deciding_variables(document);
        match deciding.len() {
            0 => {
                let plan = compile::compile(document, &Variables::default());
                Plans::One(plan.map(Arc::new))
            }
            1..=MAX_DECIDING_VARIABLES => Plans::ByVariables(Box::new(PlansByVariables {
                document: document.clone(),
                deciding: deciding.into_iter().collect(),
                plans: Mutex::default(),
            })),
            _ => Plans::One(None),
        }
    }

    /// The plan for a request with these variables.
    pub(crate) fn of(&self, variables: &Variables) -> Option<Arc<Plan>> {
        let by_variables = match self {
            Plans::One(plan) => return plan.clone(),
            Plans::ByVariables(by_variables) => by_variables,
        };
        let is_true = |name| variables.get(name) == Some(&Value::Boolean(true));
        let values = by_variables.deciding.iter().map(is_true).collect();
        let compile = || compile::compile(&by_variables.document, variables).map(Arc::new);
        let mut plans = by_variables.plans.lock();
        plans.entry(values).or_insert_with(compile).clone()
    }
}

impl Plan {
    /// Executes the plan. Returns the JSON of the response up to the end of its data, at most `max_response` bytes ([`ended`] completes
    /// it). `None` if the library must execute the request. Reads items from `reads`, and the viewer's user from `database`.
    pub(crate) async fn run(
        &self,
        reads: &Database,
        database: &Database,
        viewer: &Viewer,
        variables: &Variables,
        max_response: usize,
    ) -> Option<Vec<u8>> {
        let max_bytes = MAX_BYTES.min(max_response);
        let loader = Loader {
            database: reads,
            reads: RawReads::new(reads.shared_reads()?, max_bytes),
            user_reads: RawReads::new(database.shared_reads()?, max_bytes),
            viewer,
            variables,
        };
        let loaded = loader.plan(self).await?;
        write::data(self, &loaded).filter(|response| response.len() <= max_bytes)
    }
}

#[cfg(test)]
mod tests;

/// Completes the JSON of a response after its data, which [`Plan::run`] has written.
pub(super) fn ended(mut response: Vec<u8>, cost: Option<Cost>) -> Vec<u8> {
    if let Some(cost) = cost {
        let extensions = format!(",\"extensions\":{{\"cost\":{}}}", json_of(&cost.value()));
        response.extend_from_slice(extensions.as_bytes());
    }
    response.push(b'}');
    response
}

fn json_of(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
