//! The form of all messages: sentences, with code in backticks.

use std::sync::LazyLock;

use serde_json::{Map, Value as Json, json};

use super::{RULES, SDL, admit_twice, errors};
use crate::{CustomScalar, Gate, Limits};

fn color(value: &async_graphql::Value) -> Result<(), String> {
    match value {
        async_graphql::Value::String(text) if text.starts_with('#') => Ok(()),
        _ => Err("must be a color such as `#fff`.".to_owned()),
    }
}

fn name(value: &async_graphql::Value) -> Result<(), String> {
    match value {
        async_graphql::Value::String(text) if !text.starts_with('#') => Ok(()),
        _ => Err("must be a name.".to_owned()),
    }
}

const SCALARS: &[CustomScalar] = &[
    CustomScalar {
        name: "DateTime",
        check: color,
    },
    CustomScalar {
        name: "Date",
        check: name,
    },
];

static GATE: LazyLock<Gate> =
    LazyLock::new(|| Gate::new(SDL, Limits::default(), RULES).with_scalars(SCALARS));

fn messages(query: &str, variables: Json) -> Vec<String> {
    let variables: Map<String, Json> = serde_json::from_value(variables).expect("an object");
    let Err(rejection) = GATE.admit(query, None, variables) else {
        return Vec::new();
    };
    let errors = errors(rejection);
    let errors = errors.as_array().expect("a list");
    let message = |error: &Json| error["message"].as_str().expect("a text").to_owned();
    errors.iter().map(message).collect()
}

/// What is wrong with the form of a message.
fn flaw(message: &str) -> Option<&'static str> {
    let outside_code = message.split('`').step_by(2).collect::<String>();
    let starts = message.chars().next();
    if !starts.is_some_and(|first| first == '`' || first.is_uppercase()) {
        return Some("it must start with a capital letter or with code");
    }
    if !message.ends_with(['.', '?']) {
        return Some("it must end as a sentence");
    }
    if !message.matches('`').count().is_multiple_of(2) {
        return Some("its backticks must be balanced");
    }
    if message.chars().count() > 300 {
        return Some("it must be short");
    }
    let is_foreign = |one: char| matches!(one, '"' | '$' | '{' | '}' | '[' | ']' | '@' | '_');
    outside_code
        .contains(is_foreign)
        .then_some("its code must be in backticks")
}

/// Documents that are cut, and whose tokens are swapped or replaced.
fn broken() -> Vec<String> {
    let valid = [
        "query A($n: Int = 5, $f: TaskFilter) { courses(first: $n) { nodes { id ...F } } tasks(filter: $f) { totalCount } } fragment F on Course { name }",
        "mutation { createTask(input: {title: \"a\", priority: HIGH}) { task { id } userErrors { message } } }",
        "subscription { changes(after: \"\") { item { ... on Task { title @skip(if: true) } } } }",
    ];
    let tokens = [
        "}", "(", "$", "\"", "\"x\"", "5", "1.", "on", "é", "`", "...", "nosuch", "null", ":",
    ];
    let mut broken = Vec::new();
    for text in valid {
        let parts: Vec<&str> = text.split(' ').collect();
        for at in 0..parts.len() {
            broken.push(parts[..at].join(" "));
            for token in tokens {
                let mut changed = parts.clone();
                changed[at] = token;
                broken.push(changed.join(" "));
                changed[at] = parts[at];
                changed.insert(at, token);
                broken.push(changed.join(" "));
            }
        }
        broken.extend((0..text.len()).map(|at| text[..at].to_owned()));
    }
    broken
}

#[test]
fn every_message_is_made_of_sentences_with_code_in_backticks() {
    let mut seen = 0;
    for query in broken() {
        for message in messages(&query, json!({})) {
            assert_eq!(flaw(&message), None, "{query}\n{message}");
            seen += 1;
        }
    }
    assert!(seen > 1_500, "{seen} messages");
    let input = "query($f: TaskFilter, $n: Int) { tasks(filter: $f, first: $n) { totalCount } }";
    for variables in [
        json!({"f": 1}),
        json!({"f": {"a`b\"c\n": 1, "priority": "x`y\"", "minimumScore": "1"}}),
        json!({"f": {"createdAfter": 1}}),
        json!({"n": 1.5}),
        json!({"n": "x".repeat(1_000)}),
    ] {
        let messages = messages(input, variables);
        assert!(!messages.is_empty());
        for message in messages {
            assert_eq!(flaw(&message), None, "{message}");
        }
    }
}

