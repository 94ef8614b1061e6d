//! Trusted documents: manifests as clients' build tools write them, requests that name their documents, and what happens to others.
//!
//! tests/clients/documents has the manifests, the applications they come from, and the tools that write them. `clients` runs the clients.

mod clients;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use snapnote::{
    app::AppSettings,
    graphql::documents::{DocumentMode, Manifest},
};

use crate::{
    subscriptions::socket::Socket,
    support::{
        Answer, Client, Folder, TestApp, migrated_database, output_of, program, url_of, with_log,
    },
};

const JSON: (&str, &str) = ("content-type", "application/json");
const GRAPHQL: (&str, &str) = ("accept", "application/graphql-response+json");
const EVENTS: (&str, &str) = ("accept", "text/event-stream");
const COURSES: &str = "sha256:ef0e179ff1fcb179a817779b5f55c487d95fd12790181b9aa44fb1e6d8095fe2";

fn manifests() -> [PathBuf; 3] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/documents/manifests");
    ["codegen", "relay", "apollo"].map(|tool| folder.join(format!("{tool}.json")))
}

/// With the manifests of all three tools.
fn trusting(mode: DocumentMode) -> impl FnOnce(&mut AppSettings) {
    move |settings| {
        let read = manifests().map(|file| Manifest::read(&file).unwrap());
        settings.documents.manifests = read.to_vec();
        settings.documents.mode = mode;
    }
}

/// A service that enforces the manifests, and a user with the course Algebra, who signed up before.
async fn enforcing() -> (TestApp, Client) {
    let (before, ada) = TestApp::start().await.with_user("ada").await;
    ada.create_course("Algebra").await;
    let database = before.database.clone();
    before.stop().await;
    let app = TestApp::on(database, trusting(DocumentMode::Enforce)).await;
    let client = ada.at(&app);
    (app, client)
}

/// The ids and texts of the documents that start with a word, and the manifest's name.
fn documents(word: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for file in manifests() {
        let tool = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let json: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let entries: Vec<(String, String)> = match json["operations"].as_array() {
            Some(operations) => {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let entry = |one: &Value| (text(&one["id"]), text(&one["body"]));
                operations.iter().map(entry).collect()
            }
            None => serde_json::from_value::<std::collections::HashMap<String, String>>(json)
                .unwrap()
                .into_iter()
                .collect(),
        };
        let with_word = entries.into_iter().filter(|(_, text)| text.contains(word));
        found.extend(with_word.map(|(id, text)| (tool.clone(), id, text)));
    }
    assert_eq!(found.len(), 3);
    found
}

async fn post(client: &Client, body: &Value) -> Answer {
    client.post_body(&[JSON, GRAPHQL], body.to_string()).await
}

