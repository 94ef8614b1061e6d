//! The cost of operations, and its dependence on variables.

use serde_json::{Value as Json, json};

use super::hostile_documents::introspection;
use super::{RULES, SDL, admit, admit_twice, gate};

fn cost(query: &str, variables: &Json) -> u64 {
    match admit_twice(query, variables) {
        Ok(admitted) => admitted.cost,
        Err(rejection) => panic!("{query} is rejected: {rejection:?}"),
    }
}

#[test]
fn each_object_that_could_be_loaded_costs_a_point() {
    for (query, expected) in [
        ("{ __typename }", 0),
        ("{ me { id name } }", 1),
        ("{ me { sessions { id } } }", 11),
        ("{ course(id: 1) { owner { id } documentCount } }", 3),
        ("{ nodes(ids: [1, 2, 3]) { id } }", 3),
        ("{ nodes(ids: 1) { id } }", 1),
        ("{ nodes(ids: []) { id } }", 0),
        ("{ nodes(ids: [1, 2]) { ... on Task { owner { id } } } }", 4),
        (
            "mutation { createTask(input: {title: \"a\"}) { task { course { id } } userErrors { field } } }",
            3,
        ),
        (
            "mutation { completeTasks(input: {ids: [1, 2]}) { tasks { owner { id } } } }",
            5,
        ),
        (
            "mutation { trashItems(input: {ids: 1}) { items { id } userErrors { message } } }",
            2,
        ),
        (
            "mutation { createTasks(input: {tasks: [{title: \"a\"}, {title: \"b\"}]}) { results { task { id } } } }",
            5,
        ),
        (
            "mutation { createTasks(input: {tasks: [{title: \"a\"}, {title: \"b\"}]}) { userErrors { field } } }",
            3,
        ),
        ("subscription { changes { itemId item { id } } }", 2),
    ] {
        assert_eq!(cost(query, &json!({})), expected, "{query}");
    }
}

#[test]
fn a_page_costs_its_size() {
    for (arguments, expected) in [
        ("", 50),
        ("(first: 10)", 10),
        ("(last: 10)", 10),
        ("(first: 10, last: 20)", 20),
        ("(first: null)", 50),
        ("(first: 0)", 0),
        ("(first: -1)", 0),
        ("(first: 1000)", 100),
    ] {
        let query = format!("{{ courses{arguments} {{ nodes {{ id }} }} }}");
        assert_eq!(cost(&query, &json!({})), expected, "{query}");
    }
}

#[test]
fn the_objects_of_a_page_count_once_however_they_are_selected() {
    for (selected, expected) in [
        ("totalCount", 1),
        ("pageInfo { endCursor }", 10),
        ("nodes { id }", 10),
        ("edges { cursor }", 10),
        ("edges { node { id } }", 10),
        (
            "edges { cursor } nodes { id } pageInfo { hasNextPage } totalCount",
            11,
        ),
        ("edges { node { owner { id } } } nodes { id }", 20),
        (
            "edges { node { owner { id } } } nodes { documentCount }",
            30,
        ),
        ("nodes { tasks(first: 5) { nodes { id } totalCount } }", 70),
        ("nodes { owner { sessions { id } } }", 120),
    ] {
        let query = format!("{{ courses(first: 10) {{ {selected} }} }}");
        assert_eq!(cost(&query, &json!({})), expected, "{query}");
    }
}

#[test]
fn free_types_cost_nothing() {
    let query = "{ search(query: \"a\", first: 10) {
        edges { score highlights { text ranges { start end } } node { ... on Course { id } ... on Task { id } } }
    } }";
    assert_eq!(cost(query, &json!({})), 10);
    let query = "mutation { requestImageUpload { upload { headers { name } } } }";
    assert_eq!(cost(query, &json!({})), 2);
    for name in RULES.free_types {
        assert!(
            SDL.contains(&format!("type {name} ")),
            "there is no type {name}"
        );
    }
}

#[test]
fn introspection_costs_little_and_grows_with_the_query() {
    let standard = cost(&introspection(), &json!({}));
    assert!((100..2_000).contains(&standard), "{standard}");
    assert_eq!(cost("{ __schema { queryType { name } } }", &json!({})), 1);
    assert_eq!(
        cost(
            "{ __type(name: \"Task\") { fields { args { name } } } }",
            &json!({})
        ),
        2
    );
}

