//! The GraphQL API: the schema, its resolvers, and the execution of requests.
//!
//! [`graphql_gate`] validates and limits each request and coerces its variables; async-graphql then executes it. Resolvers
//! pass inputs to the commands of a noun and turn rows into objects. Rules and SQL are in the nouns' own modules. Nothing
//! here knows HTTP.
//!
//! - [`context`]: the caller and the services. [`error`]: request errors. `payload`: results of mutations. `subscription`:
//!   the root of subscriptions. `whole`: delivers events and pages of changes whole.
//! - `call`: a request. [`documents`]: documents that requests name by id or hash. `admission`: finds the document of a request, checks
//!   the request and computes its cost. `cost`: reports the cost. `budget`: limits the size of its response.
//! - `page`, `list`, `selection`, `connection`: from the arguments of a list to a connection.
//! - `lookahead` and `loaders`: loading in batches. `node`: objects by id. `course_item`: an interface without values.
//! - [`plan`]: executes queries of items without the library.
//! - `item_api`: what the objects, queries and mutations of all items have in common.
//! - One file per noun: `user`, `usage`, `session`, `recovery`, `admin`, `audit`, `course`, `document`, `image`, `task`, `tag`. `trash`,
//!   `search` and `changes` work for several nouns. `private_fields`: fields that only a user and admins can read.

mod admin;
mod admission;
mod audit;
mod budget;
mod call;
mod changes;
mod connection;
pub mod context;
mod cost;
mod course;
mod course_item;
mod document;
pub mod documents;
pub mod error;
mod image;
mod item_api;
mod list;
mod loaders;
mod lookahead;
mod node;
mod page;
mod payload;
pub mod plan;
mod private_fields;
mod recovery;
mod search;
mod selection;
mod session;
mod subscription;
mod tag;
mod task;
mod trash;
mod usage;
mod user;
mod whole;

#[cfg(test)]
mod description_tests;

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_graphql::{
    MergedObject, Response, SDLExportOptions, Schema, SchemaBuilder, ValidationMode,
};
use futures_util::{FutureExt, Stream, StreamExt, stream};

pub use admission::Admitted;
use admission::{COST_RULES, Prepared};
pub use async_graphql::parser::types::OperationType as Operation;
use budget::ResponseMemory;
pub use budget::{Executed, ResponseBudget};
pub(crate) use call::inexact_number;
pub use call::{Call, DocumentName};
pub use context::{Caller, Identity, Services};
pub use cost::Cost;
use course_item::CourseItem;
use documents::{DocumentSettings, Documents};
use graphql_gate::Gate;
pub use graphql_gate::Limits;
use loaders::Loaders;
use subscription::{Delivery, Subscription};
pub use whole::Event;
use whole::{Events, WholeFields};

use crate::{error::Error, scalars};

/// All queries. Unless its description says otherwise, a query requires a signed-in user (else UNAUTHENTICATED) and returns
/// only that user's data. An argument with an invalid value is BAD_USER_INPUT. A response that would exceed the maximum size (16 MiB
/// by default) is RESPONSE_TOO_LARGE. Such codes are in `extensions.code` of the error.
#[derive(MergedObject, Default)]
pub(crate) struct Query(
    user::UserQuery,
    admin::AdminQuery,
    node::NodeQuery,
    course::CourseQuery,
    document::DocumentQuery,
    task::TaskQuery,
    tag::TagQuery,
    trash::TrashQuery,
    search::SearchQuery,
    changes::ChangesQuery,
);

/// All mutations. Unless its description says otherwise, a mutation requires a signed-in user. Errors that the caller can fix
/// are returned in `userErrors`, and nothing was changed. Other failures (not signed in, a limit, an internal error) are
/// request errors with `extensions.code`. The field of the failed mutation is then null, and the other mutations of the
/// request are not affected.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(
    session::SessionMutation,
    recovery::RecoveryMutation,
    user::UserMutation,
    admin::AdminMutation,
    course::CourseMutation,
    document::DocumentMutation,
    image::ImageMutation,
    task::TaskMutation,
    tag::TagMutation,
    trash::TrashMutation,
);