/// The three ways to name a document by an id.
fn named(id: &str) -> [Value; 3] {
    let persisted = json!({ "persistedQuery": { "version": 1, "sha256Hash": id } });
    [
        json!({ "documentId": id }),
        json!({ "doc_id": id }),
        json!({ "extensions": persisted }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_every_tool_run_by_id_and_by_text() {
    let (_app, ada) = enforcing().await;
    let expected = json!([{ "name": "Algebra" }]);
    for (tool, id, text) in documents("query ") {
        let mut requests = named(&id).to_vec();
        requests.push(json!({ "query": text }));
        for mut request in requests {
            request["variables"] = json!({ "first": 7 });
            request["extensions"]["cost"] = true.into();
            let answer = post(&ada, &request).await;
            let mut json = answer.json();
            assert_eq!(answer.status, 200, "{tool}: {answer:?}");
            assert_eq!(json["extensions"]["cost"]["requested"], 7, "{answer:?}");
            for course in json["data"]["courses"]["nodes"].as_array_mut().unwrap() {
                course
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| name == "name");
            }
            assert_eq!(json["data"]["courses"]["nodes"], expected, "{tool}");
        }
    }
    for (tool, id, _) in documents("mutation ") {
        for mut request in named(&id) {
            request["variables"] = json!({ "input": { "name": tool } });
            let answer = post(&ada, &request).await.json();
            assert_eq!(
                answer["data"]["updateMe"]["user"]["name"],
                json!(tool),
                "{answer}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_work_over_every_transport() {
    let (_app, ada) = enforcing().await;
    let persisted =
        format!("extensions=%7B%22persistedQuery%22:%7B%22sha256Hash%22:%22{COURSES}%22%7D%7D");
    for query in [
        format!("documentId={COURSES}&variables=%7B%22first%22:1%7D"),
        format!("doc_id={COURSES}&operationName=Courses"),
        persisted,
    ] {
        let path = format!("/graphql?{query}");
        let answer = ada.http("GET", &path, &[GRAPHQL], b"").await;
        assert_eq!(
            answer.json()["data"]["courses"]["nodes"][0]["name"],
            "Algebra",
            "{answer:?}"
        );
    }
    for (_, id, _) in documents("mutation ") {
        let variables = "%7B%22input%22:%7B%22name%22:%22a%22%7D%7D";
        let path = format!("/graphql?documentId={id}&variables={variables}");
        let answer = ada.http("GET", &path, &[GRAPHQL], b"").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    }
    let body = json!({ "documentId": COURSES }).to_string();
    let stream = ada.post_body(&[JSON, EVENTS], &body).await.body;
    assert!(stream.contains(r#""name":"Algebra""#), "{stream}");

    let mut socket = Socket::of(&ada).await;
    for (number, payload) in named(COURSES).into_iter().enumerate() {
        let id = number.to_string();
        let subscribe = json!({ "type": "subscribe", "id": id, "payload": payload });
        socket.send(subscribe).await;
        let message = socket.message().await;
        assert_eq!(
            message["payload"]["data"]["courses"]["nodes"][0]["name"], "Algebra",
            "{message}"
        );
        assert_eq!(socket.message().await["type"], "complete");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_runs_in_the_mode_enforce() {
    let app = TestApp::with(trusting(DocumentMode::Enforce)).await;
    let anonymous = app.anonymous();
    let (_, id, text) = documents("query ").remove(0);
    let padded = format!("{text} ");
    let introspection = "{ __schema { queryType { name } } }";
    for query in ["{ me { id } }", introspection, &padded, "{", "{ nothing }"] {
        let answer = post(&anonymous, &json!({ "query": query })).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.error_code(), "DOCUMENT_NOT_TRUSTED", "{query}");
        assert!(answer.json().get("data").is_none());
        let plain = json!({ "query": query }).to_string();
        assert_eq!(anonymous.post_body(&[JSON], plain).await.status, 200);
    }
    let hash = json!({ "persistedQuery": { "version": 1, "sha256Hash": "00" } });
    for (request, status, code) in [
        (json!({ "documentId": "x" }), 400, "BAD_REQUEST"),
        (json!({ "doc_id": "x" }), 400, "BAD_REQUEST"),
        (
            json!({ "extensions": hash }),
            200,
            "PERSISTED_QUERY_NOT_FOUND",
        ),
        (
            json!({ "extensions": hash, "query": "{ me { id } }" }),
            400,
            "DOCUMENT_NOT_TRUSTED",
        ),
        (
            json!({ "documentId": id, "operationName": "Other" }),
            400,
            "BAD_REQUEST",
        ),
        (
            json!({ "documentId": id, "variables": { "first": "x" } }),
            400,
            "BAD_USER_INPUT",
        ),
        (
            json!({ "documentId": id, "query": text }),
            422,
            "BAD_REQUEST",
        ),
    ] {
        let answer = post(&anonymous, &request).await;
        assert_eq!(
            (answer.status, answer.error_code()),
            (status, json!(code)),
            "{request}"
        );
    }
    let mut socket = Socket::of(&anonymous).await;
    socket.subscribe("1", "{ me { id } }", Value::Null).await;
    let message = socket.message().await;
    assert_eq!(
        message["payload"][0]["extensions"]["code"],
        "DOCUMENT_NOT_TRUSTED"
    );
    assert_eq!(anonymous.get("/schema.graphql").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_documents_count_with_their_own_codes() {
    let app = TestApp::with(trusting(DocumentMode::Enforce)).await;
    let anonymous = app.anonymous();
    let hash = json!({ "persistedQuery": { "version": 1, "sha256Hash": "00" } });
    for request in [
        json!({ "query": "{ me { id } }" }),
        json!({ "extensions": hash }),
    ] {
        post(&anonymous, &request).await;
    }
    let scrape = app.scrape();
    for (code, number) in [
        ("DOCUMENT_NOT_TRUSTED", 1.0),
        ("PERSISTED_QUERY_NOT_FOUND", 1.0),
        ("INTERNAL", 0.0),
    ] {
        let labels = [("error_type", code)];
        let counted = scrape.count("graphql_server_request_duration_seconds_count", &labels);
        assert_eq!(counted, number, "{code}");
    }
}

#[test]
fn other_documents_are_logged_once_in_the_mode_log() {
    with_log(tracing::Level::WARN, async |log| {
        let app = TestApp::with(trusting(DocumentMode::Log)).await;
        let anonymous = app.anonymous();
        let logged = || log.lines(&["a document that is not trusted is executed"]);
        let (_, _, text) = documents("query ").remove(0);
        assert_eq!(
            post(&anonymous, &json!({ "query": text })).await.status,
            401
        );
        assert_eq!(
            post(&anonymous, &json!({ "query": "{ nothing }" }))
                .await
                .status,
            400
        );
        assert_eq!(logged(), 0, "{}", log.text());
        let secret = "hush-hush";
        let query = "query Other($id: ID!) { node(id: $id) { id } me { id } }";
        for _ in 0..3 {
            let request = json!({ "query": query, "variables": { "id": secret } });
            let answer = post(&anonymous, &request).await.json();
            assert_eq!(answer["data"]["me"], Value::Null, "{answer}");
        }
        let sha256 = "sha256=";
        assert_eq!(
            log.lines(&["operation=\"Other\"", sha256]),
            1,
            "{}",
            log.text()
        );
        post(&anonymous, &json!({ "query": "{ __typename }" })).await;
        assert_eq!(logged(), 2, "{}", log.text());
        assert!(!log.text().contains(secret));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_does_not_start_with_documents_that_are_not_valid() {
    let folder = Folder::new("documents");
    let database = url_of(&migrated_database().await).await;
    let file = folder.0.join("documents.json");
    let refused = async |file: &str| {
        let mut command = program(&folder.0, &["serve"]);
        command
            .env("DATABASE_URL", &database)
            .env(
                "SNAPNOTE_JWT_SECRET",
                "a secret of the tests, long enough to be one",
            )
            .env("SNAPNOTE_DOCUMENTS", file);
        let output = output_of(&mut command).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(output.stdout, b"", "nothing is served");
        String::from_utf8(output.stderr).unwrap()
    };
    let error = refused("missing.json").await;
    assert!(
        error.contains("snapnote: SNAPNOTE_DOCUMENTS: missing.json cannot be read"),
        "{error}"
    );
    let documents =
        json!({ "good": "{ me { id } }", "a1": "{ me { nothing } }", "b2": "query Q {" });
    std::fs::write(&file, documents.to_string()).unwrap();
    let error = refused("documents.json").await;
    for part in [
        "snapnote: SNAPNOTE_DOCUMENTS: documents.json: document \"a1\" is not valid: line 1, column 8: `User` has no field `nothing`.",
        "\nSNAPNOTE_DOCUMENTS: documents.json: document \"b2\" is not valid: line 1, column ",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("good"), "{error}");
}
