//! Values in the input: times, numbers, ids that are given twice, nulls in filters, and forged cursors.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    subscriptions::socket::Socket,
    support::{Person, TestApp},
};

const DUE: &str = "mutation($input: CreateTaskInput!) { createTask(input: $input) { task { dueAt } userErrors { code } } }";

async fn due(ada: &Person, due_at: &str) -> Value {
    let input = json!({ "input": { "title": "One", "dueAt": due_at } });
    ada.graphql(DUE, input).await
}

#[tokio::test(flavor = "multi_thread")]
async fn times_have_one_form_in_responses() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    for (given, stored) in [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01t00:00:00.5z", "2026-01-01T00:00:00.500000Z"),
        (
            "2026-01-01T00:00:00.123456789Z",
            "2026-01-01T00:00:00.123456Z",
        ),
        ("2026-01-01T00:00:00+14:00", "2025-12-31T10:00:00.000000Z"),
        ("2026-01-01T00:00:00-00:00", "2026-01-01T00:00:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ] {
        let answer = due(&ada, given).await;
        assert_eq!(
            answer["data"]["createTask"]["task"]["dueAt"], stored,
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_are_not_rfc_3339_are_rejected() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    for text in [
        "2026-05-31T14:53:60Z",
        "2016-12-31T23:59:60Z",
        "2026-01-08T09:30:00\u{2212}01:00",
        "2026-01-08 09:30:00Z",
        "2026-01-08T09:30:00",
        "2026-01-08T09:30Z",
        "2026-01-08T24:00:00Z",
        "2026-01-08T09:30:00+24:00",
        "2026-01-08T09:30:00+01",
        "2026-01-08T09:30:00.Z",
        "2026-02-30T09:30:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-01-08",
        "",
    ] {
        let answer = due(&ada, text).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{text}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_in_metadata_come_back_exactly_or_are_rejected() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = ada.create_course("Algebra").await;
    let create = |metadata: &str| {
        format!(
            r#"{{"courseId":"{course}","title":"One","originalText":"","formattedNote":"","metadata":{{"a":{metadata}}}}}"#
        )
    };
    let query = "mutation($input: CreateDocumentInput!) { createDocument(input: $input) { document { metadata } } }";
    let in_variable = |number: &str| {
        format!(
            r#"{{"query":"{query}","variables":{{"input":{}}}}}"#,
            create(number)
        )
    };
    let in_document = |number: &str| {
        let query = format!(
            r#"mutation {{ createDocument(input: {{ courseId: "{course}", title: "One", originalText: "", formattedNote: "", metadata: {{ a: {number} }} }}) {{ document {{ metadata }} }} }}"#
        );
        json!({ "query": query }).to_string()
    };
    let numbers = [
        "9007199254740993",
        "18446744073709551615",
        "-9223372036854775808",
        "0.1",
        "1e300",
        "5e-324",
        "123456.789",
        "94.52706955539223",
    ];
    for number in numbers {
        for body in [in_variable(number), in_document(number)] {
            let answer = ada
                .post_body(&[("Content-Type", "application/json")], body.as_bytes())
                .await;
            let metadata = &answer.json()["data"]["createDocument"]["document"]["metadata"]["a"];
            let expected: Value = serde_json::from_str(number).unwrap();
            assert_eq!(*metadata, expected, "{number}: {}", answer.body);
        }
    }
    for number in [
        "18446744073709551616",
        "-9223372036854775809",
        "1e400",
        "0.1234567890123456789012",
    ] {
        for body in [in_variable(number), in_document(number)] {
            let answer = ada
                .post_body(&[("Content-Type", "application/json")], body.as_bytes())
                .await;
            assert!(
                (400..500).contains(&answer.status) || answer.json()["errors"].is_array(),
                "{number}"
            );
            let path = answer.body.contains("metadata.");
            assert!(
                path && answer.body.contains("64 bits"),
                "{number}: {}",
                answer.body
            );
        }
    }
    assert_eq!(app.count("documents").await, 2 * numbers.len() as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inexact_number_fails_its_operation_and_not_the_socket() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let mut socket = Socket::of(&ada).await;
    let query = "query($data: JSONObject) { documents(filter: { metadataContains: $data }) { totalCount } }";
    let message = format!(
        r#"{{"id":"1","type":"subscribe","payload":{{"query":"{query}","variables":{{"data":{{"a":18446744073709551616}}}}}}}}"#
    );
    socket.send_text(&message).await;
    let failed = socket.message().await;
    assert_eq!(failed["type"], "error", "{failed}");
    assert_eq!(failed["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
    socket.subscribe("2", "{ __typename }", Value::Null).await;
    assert_eq!(
        socket.message().await["payload"]["data"]["__typename"],
        "Query"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_given_twice_count_once() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let task = ada.create_task(None, "One").await;
    let repeated = vec![task.as_str(); 150];
    let many: Vec<String> = (0..101).map(|_| Uuid::new_v4().to_string()).collect();
    for mutation in [
        "completeTasks",
        "reopenTasks",
        "trashItems",
        "restoreItems",
        "trashItems",
        "deleteItems",
    ] {
        let payload = ada
            .try_mutate(mutation, json!({ "ids": repeated }), "")
            .await;
        assert_eq!(payload["userErrors"], json!([]), "{mutation}: {payload}");
        let payload = ada.try_mutate(mutation, json!({ "ids": many }), "").await;
        assert_eq!(payload["userErrors"][0]["code"], "TOO_LONG", "{mutation}");
    }
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let user = vec![ada.id.as_str(); 150];
    let data = ada.data(nodes, json!({ "ids": user })).await;
    assert_eq!(data["nodes"].as_array().unwrap().len(), 150);
    let user = vec![ada.id.as_str(); 201];
    assert_eq!(
        ada.error_code(nodes, json!({ "ids": user })).await,
        "BAD_USER_INPUT"
    );
    assert_eq!(
        ada.error_code(nodes, json!({ "ids": many })).await,
        "BAD_USER_INPUT"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_texts_that_are_not_uuids_count_once() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let equal = json!({ "ids": vec!["x"; 150] });
    let data = ada.data(nodes, equal.clone()).await;
    assert_eq!(data["nodes"], json!(vec![Value::Null; 150]));
    let payload = ada.try_mutate("trashItems", equal, "").await;
    let not_found = json!([{ "code": "NOT_FOUND", "field": ["input", "ids", "0"] }]);
    assert_eq!(payload["userErrors"], not_found, "{payload}");
    let different: Vec<String> = (0..101).map(|n| format!("x{n}")).collect();
    let different = json!({ "ids": different });
    let code = ada.error_code(nodes, different.clone()).await;
    assert_eq!(code, "BAD_USER_INPUT");
    let payload = ada.try_mutate("trashItems", different, "").await;
    assert_eq!(payload["userErrors"][0]["code"], "TOO_LONG", "{payload}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_course_in_a_filter_means_without_a_course() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let course = ada.create_course("Algebra").await;
    ada.create_task(Some(&course), "In a course").await;
    let single = ada.create_task(None, "Single").await;
    let tasks = "query($filter: TaskFilter) { tasks(filter: $filter) { totalCount nodes { id } } }";
    let data = ada
        .data(tasks, json!({ "filter": { "courseId": null } }))
        .await;
    assert_eq!(
        data["tasks"],
        json!({ "totalCount": 1, "nodes": [{ "id": single }] })
    );
    let data = ada
        .query("{ tasks(filter: { courseId: null, hasCourse: true }) { totalCount } }")
        .await;
    assert_eq!(data["tasks"]["totalCount"], 0);
    let nested = "{ courses { nodes { tasks(filter: { courseId: null }) { totalCount } } } }";
    assert_eq!(
        ada.query(nested).await["courses"]["nodes"][0]["tasks"]["totalCount"],
        0
    );
    let data = ada.data(tasks, json!({ "filter": {} })).await;
    assert_eq!(data["tasks"]["totalCount"], 2);

    for documents in [
        "{ documents(filter: { courseId: null }) { totalCount } }",
        "{ courses { nodes { documents(filter: { courseId: null }) { totalCount } } } }",
    ] {
        assert_eq!(ada.error_code(documents, json!({})).await, "BAD_USER_INPUT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_filters_name_the_path() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    ada.create_course("Algebra").await;
    for (list, path) in [
        (
            r#"courses(filter: { nameContains: "\u0000" })"#,
            "filter.nameContains",
        ),
        (
            r#"tasks(filter: { titleContains: "\u0000" })"#,
            "filter.titleContains",
        ),
        (
            r#"documents(filter: { titleContains: "\u0000" })"#,
            "filter.titleContains",
        ),
        ("documents(filter: { courseId: null })", "filter.courseId"),
        (
            r#"documents(filter: { metadataContains: { a: "\u0000" } })"#,
            "filter.metadataContains",
        ),
    ] {
        let answer = ada
            .graphql(&format!("{{ {list} {{ totalCount }} }}"), json!({}))
            .await;
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("`{path}` ")),
            "{list}: {message}"
        );
    }
}

/// A cursor with another key or id in it.
fn forged(cursor: &Value, change: impl Fn(&str) -> String) -> String {
    let content = URL_SAFE_NO_PAD.decode(cursor.as_str().unwrap()).unwrap();
    URL_SAFE_NO_PAD.encode(change(str::from_utf8(&content).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_times_in_cursors_are_rejected() {
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    ada.create_course("Algebra").await;
    ada.create_task(None, "One").await;
    for list in [
        "courses(first: 1, after: $after, orderBy: { field: CREATED_AT })",
        "tasks(first: 1, after: $after, orderBy: { field: DUE_AT })",
        "tasks(first: 1, after: $after, orderBy: { field: UPDATED_AT, direction: ASC })",
    ] {
        let query = format!("query($after: String) {{ {list} {{ edges {{ cursor }} }} }}");
        let data = ada.data(&query, json!({})).await;
        let name = list.split('(').next().unwrap();
        let cursor = &data[name]["edges"][0]["cursor"];
        // The key of the cursor follows 32 characters of an id.
        for key in [
            "0000-01-01T00:00:00Z",
            "0000-01-01T00:00:00.000000Z",
            "+12026-01-01T00:00:00.000000Z",
            "2026-01-01 00:00:00.000000Z",
            "2026-01-01T00:00:00.000000\u{2212}01:00",
            "9999-12-31T23:59:59.999999-01:00",
            "NaN",
            "now",
            "epoch",
            "",
        ] {
            let end_of_id = |content: &str| {
                let sign = content.find(['+', '-']).unwrap();
                sign + 1 + 32
            };
            let forged = forged(cursor, |content| {
                format!("{}{key}", &content[..end_of_id(content)])
            });
            let code = ada.error_code(&query, json!({ "after": forged })).await;
            assert_eq!(code, "BAD_USER_INPUT", "{list} {key:?}");
        }
    }
}
