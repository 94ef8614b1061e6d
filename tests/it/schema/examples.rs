//! The examples in the descriptions of the schema: they are complete, valid, and do what they show.
//!
//! An operation is a fenced block, the end of the description of a field of a root. `stage` has the user and the items that it
//! is executed with. A value is a code span after "Example: ".

mod stage;

use std::collections::BTreeMap;

use async_graphql::parser::{
    parse_query, parse_schema,
    types::{DocumentOperations, OperationType, Selection, TypeKind, TypeSystemDefinition},
};
use serde_json::{Value, json};
use stage::Stage;

use crate::{
    images,
    support::{PASSWORD, TestApp, newcomer},
};

/// The descriptions of the schema's types by their names, and of the fields of the roots by their paths, such as `Query.tasks`.
fn descriptions() -> BTreeMap<String, String> {
    let document = parse_schema(include_str!("../../../schema.graphql")).unwrap();
    let mut found = BTreeMap::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(kind) = definition else {
            continue;
        };
        let (kind, name) = (kind.node.clone(), kind.node.name.node);
        found.insert(name.to_string(), kind.description.unwrap().node);
        let TypeKind::Object(object) = kind.kind else {
            continue;
        };
        if ["Query", "Mutation", "Subscription"].contains(&name.as_str()) {
            for field in object.fields {
                let path = format!("{name}.{}", field.node.name.node);
                found.insert(path, field.node.description.unwrap().node);
            }
        }
    }
    found
}

/// The operation at the end of a description.
fn operation(path: &str, description: &str) -> String {
    let (_, rest) = description
        .split_once("\n```graphql\n")
        .unwrap_or_else(|| panic!("{path} has no example"));
    let document = rest
        .strip_suffix("```")
        .unwrap_or_else(|| panic!("the description of {path} does not end with its example"));
    assert!(!document.contains("```"), "{path} has several examples");
    document.to_owned()
}

/// The operations of a root's fields by the names of the fields, e.g. of `Query`.
fn operations(root: &str) -> BTreeMap<String, String> {
    let prefix = format!("{root}.");
    let fields = descriptions().into_iter();
    fields
        .filter_map(|(path, description)| {
            let field = path.strip_prefix(&prefix)?;
            Some((field.to_owned(), operation(&path, &description)))
        })
        .collect()
}

/// The names of an operation's variables. Asserts that the operation consists of this field alone.
fn variables(kind: OperationType, field: &str, document: &str) -> Vec<String> {
    let parsed = parse_query(document).unwrap_or_else(|error| panic!("{field}: {error}"));
    let DocumentOperations::Multiple(operations) = parsed.operations else {
        panic!("the operation of {field} has no name");
    };
    let [operation] = &*operations.values().collect::<Vec<_>>() else {
        panic!("{field}: several operations");
    };
    assert_eq!(operation.node.ty, kind, "{field}");
    let [selection] = &*operation.node.selection_set.node.items else {
        panic!("{field}: several fields");
    };
    let Selection::Field(selected) = &selection.node else {
        panic!("{field}: a fragment");
    };
    assert_eq!(selected.node.name.node, field);
    let definitions = operation.node.variable_definitions.iter();
    definitions
        .map(|definition| definition.node.name.node.to_string())
        .collect()
}

/// Lists that must not be empty, so that an example shows something.
const LISTS: &[&str] = &[
    "deletedIds",
    "edges",
    "highlights",
    "items",
    "nodes",
    "ranges",
    "results",
    "sessions",
    "tags",
    "tasks",
];

/// Asserts that a response has no user errors and no empty lists.
fn check(field: &str, value: &Value) {
    for (name, value) in value.as_object().into_iter().flatten() {
        if name == "userErrors" {
            assert_eq!(*value, json!([]), "{field}");
        }
        if LISTS.contains(&name.as_str()) {
            assert_ne!(*value, json!([]), "{field}.{name}");
        }
        check(&format!("{field}.{name}"), value);
    }
    for value in value.as_array().into_iter().flatten() {
        check(field, value);
    }
}

