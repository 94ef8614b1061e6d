//! Public clients of both protocols: graphql-ws, Apollo Client, urql and graphql-sse in Node, gql in Python. Without
//! them (`npm ci` in tests/clients; `pip install -r tests/clients/requirements.txt`) the tests say so and pass, unless
//! SNAPNOTE_TESTS_NEED_CLIENTS is set, as in the gate.

use std::{collections::HashSet, path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::Duration,
};
use uuid::Uuid;

use crate::{
    change_feed::insert,
    support::{Client, Person, TestApp, at_least, listener_at, soon, target_of, text},
};

/// A running client, which prints lines.
struct Running {
    lines: Lines<BufReader<ChildStdout>>,
    /// It ends when this is closed.
    stdin: Option<ChildStdin>,
    child: Child,
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// The Python that has gql; `SNAPNOTE_TESTS_PYTHON` names another than `python3`.
fn python() -> String {
    std::env::var("SNAPNOTE_TESTS_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Whether this client is installed.
pub(crate) async fn is_there(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = status.await.is_ok_and(|status| status.success());
    if !there {
        let needed = std::env::var_os("SNAPNOTE_TESTS_NEED_CLIENTS").is_some();
        assert!(!needed, "the clients in tests/clients must be installed");
        eprintln!("not tested: {program} {arguments:?}");
    }
    there
}

impl Running {
    fn start(program: &str, script: &str, client: &Client, after: &Value) -> Running {
        Running::with(program, script, client, after, &[])
    }

    fn with(program: &str, script: &str, client: &Client, after: &Value, more: &[&str]) -> Running {
        let mut child = Command::new(program)
            .arg(folder().join(script))
            .arg(format!("http://{}/graphql", client.address))
            .arg(client.token.as_deref().unwrap())
            .arg(after.as_str().unwrap())
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Running {
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            stdin: child.stdin.take(),
            child,
        }
    }

    async fn said(&mut self) -> Option<Value> {
        let line = soon("a line of the client", self.lines.next_line()).await;
        let line = line.unwrap()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}")))
    }

    async fn change(&mut self) -> Value {
        let mut said = self.said().await.expect("the client has ended");
        assert!(said.get("change").is_some(), "{said}");
        said["change"].take()
    }

    /// Stops it and returns the rest of its output.
    async fn end(mut self) -> Vec<Value> {
        drop(self.stdin.take());
        let mut rest = Vec::new();
        while let Some(said) = self.said().await {
            rest.push(said);
        }
        assert!(self.child.wait().await.unwrap().success());
        rest
    }
}

/// Each client must handle a query, an error, missed changes and new changes.
async fn works(program: &str, script: &str, app: &TestApp) -> (Running, Person) {
    let ada = app.signed_up("ada").await;
    let after = ada.changes_cursor().await;
    let missed = [ada.create_course("c").await, ada.create_course("c").await];
    let mut client = Running::start(program, script, &ada, &after);
    let me = json!({ "query": { "data": { "me": { "email": "ada@example.com" } } } });
    assert_eq!(client.said().await, Some(me));
    let refused = json!({ "refused": "VALIDATION_FAILED" });
    assert_eq!(client.said().await, Some(refused));
    for id in missed {
        assert_eq!(client.change().await["itemId"], json!(id));
    }
    for _ in 0..3 {
        let id = ada.create_course("c").await;
        let change = client.change().await;
        assert_eq!(change["itemId"], json!(id));
        assert_eq!(change["action"], "CREATED");
    }
    (client, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_ws_works_and_reconnects() {
    if !is_there("node", &["-e", "import('graphql-ws')"]).await {
        return;
    }
    let app = TestApp::start().await;
    let (mut client, ada) = works("node", "websocket.mjs", &app).await;
    // The service restarts, and the client continues after the last change.
    let (database, address) = (app.database.clone(), app.address);
    app.stop().await;
    let closed = json!({ "closed": 1001, "reason": "The service is stopping" });
    assert_eq!(client.said().await, Some(closed));
    let target = target_of(&database).await;
    let listener = listener_at(address).await;
    let app = TestApp::listening(listener, target, database, |_| {}).await;
    let id = ada.create_course("c").await;
    assert_eq!(client.change().await["itemId"], json!(id));
    // The reason tells the application not to reconnect: the user must sign in first.
    ada.sign_out().await;
    let closed = json!({ "closed": 4403, "reason": "Session ended" });
    assert_eq!(client.said().await, Some(closed));
    assert_eq!(client.said().await, Some(json!({ "ended": 4403 })));
    drop(app);
}

/// How often graphql-ws, as the guide has it, connects while three tokens expire; it hears all the same.
async fn connections_while_tokens_expire(renewed_every: &str) -> usize {
    let app =
        TestApp::with(|settings| settings.auth.access_lifetime = Duration::from_secs(4)).await;
    let ada = app.signed_up("ada").await;
    let after = ada.changes_cursor().await;
    let more = [&*ada.refresh_token, renewed_every];
    let mut client = Running::with("node", "refreshed.mjs", &ada, &after, &more);
    let mut connections = 0;
    for _ in 0..12 {
        let id = Uuid::now_v7();
        // Without a token, which would expire.
        app.sql(&insert(&ada.id, id)).await;
        let mut said = client.said().await.unwrap();
        while said == json!({ "connecting": true }) {
            connections += 1;
            said = client.said().await.unwrap();
        }
        assert_eq!(said["change"]["itemId"], json!(id));
        at_least(Duration::from_secs(1)).await;
    }
    connections
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_ws_as_in_the_guide_outlives_its_tokens() {
    if !is_there("node", &["-e", "import('graphql-ws')"]).await {
        return;
    }
    let in_time = connections_while_tokens_expire("1");
    let too_late = connections_while_tokens_expire("1000");
    let (in_time, too_late) = tokio::join!(in_time, too_late);
    assert_eq!(in_time, 1, "new tokens in band interrupt nothing");
    assert!(too_late > 1, "it comes back with a new token");
}

/// The clients of tests/clients/stock.mjs, and what each reports when its token has expired.
const STOCK_CLIENTS: [(&str, &str, &str); 4] = [
    ("graphql-ws", "closed", "4403 Access token expired"),
    ("apollo", "closed", "4403 Access token expired"),
    ("urql", "closed", "4403 Access token expired"),
    ("graphql-sse", "failed", "The access token has expired."),
];

/// A client that only knows how to get a token receives every change, although its token expires twice.
async fn outlives_its_tokens(app: &TestApp, (kind, event, reason): (&str, &str, &str)) {
    let ada = app.signed_up(kind).await;
    let after = ada.changes_cursor().await;
    let more = [&*ada.refresh_token, kind];
    let mut client = Running::with("node", "stock.mjs", &ada, &after, &more);
    let (mut made, mut heard, mut expired) = (HashSet::new(), HashSet::new(), 0);
    while expired < 2 || heard != made {
        let id = Uuid::now_v7();
        // Without a token, which would expire.
        app.sql(&insert(&ada.id, id)).await;
        made.insert(id.to_string());
        while !heard.contains(&id.to_string()) {
            let said = client.said().await.expect("the client has ended");
            if let Some(why) = said[event].as_str() {
                assert!(why.starts_with(reason), "{kind}: {said}");
                expired += 1;
            } else {
                // Changes since the cursor are repeated after each reconnection.
                heard.insert(text(&said["change"]["itemId"]));
            }
        }
    }
    assert_eq!(client.end().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_clients_outlive_their_tokens() {
    if !is_there("node", &["-e", "import('@urql/core')"]).await {
        return;
    }
    let app =
        TestApp::with(|settings| settings.auth.access_lifetime = Duration::from_secs(3)).await;
    let clients = STOCK_CLIENTS.map(|client| outlives_its_tokens(&app, client));
    futures_util::future::join_all(clients).await;
}

#[test]
fn the_guide_shows_the_code_of_that_client() {
    let code = std::fs::read_to_string(folder().join("refreshed.mjs")).unwrap();
    let guide = folder().join("../../docs/live.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let shown = guide.rsplit("from 'graphql-ws';\n").next().unwrap();
    let shown = shown.split("```").next().unwrap();
    assert!(shown.lines().count() > 20 && code.contains(shown));
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_sse_works() {
    if !is_there("node", &["-e", "import('graphql-sse')"]).await {
        return;
    }
    let app = TestApp::start().await;
    let (mut client, ada) = works("node", "events.mjs", &app).await;
    ada.sign_out().await;
    let ended = json!({ "ended": "UNAUTHENTICATED" });
    assert_eq!(client.said().await, Some(ended));
    // It reconnects in vain, because its application has no new token.
    assert_eq!(client.said().await, Some(json!({ "status": 401 })));
    assert_eq!(client.end().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn gql_works() {
    if !is_there(&python(), &["-c", "import gql.transport.websockets"]).await {
        return;
    }
    let app = TestApp::start().await;
    let (client, _) = works(&python(), "websocket.py", &app).await;
    assert_eq!(client.end().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn apollo_client_works_with_persisted_queries() {
    if !is_there("node", &["-e", "import('@apollo/client')"]).await {
        return;
    }
    let app = TestApp::start().await;
    let ada = app.signed_up("ada").await;
    let mut client = Running::start("node", "persisted.mjs", &ada, &json!(""));
    // Each hash, then the document with its hash. By GET, both hashes are known.
    for requests in [4, 2] {
        let expected = json!({ "names": ["ada", "ada@example.com"], "requests": requests });
        assert_eq!(client.said().await, Some(expected));
    }
    assert_eq!(client.end().await, Vec::<Value>::new());
}
