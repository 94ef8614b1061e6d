//! `titleContains`, `nameContains` and `metadataContains`: parts of titles, without case and accents, and of metadata, as they are
//! written.

use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp, texts};

pub(super) const COURSES: &str = "query($part: String) { list: courses(filter: { nameContains: $part }, first: 100) { totalCount nodes { title: name } } }";
pub(super) const DOCUMENTS: &str = "query($part: String) { list: documents(filter: { titleContains: $part }, first: 100) { totalCount nodes { title } } }";
pub(super) const TASKS: &str = "query($part: String) { list: tasks(filter: { titleContains: $part }, first: 100) { totalCount nodes { title } } }";
const METADATA: &str = "query($part: JSONObject) { list: documents(filter: { metadataContains: $part }, first: 100) { totalCount nodes { title } } }";

/// What a list has of a part, by the alphabet.
pub(super) async fn listed<T: serde::Serialize>(
    client: &Client,
    query: &str,
    part: T,
) -> Vec<String> {
    let list = client.data(query, json!({ "part": part })).await["list"].take();
    let mut titles = texts(&list["nodes"], "title");
    assert_eq!(list["totalCount"], titles.len());
    titles.sort();
    titles
}

/// A user with a course, a document and a task of each of these titles.
pub(super) async fn titled(titles: &[&str]) -> (TestApp, Person) {
    let (app, ada) = TestApp::start().await.with_user("ada").await;
    let mut home = String::new();
    for title in titles {
        home = ada.course(title, "").await;
    }
    for title in titles {
        ada.document(&home, title, "", "").await;
        ada.task(&home, title, "").await;
    }
    (app, ada)
}

/// What courses, documents and tasks are called.
const TITLES: &[&str] = &[
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

const WITH_A: &[&str] = &[
    "Linear Algebra",
    "Straße",
    "[a-z]+ (b)",
    "a",
    "back\\slash",
    "backslash",
    "snakeXcase",
    "snake_case",
    "two  spaces",
    "Ärger",
    "Éa",
    "İstanbul",
    "🦓 Zebra",
];

/// Parts, and the titles that have them.
const PARTS: &[(&str, &[&str])] = &[
    ("linear", &["Linear Algebra"]),
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
    ("İs", &["İstanbul"]),
    ("STANBUL", &["İstanbul"]),
    ("ä", WITH_A),
    ("är", &["Linear Algebra", "Ärger"]),
    ("ÄRG", &["Ärger"]),
    ("行", &["行列の計算"]),
    ("列の", &["行列の計算"]),
    ("線形", &["線形"]),
    ("🦓", &["🦓 Zebra"]),
    ("🦓 z", &["🦓 Zebra"]),
    ("👩‍👧", &["👩‍👩‍👧"]),
    ("z", &["[a-z]+ (b)", "🦓 Zebra"]),
    ("éA", &["Linear Algebra", "Éa"]),
    ("'", &["it's"]),
    ("'S", &["it's"]),
    ("\"q", &["\"quoted\""]),
    ("-z]+ (", &["[a-z]+ (b)"]),
    ("two spaces", &["two  spaces"]),
    (" two   spaces ", &["two  spaces"]),
    ("οδος", &["ΟΔΟΣ"]),
    ("δο", &["ΟΔΟΣ"]),
    ("x²", &["x²"]),
    ("x2", &["x²"]),
    ("*", &[]),
    ("' OR 1=1", &[]),
];

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_titles_are_found_in_any_case_and_place() {
    let (app, ada) = titled(TITLES).await;
    let eve = app.signed_up("eve").await;
    for (part, expected) in PARTS {
        for list in [COURSES, DOCUMENTS, TASKS] {
            assert_eq!(listed(&ada, list, part).await, *expected, "{part}: {list}");
            assert_eq!(listed(&eve, list, part).await, [""; 0], "{part}");
        }
    }
    for list in [COURSES, DOCUMENTS, TASKS] {
        for all in [json!(""), json!("  "), Value::Null] {
            assert_eq!(listed(&ada, list, all).await.len(), TITLES.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_and_invalid_parts_are_handled() {
    let (_app, ada) = titled(&["Linear Algebra"]).await;
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

/// A user with documents with this metadata, which is also their title.
async fn described(app: &TestApp, all: &[Value]) -> Person {
    let ada = app.signed_up("ada").await;
    let home = ada.course("Course", "").await;
    for metadata in all {
        let input =
            json!({ "courseId": home, "title": metadata.to_string(), "metadata": metadata });
        ada.create("Document", input).await;
    }
    ada
}

/// Parts of metadata, and which of the documents below have them.
fn parts_of_metadata() -> Vec<(Value, &'static [usize])> {
    vec![
        (json!({}), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
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
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_found_by_any_part() {
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
    for (part, expected) in parts_of_metadata() {
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
async fn filters_follow_changes() {
    let (app, ada) = titled(&["Linear Algebra"]).await;
    app.sql("UPDATE documents SET title = 'Analysis', metadata = '{\"a\": 1}'; UPDATE courses SET name = 'Analysis'")
        .await;
    for list in [COURSES, DOCUMENTS] {
        assert_eq!(listed(&ada, list, "linear").await, [""; 0]);
        assert_eq!(listed(&ada, list, "analy").await, ["Analysis"]);
    }
    let part = json!({ "a": 1 });
    assert_eq!(listed(&ada, METADATA, &part).await, ["Analysis"]);
    app.sql("UPDATE documents SET metadata = '{}'").await;
    assert_eq!(listed(&ada, METADATA, &part).await, [""; 0]);
}
