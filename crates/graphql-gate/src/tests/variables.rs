//! Which values of variables are valid, and how they are coerced.
//!
//! The values are grouped by what apollo-compiler's own coercion does with them. If an upgrade moves a value to another
//! group, this file fails; `apollo_workarounds` lists what can then be deleted.

use apollo_compiler::ExecutableDocument;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::JsonMap;
use serde_json::{Value as Json, json};

use super::{SDL, admit, admit_twice, first_error, gate};
use crate::prepare;

/// A document with a variable `$x` of this type.
fn document_with(ty: &str) -> String {
    let field = match ty.trim_end_matches('!') {
        "Int" | "Int = 5" => "courses(first: $x) { totalCount }",
        "String" => "search(query: \"a\", after: $x) { pageInfo { endCursor } }",
        "Boolean" | "Boolean = true" => "me @skip(if: $x) { id }",
        "ID" | "ID = 7" | "ID = 99999999999999999999" => "course(id: $x) { id }",
        "[ID!]" | "[ID!] = 7" => "nodes(ids: $x) { id }",
        "Float" => "tasks(filter: {minimumScore: $x}) { totalCount }",
        "TaskPriority" => "tasks(filter: {priority: [$x]}) { totalCount }",
        "[TaskPriority!]" => "tasks(filter: {priority: $x}) { totalCount }",
        "DateTime" => "tasks(filter: {createdAfter: $x}) { totalCount }",
        "JSONObject" => "tasks(filter: {metadataContains: $x}) { totalCount }",
        "TaskFilter" => "tasks(filter: $x) { totalCount }",
        "CourseOrder" | "CourseOrder = {field: NAME}" => "courses(orderBy: $x) { totalCount }",
        "OrderDirection" => "courses(orderBy: {field: NAME, direction: $x}) { totalCount }",
        "TaskKey" => "taskBy(key: $x) { id }",
        other => panic!("no field has an argument of type {other}"),
    };
    format!("query($x: {ty}) {{ {field} }}")
}

/// The coerced variables, or the message of the error.
fn coerced(ty: &str, variables: &Json) -> Result<Json, String> {
    match admit_twice(&document_with(ty), variables) {
        Ok(admitted) => Ok(json!(admitted.variables)),
        Err(rejection) => {
            let (code, message) = first_error(rejection);
            assert_eq!(code, "BAD_USER_INPUT", "{ty} with {variables}: {message}");
            Err(message)
        }
    }
}

fn accepted() -> Vec<(&'static str, Json, Json)> {
    let filter = json!({"titleContains": "a", "priority": ["LOW"], "minimumScore": 1.5});
    let metadata = json!({"a": [1, 2.5, null, {"b": "c"}]});
    vec![
        ("Int", json!({}), json!({})),
        ("Int", json!({"x": null}), json!({"x": null})),
        (
            "Int",
            json!({"x": -2147483648, "y": 1}),
            json!({"x": -2147483648}),
        ),
        ("Int!", json!({"x": 2147483647}), json!({"x": 2147483647})),
        ("Int = 5", json!({}), json!({"x": 5})),
        ("Int = 5", json!({"x": null}), json!({"x": null})),
        ("Int = 5", json!({"x": 6}), json!({"x": 6})),
        ("String", json!({"x": ""}), json!({"x": ""})),
        ("Boolean!", json!({"x": true}), json!({"x": true})),
        ("Boolean = true", json!({}), json!({"x": true})),
        ("ID!", json!({"x": "a"}), json!({"x": "a"})),
        ("Float!", json!({"x": 1}), json!({"x": 1})),
        ("Float!", json!({"x": -1.5e30}), json!({"x": -1.5e30})),
        ("[ID!]!", json!({"x": ["a", "b"]}), json!({"x": ["a", "b"]})),
        ("[ID!]!", json!({"x": "a"}), json!({"x": ["a"]})),
        ("[ID!]!", json!({"x": []}), json!({"x": []})),
        ("TaskPriority!", json!({"x": "LOW"}), json!({"x": "LOW"})),
        (
            "[TaskPriority!]",
            json!({"x": "LOW"}),
            json!({"x": ["LOW"]}),
        ),
        (
            "DateTime",
            json!({"x": "not checked here"}),
            json!({"x": "not checked here"}),
        ),
        ("JSONObject", json!({"x": metadata}), json!({"x": metadata})),
        ("TaskFilter", json!({"x": {}}), json!({"x": {}})),
        ("TaskFilter", json!({"x": filter}), json!({"x": filter})),
        (
            "TaskFilter",
            json!({"x": {"titleContains": null}}),
            json!({"x": {"titleContains": null}}),
        ),
        (
            "TaskFilter",
            json!({"x": {"priority": "LOW"}}),
            json!({"x": {"priority": ["LOW"]}}),
        ),
        (
            "CourseOrder",
            json!({"x": {"field": "NAME"}}),
            json!({"x": {"field": "NAME", "direction": "DESC"}}),
        ),
        ("OrderDirection", json!({}), json!({})),
    ]
}

