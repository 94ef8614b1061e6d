//! The GraphQL API: the schema, its resolvers, and the execution of requests.
//!
//! [`graphql_gate`] validates and limits each request and coerces its variables; async-graphql then executes it. Resolvers
//! pass inputs to the commands of a noun and turn rows into objects. Rules and SQL are in the nouns' own modules. Nothing
//! here knows HTTP.
//!
//! - [`context`]: the caller and the services. [`error`]: request errors. `payload`: results of mutations. `subscription`:
//!   the root of subscriptions. `whole`: delivers events and pages of changes whole.
//! - `call`: a request. [`documents`]: documents that requests name by id or hash. `admission`: finds the document of a request, checks
//!   the request and computes its cost. `execute`: runs queries and mutations. `cost`: reports the cost. `budget`: limits the size of its response.
//! - `tools`: documents that agents can call.
//! - `page`, `list`, `selection`, `connection`: from the arguments of a list to a connection.
//! - `lookahead` and `loaders`: loading in batches. `node`: objects by id. `course_item`: an interface without values.
//! - [`plan`]: executes queries of items without the library.
//! - `examples/`: an operation for each field of the roots, which its description ends with.
//! - `item_api`: what the objects, queries and mutations of all items have in common.
//! - One file per noun: `user`, `usage`, `session`, `recovery`, `admin`, `audit`, `course`, `document`, `image`, `task`, `tag`. `trash`,
//!   `search` and `changes` work for several nouns. `private_fields`: fields that only a user and admins can read.

/// The example of a query, a mutation or the subscription, which is the end of its description. Descriptions keep the indentation of
/// files only.
macro_rules! example {
    ($name:literal) => {
        concat!(
            "```graphql\n",
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/src/graphql/examples/",
                $name,
                ".graphql"
            )),
            "```"
        )
    };
}

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
mod execute;
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
mod tools;
mod trash;
mod usage;
mod user;
mod whole;

#[cfg(test)]
mod description_tests;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_graphql::{MergedObject, SDLExportOptions, Schema, SchemaBuilder, ValidationMode};
use futures_util::{Stream, StreamExt, stream};

pub use admission::{Admitted, NotAdmitted};
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
pub use tools::{Tool, ToolMode};
pub use whole::Event;
use whole::Events;

use crate::scalars;

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
/// are returned in `userErrors`, whose codes each mutation lists, and nothing was changed. Other failures (not signed in, a limit, an internal error) are
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
    /// The services for queries that read items from the replica.
    replica_services: Option<Services>,
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
            .finish();
        let cost_limit = limits.cost;
        let gate = gate(&sdl, limits);
        let for_events = services.database.with_half_the_pool();
        let event_services = Services {
            reads: for_events.clone(),
            database: for_events,
            ..services.clone()
        };
        let replica_services = services.database.replica().map(|replica| Services {
            reads: replica.database().clone(),
            ..services.clone()
        });
        Ok(Api {
            inner: Arc::new(Inner {
                schema,
                services,
                event_services,
                replica_services,
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

    /// The tools for agents, sorted by name.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.inner.documents.tools().iter()
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
}
