//! Tools for agents over the Model Context Protocol: which there are, what they return, and who may call them.
//!
//! `client` runs the protocol's own client.

mod client;

use serde_json::{Value, json};
use snapnote::graphql::{
    ToolMode,
    documents::{DocumentMode, Manifest},
};

use crate::support::{Answer, Client, Person, TestApp};

const HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
    ("mcp-protocol-version", "2025-06-18"),
];

/// A trusted document that is a tool, one that is a tool that writes, and one without a description.
const MANIFEST: &str = r#"{
    "1": "\"Counts the courses.\" query count_courses { courses { totalCount } }",
    "2": "\"Creates a task.\" mutation add_task(\"Its title.\" $title: String!) { createTask(input: { title: $title }) { task { title } userErrors { code } } }",
    "3": "query silent { me { id } }"
}"#;

async fn app(tools: ToolMode) -> (TestApp, Person) {
    let app = TestApp::with(|settings| settings.documents.tools = tools);
    app.await.with_user("ada").await
}

async fn app_with_manifest(tools: ToolMode) -> (TestApp, Person) {
    let (before, ada) = TestApp::start().await.with_user("ada").await;
    let database = before.database.clone();
    before.stop().await;
    let app = TestApp::on(database, |settings| {
        settings.documents.manifests =
            vec![Manifest::parse("m.json".to_owned(), MANIFEST).unwrap()];
        settings.documents.mode = DocumentMode::Enforce;
        settings.documents.tools = tools;
    });
    let app = app.await;
    let ada = Person {
        client: ada.at(&app),
        ..ada
    };
    (app, ada)
}

/// The response to a message of the protocol.
async fn send(client: &Client, method: &str, params: Value) -> Answer {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let body = message.to_string();
    client.http("POST", "/mcp", &HEADERS, body.as_bytes()).await
}

