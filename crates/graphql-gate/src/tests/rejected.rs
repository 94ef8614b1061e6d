//! Which documents are valid by the specification, including the faults that apollo-compiler accepts.

use serde_json::{Map, json};

use super::{admit_twice, assert_rejected, errors, first_error, gate, rejection};

/// The cases of a table. Each line is a query, an arrow and a message.
fn cases(table: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = table.trim().lines();
    lines.map(|line| line.split_once(" -> ").expect("an arrow"))
}

#[test]
fn valid_documents_are_admitted() {
    for query in [
        "{ me { id, , , } }",
        "\u{feff}{ me { id } } # comment",
        "query Named { me { id } }",
        "{ ...F } fragment F on Query { me { ...G } } fragment G on User { id }",
        "{ node(id: 1) { id ... on Item { status } ... on SearchResult { ... on Course { name } } } }",
        "{ course(id: -5) { id } b: course(id: 123456789012345678901234567890) { id } }",
        "{ course(id: \"\\u{1F600} \\uD83D\\uDE00 \\\"\") { id } }",
        "{ course(id: \"\"\"a \\\"\"\" b\"\"\") { id } }",
        "{ tasks(filter: {priority: HIGH, metadataContains: {a: [1, {b: null}]}}) { totalCount } }",
        "{ tasks(filter: {priority: [HIGH, LOW], minimumScore: 1}) { totalCount } }",
        "{ courses(orderBy: {field: NAME}) { totalCount } }",
        "{ tasks(filter: {minimumScore: -1.5E+3, metadataContains: {a: 1e5, b: B}}) { totalCount } }",
        "query($a: [TaskPriority!]! = [LOW HIGH], $b: Int = 1) { tasks(filter: {priority: $a}, first: $b # (\n) { totalCount } }",
        "{ courses(first: 1) { totalCount } courses(first: 1) { nodes { id } } }",
        "{ nodes(ids: [1, 2]) { id } nodes(ids: [1, 2]) { __typename } }",
        "subscription { changes { itemId } }",
        "subscription { ...F } fragment F on Subscription { changes { itemId } }",
        "{ taskBy(key: {id: 1}) { id } }",
        "query($id: ID! = 1) { taskBy(key: {id: $id}) { id } }",
        "{ __type(name: \"TaskKey\") { isOneOf } }",
    ] {
        let answer = admit_twice(query, &json!({}));
        assert!(answer.is_ok(), "{query}: {:?}", answer.err());
    }
}

/// Documents that do not match the schema, with the first error of each.
const MISMATCHES: &str = r#"
{ nosuch } -> `Query` has no field `nosuch`.
{ me { nosuch } } -> `User` has no field `nosuch`.
{ me } -> `me` returns an object. Select the fields that you need: `me { … }`.
{ me { id { x } } } -> `id` of type `ID` has no fields. Remove the braces after it.
{ me { id @nosuch } } -> The directive `@nosuch` does not exist.
{ me @defer { id } } -> The directive `@defer` does not exist.
{ me { id } } type A { a: Int } -> The document contains an object type definition. Send only operations and fragments.
{ me { ... on Course { id } } } -> An inline fragment on `Course` can never apply to `User`.
{ ...F } -> The fragment `F` is not defined.
{ me { id } } fragment F on User { id } -> The fragment `F` is not used. Spread it with `...F`, or remove it.
{ me { ...F } } fragment F on User { ...F } -> The fragment `F` includes itself.
{ course { id } } -> `Query.course` requires the argument `id`.
{ course(id: null) { id } } -> `id` must be of type `ID!`; got null.
{ course(id: 1, id: 2) { id } } -> The argument `id` is given several times.
{ course(id: 1.5) { id } } -> `id` must be of type `ID!`; got a float.
{ nodes(ids: [1, null]) { id } } -> `ids[1]` must be of type `ID!`; got null.
{ courses(first: 1.0) { totalCount } } -> `first` must be of type `Int`; got a float.
{ courses(first: "1") { totalCount } } -> `first` must be of type `Int`; got a string. Remove the quotes.
{ courses(first: 3000000000) { totalCount } } -> `first` must be a 32-bit integer (-2147483648 to 2147483647); got `3000000000`.
{ tasks(filter: {priority: SOON}) { totalCount } } -> `filter.priority` must be a value of `TaskPriority`; got `SOON`.
{ tasks(filter: {priority: "LOW"}) { totalCount } } -> `filter.priority` must be of type `[TaskPriority!]`; got a string. Remove the quotes.
{ tasks(filter: {prio: LOW}) { totalCount } } -> `filter.prio` is not a field of `TaskFilter`.
{ courses(orderBy: {direction: ASC}) { totalCount } } -> `orderBy.field` is required in `CourseOrder`.
{ courses(orderBy: {field: NAME, direction: null}) { totalCount } } -> `orderBy.direction` must be of type `OrderDirection!`; got null.
{ a: me { id } a: course(id: 1) { id } } -> `a` selects two different fields. Give one of them another alias.
{ course(id: 1) { id } course(id: 2) { id } } -> `course` is selected with different arguments. Give one of them another alias.
subscription { a: changes { itemId } b: changes { itemId } } -> A subscription must select exactly one root field. Start one subscription per field.
subscription { __typename } -> A subscription must not select introspection fields at its root.
query($x: User) { me { id } } -> The variable `$x` must be of an input type: a scalar, an enum or an input object.
query($x: Int) { me { id } } -> The variable `$x` is not used. Use it, or remove its declaration.
query($x: Int, $x: Int) { courses(first: $x) { totalCount } } -> The variable `$x` is declared several times.
query($x: ID) { course(id: $x) { id } } -> The variable `$x` of type `ID` cannot be used for `id` of type `ID!`.
query($x: Int! = null) { courses(first: $x) { totalCount } } -> `$x` must be of type `Int!`; got null.
{ me { id } } query B { me { id } } -> A document with several operations must name each of them. Set `operationName` to one of the names.
query A { me { id } } query A { me { id } } -> Several operations are named `A`. Rename one of them.
"#;