/// Values that apollo-compiler rejects or coerces differently.
fn coerced_differently() -> Vec<(&'static str, Json, Json)> {
    let order = json!({"field": "NAME", "direction": "DESC"});
    vec![
        ("Int!", json!({"x": 10.0}), json!({"x": 10})),
        ("Int", json!({"x": -0.0}), json!({"x": 0})),
        ("Int", json!({"x": 1e1}), json!({"x": 10})),
        (
            "Int",
            json!({"x": -2147483648.0}),
            json!({"x": -2147483648}),
        ),
        ("ID!", json!({"x": 5}), json!({"x": "5"})),
        (
            "ID!",
            json!({"x": 18446744073709551615_u64}),
            json!({"x": "18446744073709551615"}),
        ),
        ("[ID!]!", json!({"x": [1, "b"]}), json!({"x": ["1", "b"]})),
        ("ID = 7", json!({}), json!({"x": "7"})),
        (
            "ID = 99999999999999999999",
            json!({}),
            json!({"x": "99999999999999999999"}),
        ),
        ("[ID!] = 7", json!({}), json!({"x": ["7"]})),
        (
            "CourseOrder = {field: NAME}",
            json!({}),
            json!({"x": order}),
        ),
        (
            "Float!",
            json!({"x": 10000000000000000_u64}),
            json!({"x": 10000000000000000_u64}),
        ),
        (
            "TaskKey!",
            json!({"x": {"id": 1}}),
            json!({"x": {"id": "1"}}),
        ),
    ]
}

/// Values of `$x` that apollo-compiler rejects too, and the message.
fn rejected() -> Vec<(&'static str, Json, &'static str)> {
    vec![
        (
            "Int!",
            json!(null),
            "`$x` must be of type `Int!`; got null.",
        ),
        (
            "Int",
            json!(1.5),
            "`$x` must be a 32-bit integer (-2147483648 to 2147483647); got `1.5`.",
        ),
        (
            "Int",
            json!(2147483648_u64),
            "`$x` must be a 32-bit integer (-2147483648 to 2147483647); got `2147483648`.",
        ),
        (
            "Int",
            json!(10.5),
            "`$x` must be a 32-bit integer (-2147483648 to 2147483647); got `10.5`.",
        ),
        (
            "Int",
            json!(2147483648.0),
            "`$x` must be a 32-bit integer (-2147483648 to 2147483647); got `2147483648.0`.",
        ),
        (
            "Int",
            json!(-1e300),
            "`$x` must be a 32-bit integer (-2147483648 to 2147483647); got `-1e+300`.",
        ),
        (
            "Int",
            json!("1"),
            "`$x` must be of type `Int`; got a string.",
        ),
        ("Int", json!([1]), "`$x` must be of type `Int`; got a list."),
        (
            "Float",
            json!("1"),
            "`$x` must be of type `Float`; got a string.",
        ),
        (
            "String",
            json!(1),
            "`$x` must be of type `String`; got a number.",
        ),
        (
            "Boolean!",
            json!(1),
            "`$x` must be of type `Boolean`; got a number.",
        ),
        (
            "ID!",
            json!(1.5),
            "`$x` must be a string or an integer; got `1.5`.",
        ),
        (
            "ID!",
            json!(true),
            "`$x` must be of type `ID`; got a boolean.",
        ),
        (
            "[ID!]!",
            json!(null),
            "`$x` must be of type `[ID!]!`; got null.",
        ),
        (
            "[ID!]!",
            json!(["a", null]),
            "`$x[1]` must be of type `ID!`; got null.",
        ),
        (
            "[ID!]!",
            json!([["a"]]),
            "`$x[0]` must be of type `ID`; got a list.",
        ),
        (
            "TaskPriority!",
            json!("SOON"),
            "`$x` must be a value of `TaskPriority`; got `SOON`.",
        ),
        (
            "TaskPriority!",
            json!(1),
            "`$x` must be of type `TaskPriority`; got a number.",
        ),
        (
            "TaskFilter",
            json!("a"),
            "`$x` must be of type `TaskFilter`; got a string.",
        ),
        (
            "TaskFilter",
            json!([{}]),
            "`$x` must be of type `TaskFilter`; got a list.",
        ),
        (
            "TaskFilter",
            json!({"title": "a"}),
            "`$x.title` is not a field of `TaskFilter`.",
        ),
        (
            "TaskFilter",
            json!({"priority": ["LOW", "SOON"]}),
            "`$x.priority[1]` must be a value of `TaskPriority`; got `SOON`.",
        ),
        (
            "TaskFilter",
            json!({"priorty": ["LOW"]}),
            "`$x.priorty` is not a field of `TaskFilter`. Did you mean `priority`?",
        ),
        (
            "TaskPriority!",
            json!("low"),
            "`$x` must be a value of `TaskPriority`; got `low`. Did you mean `LOW`?",
        ),
        (
            "CourseOrder",
            json!({}),
            "`$x.field` of type `CourseOrderField!` is required.",
        ),
        (
            "CourseOrder",
            json!({"field": "NAME", "direction": null}),
            "`$x.direction` must be of type `OrderDirection!`; got null.",
        ),
    ]
}

