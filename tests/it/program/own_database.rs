//! The program with `--embedded`: it starts its own PostgreSQL, stores data and secret in its folder, and leaves no server
//! running however it ends. `embedded` tests that server.

use std::{fs, os::unix::fs::PermissionsExt};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::support::{Client, Folder, Person, SIGNED_IN, Serving, eventually, newcomer, program};

/// The folder's PostgreSQL, while it runs.
fn server(folder: &Folder) -> Option<Pid> {
    let file = folder.0.join(".snapnote/postgres/data/postmaster.pid");
    let text = fs::read_to_string(file).ok()?;
    text.lines().next()?.parse().ok().map(Pid::from_raw)
}

fn is_alive(server: Pid) -> bool {
    kill(server, None).is_ok()
}

/// A user with a course.
async fn with_a_course(anonymous: &Client) -> Person {
    let payload = anonymous.mutate("signUp", newcomer("ada"), SIGNED_IN).await;
    let ada = Person::of(anonymous, &payload);
    ada.create_course("Looms").await;
    ada
}

/// The secret is stored with the data, so a token of the previous run is still valid.
async fn assert_the_course_is_there(ada: &Client, serving: &Serving) {
    let ada = ada.at_address(serving.client.address);
    let seen = ada
        .query("{ me { name } courses { nodes { name } } }")
        .await;
    let expected =
        json!({ "me": { "name": "ada" }, "courses": { "nodes": [{ "name": "Looms" }] } });
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_its_own_database_and_keeps_its_data() {
    let folder = Folder::new("own");
    let serving = Serving::start(&mut program(&folder.0, &["--embedded"])).await;
    let ada = with_a_course(&serving.client).await;
    let postgres = server(&folder).expect("its server runs");
    let page = [("origin", "http://localhost:5173")];
    let preflight = serving.client.http("OPTIONS", "/graphql", &page, b"").await;
    let allowed = preflight.header("access-control-allow-origin");
    assert_eq!(allowed, Some(page[0].1), "development servers may call");
    serving.signal(Signal::SIGTERM);
    let (code, said) = serving.end().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!is_alive(postgres), "it ended before its server");

    let key = folder.0.join(".snapnote/jwt-secret");
    let mode = fs::metadata(&key).expect("there is a key").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let ignored = folder.0.join(".snapnote/.gitignore");
    assert_eq!(fs::read_to_string(ignored).expect("it is there"), "*\n");

    let again = Serving::start(&mut program(&folder.0, &["--embedded"])).await;
    assert_the_course_is_there(&ada, &again).await;
    again.signal(Signal::SIGTERM);
    assert_eq!(again.end().await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_program_leaves_no_server_and_loses_no_data() {
    let folder = Folder::new("killed");
    let serving = Serving::start(&mut program(&folder.0, &["--embedded"])).await;
    let ada = with_a_course(&serving.client).await;
    let postgres = server(&folder).expect("its server runs");
    serving.signal(Signal::SIGKILL);
    assert_eq!(serving.end().await.0, None, "it did not end by itself");
    eventually("its server ends", async || !is_alive(postgres)).await;

    let again = Serving::start(&mut program(&folder.0, &["--embedded"])).await;
    assert_the_course_is_there(&ada, &again).await;
    again.signal(Signal::SIGTERM);
    assert_eq!(again.end().await.0, Some(0));
    assert_eq!(server(&folder), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_on_this_machine_sign_up_without_a_limit_on_the_embedded_database() {
    let folder = Folder::new("unlimited");
    let limit = ("SNAPNOTE_LIMIT_SIGN_UP", "1/h");
    let serving = Serving::start(program(&folder.0, &["--embedded"]).envs([limit])).await;
    for name in ["ada", "grace", "edith"] {
        serving.client.mutate("signUp", newcomer(name), "").await;
    }
    let others = serving.client.from("203.0.113.9");
    for (name, status) in [("hedy", 200), ("mary", 429)] {
        let answer = others.post_mutation("signUp", newcomer(name), "").await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0));
    for setting in ["http://localhost:*", "sign_up 1/h (not on this machine)"] {
        assert!(log.contains(setting), "{log}");
    }
}