/// Asserts that a payload has `userErrors`, which `check` reads, and a result beside them.
fn check_payload(field: &str, payload: &Value) {
    let fields = payload.as_object().unwrap();
    assert!(
        fields.contains_key("userErrors"),
        "{field} does not select userErrors"
    );
    let mut results = fields.iter().filter(|(name, _)| *name != "userErrors");
    assert!(
        results.any(|(_, value)| !value.is_null()),
        "{field} has no result: {payload}"
    );
}

/// Executes the examples of a root, each as a new user with items.
async fn execute(kind: OperationType, root: &str) {
    let app = TestApp::keeping_mails().await;
    for (field, document) in operations(root) {
        let stage = Stage::new(&app, &field).await;
        let mut given = serde_json::Map::new();
        for name in variables(kind, &field, &document) {
            given.insert(name.clone(), stage.value(&app, &field, &name).await);
        }
        let data = stage.user.data(&document, given.into()).await;
        assert!(!data[&field].is_null(), "{field}: {data}");
        check(&field, &data[&field]);
        if kind == OperationType::Mutation {
            check_payload(&field, &data[&field]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_queries_return_data() {
    execute(OperationType::Query, "Query").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_mutations_succeed() {
    execute(OperationType::Mutation, "Mutation").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_subscription_receives_a_change() {
    let app = TestApp::start().await;
    let stage = Stage::new(&app, "changes").await;
    let operations = operations("Subscription");
    assert_eq!(operations.keys().collect::<Vec<_>>(), ["changes"]);
    let document = &operations["changes"];
    assert_eq!(
        variables(OperationType::Subscription, "changes", document),
        ["after"]
    );
    let mut socket = crate::subscriptions::socket::Socket::of(&stage.user).await;
    let after = json!({ "after": stage.cursor });
    socket.subscribe("s", document, after).await;
    assert_eq!(socket.change().await["item"]["id"], stage.course);
}

/// The value in the description of a type, which is written as `Example: `…`.`.
fn value<'a>(name: &str, description: &'a str) -> &'a str {
    let (_, rest) = description
        .split_once("Example: `")
        .unwrap_or_else(|| panic!("{name} has no example"));
    let (value, _) = rest.split_once("`.").unwrap();
    value
}

/// An operation with the example of a scalar, a filter or an order, which is the argument `orderBy` as a whole.
fn with_value(name: &str, value: &str) -> String {
    let list = |noun: &str, argument: &str| {
        let noun = noun.to_lowercase();
        format!("{{ {noun}s({argument}) {{ totalCount }} }}")
    };
    let mutation =
        |call: &str| format!("mutation {{ {call} {{ userErrors {{ code field message }} }} }}");
    match (
        name,
        name.strip_suffix("Filter"),
        name.strip_suffix("Order"),
    ) {
        ("DateTime", ..) => list("Task", &format!("filter: {{ dueAfter: {value} }}")),
        ("Date", ..) => mutation(&format!(
            "createTask(input: {{ title: \"a\", dueOn: {value} }})"
        )),
        ("JSONObject", ..) => list(
            "Document",
            &format!("filter: {{ metadataContains: {value} }}"),
        ),
        ("URL", ..) => mutation(&format!("updateMe(input: {{ avatarUrl: {value} }})")),
        (_, Some(noun), _) => list(noun, &format!("filter: {value}")),
        (_, _, Some(noun)) => list(noun, value),
        _ => panic!("no operation with a value of {name}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_scalars_filters_and_orders_are_valid() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    let sdl = include_str!("../../../schema.graphql");
    let declared = sdl
        .lines()
        .filter_map(|line| line.strip_prefix("scalar ")?.split(' ').next());
    let scalars: Vec<&str> = declared.collect();
    let mut names = Vec::new();
    for (name, description) in descriptions() {
        let has_value =
            scalars.contains(&&*name) || name.ends_with("Filter") || name.ends_with("Order");
        if has_value {
            let document = with_value(&name, value(&name, &description));
            check(&name, &ada.query(&document).await);
            names.push(name);
        }
    }
    assert!(names.len() >= 12, "{names:?}");
    // Other descriptions, such as those of arguments and input fields, have no examples, because those would not be executed.
    let examples = sdl.matches("Example:").count();
    assert_eq!(examples, names.len(), "executed examples: {names:?}");
}
