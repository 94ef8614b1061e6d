//! The program without `DATABASE_URL`: it starts a PostgreSQL of its own, keeps data and key in its folder, and leaves no
//! server behind, however it ends. `crates/embedded-postgres` tests the server itself.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use super::{Folder, Serving, program};
use crate::support::Client;

/// The folder's PostgreSQL, while it runs.
fn server(folder: &Folder) -> Option<Pid> {
    let file = folder.0.join(".snapnote/postgres/data/postmaster.pid");
    let text = fs::read_to_string(file).ok()?;
    text.lines().next()?.parse().ok().map(Pid::from_raw)
}

fn is_alive(server: Pid) -> bool {
    kill(server, None).is_ok()
}

/// Somebody who has just signed up and keeps a course.
async fn with_a_course(visitor: &Client) -> Client {
    let query = "mutation { signUp(input: { email: \"ada@example.com\", password: \"correct horse\", name: \"Ada\" }) {
        accessToken } }";
    let token = visitor.data(query, json!({})).await["signUp"]["accessToken"].take();
    let ada = Client {
        token: Some(token.as_str().expect("she is signed up").to_owned()),
        ..visitor.clone()
    };
    let query = "mutation { createCourse(input: { name: \"Looms\" }) { userErrors { code } } }";
    let payload = ada.data(query, json!({})).await;
    assert_eq!(payload["createCourse"]["userErrors"], json!([]));
    ada
}

/// The key is kept with the data, so the token of an earlier run is good as well.
async fn assert_the_course_is_there(ada: &Client, serving: &Serving) {
    let ada = Client {
        address: serving.client.address,
        ..ada.clone()
    };
    let kept = ada
        .data("{ me { name } courses { nodes { name } } }", json!({}))
        .await;
    let expected =
        json!({ "me": { "name": "Ada" }, "courses": { "nodes": [{ "name": "Looms" }] } });
    assert_eq!(kept, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_a_database_of_its_own_and_keeps_what_is_in_it() {
    let folder = Folder::new("own");
    let serving = Serving::start(&mut program(&folder.0, &[])).await;
    let ada = with_a_course(&serving.client).await;
    let postgres = server(&folder).expect("its server runs");
    serving.signal(Signal::SIGTERM);
    let (code, said) = serving.end().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!is_alive(postgres), "it ended before its server");

    let key = folder.0.join(".snapnote/jwt-secret");
    let mode = fs::metadata(&key).expect("there is a key").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let ignored = folder.0.join(".snapnote/.gitignore");
    assert_eq!(fs::read_to_string(ignored).expect("it is there"), "*\n");

    let again = Serving::start(&mut program(&folder.0, &[])).await;
    assert_the_course_is_there(&ada, &again).await;
    again.signal(Signal::SIGTERM);
    assert_eq!(again.end().await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_it_leaves_no_server_behind_and_loses_nothing() {
    let folder = Folder::new("killed");
    let serving = Serving::start(&mut program(&folder.0, &[])).await;
    let ada = with_a_course(&serving.client).await;
    let postgres = server(&folder).expect("its server runs");
    serving.signal(Signal::SIGKILL);
    assert_eq!(serving.end().await.0, None, "it did not end by itself");
    let killed = Instant::now();
    while is_alive(postgres) {
        assert!(killed.elapsed() < Duration::from_secs(10), "it still runs");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let again = Serving::start(&mut program(&folder.0, &[])).await;
    assert_the_course_is_there(&ada, &again).await;
    again.signal(Signal::SIGTERM);
    assert_eq!(again.end().await.0, Some(0));
    assert_eq!(server(&folder), None);
}
