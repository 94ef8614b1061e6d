//! Checks every response: a mutation returns only the codes in `userErrors` that its description names, and RATE_LIMITED only if the
//! description says so.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::Value;
use snapnote::graphql;

/// The description of each mutation.
static DESCRIPTIONS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let sdl = graphql::sdl();
    let (_, fields) = sdl.split_once("\ntype Mutation {\n").unwrap();
    let (fields, _) = fields.split_once("\n}").unwrap();
    // Descriptions and fields, without the arguments between them.
    let mut parts = fields
        .split("\n\t\"\"\"\n")
        .map(|part| part.trim_start_matches("\t\"\"\"\n"));
    let mut descriptions = HashMap::new();
    while let (Some(description), Some(field)) = (parts.next(), parts.next()) {
        let name = field.trim().split(['(', ':']).next().unwrap();
        descriptions.insert(name.to_owned(), description.to_owned());
    }
    assert!(descriptions.len() >= 40, "{descriptions:?}");
    descriptions
});

/// Checks the body of a response, if it is one of GraphQL.
pub(super) fn check(body: &str) {
    if !body.contains("\"code\"") {
        return;
    }
    let Ok(response) = serde_json::from_str::<Value>(body) else {
        return;
    };
    for (name, payload) in response["data"].as_object().into_iter().flatten() {
        let results = payload["results"].as_array().into_iter().flatten();
        for payload in results.chain([payload]) {
            for error in payload["userErrors"].as_array().into_iter().flatten() {
                check_code(name, &error["code"]);
            }
        }
    }
    for error in response["errors"].as_array().into_iter().flatten() {
        let (name, code) = (&error["path"][0], &error["extensions"]["code"]);
        if code == "RATE_LIMITED"
            && let Some(name) = name.as_str()
        {
            check_code(name, code);
        }
    }
}

fn check_code(mutation: &str, code: &Value) {
    let (Some(description), Some(code)) = (DESCRIPTIONS.get(mutation), code.as_str()) else {
        return;
    };
    let mut words =
        description.split(|character: char| !character.is_alphanumeric() && character != '_');
    if words.any(|word| word == code) {
        return;
    }
    if let Ok(file) = std::env::var("SNAPNOTE_TESTS_CODES") {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        file.write_all(format!("{mutation} {code}\n").as_bytes())
            .unwrap();
        return;
    }
    panic!("the description of `{mutation}` does not name {code}");
}
