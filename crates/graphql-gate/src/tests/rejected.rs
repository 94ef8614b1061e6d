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

#[test]
fn invalid_syntax_is_rejected() {
    for (query, message) in [
        ("", "syntax error: Unexpected <EOF>."),
        ("# nothing", "syntax error: Unexpected <EOF>."),
        (
            "{ }",
            "syntax error: expected at least one Selection in Selection Set",
        ),
        ("{ me { id }", "syntax error: expected R_CURLY, got EOF"),
        (
            "{ me { id } } }",
            "syntax error: expected a StringValue, Name or OperationDefinition",
        ),
        ("{ \u{0} }", "syntax error: Unexpected character \" \""),
        (
            "{ course(id: \"a\n\") { id } }",
            "syntax error: unexpected line terminator",
        ),
        (
            "{ course(id: \"\\uD83D\") { id } }",
            "syntax error: unpaired surrogate in unicode escape sequence",
        ),
    ] {
        assert_rejected(query, "PARSE_FAILED", message);
    }
}

#[test]
fn a_name_without_a_colon_is_rejected_although_apollo_compiler_drops_it() {
    for (query, column) in [
        ("{ courses(first last: 5) { totalCount } }", 17),
        ("{ courses(first: 5 last) { totalCount } }", 24),
        (
            "{ courses(orderBy: {field: NAME direction}) { totalCount } }",
            42,
        ),
        (
            "{ courses(orderBy: {direction, field: NAME}) { totalCount } }",
            32,
        ),
        (
            "{ tasks(filter: {metadataContains: {a: [{b}]}}) { totalCount } }",
            43,
        ),
        ("{ me { id @skip(if: true unless) } }", 32),
        (
            "query($n: Int = 5 @skip(if)) { courses(first: $n) { totalCount } }",
            27,
        ),
    ] {
        let error = json!({
            "message": "syntax error: expected a colon",
            "locations": [{"line": 1, "column": column}],
            "extensions": {"code": "PARSE_FAILED"}
        });
        assert_eq!(errors(rejection(query)), json!([error]), "{query}");
    }
}

/// Documents that do not match the schema, with the first error of each.
const MISMATCHES: &str = r#"
{ nosuch } -> type `Query` does not have a field `nosuch`
{ me { nosuch } } -> type `User` does not have a field `nosuch`
{ me } -> interface, union and object types must have a subselection set
{ me { id { x } } } -> interface, union and object types must have a subselection set
{ me { id @nosuch } } -> cannot find directive `@nosuch` in this document
{ me @defer { id } } -> cannot find directive `@defer` in this document
{ me { id } } type A { a: Int } -> an executable document must not contain an object type definition
{ me { ... on Course { id } } } -> inline fragment with type condition `Course` cannot be applied to `User`
{ ...F } -> cannot find fragment `F` in this document
{ me { id } } fragment F on User { id } -> fragment `F` must be used in an operation
{ me { ...F } } fragment F on User { ...F } -> `F` fragment cannot reference itself
{ course { id } } -> the required argument `Query.course(id:)` is not provided
{ course(id: null) { id } } -> the required argument `Query.course(id:)` is not provided
{ course(id: 1, id: 2) { id } } -> the argument `id` is provided multiple times
{ course(id: 1.5) { id } } -> expected value of type ID!, found a float
{ nodes(ids: [1, null]) { id } } -> expected value of type ID!, found null
{ courses(first: 1.0) { totalCount } } -> expected value of type Int, found a float
{ courses(first: "1") { totalCount } } -> expected value of type Int, found a string
{ courses(first: 3000000000) { totalCount } } -> int cannot represent non 32-bit signed integer value
{ tasks(filter: {priority: SOON}) { totalCount } } -> value `SOON` does not exist on `TaskPriority`
{ tasks(filter: {priority: "LOW"}) { totalCount } } -> expected value of type [TaskPriority!], found a string
{ tasks(filter: {prio: LOW}) { totalCount } } -> field `prio` does not exist on `TaskFilter`
{ courses(orderBy: {direction: ASC}) { totalCount } } -> the required field `CourseOrder.field` is not provided
{ courses(orderBy: {field: NAME, direction: null}) { totalCount } } -> expected value of type OrderDirection!, found null
{ a: me { id } a: course(id: 1) { id } } -> cannot select different fields into the same alias `a`
{ course(id: 1) { id } course(id: 2) { id } } -> operation must not provide conflicting field arguments for the same name `course`
subscription { a: changes { itemId } b: changes { itemId } } -> anonymous subscription can only have one root field
subscription { __typename } -> anonymous subscription can not have an introspection field as a root field
query($x: User) { me { id } } -> `$x` variable must be of an input type
query($x: Int) { me { id } } -> unused variable: `$x`
query($x: Int, $x: Int) { courses(first: $x) { totalCount } } -> the variable `$x` is declared multiple times
query($x: ID) { course(id: $x) { id } } -> variable `$x` of type `ID` cannot be used for argument `id` of type `ID!`
query($x: Int! = null) { courses(first: $x) { totalCount } } -> expected value of type Int!, found null
{ me { id } } query B { me { id } } -> anonymous operation cannot be selected when the document contains other operations
query A { me { id } } query A { me { id } } -> the operation `A` is defined multiple times in the document
"#;