/// Values of `$x` that apollo-compiler accepts.
fn rejected_only_here() -> Vec<(&'static str, Json, &'static str)> {
    vec![
        (
            "Boolean = true",
            json!(null),
            "`$x` must not be null where the operation uses it.",
        ),
        (
            "OrderDirection",
            json!(null),
            "`$x` must not be null where the operation uses it.",
        ),
        (
            "TaskKey!",
            json!({}),
            "`$x` of type `TaskKey` must have exactly one field, which must not be null.",
        ),
        (
            "TaskKey!",
            json!({"id": 1, "title": "a"}),
            "`$x` of type `TaskKey` must have exactly one field, which must not be null.",
        ),
        (
            "TaskKey!",
            json!({"id": null}),
            "`$x` of type `TaskKey` must have exactly one field, which must not be null.",
        ),
    ]
}

#[test]
fn values_are_coerced_by_the_specification() {
    for (ty, variables, expected) in accepted().into_iter().chain(coerced_differently()) {
        let coerced = coerced(ty, &variables);
        assert_eq!(coerced, Ok(expected), "{ty} with {variables}");
    }
}

#[test]
fn invalid_values_are_reported_with_their_path() {
    for (ty, value, expected) in rejected().into_iter().chain(rejected_only_here()) {
        let coerced = coerced(ty, &json!({ "x": value }));
        assert_eq!(coerced, Err(expected.to_owned()), "{ty} with {value}");
    }
    let message = "`$x` of type `Int!` is required.";
    assert_eq!(coerced("Int!", &json!({})), Err(message.to_owned()));
}

/// None if apollo-compiler rejects the variables.
fn coerced_by_apollo(ty: &str, variables: &Json) -> Option<Json> {
    let schema = prepare::schema(SDL);
    let document = ExecutableDocument::parse_and_validate(&schema, document_with(ty), "query")
        .unwrap_or_else(|invalid| panic!("{ty}: {}", invalid.errors));
    let operation = document
        .operations
        .get(None)
        .expect("there is one operation");
    let sent: JsonMap = serde_json::from_value(variables.clone()).expect("it is an object");
    let values = coerce_variable_values(&schema, operation, &sent).ok()?;
    Some(json!(&*values))
}

#[test]
fn apollo_compiler_agrees_except_in_known_cases() {
    for (ty, variables, expected) in accepted() {
        let coerced = coerced_by_apollo(ty, &variables);
        assert_eq!(coerced, Some(expected), "{ty} with {variables}");
    }
    for (ty, variables, expected) in coerced_differently() {
        let coerced = coerced_by_apollo(ty, &variables);
        assert_ne!(coerced, Some(expected), "{ty} with {variables}");
    }
    for (ty, value, _) in rejected() {
        let coerced = coerced_by_apollo(ty, &json!({ "x": value }));
        assert_eq!(coerced, None, "{ty} with {value}");
    }
    assert_eq!(coerced_by_apollo("Int!", &json!({})), None, "nothing");
    for (ty, value, _) in rejected_only_here() {
        let coerced = coerced_by_apollo(ty, &json!({ "x": value }));
        assert!(coerced.is_some(), "{ty} with {value}");
    }
}

#[test]
fn the_cache_contains_no_values() {
    let gate = gate();
    let query = document_with("Int = 5");
    for sent in [json!({}), json!({"x": 1}), json!({"x": null}), json!({})] {
        let admitted = admit(&gate, &query, &sent).expect("it is valid");
        let expected = sent.get("x").cloned().unwrap_or(json!(5));
        assert_eq!(json!(admitted.variables), json!({"x": expected}));
    }
    assert!(admit(&gate, &query, &json!({"x": "a"})).is_err());
}
