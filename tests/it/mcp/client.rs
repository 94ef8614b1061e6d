//! The protocol's own client, from its TypeScript SDK. Without it (`npm ci` in tests/clients) the test says so and passes, unless
//! SNAPNOTE_TESTS_NEED_CLIENTS is set.

use serde_json::{Value, json};
use snapnote::graphql::ToolMode;
use tokio::process::Command;

use super::app_with_manifest;
use crate::{
    subscriptions::client_libraries::{folder, is_there},
    support::soon,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_lists_and_calls_tools() {
    let import = "import('@modelcontextprotocol/sdk/client/index.js')";
    if !is_there("node", &["-e", import]).await {
        return;
    }
    let (app, ada) = app_with_manifest(ToolMode::Write).await;
    let mut command = Command::new("node");
    command
        .arg(folder().join("mcp/run.mjs"))
        .arg(format!("http://{}/mcp", app.address))
        .arg(ada.token.as_deref().unwrap());
    let output = soon("the client ends", command.output()).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let said: Value = serde_json::from_str(&printed)
        .unwrap_or_else(|_| panic!("{printed}{}", String::from_utf8_lossy(&output.stderr)));
    let expected = json!({
        "server": "snapnote",
        "tools": ["add_task", "count_courses", "read_note", "search_notes", "tasks_due"],
        "added": { "createTask": { "task": { "title": "Call home" }, "userErrors": [] } },
        "found": "Call home",
        "error": "BAD_USER_INPUT",
        "unknown": -32602,
        "unauthorized": true,
    });
    assert_eq!(said, expected);
}
