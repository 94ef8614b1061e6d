//! `titleContains`, `nameContains` and `metadataContains`: parts of titles and of metadata, as they are written.

use serde_json::{Value, json};

use super::{course, did, document, task};
use crate::support::{Client, TestApp};

const COURSES: &str = "query($part: String) { list: courses(filter: { nameContains: $part }, first: 100) { totalCount nodes { title: name } } }";
const DOCUMENTS: &str = "query($part: String) { list: documents(filter: { titleContains: $part }, first: 100) { totalCount nodes { title } } }";
const TASKS: &str = "query($part: String) { list: tasks(filter: { titleContains: $part }, first: 100) { totalCount nodes { title } } }";
const METADATA: &str = "query($part: JSONObject) { list: documents(filter: { metadataContains: $part }, first: 100) { totalCount nodes { title } } }";

/// What a list has of a part, by the alphabet.
async fn listed<T: serde::Serialize>(client: &Client, query: &str, part: T) -> Vec<String> {
    let list = client.data(query, json!({ "part": part })).await["list"].take();
    let nodes = list["nodes"].as_array().unwrap();
    assert_eq!(list["totalCount"], nodes.len());
    let title = |node: &Value| node["title"].as_str().unwrap().to_owned();
    let mut titles: Vec<String> = nodes.iter().map(title).collect();
    titles.sort();
    titles
}

