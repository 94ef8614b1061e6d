//! What the library does with what the gate admits: the two must agree about every document.
//!
//! The schema is a small one of the library's own, exported as the service's is, so this also shows that apollo-compiler
//! takes the library's dialect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{
    Context, Enum, ID, InputObject, Interface, Json as AnyJson, MaybeUndefined, Object,
    OneofObject, SDLExportOptions, Schema, SimpleObject, Subscription, Union, ValidationMode,
};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value as Json, json};

use super::super::{Gate, Limits};
use super::hostile_documents as hostile;

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

struct Query;

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

struct Mutation;

#[Object]
impl Mutation {
    /// What it was given, and how many changes there have been.
    async fn change(&self, context: &Context<'_>, input: Change) -> Vec<String> {
        let count = context
            .data_unchecked::<Arc<AtomicUsize>>()
            .fetch_add(1, Ordering::Relaxed);
        let title = match input.title {
            MaybeUndefined::Undefined => "left out".to_owned(),
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

struct Subscriptions;

#[Subscription]
impl Subscriptions {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }
}

struct Service {
    schema: Schema<Query, Mutation, Subscriptions>,
    gate: Gate,
    changes: Arc<AtomicUsize>,
}

impl Service {
    fn new() -> Self {
        let changes = Arc::new(AtomicUsize::new(0));
        let schema = Schema::build(Query, Mutation, Subscriptions)
            .validation_mode(ValidationMode::Fast)
            .limit_recursive_depth(usize::MAX)
            .data(Arc::clone(&changes))
            .finish();
        let sdl = schema.sdl_with_options(SDLExportOptions::new().sorted_fields());
        Self {
            gate: Gate::new(&sdl, Limits::default()),
            schema,
            changes,
        }
    }

    async fn answer(&self, query: &str, variables: Json) -> Json {
        let variables = variables
            .as_object()
            .expect("variables are an object")
            .clone();
        match self.gate.admit(query, None, variables) {
            Ok(admitted) => json!(self.schema.execute(admitted.request).await),
            Err(rejection) => json!({"errors": rejection.into_server_errors()}),
        }
    }

    async fn data(&self, query: &str, variables: Json) -> Json {
        let mut answer = self.answer(query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        answer["data"].take()
    }
}

#[tokio::test]
async fn a_field_of_the_root_runs_once_however_often_it_is_written() {
    let service = Service::new();
    let query = "mutation {
        touch(id: 1) { id }
        touch(id: 1) { title }
        ... { touch(id: 1) { id } }
        ...F ...F
        other: touch(id: 1) { id }
    } fragment F on Mutation { touch(id: 1) { kind: __typename } }";
    let expected = json!({
        "touch": {"id": "1", "title": "touched", "kind": "Task"},
        "other": {"id": "1"}
    });
    assert_eq!(service.data(query, json!({})).await, expected);
    assert_eq!(service.changes.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn conditions_decide_at_each_request_which_fields_of_the_root_merge() {
    let service = Service::new();
    let query = "mutation($a: Boolean!, $b: Boolean = false) {
        touch(id: 1) @include(if: $a) { id }
        ...F @skip(if: $b)
        touch(id: 1) @include(if: $b) { kind: __typename }
    } fragment F on Mutation { touch(id: 1) { title } }";
    for (variables, expected) in [
        (
            json!({"a": true}),
            json!({"touch": {"id": "1", "title": "touched"}}),
        ),
        (json!({"a": false}), json!({"touch": {"title": "touched"}})),
        (
            json!({"a": true, "b": true}),
            json!({"touch": {"id": "1", "kind": "Task"}}),
        ),
        (
            json!({"a": false, "b": true}),
            json!({"touch": {"kind": "Task"}}),
        ),
    ] {
        let before = service.changes.load(Ordering::Relaxed);
        assert_eq!(service.data(query, variables).await, expected);
        assert_eq!(service.changes.load(Ordering::Relaxed), before + 1);
    }
    let none = "mutation($a: Boolean!) { touch(id: 1) @include(if: $a) @skip(if: $a) { id } }";
    assert_eq!(service.data(none, json!({"a": true})).await, json!({}));
}

#[tokio::test]
async fn what_is_left_out_is_told_from_null() {
    let service = Service::new();
    let whole = "mutation($x: Change!) { change(input: $x) }";
    let inner =
        "mutation($x: String, $p: Priority) { change(input: {id: 1, title: $x, priority: $p}) }";
    for (query, variables, title, priority) in [
        (whole, json!({"x": {"id": 1}}), "left out", "low"),
        (
            whole,
            json!({"x": {"id": 1, "title": null, "priority": "HIGH"}}),
            "null",
            "high",
        ),
        (whole, json!({"x": {"id": 1, "title": "a"}}), "a", "low"),
        (inner, json!({}), "left out", "low"),
        (inner, json!({"x": null, "p": "HIGH"}), "null", "high"),
        (inner, json!({"x": "a"}), "a", "low"),
    ] {
        let data = service.data(query, variables).await;
        assert_eq!(data["change"][1], title);
        assert_eq!(data["change"][2], priority);
    }
    let page = "query($n: Int! = 5) { page(first: $n) other: page }";
    let expected = json!({"page": 5, "other": 20});
    assert_eq!(service.data(page, json!({})).await, expected);
}

#[tokio::test]
async fn literals_reach_the_library_as_they_are_written() {
    let service = Service::new();
    let query = "mutation($v: String) { change(input: {
        id: 1234567890123456789, title: \"\"\"\n  a\n    \\\"\"\" b\n  \"\"\", priority: HIGH,
        data: {list: [1, -2.5e3, \"\\u{1F600}\\t\", true, null, ANY, $v], object: {}}
    }) }";
    let data = service.data(query, json!({"v": "value"})).await;
    assert_eq!(data["change"][0], "1234567890123456789");
    assert_eq!(data["change"][1], "a\n  \"\"\" b");
    assert_eq!(data["change"][2], "high");
    let given: Json =
        serde_json::from_str(data["change"][3].as_str().expect("it is text")).expect("it is JSON");
    let expected = json!([1, -2500.0, "\u{1F600}\t", true, null, "ANY", "value"]);
    assert_eq!(given, json!({"list": expected, "object": {}}));
}

#[tokio::test]
async fn fragments_apply_by_type_and_unions_within_other_types_too() {
    let service = Service::new();
    let course = json!({"id": "7", "tasks": [{"title": "one"}]});
    let on_course = "... on Course { tasks { title } }";
    for query in [
        format!(
            "{{ x: found(id: 7) {{ ... on Node {{ id }} {on_course} ... on Task {{ title }} }} }}"
        ),
        format!(
            "{{ x: node(id: 7) {{ id ... on Found {{ {on_course} ... on Task {{ title }} }} }} }}"
        ),
        format!("{{ x: node(id: 7) {{ id ...F }} }} fragment F on Found {{ {on_course} }}"),
        format!(
            "{{ x: node(id: 7) {{ ...N }} }} fragment N on Node {{ id ... on Found {{ ...C }} }} fragment C on Course {{ {on_course} }}"
        ),
        format!(
            "{{ x: found(id: 7) {{ ...F }} }} fragment F on Found {{ ... on Course {{ id ... on Found {{ ... on Found {{ {on_course} }} }} }} }}"
        ),
        format!(
            "{{ x: found(id: 7) {{ ... on Course {{ ... on Node {{ id ...F }} }} }} }} fragment F on Found {{ {on_course} }}"
        ),
    ] {
        assert_eq!(
            service.data(&query, json!({})).await,
            json!({"x": course}),
            "{query}"
        );
    }
}

#[tokio::test]
async fn conditions_below_the_root_hold() {
    let service = Service::new();
    let query = "query($yes: Boolean!) { task(id: 1) {
        id @skip(if: $yes) title @include(if: $yes) ... @skip(if: $yes) { name } ...F @include(if: $yes)
    } } fragment F on Task { kind: __typename @skip(if: false) }";
    let data = service.data(query, json!({"yes": true})).await;
    assert_eq!(data, json!({"task": {"title": "task 1", "kind": "Task"}}));
    let data = service.data(query, json!({"yes": false})).await;
    assert_eq!(data, json!({"task": {"id": "1", "name": null}}));
    let nothing = service
        .data("{ task(id: 1) @skip(if: true) { id } }", json!({}))
        .await;
    assert_eq!(nothing, json!({}));
}

