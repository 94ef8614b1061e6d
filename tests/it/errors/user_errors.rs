//! Messages of user errors: sentences that name the argument as code.

use serde_json::{Value, json};

use super::flaw;
use crate::support::{PASSWORD, TestApp, mutation};

/// Mutations that need no item, their inputs, and the argument that is invalid.
fn invalid() -> Vec<(&'static str, Value, &'static str)> {
    let document = |field: &str, value: Value| {
        let mut input =
            json!({ "courseId": "x", "title": "a", "originalText": "", "formattedNote": "" });
        input[field] = value;
        ("createDocument", input)
    };
    let sign_up = |field: &str, value: &str| {
        let mut input = json!({ "email": "eve@example.com", "password": PASSWORD, "name": "Eve" });
        input[field] = json!(value);
        ("signUp", input)
    };
    let long = "x".repeat(300_000);
    [
        (sign_up("email", ""), "email"),
        (sign_up("email", "eve"), "email"),
        (sign_up("email", "e..e@example.com"), "email"),
        (sign_up("email", "eve@127.0.0.1"), "email"),
        (sign_up("email", &format!("eve@{long}.com")), "email"),
        (sign_up("password", "short"), "password"),
        (sign_up("password", &long), "password"),
        (sign_up("password", "12345678"), "password"),
        (sign_up("password", "\0 correct horse"), "password"),
        (sign_up("name", " "), "name"),
        (
            ("createCourse", json!({ "name": "a", "color": "red" })),
            "color",
        ),
        (("createCourse", json!({ "name": long })), "name"),
        (("createCourse", json!({ "name": "a", "id": "7" })), "id"),
        (("createTask", json!({ "title": "\0" })), "title"),
        (
            ("createTask", json!({ "title": "a", "position": "é" })),
            "position",
        ),
        (document("processingTime", json!(-1)), "processingTime"),
        (document("metadata", json!({ "a": long })), "metadata"),
        (document("metadata", json!({ "a": "\0" })), "metadata"),
        (document("title", json!("x".repeat(1000))), "title"),
        (("updateMe", json!({ "name": null })), "name"),
        (
            (
                "updateMe",
                json!({ "avatarUrl": format!("https://example.com/{}", "x".repeat(600)) }),
            ),
            "avatarUrl",
        ),
        (("trashItems", json!({ "ids": [] })), "ids"),
        (
            (
                "restoreItems",
                json!({ "ids": (0..101).collect::<Vec<_>>() }),
            ),
            "ids",
        ),
        (
            (
                "requestImageUpload",
                json!({ "documentId": "x", "contentType": "a/b", "byteSize": 1 }),
            ),
            "contentType",
        ),
        (
            (
                "requestImageUpload",
                json!({ "documentId": "x", "contentType": "image/png", "byteSize": 0 }),
            ),
            "byteSize",
        ),
        (
            (
                "requestImageUpload",
                json!({ "documentId": "x", "contentType": "image/png", "byteSize": 99_999_999 }),
            ),
            "byteSize",
        ),
    ]
    .map(|((mutation, input), field)| (mutation, input, field))
    .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_sentences_that_name_the_argument() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    for (name, input, field) in invalid() {
        let query = mutation(name, "").replace("userErrors {", "userErrors { message");
        let answer = ada.post(&query, json!({ "input": input })).await.json();
        let errors = answer["data"][name]["userErrors"].as_array();
        let errors = errors.unwrap_or_else(|| panic!("{name} {field}: {answer}"));
        let path = json!(["input", field]);
        let error = errors.iter().find(|error| error["field"] == path);
        let message = error.map_or("no error", |error| error["message"].as_str().unwrap());
        assert_eq!(flaw(message), None, "{name} {field}: {message}");
    }
}