fn build() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription)
        .register_output_type::<CourseItem>()
}

/// The schema in GraphQL's schema definition language, sorted. `schema.graphql` contains it.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by();
    let schema = build().finish().sdl_with_options(options);
    let lines: Vec<&str> = schema.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim())
}

fn gate(sdl: &str, limits: Limits) -> Gate<Prepared> {
    Gate::new(sdl, limits, COST_RULES)
        .with_scalars(scalars::CHECKS)
        .with_plans(Prepared::new)
}

/// Checks trusted documents as [`Api::new`] does. Returns their number.
///
/// # Errors
/// As [`Api::new`].
pub fn check_documents(limits: Limits, settings: &DocumentSettings) -> Result<usize, String> {
    Documents::new(&gate(&sdl(), limits), settings).map(|documents| documents.len())
}

/// The whole API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    schema: Schema<Query, Mutation, Subscription>,
    services: Services,
    /// The services for the events of subscriptions, which together use at most half of the connections.
    event_services: Services,
    gate: Gate<Prepared>,
    documents: Documents,
    plans: plan::Mode,
    /// Maximum cost of a request in points.
    cost_limit: u64,
    memory: ResponseMemory,
    sdl: String,
}

impl Api {
    /// Creates the API with these services and limits. `max_response`: the maximum size of a response in bytes.
    ///
    /// # Errors
    /// A message that names the trusted documents that are not valid, and what is wrong with them.
    pub fn new(
        services: Services,
        limits: Limits,
        max_response: usize,
        plans: plan::Mode,
        documents: &DocumentSettings,
    ) -> Result<Api, String> {
        let sdl = sdl();
        // The library's own checks are off because the gate validates and limits every request.
        let schema = build()
            .validation_mode(ValidationMode::Fast)
            .limit_recursive_depth(usize::MAX)
            .data(services.clone())
            .finish();
        let cost_limit = limits.cost;
        let gate = gate(&sdl, limits);
        let event_services = Services {
            database: services.database.with_half_the_pool(),
            ..services.clone()
        };
        Ok(Api {
            inner: Arc::new(Inner {
                schema,
                services,
                event_services,
                documents: Documents::new(&gate, documents)?,
                gate,
                plans,
                cost_limit,
                memory: ResponseMemory::new(max_response),
                sdl,
            }),
        })
    }

    /// The schema in GraphQL's schema definition language.
    pub fn sdl(&self) -> &str {
        &self.inner.sdl
    }