async fn call(client: &Client, tool: &str, arguments: Value) -> Value {
    let answer = send(
        client,
        "tools/call",
        json!({ "name": tool, "arguments": arguments }),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The result of a call that must succeed.
async fn result(client: &Client, tool: &str, arguments: Value) -> Value {
    let mut answer = call(client, tool, arguments).await;
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    answer["result"]["structuredContent"].take()
}

/// The code and the message of a call that must fail.
async fn error(client: &Client, tool: &str, arguments: Value) -> (String, String) {
    let answer = call(client, tool, arguments).await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let error = &answer["result"]["structuredContent"]["errors"][0];
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (text("code"), text("message"))
}

async fn tools(client: &Client) -> Vec<Value> {
    let answer = send(client, "tools/list", json!({})).await;
    let tools = answer.json()["result"]["tools"].take();
    serde_json::from_value(tools).unwrap_or_else(|_| panic!("{answer:?}"))
}

async fn names(client: &Client) -> Vec<String> {
    let tools = tools(client).await;
    let names = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_can_search_and_read_notes_and_list_due_tasks() {
    let (_app, ada) = app(ToolMode::Read).await;
    let course = ada.create_course("Algebra").await;
    let note = ada
        .create_document(&course, "# Groups\nA group has an inverse.")
        .await;
    ada.create("Task", json!({ "title": "Sheet 1", "dueOn": "2026-03-01" }))
        .await;
    ada.create("Task", json!({ "title": "Someday" })).await;
    assert_eq!(
        names(&ada).await,
        ["read_note", "search_notes", "tasks_due"]
    );

    let found = result(&ada, "search_notes", json!({ "query": "inverse group" })).await;
    let first = &found["search"]["edges"][0];
    assert_eq!(first["node"]["id"], json!(note), "{found}");
    assert_eq!(first["node"]["course"]["name"], "Algebra");
    assert_eq!(first["highlights"][0]["field"], "formattedNote");

    let read = result(&ada, "read_note", json!({ "id": note })).await;
    let text = read["document"]["formattedNote"].as_str();
    assert_eq!(text, Some("# Groups\nA group has an inverse."));
    assert_eq!(read["document"].get("originalText"), None);
    let arguments = json!({ "id": note, "originalText": true });
    let read = result(&ada, "read_note", arguments).await;
    assert!(read["document"]["originalText"].is_string(), "{read}");

    let due = result(&ada, "tasks_due", json!({})).await;
    assert_eq!(due["tasks"]["nodes"][0]["title"], "Sheet 1");
    assert_eq!(due["tasks"]["totalCount"], 1);
    let before = json!({ "before": "2026-01-01T00:00:00Z" });
    assert_eq!(
        result(&ada, "tasks_due", before).await["tasks"]["totalCount"],
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_says_what_it_takes_and_whether_it_writes() {
    let (_app, ada) = app_with_manifest(ToolMode::Write).await;
    let tools = tools(&ada).await;
    let tool = tools
        .iter()
        .find(|tool| tool["name"] == "add_task")
        .unwrap();
    let expected = json!({
        "name": "add_task",
        "description": "Creates a task.",
        "inputSchema": {
            "type": "object",
            "properties": { "title": { "type": "string", "description": "Its title." } },
            "required": ["title"],
            "additionalProperties": false,
        },
        "annotations": { "readOnlyHint": false, "openWorldHint": false },
    });
    assert_eq!(*tool, expected);
    let read_only = tools
        .iter()
        .filter(|tool| tool["annotations"]["readOnlyHint"] == true);
    assert_eq!(read_only.count(), 4);
    let added = result(&ada, "add_task", json!({ "title": "Call home" })).await;
    assert_eq!(added["createTask"]["task"]["title"], "Call home");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_write_only_if_that_is_turned_on() {
    let (_app, ada) = app_with_manifest(ToolMode::Read).await;
    let expected = ["count_courses", "read_note", "search_notes", "tasks_due"];
    assert_eq!(names(&ada).await, expected);
    let answer = call(&ada, "add_task", json!({ "title": "x" })).await;
    let message = "There is no tool `add_task`. `tools/list` lists all.";
    assert_eq!(answer["error"]["message"], message);
    assert_eq!(answer["error"]["code"], -32602);
    let counted = result(&ada, "count_courses", json!({})).await;
    assert_eq!(counted, json!({ "courses": { "totalCount": 0 } }));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_there_is_no_endpoint() {
    let (_app, ada) = TestApp::start().await.with_user("ada").await;
    assert_eq!(send(&ada, "tools/list", json!({})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_are_errors_that_a_model_can_correct() {
    let (_app, ada) = app(ToolMode::Read).await;
    for (tool, arguments, message) in [
        ("read_note", json!({}), "`$id` of type `ID!` is required."),
        (
            "read_note",
            json!({ "id": "a", "with": true }),
            "There is no argument `with`. Use id, originalText.",
        ),
        ("tasks_due", json!({ "before": "tomorrow" }), "`$before` "),
        ("tasks_due", json!({ "first": 1000 }), "`first` "),
    ] {
        let (code, said) = error(&ada, tool, arguments).await;
        assert_eq!(code, "BAD_USER_INPUT", "{said}");
        assert!(said.starts_with(message), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_needs_a_token_and_sees_only_their_own_items() {
    let (app, ada) = app(ToolMode::Read).await;
    let course = ada.create_course("Algebra").await;
    let note = ada.create_document(&course, "Groups").await;
    let bob = app.signed_up("bob").await;
    let read = result(&bob, "read_note", json!({ "id": note })).await;
    assert_eq!(read, json!({ "document": null }));

    let anonymous = send(&app.anonymous(), "tools/list", json!({})).await;
    assert_eq!(anonymous.status, 401);
    assert_eq!(anonymous.header("www-authenticate"), Some("Bearer"));
    let wrong = app.anonymous().with_token("x");
    for method in ["initialize", "tools/list", "tools/call", "ping"] {
        let answer = send(&wrong, method, json!({})).await;
        assert_eq!(
            (answer.status, answer.error_code()),
            (401, json!("UNAUTHENTICATED"))
        );
    }
    bob.sign_out().await;
    assert_eq!(send(&bob, "tools/list", json!({})).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_rejected() {
    let (_app, ada) = app(ToolMode::Read).await;
    let page = ada.with_header("origin", "https://evil.example");
    let answer = send(&page, "tools/list", json!({})).await;
    assert_eq!(
        (answer.status, answer.error_code()),
        (403, json!("FORBIDDEN"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_take_cost_points_like_any_operation() {
    let app = TestApp::with(|settings| {
        settings.documents.tools = ToolMode::Read;
        settings.edge.cost_limit = "300/h".parse().unwrap();
    });
    let (_app, ada) = app.await.with_user("ada").await;
    let arguments = || json!({ "first": 100 });
    while call(&ada, "tasks_due", arguments()).await["result"]["isError"] == false {}
    let (code, _) = error(&ada, "tasks_due", arguments()).await;
    assert_eq!(code, "RATE_LIMITED");
    assert_eq!(
        ada.error_code("{ tasks(first: 100) { nodes { tags { id } } } }", json!({}))
            .await,
        code
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_are_rejected() {
    let (_app, ada) = app(ToolMode::Read).await;
    let post = async |headers: &[(&str, &str)], body: &str| {
        ada.http("POST", "/mcp", headers, body.as_bytes())
            .await
            .status
    };
    for body in ["", "{", "[]", "1", "{}", r#"{"jsonrpc":"2.0","id":1}"#] {
        let status = post(&HEADERS, body).await;
        assert!((400..500).contains(&status), "{body}: {status}");
    }
    assert_eq!(post(&HEADERS[..1], "{}").await, 406);
    assert_eq!(post(&HEADERS[1..], "{}").await, 415);
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    assert_eq!(post(&HEADERS, &large).await, 413);
    assert_eq!(ada.http("GET", "/mcp", &HEADERS, b"").await.status, 405);
    let answer = send(&ada, "resources/list", json!({})).await;
    assert!(
        answer.json()["error"].is_object() || answer.json()["result"].is_object(),
        "{answer:?}"
    );
}
