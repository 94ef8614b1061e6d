//! The first syntax error of a text, in words.

use serde_json::json;

use super::{errors, rejection};

/// Texts with the column of their error and its words.
const INVALID: &[(&str, usize, &str)] = &[
    (
        "",
        1,
        "The document is empty. Send a query, a mutation or a subscription.",
    ),
    (
        "# nothing",
        10,
        "The document is empty. Send a query, a mutation or a subscription.",
    ),
    (
        " ,\u{feff}",
        4,
        "The document is empty. Send a query, a mutation or a subscription.",
    ),
    (
        "{ }",
        3,
        "The selection set is empty. Select at least one field.",
    ),
    (
        "{ me { } }",
        8,
        "The selection set is empty. Select at least one field.",
    ),
    (
        "{ me {",
        7,
        "The document ends unexpectedly; a `}` is missing.",
    ),
    (
        "{ me { id ",
        11,
        "The document ends unexpectedly; a `}` is missing.",
    ),
    (
        "query A($x: Int",
        16,
        "The document ends unexpectedly; a `)` is missing.",
    ),
    (
        "query A($x: [Int",
        17,
        "The document ends unexpectedly; a `]` is missing.",
    ),
    (
        "query A",
        8,
        "The document ends unexpectedly; a selection set `{ … }` is missing.",
    ),
    (
        "{ me { id } } }",
        15,
        "Unexpected `}`. It closes no bracket.",
    ),
    (
        "{ me { id ) } }",
        11,
        "Unexpected `)`; expected a field or `}`.",
    ),
    (
        "{ me { id & } }",
        11,
        "Unexpected `&`; expected a field or `}`.",
    ),
    ("{ 5 }", 3, "Unexpected `5`; expected a field."),
    ("{ a: }", 6, "Unexpected `}`; expected a name."),
    (
        "{ ... }",
        3,
        "`...` must be followed by a fragment's name, `on` or `{`.",
    ),
    (
        "{ course(id: ) { id } }",
        14,
        "Unexpected `)`; expected a value.",
    ),
    (
        "{ course(id: 1 { id } }",
        16,
        "Unexpected `{`; expected `)`.",
    ),
    (
        "{ courses() { id } }",
        11,
        "The list of arguments is empty. Add an argument, or remove the parentheses.",
    ),
    (
        "query() { me { id } }",
        7,
        "The list of variables is empty. Declare a variable, or remove the parentheses.",
    ),
    (
        "query($x) { me { id } }",
        9,
        "Unexpected `)`; expected `:` and a type.",
    ),
    (
        "query($x Int) { me { id } }",
        10,
        "Unexpected `Int`; expected `:` and a type.",
    ),
    (
        "query(x: Int) { me { id } }",
        7,
        "Unexpected `x`; expected a variable such as `$id: ID!`.",
    ),
    (
        "query($x: Int = $y) { me { id } }",
        17,
        "Unexpected `$`; expected a value without variables.",
    ),
    (
        "queri { me { id } }",
        1,
        "Unexpected `queri`; expected a query, a mutation, a subscription or a fragment.",
    ),
    (
        "fragment F { id }",
        12,
        "Unexpected `{`; expected `on` and a type.",
    ),
    (
        "fragment on on User { id }",
        10,
        "Unexpected `on`; expected the fragment's name.",
    ),
    (
        "{ course(id: \"a) { id } }",
        14,
        "The string is not terminated. End it with `\"`.",
    ),
    (
        "{ course(id: \"\"\"a) { id } }",
        14,
        "The string is not terminated. End it with `\"\"\"`.",
    ),
    (
        "{ course(id: \"a\n\") { id } }",
        14,
        "The string contains a line break. Write it as `\\n`, or use a block string `\"\"\"…\"\"\"`.",
    ),
    (
        "{ course(id: 'a') { id } }",
        14,
        "Strings must be in double quotes: `\"…\"`.",
    ),
    (
        "{ course(id: “a”) { id } }",
        14,
        "Strings must be in double quotes: `\"…\"`.",
    ),
    (
        "{ course(id: \"\\x\") { id } }",
        14,
        "The string has an invalid escape sequence. Write a backslash as `\\\\`.",
    ),
    (
        "{ course(id: \"\\uD83D\") { id } }",
        14,
        "The string has an invalid Unicode escape sequence. Use `\\uXXXX` or `\\u{X…}`.",
    ),
    (
        "{ courses(first: 010) { id } }",
        18,
        "A number must not start with extra zeros.",
    ),
    (
        "{ courses(first: 10x) { id } }",
        18,
        "The number is incomplete or has invalid characters.",
    ),
    (
        "{ courses(first: .5) { id } }",
        18,
        "A number must start with a digit, such as `0.5`.",
    ),
    (
        "{ courses(first: -) { id } }",
        18,
        "A digit must follow the sign `-`.",
    ),
    ("{ me { id; } }", 10, "Unexpected character `;`."),
    ("{ \u{0} }", 3, "Unexpected character `U+0000`."),
    (
        "{ me { .. F } }",
        8,
        "A fragment is spread with three dots: `...`.",
    ),
];

#[test]
fn a_syntax_error_is_reported_once_and_in_words() {
    for &(text, column, message) in INVALID {
        let error = json!({
            "message": message,
            "locations": [{"line": 1, "column": column}],
            "extensions": {"code": "PARSE_FAILED"}
        });
        assert_eq!(errors(rejection(text)), json!([error]), "{text}");
    }
}

#[test]
fn a_name_without_a_colon_is_rejected_although_apollo_compiler_drops_it() {
    for (query, column, token) in [
        ("{ courses(first last: 5) { totalCount } }", 17, "last"),
        ("{ courses(first: 5 last) { totalCount } }", 24, ")"),
        ("{ courses(first 5) { totalCount } }", 17, "5"),
        (
            "{ courses(orderBy: {field: NAME direction}) { totalCount } }",
            42,
            "}",
        ),
        (
            "{ courses(orderBy: {direction, field: NAME}) { totalCount } }",
            32,
            "field",
        ),
        (
            "{ tasks(filter: {metadataContains: {a: [{b}]}}) { totalCount } }",
            43,
            "}",
        ),
        ("{ me { id @skip(if: true unless) } }", 32, ")"),
        (
            "query($n: Int = 5 @skip(if)) { courses(first: $n) { totalCount } }",
            27,
            ")",
        ),
    ] {
        let error = json!({
            "message": format!("Unexpected `{token}`; expected `:`."),
            "locations": [{"line": 1, "column": column}],
            "extensions": {"code": "PARSE_FAILED"}
        });
        assert_eq!(errors(rejection(query)), json!([error]), "{query}");
    }
}
