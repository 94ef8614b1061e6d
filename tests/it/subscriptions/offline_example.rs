//! The offline-first client of packages/client, used by examples/offline: both are compiled, and two devices of one user lose
//! their connections in many ways and end with the same items. They are installed by `npm ci` in both folders; without it the
//! test says so and passes, unless SNAPNOTE_TESTS_NEED_CLIENTS is set.

use std::{path::PathBuf, process::Output, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::support::TestApp;

const PACKAGE: &str = "packages/client";
const EXAMPLE: &str = "examples/offline";

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

async fn run(place: &str, program: &str, arguments: &[&str]) -> std::io::Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder(place));
    let output = command.kill_on_drop(true).output();
    let patience = Duration::from_secs(240);
    timeout(patience, output).await.expect("it does not end")
}

/// Runs a command, which must succeed.
async fn succeeds(place: &str, program: &str, arguments: &[&str]) {
    let output = run(place, program, arguments).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_that_lose_their_lines_end_alike() {
    for place in [PACKAGE, EXAMPLE] {
        let there = run(place, "node_modules/.bin/tsc", &["--version"]).await;
        if !there.is_ok_and(|output| output.status.success()) {
            let needed = std::env::var_os("SNAPNOTE_TESTS_NEED_CLIENTS").is_some();
            assert!(!needed, "npm ci must have run in {place}");
            eprintln!("not tested: {place}");
            return;
        }
    }
    succeeds(PACKAGE, "node_modules/.bin/tsc", &[]).await;
    succeeds(EXAMPLE, "node_modules/.bin/tsc", &[]).await;
    // Tokens that expire on the way: sockets are refreshed in band, or come back with a new one.
    let app =
        TestApp::with(|settings| settings.auth.access_lifetime = Duration::from_secs(5)).await;
    let url = format!("http://{}/graphql", app.address);
    succeeds(EXAMPLE, "node", &["dist/demo/demo.js", &url]).await;
    succeeds(EXAMPLE, "node", &["dist/demo/storm.js", &url, "1", "2"]).await;
}

#[test]
fn the_guide_shows_the_code_of_the_client() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("docs/sync.md")).unwrap();
    let folders = ["packages/client/src", "examples/offline/demo"];
    let files = folders.map(|name| std::fs::read_dir(folder(name)).unwrap());
    let code: String = files
        .into_iter()
        .flatten()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let snippets: Vec<&str> = guide
        .split("```ts\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(snippets.len() > 5);
    for snippet in snippets {
        assert!(code.contains(snippet), "not in the example:\n{snippet}");
    }
}
