//! Public clients of both protocols: graphql-ws and graphql-sse in Node, gql in Python. Without them (`npm ci` in
//! tests/clients; `pip install -r tests/clients/requirements.txt`) the tests say so and pass, unless
//! SNAPNOTE_TESTS_NEED_CLIENTS is set, as in the gate.

use std::{path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::Duration,
};
use uuid::Uuid;

use crate::support::{Client, Person, TestApp, at_least, listener_at, soon, target_of};

/// A running client, which prints lines.
struct Running {
    lines: Lines<BufReader<ChildStdout>>,
    /// It ends when this is closed.
    stdin: Option<ChildStdin>,
    child: Child,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// The Python that has gql; `SNAPNOTE_TESTS_PYTHON` names another than `python3`.
fn python() -> String {
    std::env::var("SNAPNOTE_TESTS_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Whether this client is installed.
async fn is_there(program: &str, arguments: &[&str]) -> bool {
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
    assert_eq!(client.said().await, Some(json!({ "closed": 1001 })));
    let target = target_of(&database).await;
    let listener = listener_at(address).await;
    let app = TestApp::listening(listener, target, database, |_| {}).await;
    let id = ada.create_course("c").await;
    assert_eq!(client.change().await["itemId"], json!(id));
    // It does not come back when its session has ended: it must sign in first.
    ada.sign_out().await;
    assert_eq!(client.said().await, Some(json!({ "closed": 4401 })));
    assert_eq!(client.said().await, Some(json!({ "ended": 4401 })));
    drop(app);
}

/// How often graphql-ws, as the guide has it, connects while three tokens expire; it hears all the same.
async fn connections_while_tokens_expire(renewed_every: &str) -> usize {
    let app =
        TestApp::with(|settings| settings.auth.access_lifetime = Duration::from_secs(4)).await;
    let ada = app.signed_up("ada").await;
    // Of items that were created with a token that does not expire.
    let insert = |id: Uuid| {
        let ada = &ada.id;
        format!("INSERT INTO courses (user_id, id, name) VALUES ('{ada}', '{id}', 'c')")
    };
    let after = ada.changes_cursor().await;
    let more = [&*ada.refresh_token, renewed_every];
    let mut client = Running::with("node", "refreshed.mjs", &ada, &after, &more);
    let mut connections = 0;
    for _ in 0..12 {
        let id = Uuid::now_v7();
        app.sql(&insert(id)).await;
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

#[test]
fn the_guide_shows_the_code_of_that_client() {
    let code = std::fs::read_to_string(folder().join("refreshed.mjs")).unwrap();
    let guide = folder().join("../../docs/live.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let shown = guide.split("from 'graphql-ws';\n").nth(1).unwrap();
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
    assert_eq!(client.said().await, Some(json!({ "completed": true })));
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
