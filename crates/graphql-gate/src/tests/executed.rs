//! async-graphql executes admitted documents as the gate understood them.

use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use serde_json::{Value as Json, json};

use super::hostile_documents::introspection;
use super::service::Service;

#[tokio::test]
async fn a_repeated_root_field_runs_once() {
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
async fn root_fields_are_collected_by_the_conditions_of_each_request() {
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
async fn omitted_values_differ_from_null() {
    let service = Service::new();
    let whole = "mutation($x: Change!) { change(input: $x) }";
    let inner =
        "mutation($x: String, $p: Priority) { change(input: {id: 1, title: $x, priority: $p}) }";
    for (query, variables, title, priority) in [
        (whole, json!({"x": {"id": 1}}), "omitted", "low"),
        (
            whole,
            json!({"x": {"id": 1, "title": null, "priority": "HIGH"}}),
            "null",
            "high",
        ),
        (whole, json!({"x": {"id": 1, "title": "a"}}), "a", "low"),
        (inner, json!({}), "omitted", "low"),
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
async fn literals_reach_resolvers_unchanged() {
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
async fn fragments_apply_by_type_including_unions_inside_other_types() {
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
async fn conditions_below_the_root_apply() {
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
async fn an_error_of_a_resolver_has_the_position_of_its_field() {
    let service = Service::new();
    let response = service
        .response("{\n  é: task(id: 1) { id }\n}", json!({}))
        .await;
    assert_eq!(response["errors"][0]["extensions"]["code"], "PARSE_FAILED");
    let query = "query {\n  one: page(first: 1)  failing(count: 1)\n}";
    let response = service.response(query, json!({})).await;
    assert_eq!(
        response["errors"][0]["locations"],
        json!([{"line": 2, "column": 24}])
    );
    assert_eq!(response["errors"][0]["path"], json!(["failing"]));
}

#[tokio::test]
async fn ids_keep_all_digits_of_integers() {
    let service = Service::new();
    let large = "99999999999999999999999";
    for query in [
        format!("{{ task(id: {large}) {{ id }} }}"),
        format!("query($id: ID! = {large}) {{ task(id: $id) {{ id }} }}"),
    ] {
        let data = service.data(&query, json!({})).await;
        assert_eq!(data, json!({"task": {"id": large}}), "{query}");
    }
    let query = format!("mutation {{ change(input: {{id: {large}}}) }}");
    let data = service.data(&query, json!({})).await;
    assert_eq!(data["change"][0], large);
}

#[tokio::test]
async fn a_subscription_can_be_selected_in_a_fragment() {
    let service = Service::new();
    let query = "subscription S($to: Int!) { ...F } fragment F on Subscriptions { count(to: $to) }";
    let variables = json!({"to": 3}).as_object().expect("it is one").clone();
    let admitted = service
        .gate
        .admit(query, Some("S"), variables)
        .expect("it is valid");
    let events = service.schema.execute_stream(admitted.request());
    let counted: Vec<Json> = events
        .map(|event| json!(event)["data"]["count"].take())
        .collect()
        .await;
    assert_eq!(counted, [json!(1), json!(2), json!(3)]);
}

#[tokio::test]
async fn introspection_includes_one_of_inputs() {
    let service = Service::new();
    let data = service
        .data("{ __type(name: \"Key\") { isOneOf } }", json!({}))
        .await;
    assert_eq!(data, json!({"__type": {"isOneOf": true}}));
    let data = service.data(&introspection(), json!({})).await;
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
async fn the_deepest_admitted_document_does_not_exhaust_the_stack() {
    let service = Service::new();
    let inline = |levels| {
        let (open, close) = ("...{".repeat(levels), "}".repeat(levels));
        format!("{{ {open} task(id: 1) {{ id }} {close} }}")
    };
    let data = service.data(&inline(62), json!({})).await;
    assert_eq!(data, json!({"task": {"id": "1"}}));
    let response = service.response(&inline(63), json!({})).await;
    assert_eq!(
        response["errors"][0]["extensions"]["code"],
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
