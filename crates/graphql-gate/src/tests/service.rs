//! A small schema of async-graphql behind a gate.
//!
//! The SDL is exported as a service exports its own, so this also tests that apollo-compiler accepts async-graphql's SDL.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{
    Context, Enum, ID, InputObject, Interface, Json as AnyJson, MaybeUndefined, Object,
    OneofObject, SDLExportOptions, Schema, SimpleObject, Subscription, Union, ValidationMode,
};
use futures_util::{Stream, stream};
use serde_json::{Value as Json, json};

use super::{RULES, errors};
use crate::{Gate, Limits};

#[derive(SimpleObject, Clone)]
struct Task {
    id: ID,
    title: String,
    #[graphql(deprecation = "Use title.")]
    name: Option<String>,
}

#[derive(SimpleObject, Clone)]
struct Course {
    id: ID,
    tasks: Vec<Task>,
}

#[derive(Interface)]
#[graphql(field(name = "id", ty = "&ID"))]
enum Node {
    Task(Task),
    Course(Course),
}

#[derive(Union)]
enum Found {
    Task(Task),
    Course(Course),
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum Priority {
    Low,
    High,
}

#[derive(InputObject)]
struct Change {
    id: ID,
    title: MaybeUndefined<String>,
    #[graphql(default_with = "Priority::Low")]
    priority: Priority,
    data: Option<AnyJson<Json>>,
}

#[derive(OneofObject)]
enum Key {
    Id(ID),
    Title(String),
}

pub(super) struct Query;

#[Object]
impl Query {
    async fn task(&self, id: ID) -> Task {
        let title = format!("task {}", id.as_str());
        Task {
            id,
            title,
            name: None,
        }
    }

    async fn node(&self, id: ID) -> Node {
        Node::Course(self.course(id))
    }

    async fn found(&self, id: ID) -> Found {
        Found::Course(self.course(id))
    }

    async fn by(&self, key: Key) -> String {
        match key {
            Key::Id(id) => format!("id {}", id.as_str()),
            Key::Title(title) => format!("title {title}"),
        }
    }

    async fn failing(&self, count: i32) -> async_graphql::Result<i32> {
        Err(format!("failed {count} times").into())
    }

    async fn page(&self, #[graphql(default = 20)] first: i32) -> i32 {
        first
    }
}

impl Query {
    fn course(&self, id: ID) -> Course {
        let task = Task {
            id: "1".into(),
            title: "one".into(),
            name: None,
        };
        Course {
            id,
            tasks: vec![task],
        }
    }
}

pub(super) struct Mutation;

#[Object]
impl Mutation {
    /// Returns the input, and the number of changes so far.
    async fn change(&self, context: &Context<'_>, input: Change) -> Vec<String> {
        let count = context
            .data_unchecked::<Arc<AtomicUsize>>()
            .fetch_add(1, Ordering::Relaxed);
        let title = match input.title {
            MaybeUndefined::Undefined => "omitted".to_owned(),
            MaybeUndefined::Null => "null".to_owned(),
            MaybeUndefined::Value(title) => title,
        };
        let priority = match input.priority {
            Priority::Low => "low",
            Priority::High => "high",
        };
        let data = input.data.map_or(Json::Null, |data| data.0);
        vec![
            input.id.0,
            title,
            priority.to_owned(),
            data.to_string(),
            (count + 1).to_string(),
        ]
    }

    async fn touch(&self, context: &Context<'_>, id: ID) -> Task {
        context
            .data_unchecked::<Arc<AtomicUsize>>()
            .fetch_add(1, Ordering::Relaxed);
        Task {
            id,
            title: "touched".into(),
            name: None,
        }
    }
}

pub(super) struct Subscriptions;

#[Subscription]
impl Subscriptions {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }
}

pub(super) struct Service {
    pub(super) schema: Schema<Query, Mutation, Subscriptions>,
    pub(super) gate: Gate,
    pub(super) changes: Arc<AtomicUsize>,
}

impl Service {
    pub(super) fn new() -> Self {
        let changes = Arc::new(AtomicUsize::new(0));
        let schema = Schema::build(Query, Mutation, Subscriptions)
            .validation_mode(ValidationMode::Fast)
            .limit_recursive_depth(usize::MAX)
            .data(Arc::clone(&changes))
            .finish();
        let sdl = schema.sdl_with_options(SDLExportOptions::new().sorted_fields());
        Self {
            gate: Gate::new(&sdl, Limits::default(), RULES),
            schema,
            changes,
        }
    }

    pub(super) async fn response(&self, query: &str, variables: Json) -> Json {
        let variables = variables
            .as_object()
            .expect("variables are an object")
            .clone();
        match self.gate.admit(query, None, variables) {
            Ok(admitted) => json!(self.schema.execute(admitted.request()).await),
            Err(rejection) => json!({"errors": errors(rejection)}),
        }
    }

    pub(super) async fn data(&self, query: &str, variables: Json) -> Json {
        let mut response = self.response(query, variables).await;
        assert_eq!(response.get("errors"), None, "{query}");
        response["data"].take()
    }
}