#[test]
fn misspelled_names_are_corrected() {
    for (query, suggested) in [
        ("{ tsaks { totalCount } }", "`tasks`"),
        ("{ TASKS { totalCount } }", "`tasks`"),
        ("{ me { nane } }", "`name`"),
        ("{ courses(frist: 5) { totalCount } }", "`first`"),
        ("{ courses(ofset: 5) { totalCount } }", "`offset`"),
        (
            "{ courses(orderBy: {feild: NAME}) { totalCount } }",
            "`field`",
        ),
        (
            "{ courses(orderBy: {field: NAEM}) { totalCount } }",
            "`NAME`",
        ),
        ("{ me { id @incldue(if: true) } }", "`@include`"),
        ("{ me { id @skip(fi: true) } }", "`if`"),
        (
            "query($n: Itn) { courses(first: $n) { totalCount } }",
            "`Int`",
        ),
        (
            "query($f: TaskFliter) { tasks(filter: $f) { totalCount } }",
            "`TaskFilter`",
        ),
        (
            "query($first: Int) { courses(first: $frist) { totalCount } }",
            "`$first`",
        ),
        (
            "query($first: Int) { tasks(filter: {metadataContains: {a: $frst}}, first: $first) { totalCount } }",
            "`$first`",
        ),
        (
            "{ me { ...Namd } } fragment Name on User { name }",
            "`Name`",
        ),
        ("{ me { ... on Uesr { id } } }", "`User`"),
        ("{ me { ...F } } fragment F on Uesr { id }", "`User`"),
        ("{ node(id: 1) { title } }", "`... on Task { title }`"),
        (
            "{ search(query: \"a\") { nodes { title } } }",
            "`... on Task { title }`",
        ),
        ("{ __type(nmae: \"A\") { name } }", "`name`"),
    ] {
        let messages = messages(query, json!({}));
        let hint = format!("Did you mean {suggested}");
        assert!(
            messages.iter().any(|one| one.contains(&hint)),
            "{query}: {messages:?}"
        );
    }
    for query in [
        "{ completelyDifferent }",
        &format!("{{ {} }}", "a".repeat(10_000)),
    ] {
        let messages = messages(query, json!({}));
        assert!(!messages[0].contains("Did you mean"), "{messages:?}");
    }
}

#[test]
fn a_field_that_accepts_the_value_of_another_is_suggested() {
    let literal = |field: &str| {
        let query =
            format!("mutation {{ updateTask(input: {{id: 1, {field}}}) {{ task {{ id }} }} }}");
        messages(&query, json!({}))
    };
    let color = "must be a color such as `#fff`.";
    let expected = [format!(
        "`input.dueAt` {color} Or use `dueOn`, which accepts this value."
    )];
    assert_eq!(literal("dueAt: \"red\""), expected);
    assert_eq!(literal("dueAt: 5"), [format!("`input.dueAt` {color}")]);
    let expected = ["`input.dueOn` must be a name. Or use `dueAt`, which accepts this value."];
    assert_eq!(literal("dueOn: \"#a\""), expected);
    let query = "mutation($input: UpdateTaskInput!) { updateTask(input: $input) { task { id } } }";
    let input = json!({ "input": { "id": 1, "dueAt": "red" } });
    let expected = [format!(
        "`$input.dueAt` {color} Or use `dueOn`, which accepts this value."
    )];
    assert_eq!(messages(query, input), expected);
}

#[test]
fn custom_scalars_are_checked_wherever_they_are() {
    let literal = |value: &str| {
        let query = format!("{{ tasks(filter: {{createdAfter: {value}}}) {{ totalCount }} }}");
        messages(&query, json!({}))
    };
    let path = ["`filter.createdAfter` must be a color such as `#fff`."];
    for value in ["\"red\"", "5", "RED", "{a: 1}", "[\"#a\"]"] {
        assert_eq!(literal(value), path, "{value}");
    }
    for value in ["\"#a\"", "null"] {
        assert!(literal(value).is_empty(), "{value}");
    }
    let large = |value: &str| {
        let query =
            format!("{{ tasks(filter: {{metadataContains: {{a: [{value}]}}}}) {{ totalCount }} }}");
        messages(&query, json!({}))
    };
    for value in ["1e400", "-1e999", &"9".repeat(400)] {
        let expected = [
            "`filter.metadataContains.a[0]` does not fit into 64 bits. Round it, or send it as a string.",
        ];
        assert_eq!(large(value), expected, "{value}");
    }
    assert!(large("1e300").is_empty());
    let variable = "query($d: DateTime, $f: TaskFilter) { a: tasks(filter: {createdAfter: $d}) { totalCount } b: tasks(filter: $f) { totalCount } }";
    for (variables, expected) in [
        (
            json!({"d": "red"}),
            Some("`$d` must be a color such as `#fff`."),
        ),
        (
            json!({"f": {"createdAfter": true}}),
            Some("`$f.createdAfter` must be a color such as `#fff`."),
        ),
        (json!({"d": "#a", "f": {"createdAfter": null}}), None),
    ] {
        let messages = messages(variable, variables);
        assert_eq!(messages.first().map(String::as_str), expected);
    }
    let default =
        "query($d: DateTime = \"red\") { tasks(filter: {createdAfter: $d}) { totalCount } }";
    let expected = ["`$d` must be a color such as `#fff`."];
    assert_eq!(messages(default, json!({})), expected);
}