#[test]
fn the_cost_depends_on_the_variables() {
    let page = "query($n: Int) { courses(first: $n) { nodes { id } } }";
    let default = "query($n: Int = 7) { courses(first: $n) { nodes { id } } }";
    let schema_default = "query($n: Int) { me { auditLog(first: $n) { nodes { action } } } }";
    let fragment = "query($n: Int) { courses(first: 2) { ...C } } \
        fragment C on CourseConnection { nodes { tasks(first: $n) { nodes { id } } } }";
    let ids = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let input = "mutation($in: ItemIdsInput!) { completeTasks(input: $in) { tasks { id } } }";
    let inner = "mutation($ids: [ID!]!) { completeTasks(input: {ids: $ids}) { tasks { id } } }";
    let entries = "mutation($in: CreateTasksInput!) { createTasks(input: $in) { results { userErrors { field } } } }";
    let skip = "query($no: Boolean!) { me { sessions { id } name @skip(if: $no) ... @skip(if: $no) { sessions { id } } } }";
    let both = "query($a: Boolean!, $b: Boolean!) { me @include(if: $a) @skip(if: $b) { id } }";
    for (query, variables, expected) in [
        (page, json!({}), 50),
        (page, json!({"n": 3}), 3),
        (page, json!({"n": null}), 50),
        (page, json!({"n": 1000}), 100),
        (page, json!({"n": -5}), 0),
        (default, json!({}), 7),
        (default, json!({"n": 8}), 8),
        (default, json!({"n": null}), 50),
        (schema_default, json!({}), 21),
        (schema_default, json!({"n": 4}), 5),
        (schema_default, json!({"n": null}), 51),
        (fragment, json!({"n": 4}), 10),
        (fragment, json!({}), 102),
        (ids, json!({"ids": ["a", "b"]}), 2),
        (ids, json!({"ids": "a"}), 1),
        (input, json!({"in": {"ids": ["a", "b", "c"]}}), 4),
        (input, json!({"in": {"ids": 1}}), 2),
        (inner, json!({"ids": ["a", "b"]}), 3),
        (
            entries,
            json!({"in": {"tasks": [{"title": "a"}, {"title": "b"}]}}),
            3,
        ),
        (entries, json!({"in": {"tasks": {"title": "a"}}}), 2),
        (skip, json!({"no": true}), 11),
        (skip, json!({"no": false}), 21),
        (both, json!({"a": true, "b": false}), 1),
        (both, json!({"a": true, "b": true}), 0),
        (both, json!({"a": false, "b": false}), 0),
    ] {
        assert_eq!(
            cost(query, &variables),
            expected,
            "{query} with {variables}"
        );
    }
}

#[test]
fn each_id_in_an_input_costs_a_point() {
    let one =
        |input: &str| format!("mutation {{ createTask(input: {input}) {{ task {{ id }} }} }}");
    let batch = |declared: &str, tasks: &str| {
        format!(
            "mutation({declared}) {{ createTasks(input: {{tasks: {tasks}}}) {{ userErrors {{ field }} }} }}"
        )
    };
    let tag = "mutation($in: TagItemsInput!) { tagItems(input: $in) { userErrors { field } } }";
    let ids = json!(["1", "2", "3"]);
    let task = json!({ "title": "t", "tagIds": ids });
    let variables = json!({ "t": [task, { "title": "u" }], "one": task, "ids": ids });
    for (query, variables, expected) in [
        (one("{title: \"a\"}"), json!({}), 2),
        (one("{title: \"a\", tagIds: null}"), json!({}), 2),
        (one("{title: \"a\", tagIds: [1, 2, 3]}"), json!({}), 5),
        (one("{title: \"a\", tagIds: 1}"), json!({}), 3),
        (
            "mutation($in: CreateTaskInput!) { createTask(input: $in) { task { id } } }".to_owned(),
            json!({ "in": task }),
            5,
        ),
        (
            "mutation($in: CreateTasksInput!) { createTasks(input: $in) { userErrors { field } } }"
                .to_owned(),
            json!({ "in": { "tasks": [task, task, { "title": "u" }] } }),
            1 + 3 + 6,
        ),
        (batch("$t: [CreateTaskInput!]!", "$t"), variables.clone(), 1 + 2 + 3),
        (batch("$one: CreateTaskInput!", "[$one, $one]"), variables.clone(), 1 + 2 + 6),
        (
            batch("$ids: [ID!]", "[{title: \"a\", tagIds: $ids}, {title: \"b\", tagIds: [1]}]"),
            variables,
            1 + 2 + 4,
        ),
        (
            "mutation { tagItems(input: {ids: [1, 2], add: [3, 4, 5], remove: 6}) { items { id } } }"
                .to_owned(),
            json!({}),
            1 + 2 + 2 * 4,
        ),
        (
            tag.to_owned(),
            json!({ "in": { "ids": ["1", "2"], "add": ids, "remove": null } }),
            1 + 2 + 2 * 3,
        ),
        (tag.to_owned(), json!({ "in": { "ids": ids } }), 1 + 3),
    ] {
        assert_eq!(cost(&query, &variables), expected, "{query} {variables}");
    }
}