    /// Executes an admitted subscription. The stream works only while it is polled, and ends after an event with
    /// errors. Every error has a code.
    ///
    /// `event_timeout`: maximum time for loading the data of an event.
    /// `resumed_after`: the cursor to resume after, if the transport has one. It overrides the argument `after`.
    pub fn subscribe(
        &self,
        admitted: Admitted,
        caller: Caller,
        event_timeout: Duration,
        resumed_after: Option<String>,
        request_id: &str,
    ) -> impl Stream<Item = Event> + Send + 'static {
        let services = self.inner.event_services.clone();
        let (database, holder) = (services.database.clone(), caller.holder());
        let budget = self.inner.memory.budget(holder.clone());
        let loaders = Loaders::new(services.clone(), caller.clone(), budget.clone());
        let delivery = Delivery::new(resumed_after, event_timeout);
        let request = admitted.admitted.request();
        let request = request.data(caller).data(loaders).data(services);
        let request = request.data(delivery.clone()).data(budget.clone());
        let responses = AssertUnwindSafe(self.inner.schema.execute_stream(request));
        let responses = responses.catch_unwind().boxed();
        let events = Events::new(responses, delivery, budget, request_id);
        stream::unfold(events, move |mut events| {
            let (database, holder) = (database.clone(), holder.clone());
            async move {
                let event = database.for_holder(holder, events.next()).await?;
                Some((event, events))
            }
        })
    }

    /// Executes an admitted request for its caller, with the caller's share of the database. Every error in the response has a code. Internal errors are logged with the request's
    /// id.
    pub async fn execute(&self, admitted: Admitted, caller: Caller, request_id: &str) -> Executed {
        if self.inner.plans == plan::Mode::Verify {
            let planned = || self.planned(&admitted, &caller);
            let executed = || self.execute_by_library(&admitted, caller.clone(), request_id);
            return plan::verify(planned, executed, request_id).await;
        }
        self.execute_by_library(&admitted, caller, request_id).await
    }

    /// Executes a request by its plan. Returns the JSON of the response, which has no errors. `None` if the request must be executed
    /// by [`Api::execute`].
    pub async fn execute_plan(&self, admitted: &Admitted, caller: &Caller) -> Option<Vec<u8>> {
        if self.inner.plans != plan::Mode::On {
            return None;
        }
        let response = self.planned(admitted, caller).await?;
        let response = plan::ended(response, admitted.reported_cost);
        let max = self.inner.memory.max_response();
        Some(response).filter(|response| response.len() <= max)
    }

    /// What a request's plan writes ([`Plan::run`](plan::Plan::run)).
    async fn planned(&self, admitted: &Admitted, caller: &Caller) -> Option<Vec<u8>> {
        let Admitted { admitted, .. } = admitted;
        let plan = admitted.plan().plans.of(&admitted.variables)?;
        let database = &self.inner.services.database;
        let max_response = self.inner.memory.max_response();
        let run = plan.run(database, caller.user()?, &admitted.variables, max_response);
        database.for_holder(caller.holder(), run).await
    }

    async fn execute_by_library(
        &self,
        admitted: &Admitted,
        caller: Caller,
        request_id: &str,
    ) -> Executed {
        let (database, holder) = (&self.inner.services.database, caller.holder());
        let budget = self.inner.memory.budget(holder.clone());
        let loaders = Loaders::new(self.inner.services.clone(), caller.clone(), budget.clone());
        let whole = WholeFields::default();
        let request = admitted.admitted.request();
        let request = request.data(caller).data(loaders);
        let request = request.data(whole.clone()).data(budget.clone());
        let execution = catch_panic(self.inner.schema.execute(request));
        let mut response = database.for_holder(holder, execution).await;
        whole.enforce(&mut response);
        error::finish(&mut response, request_id);
        Executed {
            response,
            budget: Some(budget),
        }
    }
}

/// Turns the panic of a resolver into an internal error.
async fn catch_panic(execution: impl Future<Output = Response>) -> Response {
    let executed = AssertUnwindSafe(execution).catch_unwind().await;
    executed.unwrap_or_else(|panic| panic_response(&*panic))
}

fn panic_response(panic: &(dyn Any + Send)) -> Response {
    error::error_response(Error::internal(panic_detail(panic)))
}

fn panic_detail(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or(panic.downcast_ref::<String>().map(String::as_str));
    format!("a resolver panicked: {}", message.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_checks_every_custom_scalar_of_the_schema() {
        let sdl = sdl();
        let lines = sdl.lines().filter_map(|line| line.strip_prefix("scalar "));
        let scalars: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
        let checked: Vec<&str> = scalars::CHECKS.iter().map(|scalar| scalar.name).collect();
        assert_eq!(scalars, checked);
    }

    #[test]
    fn every_free_type_is_in_the_schema() {
        let sdl = sdl();
        for name in COST_RULES.free_types {
            assert!(
                sdl.contains(&format!("type {name} ")),
                "there is no type {name}"
            );
        }
    }

    #[tokio::test]
    async fn the_response_to_a_panic_does_not_reveal_its_message() {
        let resolver = async {
            if true {
                panic!("the secret of {}", "the owner");
            }
            Response::default()
        };
        let mut response = catch_panic(resolver).await;
        error::finish(&mut response, "the-id");
        let response = serde_json::to_value(&response).expect("a response is JSON");
        assert_eq!(response["errors"][0]["extensions"]["code"], "INTERNAL");
        assert_eq!(response["errors"][0]["extensions"]["requestId"], "the-id");
        assert!(!response.to_string().contains("secret"), "{response}");
        let detail = panic_detail(&"words");
        assert_eq!(detail, "a resolver panicked: words");
    }
}