#[test]
fn a_cost_over_the_limit_names_the_dearest_field_and_a_page_size_that_fits() {
    for (query, variables, field, hint) in [
        (
            "{ courses(first: 100) { nodes { tasks(first: 100) { nodes { owner { id } } } } } }",
            json!({}),
            "`courses.nodes.tasks` accounts for 20000 of them.",
            Some(("tasks(first: 100)", "tasks(first: ", 49)),
        ),
        (
            "{ me { id } courses(last: 100) { ...C } } fragment C on CourseConnection { edges { node { tasks(last: 100) { nodes { owner { id } course { id } } } } } }",
            json!({}),
            "`courses.edges.node.tasks` accounts for 30000 of them.",
            Some(("tasks(last: 100)", "tasks(last: ", 32)),
        ),
        (
            "query($n: Int) { courses(first: $n) { nodes { owner { sessions { id } } name documentCount tasks { nodes { owner { id } } } } } }",
            json!({"n": 100}),
            "`courses.nodes.tasks` accounts for 10000 of them.",
            None,
        ),
    ] {
        let message = messages(query, variables).swap_remove(0);
        assert!(message.contains(field), "{message}");
        let Some((old, new, size)) = hint else {
            continue;
        };
        assert!(message.contains(&format!(": {size}`.")), "{message}");
        let with = |size: u32| query.replace(old, &format!("{new}{size})"));
        assert!(
            messages(&with(size), json!({})).is_empty(),
            "{size} does not fit"
        );
        assert!(
            !messages(&with(size + 1), json!({})).is_empty(),
            "more than {size} fits"
        );
    }
    let beside = |at| format!("a{at}: courses(first: 100) {{ nodes {{ owner {{ id }} }} }}");
    let beside: Vec<String> = (0..49).map(beside).collect();
    let dearest = "courses(first: 3) { nodes { tasks(first: 100) { nodes { id } } } }";
    let nested = format!("{{ {} {dearest} }}", beside.join(" "));
    let message = messages(&nested, json!({})).swap_remove(0);
    assert!(
        message.contains("`courses` accounts for 303 of them. Use `first: 1`"),
        "{message}"
    );
    assert_eq!(flaw(&message), None, "{message}");
    let ids = vec!["a"; 20_000];
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let message = messages(query, json!({ "ids": ids })).swap_remove(0);
    let expected = "The operation costs 20000 points; the maximum is 10000. `nodes` accounts for 20000 of them. Select less, or split the operation.";
    assert_eq!(message, expected);
}

#[test]
fn a_misspelled_variable_of_the_request_is_named() {
    let query = "query($courseId: ID!) { course(id: $courseId) { id } }";
    for (variables, expected) in [
        (
            json!({"courseid": 1, "other": 2}),
            "`$courseId` of type `ID!` is required. The request has `$courseid` instead.",
        ),
        (
            json!({"other": 2}),
            "`$courseId` of type `ID!` is required.",
        ),
    ] {
        assert_eq!(messages(query, variables), [expected]);
    }
}

#[test]
fn all_mistakes_are_reported_together_in_short_messages() {
    let long = "x".repeat(1_000_000);
    let query = "mutation($input: CreateTaskInput!,\n  $ids: ItemIdsInput!) {
        createTask(input: $input) { task { id } } trashItems(input: $ids) { items { id } } }";
    let variables = json!({
        "input": {"priority": long, "title": {"a": long}, long.as_str(): long},
        "ids": {"ids": vec![Json::Null; 100]}
    });
    let response = errors(admit_twice(query, &variables).err().expect("it is invalid"));
    assert_eq!(response.as_array().map(Vec::len), Some(20));
    assert_eq!(
        response[0]["message"],
        "`$input.title` must be of type `String`; got an object."
    );
    assert_eq!(response[0]["locations"], json!([{"line": 1, "column": 10}]));
    assert_eq!(response[0]["extensions"], json!({"code": "BAD_USER_INPUT"}));
    assert_eq!(
        response[3]["message"],
        "`$ids.ids[0]` must be of type `ID!`; got null."
    );
    assert_eq!(response[3]["locations"], json!([{"line": 2, "column": 3}]));
    assert!(response.to_string().len() < 5_000);
}