#[test]
fn documents_that_do_not_match_the_schema_are_rejected() {
    for (query, message) in cases(MISMATCHES) {
        assert_rejected(query, "VALIDATION_FAILED", message);
    }
}

/// Documents that only this crate rejects, with the first error of each.
const ACCEPTED_BY_APOLLO: &str = r#"
mutation { createTask(input: {title: "a", title: "b"}) { task { id } } } -> `input.title` is given several times.
{ tasks(filter: {metadataContains: {a: {b: 1, b: 2}}}) { totalCount } } -> `filter.metadataContains.a.b` is given several times.
mutation($id: ID) { updateTask(input: {id: $id}) { task { id } } } -> The variable `$id` of type `ID` cannot be used for `input.id` of type `ID!`.
mutation($ids: [ID!]!) { trashItems(input: {ids: [$ids]}) { items { id } } } -> The variable `$ids` of type `[ID!]!` cannot be used for `input.ids[0]` of type `ID!`.
mutation($ids: ID!) { trashItems(input: {ids: $ids}) { items { id } } } -> The variable `$ids` of type `ID!` cannot be used for `input.ids` of type `[ID!]!`.
{ taskBy(key: {}) { id } } -> `key` of type `TaskKey` must have exactly one field, which must not be null.
{ taskBy(key: {id: null}) { id } } -> `key` of type `TaskKey` must have exactly one field, which must not be null.
{ taskBy(key: {id: 1, title: "a"}) { id } } -> `key` of type `TaskKey` must have exactly one field, which must not be null.
query($id: ID) { taskBy(key: {id: $id}) { id } } -> `key` of type `TaskKey` must have exactly one field, which must not be null.
query($id: ID) { nodes(ids: [$id]) { id } } -> The variable `$id` of type `ID` cannot be used for `ids[0]` of type `ID!`.
query($id: ID = null) { course(id: $id) { id } } -> The variable `$id` of type `ID` cannot be used for `id` of type `ID!`.
query($x: Int!, $y: Boolean = null) { courses(first: $x) { totalCount @skip(if: $y) } } -> The variable `$y` of type `Boolean` cannot be used for `if` of type `Boolean!`.
{ tasks(filter: {metadataContains: {a: [$x]}}) { totalCount } } -> The variable `$x` is not declared.
{ ...F } fragment F on Query { tasks(filter: {metadataContains: {a: $x}}) { totalCount } } -> The variable `$x` is not declared.
{ nodes(ids: [1]) { id } nodes(ids: [1, 2]) { id } } -> `nodes` is selected with different arguments. Give one of them another alias.
{ nodes(ids: [1]) { id } ...F } fragment F on Query { ... { nodes(ids: [1, 2]) { id } } } -> `nodes` is selected with different arguments. Give one of them another alias.
mutation { a: trashItems(input: {ids: [1, 2]}) { items { id } } a: trashItems(input: {ids: [1]}) { items { id } } } -> `a` is selected with different arguments. Give one of them another alias.
"#;

#[test]
fn faults_that_apollo_compiler_accepts_are_rejected() {
    for (query, message) in cases(ACCEPTED_BY_APOLLO) {
        assert_rejected(query, "VALIDATION_FAILED", message);
    }
}