#[tokio::test]
async fn an_error_of_the_library_is_where_the_argument_is() {
    let service = Service::new();
    let answer = service
        .answer("{\n  é: task(id: 1) { id }\n}", json!({}))
        .await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "PARSE_FAILED");
    let query = "query {\n  one: page(first: 1)  task(id: 99999999999999999999) { id }\n}";
    let answer = service.answer(query, json!({})).await;
    assert_eq!(
        answer["errors"][0]["locations"],
        json!([{"line": 2, "column": 33}])
    );
    assert_eq!(answer["errors"][0]["path"], json!(["task"]));
}

#[tokio::test]
async fn a_subscription_streams_even_from_a_fragment() {
    let service = Service::new();
    let query = "subscription S($to: Int!) { ...F } fragment F on Subscriptions { count(to: $to) }";
    let variables = json!({"to": 3}).as_object().expect("it is one").clone();
    let admitted = service
        .gate
        .admit(query, Some("S"), variables)
        .expect("it is valid");
    let events = service.schema.execute_stream(admitted.request);
    let counted: Vec<Json> = events
        .map(|event| json!(event)["data"]["count"].take())
        .collect()
        .await;
    assert_eq!(counted, [json!(1), json!(2), json!(3)]);
}

#[tokio::test]
async fn introspection_tells_one_of_inputs() {
    let service = Service::new();
    let data = service
        .data("{ __type(name: \"Key\") { isOneOf } }", json!({}))
        .await;
    assert_eq!(data, json!({"__type": {"isOneOf": true}}));
    let data = service.data(&hostile::introspection(), json!({})).await;
    assert!(
        data["__schema"]["types"]
            .as_array()
            .is_some_and(|types| types.len() > 15)
    );
    assert_eq!(
        service.data("{ by(key: {title: \"a\"}) }", json!({})).await,
        json!({"by": "title a"})
    );
}

#[tokio::test]
async fn the_deepest_document_that_is_admitted_does_not_exhaust_the_stack() {
    let service = Service::new();
    let inline = |levels| {
        let (open, close) = ("...{".repeat(levels), "}".repeat(levels));
        format!("{{ {open} task(id: 1) {{ id }} {close} }}")
    };
    let data = service.data(&inline(62), json!({})).await;
    assert_eq!(data, json!({"task": {"id": "1"}}));
    let answer = service.answer(&inline(63), json!({})).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "QUERY_TOO_COMPLEX"
    );
    let within = |levels| {
        let (open, close) = ("...{".repeat(levels), "}".repeat(levels));
        format!("{{ task(id: 1) {{ {open} id {close} }} }}")
    };
    assert_eq!(
        service.data(&within(62), json!({})).await,
        json!({"task": {"id": "1"}})
    );
}
