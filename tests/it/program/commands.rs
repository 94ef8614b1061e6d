//! Commands that change a database and end: `migrate` and `demo`.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use super::{SECRET, text};
use crate::support::{
    Folder, TestApp, column, empty_database, migrated_database, output_of, program, superuser,
    text as text_of, url_of,
};

/// The program with a database, as an operator runs a command.
pub(super) fn command(folder: &Folder, url: &str, arguments: &[&str]) -> Command {
    let mut command = program(&folder.0, arguments);
    command
        .env("DATABASE_URL", url)
        .env("SNAPNOTE_JWT_SECRET", SECRET);
    command
}

/// What the command says on standard output; it must succeed.
async fn said(command: &mut Command) -> String {
    let output = output_of(command).await;
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

/// The server's own `pg_dump`, since other versions may reject its database.
async fn pg_dump() -> String {
    let folder = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
    let folder = column(&mut superuser("postgres").await, folder).await;
    format!("{}/pg_dump", folder[0])
}

/// The whole schema as SQL.
async fn schema(url: &str) -> String {
    let mut dump = Command::new(pg_dump().await);
    dump.args(["--schema-only", "--dbname", url])
        .stdin(Stdio::null());
    let schema = said(&mut dump).await;
    // A key of each dump's own, which newer versions write around it.
    let lines = schema
        .lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_migrate_commands_apply_each_migration_once() {
    let folder = Folder::new("at-once");
    let url = url_of(&empty_database().await).await;
    let status = async || {
        let output = output_of(&mut command(&folder, &url, &["migrate", "status"])).await;
        text(&output.stdout)
    };
    let all = status().await.matches("pending ").count();
    assert!(all > 0);
    let up = async || said(&mut command(&folder, &url, &["migrate", "up"])).await;
    let (one, two) = tokio::join!(up(), up());
    let applied = one.matches("applied ").count() + two.matches("applied ").count();
    assert_eq!(applied, all, "{one}{two}");
    assert!(!status().await.contains("pending "));
}

#[tokio::test(flavor = "multi_thread")]
async fn reverting_and_reapplying_all_migrations_restores_the_schema() {
    let folder = Folder::new("round-trip");
    let url = url_of(&empty_database().await).await;
    let run = async |arguments: &[&str]| said(&mut command(&folder, &url, arguments)).await;
    let applied = run(&["migrate", "up"]).await.matches("applied ").count();
    let before = schema(&url).await;
    assert!(before.contains("CREATE TABLE public.courses"), "{before}");

    let down = run(&["migrate", "down", "--to", "0", "--yes"]).await;
    assert_eq!(down.matches("reverted ").count(), applied, "{down}");
    let empty = schema(&url).await;
    assert!(!empty.contains("public.courses"), "{empty}");
    assert!(!empty.contains("CREATE FUNCTION"), "{empty}");

    let up = run(&["migrate", "up"]).await;
    assert_eq!(up.matches("applied ").count(), applied, "{up}");
    assert_eq!(schema(&url).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_adds_its_data_once_and_prints_how_to_sign_in() {
    let folder = Folder::new("demo");
    let database = migrated_database().await;
    let url = url_of(&database).await;
    let app = TestApp::on(database, |_| {}).await;
    let demo = async || said(&mut command(&folder, &url, &["demo"])).await;
    let (first, second) = (demo().await, demo().await);
    let (added, people) = first.split_once(" items were added").unwrap();
    assert!(added.parse::<u32>().unwrap() > 20, "{first}");
    assert_eq!(second, format!("0 items were added{people}"));
    let items = "SELECT (SELECT count(*) FROM courses) + (SELECT count(*) FROM documents) + (SELECT count(*) FROM tasks)
        + (SELECT count(*) FROM tags)";
    assert_eq!(app.number(items).await.to_string(), added);
    assert!(app.count("document_tags").await > 20 && app.count("task_tags").await > 20);

    let lines: Vec<_> = people.lines().filter(|line| line.contains('@')).collect();
    let users = app.count("users").await;
    assert_eq!(i64::try_from(lines.len()).unwrap(), users);
    for line in lines {
        let words: Vec<_> = line.split_whitespace().collect();
        let [.., email, password] = *words else {
            panic!("{line}");
        };
        let input = json!({ "email": email, "password": password });
        let payload = app
            .anonymous()
            .mutate("signIn", input, "user { name }")
            .await;
        let name = text_of(&payload["user"]["name"]);
        assert!(line.trim_start().starts_with(&name), "{line}");
    }
}
