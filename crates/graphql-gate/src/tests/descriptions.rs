//! Descriptions of operations, fragments and variables are accepted where the September 2025 specification allows them.

use serde_json::json;

use super::{admit_twice, code, errors, rejection};

#[test]
fn descriptions_are_accepted() {
    for query in [
        "\"Reads the user.\" query A { me { id } }",
        "\"\"\"\nReads \\\"\"\" the user: query { }\n\"\"\" query { me { id } }",
        "\"one\" query A { me { ...F } } # comment\n \"two\" fragment F on User { id }",
        "\"new\" mutation { createTask(input: {title: \"a\"}) { task { id } } }",
        "\"\" subscription S { changes { itemId } }",
        "query A(\"size\" $n: Int = 5, \"\"\"cursor\"\"\" $c: String = \"a\") { courses(first: $n, after: $c) { totalCount } }",
        "query(\"size\" $n: Int \"cursor\", $c: String) { courses(first: $n, after: $c) { totalCount } }",
        "\"a\" query query(\"b\" $n: Int) { courses(first: $n) { totalCount } }",
    ] {
        let admitted = admit_twice(query, &json!({}));
        assert!(admitted.is_ok(), "{query}: {:?}", admitted.err());
    }
}

#[test]
fn strings_in_other_places_are_rejected_or_kept() {
    for query in [
        "\"a\" { me { id } }",
        "\"a\"",
        "\"a\" \"b\" query { me { id } }",
        "query \"a\" { me { id } }",
        "query A \"a\" { me { id } }",
        "query A { \"a\" me { id } }",
        "query A { me { id } \"a\" }",
        "query A { courses(\"a\" first: 5) { totalCount } }",
        "query A(\"a\" \"b\" $n: Int) { courses(first: $n) { totalCount } }",
        "query A($n: Int \"a\") { courses(first: $n) { totalCount } }",
        "query A($n: \"a\" Int) { courses(first: $n) { totalCount } }",
        "\"a\" ...F query { me { id } }",
        "\"\\q\" query { me { id } }",
        "\"\\uD83D\" query { me { id } }",
        "\"a\nquery { me { id } }",
        "\"\"\"a query { me { id } }",
    ] {
        assert_eq!(code(&rejection(query)), "PARSE_FAILED", "{query}");
    }
    let default =
        "query A($c: String = \"a\" $n: Int) { courses(first: $n, after: $c) { totalCount } }";
    let admitted = admit_twice(default, &json!({})).expect("a default is no description");
    assert_eq!(json!(admitted.variables), json!({"c": "a"}));
}

#[test]
fn positions_after_a_description_stay_the_same() {
    let query = "\"\"\"é\r\nü \"\"\" query A(\"ö\" $n: Int) { courses(first: $n) { nosuch } }";
    let errors = errors(rejection(query));
    assert_eq!(errors[0]["locations"], json!([{"line": 2, "column": 51}]));
}