#[test]
fn documents_that_do_not_match_the_schema_are_rejected() {
    for (query, message) in cases(MISMATCHES) {
        assert_rejected(query, "VALIDATION_FAILED", message);
    }
}

/// Documents that only this crate rejects, with the first error of each.
const ACCEPTED_BY_APOLLO: &str = r#"
mutation { createTask(input: {title: "a", title: "b"}) { task { id } } } -> the input field `title` is provided multiple times
{ tasks(filter: {metadataContains: {a: {b: 1, b: 2}}}) { totalCount } } -> the input field `b` is provided multiple times
mutation($id: ID) { updateTask(input: {id: $id}) { task { id } } } -> variable `$id` of type `ID` cannot be used where `ID!` is expected
mutation($ids: [ID!]!) { trashItems(input: {ids: [$ids]}) { items { id } } } -> variable `$ids` of type `[ID!]!` cannot be used where `ID!` is expected
mutation($ids: ID!) { trashItems(input: {ids: $ids}) { items { id } } } -> variable `$ids` of type `ID!` cannot be used where `[ID!]!` is expected
{ taskBy(key: {}) { id } } -> `TaskKey` requires exactly one non-null field
{ taskBy(key: {id: null}) { id } } -> `TaskKey` requires exactly one non-null field
{ taskBy(key: {id: 1, title: "a"}) { id } } -> `TaskKey` requires exactly one non-null field
query($id: ID) { taskBy(key: {id: $id}) { id } } -> `TaskKey` requires exactly one non-null field
query($id: ID) { nodes(ids: [$id]) { id } } -> variable `$id` of type `ID` cannot be used where `ID!` is expected
query($id: ID = null) { course(id: $id) { id } } -> variable `$id` of type `ID` cannot be used where `ID!` is expected
query($x: Int!, $y: Boolean = null) { courses(first: $x) { totalCount @skip(if: $y) } } -> variable `$y` of type `Boolean` cannot be used where `Boolean!` is expected
{ tasks(filter: {metadataContains: {a: [$x]}}) { totalCount } } -> variable `$x` is not declared
{ ...F } fragment F on Query { tasks(filter: {metadataContains: {a: $x}}) { totalCount } } -> variable `$x` is not declared
{ nodes(ids: [1]) { id } nodes(ids: [1, 2]) { id } } -> different arguments for the same name `nodes`
{ nodes(ids: [1]) { id } ...F } fragment F on Query { ... { nodes(ids: [1, 2]) { id } } } -> different arguments for the same name `nodes`
mutation { a: trashItems(input: {ids: [1, 2]}) { items { id } } a: trashItems(input: {ids: [1]}) { items { id } } } -> different arguments for the same name `a`
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
    let several_unnamed = "The document has several operations. Set operationName to one of them.";
    let unknown = "The document has no operation named \"C\".";
    for (query, name, message) in [
        (several, None, several_unnamed),
        (several, Some(""), several_unnamed),
        (several, Some("C"), unknown),
        (one, Some("C"), unknown),
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
                "message": "type `Course` does not have a field `nosuch`",
                "locations": [{"line": 4, "column": 24}],
                "extensions": {"code": "VALIDATION_FAILED"}
            },
            {
                "message": "type `Query` does not have a field `nosuch`",
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