/// Somebody with a course, a document and a task of each of these titles.
async fn titled(app: &TestApp, titles: &[&str]) -> Client {
    let ada = app.signed_up("ada").await;
    let mut home = Value::Null;
    for title in titles {
        home = course(&ada, title, "").await;
    }
    for title in titles {
        document(&ada, &home, title, "", "").await;
        task(&ada, &home, title, "").await;
    }
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_found_in_upper_and_lower_case_and_in_any_place() {
    let app = TestApp::start().await;
    let titles = [
        "Linear Algebra",
        "100% sure",
        "1000 sure",
        "snake_case",
        "snakeXcase",
        r"back\slash",
        "backslash",
        "Straße",
        "İstanbul",
        "Ärger",
        "行列の計算",
        "線形",
        "🦓 Zebra",
        "👩‍👩‍👧",
        "a",
        "Éa",
        "it's",
        "\"quoted\"",
        "[a-z]+ (b)",
        "two  spaces",
        "ΟΔΟΣ",
        "x²",
    ];
    let ada = titled(&app, &titles).await;
    let eve = app.signed_up("eve").await;
    for (part, expected) in [
        ("linear", &["Linear Algebra"][..]),
        ("LINEAR ALG", &["Linear Algebra"]),
        ("r a", &["Linear Algebra"]),
        ("bra", &["Linear Algebra", "🦓 Zebra"]),
        ("Linear Algebra", &["Linear Algebra"]),
        ("Linear Algebras", &[]),
        ("%", &["100% sure"]),
        ("0%", &["100% sure"]),
        ("0% s", &["100% sure"]),
        ("_", &["snake_case"]),
        ("e_c", &["snake_case"]),
        ("\\", &[r"back\slash"]),
        ("k\\", &[r"back\slash"]),
        ("\\s", &[r"back\slash"]),
        ("ß", &["Straße"]),
        ("aß", &["Straße"]),
        ("STRAß", &["Straße"]),
        ("İ", &["İstanbul"]),
        ("İs", &["İstanbul"]),
        ("STANBUL", &["İstanbul"]),
        ("ä", &["Ärger"]),
        ("ÄR", &["Ärger"]),
        ("行", &["行列の計算"]),
        ("列の", &["行列の計算"]),
        ("線形", &["線形"]),
        ("🦓", &["🦓 Zebra"]),
        ("🦓 z", &["🦓 Zebra"]),
        ("👩‍👧", &["👩‍👩‍👧"]),
        ("z", &["[a-z]+ (b)", "🦓 Zebra"]),
        ("É", &["Éa"]),
        ("éA", &["Éa"]),
        ("'", &["it's"]),
        ("'S", &["it's"]),
        ("\"q", &["\"quoted\""]),
        ("-z]+ (", &["[a-z]+ (b)"]),
        ("  ", &["two  spaces"]),
        ("οδος", &["ΟΔΟΣ"]),
        ("δο", &["ΟΔΟΣ"]),
        ("x²", &["x²"]),
        ("x2", &[]),
        ("*", &[]),
        ("' OR 1=1", &[]),
    ] {
        for list in [COURSES, DOCUMENTS, TASKS] {
            assert_eq!(listed(&ada, list, part).await, expected, "{part}: {list}");
            assert_eq!(listed(&eve, list, part).await, [""; 0], "{part}");
        }
    }
    for list in [COURSES, DOCUMENTS, TASKS] {
        for all in [json!(""), Value::Null] {
            assert_eq!(listed(&ada, list, all).await.len(), titles.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parts_are_answered_in_time() {
    let app = TestApp::start().await;
    let ada = titled(&app, &["Linear Algebra"]).await;
    for list in [COURSES, DOCUMENTS, TASKS] {
        for part in [
            "%".repeat(10_000),
            "_".repeat(10_000),
            "\\".repeat(10_000),
            "ab".repeat(100_000),
            "語".repeat(100_000),
            "%a_".repeat(30_000),
        ] {
            assert_eq!(listed(&ada, list, part).await, [""; 0]);
        }
        let code = ada.error_code(list, json!({ "part": "a\0" })).await;
        assert_eq!(code, "BAD_USER_INPUT");
    }
    let code = ada
        .error_code(METADATA, json!({ "part": { "a": "\0" } }))
        .await;
    assert_eq!(code, "BAD_USER_INPUT");
}

/// Somebody with documents of that metadata; what a document has is its title, too.
async fn described(app: &TestApp, all: &[Value]) -> Client {
    let ada = app.signed_up("ada").await;
    let home = course(&ada, "Course", "").await;
    let query = "mutation($input: CreateDocumentInput!) { createDocument(input: $input) { userErrors { code } } }";
    for metadata in all {
        let input = json!({ "courseId": home, "title": metadata.to_string(), "formattedNote": "", "originalText": "", "metadata": metadata });
        did(&ada, query, json!({ "input": input })).await;
    }
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_found_by_any_part_of_it() {
    let app = TestApp::start().await;
    let all = [
        json!({}),
        json!({ "a": {} }),
        json!({ "a": [] }),
        json!({ "a": null }),
        json!({ "a": 1 }),
        json!({ "a": "1" }),
        json!({ "a": true, "b": { "c": { "d": "deep" } } }),
        json!({ "a": [1, 2, [3], { "b": "in a list" }] }),
        json!({ "a": { "b": null }, "c": "x" }),
        json!({ "": "no name", "語": "値", "🦓": "it's \"quoted\" \\ %" }),
        json!({ "n": 1e20, "m": 0.1, "o": -0.0 }),
    ];
    let ada = described(&app, &all).await;
    let eve = app.signed_up("eve").await;
    for (part, expected) in [
        (json!({}), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10][..]),
        (json!({ "a": {} }), &[1, 8]),
        (json!({ "a": [] }), &[2, 7]),
        (json!({ "a": null }), &[3]),
        (json!({ "a": 1 }), &[4]),
        (json!({ "a": 1.0 }), &[4]),
        (json!({ "a": "1" }), &[5]),
        (json!({ "a": true }), &[6]),
        (json!({ "b": { "c": {} } }), &[6]),
        (json!({ "b": { "c": { "d": "deep" } } }), &[6]),
        (json!({ "a": true, "b": {} }), &[6]),
        (json!({ "c": { "d": "deep" } }), &[]),
        (json!({ "a": [1] }), &[7]),
        (json!({ "a": [2, 1, 1] }), &[7]),
        (json!({ "a": [3] }), &[]),
        (json!({ "a": [[3]] }), &[7]),
        (json!({ "a": [{ "b": "in a list" }] }), &[7]),
        (json!({ "a": [{}] }), &[7]),
        (json!({ "a": [[]] }), &[7]),
        (json!({ "a": { "b": null } }), &[8]),
        (json!({ "a": { "b": {} } }), &[]),
        (json!({ "": "no name" }), &[9]),
        (json!({ "語": "値" }), &[9]),
        (json!({ "🦓": "it's \"quoted\" \\ %" }), &[9]),
        (json!({ "n": 100_000_000_000_000_000_000_f64 }), &[10]),
        (json!({ "m": 0.1, "o": 0 }), &[10]),
        (json!({ "nothing": {} }), &[]),
    ] {
        let mut expected: Vec<String> = expected
            .iter()
            .map(|at: &usize| all[*at].to_string())
            .collect();
        expected.sort();
        assert_eq!(listed(&ada, METADATA, &part).await, expected, "{part}");
        assert_eq!(listed(&eve, METADATA, &part).await, [""; 0], "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_follow_what_is_changed() {
    let app = TestApp::start().await;
    let ada = titled(&app, &["Linear Algebra"]).await;
    app.sql("UPDATE documents SET title = 'Analysis', metadata = '{\"a\": 1}'; UPDATE courses SET name = 'Analysis'")
        .await;
    for list in [COURSES, DOCUMENTS] {
        assert_eq!(listed(&ada, list, "linear").await, [""; 0]);
        assert_eq!(listed(&ada, list, "analy").await, ["Analysis"]);
    }
    assert_eq!(
        listed(&ada, METADATA, json!({ "a": 1 })).await,
        ["Analysis"]
    );
    app.sql("UPDATE documents SET metadata = '{}'").await;
    assert_eq!(listed(&ada, METADATA, json!({ "a": 1 })).await, [""; 0]);
}
