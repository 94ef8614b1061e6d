//! The GraphQL edge: the schema, and the way of a request through it.
//!
//! [`graphql_gate`] validates and limits each request and coerces its variables. async-graphql then executes it. Resolvers
//! turn input into what a noun's commands take, and rows into objects; rules and SQL are with the nouns.
//!
//! - [`context`]: who asks, and what answers. [`error`]: how mistakes and faults are answered.
//! - [`page`]: connections. `ahead` and [`loaders`]: batches. [`node`]: what has an id. [`scalars`].
//! - one file a noun: `user`, `session`, `recovery`, `admin`, `audit`, `course`, `document`, `image`, `task`, and `trash`, `search`
//!   and `changes`, which work across them. `private_fields`: what a person and admins alone may read.
//!
//! Nothing here knows HTTP.

mod admin;
mod audit;
mod changes;
pub mod context;
mod course;
mod document;
pub mod error;
mod image;
mod item_api;
mod loaders;
mod lookahead;
mod node;
mod page;
mod private_fields;
mod recovery;
mod search;
mod session;
mod subscription;
mod task;
mod trash;
mod user;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_graphql::{
    MergedObject, Response, SDLExportOptions, Schema, SchemaBuilder, ValidationMode, Value,
};
use futures_util::{FutureExt, Stream, StreamExt};

pub use async_graphql::parser::types::OperationType as Operation;
pub use context::{Asker, Services};
pub use graphql_gate::{Admitted, Limits};
use graphql_gate::{CostRules, Gate};
use loaders::Loaders;
use subscription::{EventLimit, Position, Subscription};

use crate::error::Error;

/// What can be read.
#[derive(MergedObject, Default)]
pub(crate) struct Query(
    user::UserQuery,
    admin::AdminQuery,
    node::NodeQuery,
    course::CourseQuery,
    document::DocumentQuery,
    task::TaskQuery,
    trash::TrashQuery,
    search::SearchQuery,
    changes::ChangesQuery,
);

/// What can be done. What a person or a program got wrong and can put right comes back in `userErrors`; then nothing was
/// changed. What neither can (not signed in, a limit, a fault of the service) is an error of the request, with
/// `extensions.code`; then that mutation is null, and its siblings stand.
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
    trash::TrashMutation,
);

fn build() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription)
}

/// The schema in GraphQL's own language, sorted: what `schema.graphql` holds.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items();
    let schema = build().finish().sdl_with_options(options);
    let lines: Vec<&str> = schema.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim())
}

/// The rules by which the gate counts the cost of an operation.
const COST_RULES: CostRules = CostRules {
    free_types: &[
        "PageInfo",
        "UserError",
        "Highlight",
        "TextRange",
        "HttpHeader",
    ],
    default_page_size: page::DEFAULT_SIZE as u64,
    max_page_size: page::MAX_SIZE as u64,
};

/// A request as a caller sends it.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The document.
    pub query: String,
    /// Which of its operations.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: serde_json::Map<String, serde_json::Value>,
}

/// The whole API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    schema: Schema<Query, Mutation, Subscription>,
    services: Services,
    /// The same for the events of subscriptions: they share a part of the connections.
    for_events: Services,
    gate: Gate,
    sdl: String,
}

impl Api {
    /// The API over these services, within these limits.
    pub fn new(services: Services, limits: Limits) -> Api {
        let sdl = sdl();
        // Safe only behind the gate, which validates and limits every request.
        let schema = build()
            .validation_mode(ValidationMode::Fast)
            .limit_recursive_depth(usize::MAX)
            .data(services.clone())
            .finish();
        let gate = Gate::new(&sdl, limits, COST_RULES);
        let for_events = Services {
            database: services.database.with_half_the_pool(),
            ..services.clone()
        };
        Api {
            inner: Arc::new(Inner {
                schema,
                services,
                for_events,
                gate,
                sdl,
            }),
        }
    }

    /// The schema in GraphQL's own language.
    pub fn sdl(&self) -> &str {
        &self.inner.sdl
    }