#[test]
fn operation_name_selects_one_of_several_operations() {
    let several =
        "query A { me { id } } mutation B { completeTasks(input: {ids: []}) { tasks { id } } }";
    let select = |query: &str, name| match gate().admit(query, name, Map::new()) {
        Ok(admitted) => Ok((admitted.operation, admitted.operation_name)),
        Err(rejection) => Err(first_error(rejection)),
    };
    let one = "{ me { id } }";
    let named = "query A { me { id } }";
    let named_similarly = "query Named { me { id } } query Other { me { id } }";
    use async_graphql::parser::types::OperationType::{Mutation, Query};
    for (query, name, expected) in [
        (several, Some("A"), (Query, Some("A".into()))),
        (several, Some("B"), (Mutation, Some("B".into()))),
        (one, None, (Query, None)),
        (one, Some(""), (Query, None)),
        (named, None, (Query, Some("A".into()))),
    ] {
        assert_eq!(select(query, name), Ok(expected));
    }
    let similar = "The document has no operation named `Named1`. Did you mean `Named`?";
    let several_unnamed =
        "The document has several operations. Set `operationName` to one of them.";
    let unknown = "The document has no operation named `C`. Did you mean `A` or `B`?";
    for (query, name, message) in [
        (several, None, several_unnamed),
        (several, Some(""), several_unnamed),
        (several, Some("C"), unknown),
        (one, Some("C"), "The document has no operation named `C`."),
        (named_similarly, Some("Named1"), similar),
    ] {
        let expected = Err(("BAD_REQUEST", message.to_owned()));
        assert_eq!(select(query, name), expected);
    }
}

#[test]
fn an_error_has_a_position() {
    let query = "{\n  me { id }\n\r\n  b: course(id: \"é\") { nosuch }\r  nosuch\n}";
    assert_eq!(
        errors(rejection(query)),
        json!([
            {
                "message": "`Course` has no field `nosuch`.",
                "locations": [{"line": 4, "column": 24}],
                "extensions": {"code": "VALIDATION_FAILED"}
            },
            {
                "message": "`Query` has no field `nosuch`.",
                "locations": [{"line": 5, "column": 3}],
                "extensions": {"code": "VALIDATION_FAILED"}
            }
        ])
    );
}

#[test]
fn a_response_contains_at_most_twenty_errors() {
    let query = format!("{{ {} }}", "nosuch ".repeat(100));
    assert_eq!(errors(rejection(&query)).as_array().map(Vec::len), Some(20));
}

/// Documents whose other errors follow from this one.
const WITH_CONSEQUENCES: &str = r#"
{ me { nosuch } } -> `User` has no field `nosuch`.
{ me { nosuch { a b } } } -> `User` has no field `nosuch`.
{ me { name { x { y } } } } -> `name` of type `String` has no fields. Remove the braces after it.
{ course(id: 1) { status { x } } } -> `status` of type `ItemStatus` has no fields. Remove the braces after it.
query($n: Int) { tsks(first: $n) { totalCount } } -> `Query` has no field `tsks`. Did you mean `tasks`?
{ nosuch { ...F } } fragment F on User { id } -> `Query` has no field `nosuch`.
{ me { ...F } } fragment F on Usr { id } -> The type `Usr` of the fragment `F` does not exist. Did you mean `User`?
{ me { ... on Usr { id } } } -> The type `Usr` does not exist. Did you mean `User`?
{ me { ... on Int { id } } } -> An inline fragment must be on an object, an interface or a union.
mutation { createTask(input: {title: null}) { task { id } } } -> `input.title` must be of type `String!`; got null.
{ me { id @skip(if: null) } } -> `if` must be of type `Boolean!`; got null.
{ me { id } } { me { name } } { __typename } -> A document with several operations must name each of them. Set `operationName` to one of the names.
"#;

#[test]
fn errors_that_follow_from_others_are_omitted() {
    for (query, message) in cases(WITH_CONSEQUENCES) {
        let errors = errors(rejection(query));
        assert_eq!(
            errors.as_array().map(Vec::len),
            Some(1),
            "{query}: {errors}"
        );
        assert_eq!(errors[0]["message"], message, "{query}");
    }
}

/// Documents with an invalid default of a variable.
const INVALID_DEFAULTS: &str = r#"
query($k: TaskKey! = {}) { taskBy(key: $k) { id } } -> `$k` of type `TaskKey` must have exactly one field, which must not be null.
query($f: TaskFilter = {titleContains: "a", titleContains: "b"}) { tasks(filter: $f) { totalCount } } -> `$f.titleContains` is given several times.
"#;

#[test]
fn defaults_of_variables_are_checked_like_arguments() {
    for (query, message) in cases(INVALID_DEFAULTS) {
        assert_rejected(query, "VALIDATION_FAILED", message);
    }
}
