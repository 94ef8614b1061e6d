//! The clients themselves, and the tools that write their manifests: graphql-codegen with urql, Relay, Apollo Client. Without them (`npm ci`
//! in tests/clients) the test says so and passes, unless SNAPNOTE_TESTS_NEED_CLIENTS is set.

use serde_json::{Value, json};
use tokio::process::Command;

use super::enforcing;
use crate::{
    subscriptions::client_libraries::{folder, is_there},
    support::soon,
};

#[tokio::test(flavor = "multi_thread")]
async fn each_client_runs_what_its_own_tool_wrote() {
    if !is_there("node", &["-e", "import('@apollo/persisted-query-lists')"]).await {
        return;
    }
    let (app, ada) = enforcing().await;
    let mut command = Command::new("node");
    command
        .arg(folder().join("documents/run.mjs"))
        .arg(format!("http://{}/graphql", app.address))
        .arg(ada.token.as_deref().unwrap());
    let output = soon("the clients end", command.output()).await.unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let said: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{printed}")))
        .collect();
    let same = json!({ "same": ["codegen.json", "relay.json", "apollo.json"] });
    let of = |client: &str| json!({ "client": client, "courses": ["Algebra"], "name": client });
    let apollo = |methods: [&str; 2]| {
        let mut expected = of("apollo");
        expected["requests"] = json!(methods);
        expected["texts"] = json!(0);
        expected
    };
    let expected = [
        same,
        of("urql"),
        of("relay"),
        apollo(["POST", "POST"]),
        apollo(["GET", "POST"]),
    ];
    assert_eq!(
        said,
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