    /// Parses, validates and measures a request, before anything of it runs.
    ///
    /// # Errors
    /// A finished answer without data.
    pub fn admit(&self, call: Call) -> Result<Admitted, Box<Response>> {
        let admitted =
            self.inner
                .gate
                .admit(&call.query, call.operation_name.as_deref(), call.variables);
        admitted.map_err(|rejection| Box::new(error::rejected(rejection)))
    }

    /// Runs an admitted subscription, for as long as the stream is polled; nothing is done ahead of a poll. Every error has
    /// its code. Ends behind an event without data.
    ///
    /// `limit`: how long it may take to load what an event brings; what takes longer is null, with an error.
    /// `resumed_after`: the cursor behind which to go on, as the transport says it; it wins over the argument.
    pub fn subscribe(
        &self,
        admitted: Admitted,
        asker: Asker,
        limit: Duration,
        resumed_after: Option<String>,
        request_id: &str,
    ) -> impl Stream<Item = Event> + Send + 'static {
        let services = self.inner.for_events.clone();
        let loaders = Loaders::for_events(services.clone(), asker.clone(), limit);
        let position = Position::resumed(resumed_after);
        let request = admitted.request.data(asker).data(loaders).data(services);
        let request = request.data(EventLimit(limit)).data(position.clone());
        let answers = AssertUnwindSafe(self.inner.schema.execute_stream(request)).catch_unwind();
        let request_id = request_id.to_owned();
        until_it_fails(answers.map(move |answer| {
            let failed = |panic: Box<_>| error::refused(Error::internal(words_of(&*panic)));
            let mut answer = answer.unwrap_or_else(failed);
            error::finish(&mut answer, &request_id);
            let cursor = position.take_newest();
            Event { answer, cursor }
        }))
    }

    /// Runs an admitted request. Every error in the answer has its code; faults are logged under the request's id.
    pub async fn execute(&self, admitted: Admitted, asker: Asker, request_id: &str) -> Response {
        let loaders = Loaders::new(self.inner.services.clone(), asker.clone());
        let request = admitted.request.data(asker).data(loaders);
        let mut response = guarded(self.inner.schema.execute(request)).await;
        error::finish(&mut response, request_id);
        response
    }
}

/// What a subscription brings.
pub struct Event {
    /// An answer of its own. One without data is the last.
    pub answer: Response,
    /// The place in the feed behind it, to go on from; `None` for an error.
    pub cursor: Option<String>,
}

impl Event {
    /// Whether it says why the subscription ends: nothing comes behind it.
    pub fn is_last(&self) -> bool {
        self.answer.data == Value::Null
    }
}

/// Ends a subscription with its first answer that has no data: the library goes on behind one.
fn until_it_fails(events: impl Stream<Item = Event> + Send) -> impl Stream<Item = Event> + Send {
    events.scan(false, |ended, event| {
        let event = (!*ended).then_some(event);
        *ended |= event.as_ref().is_none_or(Event::is_last);
        std::future::ready(event)
    })
}

/// A resolver that panics is a fault like any other.
async fn guarded(execution: impl Future<Output = Response>) -> Response {
    let executed = AssertUnwindSafe(execution).catch_unwind().await;
    executed.unwrap_or_else(|panic| error::refused(Error::internal(words_of(&*panic))))
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or(panic.downcast_ref::<String>().map(String::as_str));
    format!("a resolver panicked: {}", words.unwrap_or("without a word"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_the_types_that_cost_nothing() {
        let sdl = sdl();
        for name in COST_RULES.free_types {
            assert!(
                sdl.contains(&format!("type {name} ")),
                "there is no type {name}"
            );
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_fault_that_tells_the_caller_nothing() {
        let resolver = async {
            if true {
                panic!("the secret of {}", "the house");
            }
            Response::default()
        };
        let mut response = guarded(resolver).await;
        error::finish(&mut response, "the-id");
        let answer = serde_json::to_value(&response).expect("an answer is JSON");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL");
        assert_eq!(answer["errors"][0]["extensions"]["requestId"], "the-id");
        assert!(!answer.to_string().contains("secret"), "{answer}");
        let detail = words_of(&"words");
        assert_eq!(detail, "a resolver panicked: words");
    }
}
