//! The gate itself: [`Gate::admit`] takes a request through all checks.
//!
//! Read on: `prepare.rs` for the checks of the document, `variables.rs` for the checks of the variables.

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Request, Variables};
use serde_json::{Map, Value as Json};

use crate::cache::DocumentCache;
use crate::document::PreparedDocument;
use crate::limits::{self, CostRules, Limits, Settings};
use crate::prepare::{self, PreparedOperation, prepare};
use crate::rejection::Rejection;
use crate::scalars::CustomScalar;
use crate::variables;

/// Admits or rejects requests. Create one per schema and share it.
///
/// `P` is the type of the plans that [`Gate::with_plans`] makes.
pub struct Gate<P = ()> {
    settings: Settings,
    pub(crate) cache: DocumentCache<P>,
    plan: Plan<P>,
}

/// Makes the plan of an operation.
pub(crate) type Plan<P> = fn(&ValidOperation<'_>) -> P;

/// One operation of a document that is valid and within the limits.
pub struct ValidOperation<'a> {
    /// The text of the whole document, as the client sent it.
    pub text: &'a str,
    /// The type of the operation.
    pub operation: OperationType,
    /// The name of the operation. None if it is anonymous.
    pub operation_name: Option<&'a str>,
    /// The document of [`Admitted::request`], before any conditions that depend on variables are evaluated.
    pub document: &'a ExecutableDocument,
}

/// A request that can be executed.
pub struct Admitted<P = ()> {
    /// The type of the operation. The transport decides which types it accepts: a mutation must not use GET, and only a
    /// subscription streams.
    pub operation: OperationType,
    /// The name of the operation, for logs. None if the operation is anonymous.
    pub operation_name: Option<Arc<str>>,
    /// The cost in points; see [`CostRules`].
    pub cost: u64,
    /// The coerced variables. Omitted variables and input fields stay omitted.
    pub variables: Variables,
    /// Whether the document was parsed and validated for this request, because it was not cached.
    pub was_parsed: bool,
    prepared: Arc<PreparedOperation<P>>,
}

impl<P> Admitted<P> {
    /// What [`Gate::with_plans`] has made of the operation.
    pub fn plan(&self) -> &P {
        &self.prepared.plan
    }

    /// The request for async-graphql: the parsed document with one operation, and the variables. `query` is empty, and
    /// `operation_name` is not set.
    pub fn request(&self) -> Request {
        let mut request = Request::new("");
        request.set_parsed_query(self.prepared.document(&self.variables));
        request.variables = self.variables.clone();
        request
    }
}

impl Gate {
    /// Creates a gate for the schema in `sdl`.
    ///
    /// # Panics
    ///
    /// If `sdl` is not a valid schema. It is exported from code, so an invalid one is a bug.
    pub fn new(sdl: &str, limits: Limits, cost_rules: CostRules) -> Self {
        Self {
            cache: DocumentCache::new(&limits),
            settings: Settings {
                schema: prepare::schema(sdl),
                scalars: &[],
                limits,
                cost_rules,
            },
            plan: |_| (),
        }
    }

    /// Makes a plan of each operation, and caches it with the operation.
    #[must_use]
    pub fn with_plans<P>(self, plan: fn(&ValidOperation<'_>) -> P) -> Gate<P> {
        Gate {
            cache: DocumentCache::new(&self.settings.limits),
            settings: self.settings,
            plan,
        }
    }
}

impl<P> Gate<P> {
    /// Checks the values of these custom scalars, too. Other custom scalars accept every value.
    #[must_use]
    pub fn with_scalars(mut self, scalars: &'static [CustomScalar]) -> Self {
        self.settings.scalars = scalars;
        self
    }

    /// Checks everything about a request that can be checked before it runs.
    ///
    /// An empty `operation_name` counts as omitted. Variables that the operation does not declare are ignored.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] with the reasons. Nothing has run in this case.
    pub fn admit(
        &self,
        query: &str,
        operation_name: Option<&str>,
        variables: Map<String, Json>,
    ) -> Result<Admitted<P>, Rejection> {
        let operation_name = operation_name.filter(|name| !name.is_empty());
        let (prepared, was_parsed) = self.cache.get_or_prepare(query, operation_name, || {
            prepare(&self.settings, query, operation_name, self.plan)
        })?;
        let admitted = self.admit_operation(prepared, query, operation_name, variables)?;
        Ok(Admitted {
            was_parsed,
            ..admitted
        })
    }

    /// Prepares all operations of a document, for requests that name the document instead of sending its text.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] with the reasons why one of its operations can never be admitted. A document without operations is
    /// rejected, too.
    pub fn prepare(&self, text: &str) -> Result<PreparedDocument<P>, Rejection> {
        PreparedDocument::new(&self.settings, text, self.plan)
    }

    /// As [`Gate::admit`], for a document that is prepared. Parses nothing.
    ///
    /// # Errors
    ///
    /// As [`Gate::admit`].
    pub fn admit_prepared(
        &self,
        document: &PreparedDocument<P>,
        operation_name: Option<&str>,
        variables: Map<String, Json>,
    ) -> Result<Admitted<P>, Rejection> {
        let operation_name = operation_name.filter(|name| !name.is_empty());
        let prepared = document.operation(operation_name)?;
        self.admit_operation(prepared, document.text(), operation_name, variables)
    }

    pub(crate) fn schema(&self) -> &apollo_compiler::Schema {
        &self.settings.schema
    }

    /// Checks everything that depends on the variables. Parses the document again only to explain a cost above the maximum.
    fn admit_operation(
        &self,
        prepared: Arc<PreparedOperation<P>>,
        text: &str,
        operation_name: Option<&str>,
        variables: Map<String, Json>,
    ) -> Result<Admitted<P>, Rejection> {
        let settings = &self.settings;
        let span = tracing::trace_span!("graphql.coerce").entered();
        let variables = variables::coerce(settings, &prepared.variables, variables)?;
        drop(span);
        let what = "The number of bytes in arguments, counting each use of a variable,";
        let bytes = prepared.arguments.bytes(&variables);
        limits::check(what, bytes, settings.limits.argument_bytes)?;
        let cost = prepared.cost.evaluate(&variables);
        let limit = settings.limits.cost;
        if cost > limit {
            let explanation = prepare::explain_cost(settings, text, operation_name, &variables);
            return Err(Rejection::over_cost(cost, limit, &explanation));
        }
        Ok(Admitted {
            operation: prepared.operation,
            operation_name: prepared.name.clone(),
            cost,
            variables,
            was_parsed: false,
            prepared,
        })
    }
}