#[test]
fn conditions_of_a_filter_after_the_first_point_cost_points() {
    let literal =
        |filter: &str| format!("{{ tasks(first: 5, filter: {filter}) {{ nodes {{ id }} }} }}");
    let metadata = "{createdAfter: \"#fff\", metadataContains: {or: 1, and: {not: [2, 3]}}}";
    for (filter, expected) in [
        ("null", 5),
        ("{}", 5),
        ("{minimumScore: 1}", 5),
        ("{titleContains: \"a\"}", 9),
        ("{minimumScore: 1, priority: [LOW, HIGH]}", 6),
        ("{titleContains: null, priority: [LOW, HIGH]}", 5),
        (metadata, 10),
        ("{or: []}", 5),
        ("{or: {minimumScore: 1}}", 5),
        (
            "{minimumScore: 1, or: [{titleContains: \"a\"}, {titleContains: \"b\"}]}",
            15,
        ),
        ("{and: [{not: {or: [{}, {}, {}]}}, {minimumScore: 1}]}", 8),
        ("{and: [{minimumScore: null}, {minimumScore: 1}]}", 6),
    ] {
        assert_eq!(cost(&literal(filter), &json!({})), expected, "{filter}");
    }
    let whole = "query($f: TaskFilter) { tasks(first: 5, filter: $f) { nodes { id } } }";
    let parts = "query($f: TaskFilter, $s: Float) { tasks(first: 5, filter: {minimumScore: $s, not: $f}) { nodes { id } } }";
    let nested = "query($f: TaskFilter) { courses(first: 3) { nodes { tasks(first: 2, filter: $f) { totalCount } } } }";
    let two =
        json!({ "f": { "priority": "LOW", "titleContains": null, "or": { "minimumScore": 1 } } });
    let three = json!({ "f": two["f"], "s": 1 });
    let null = json!({ "f": two["f"], "s": null });
    for (query, variables, expected) in [
        (whole, json!({}), 5),
        (whole, json!({ "f": null }), 5),
        (whole, json!({ "f": { "titleContains": "a" } }), 9),
        (whole, two.clone(), 6),
        (parts, two.clone(), 6),
        (parts, null, 6),
        (parts, three, 7),
        (nested, json!({}), 6),
        (nested, two, 9),
    ] {
        assert_eq!(cost(query, &variables), expected, "{query} {variables}");
    }
    let empty = json!({ "f": { "or": vec![json!({}); 20_000] } });
    assert!(admit_twice(whole, &empty).is_err());
}

#[test]
fn a_warm_cache_gives_the_same_cost_for_other_variables() {
    let query = "query($n: Int, $deep: Boolean = false) {
        courses(first: $n) { nodes { id ...Tasks @include(if: $deep) } }
    } fragment Tasks on Course { tasks(first: $n) { nodes { owner { id } } } }";
    let warm = gate();
    for number in [0, 1, 10, 50, 100] {
        for deep in [true, false] {
            let variables = json!({"n": number, "deep": deep});
            let one = admit(&warm, query, &variables).map(|admitted| admitted.cost);
            let other = admit(&gate(), query, &variables).map(|admitted| admitted.cost);
            assert_eq!(one, other, "{variables}");
        }
    }
}

#[test]
fn lists_in_a_fragment_have_the_length_from_the_field_that_uses_it() {
    let query = "mutation($two: [ID!]!) {
        a: completeTasks(input: {ids: $two}) { ...Done }
        b: completeTasks(input: {ids: [1, 2, 3, 4, 5]}) { ...Done }
    } fragment Done on TasksPayload { tasks { id } userErrors { message } }";
    assert_eq!(cost(query, &json!({"two": [1, 2]})), 3 + 6);
}

#[test]
fn literal_conditions_need_no_variables() {
    for (query, expected) in [
        ("{ me @skip(if: true) { id } }", 0),
        ("{ me @include(if: false) { id } }", 0),
        ("{ me @include(if: true) @skip(if: false) { id } }", 1),
        ("{ ... @skip(if: true) { me { id } } }", 0),
    ] {
        assert_eq!(cost(query, &json!({})), expected, "{query}");
    }
}
