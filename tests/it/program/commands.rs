//! The program's commands that work on a database and end: `migrate`, down and up again and twice at once, and `demo`.

use std::process::Stdio;

use diesel_async::RunQueryDsl;
use serde_json::json;
use tokio::process::Command;

use super::{Folder, SECRET, ended, program, text};
use crate::support::{TestApp, empty_database, migrated_database, superuser, url_of};

/// The program with a database, as an operator runs a command.
fn command(folder: &Folder, url: &str, arguments: &[&str]) -> Command {
    let mut command = program(&folder.0, arguments);
    command
        .env("DATABASE_URL", url)
        .env("SNAPNOTE_JWT_SECRET", SECRET);
    command
}

/// What the command says on standard output; it must succeed.
async fn said(command: &mut Command) -> String {
    let output = ended(command).await;
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

/// The `pg_dump` that came with the server: another version's may refuse it.
async fn pg_dump() -> String {
    #[derive(diesel::QueryableByName)]
    struct Setting {
        #[diesel(sql_type = diesel::sql_types::Text)]
        setting: String,
    }
    let query = diesel::sql_query("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
    let folder: Setting = query
        .get_result(&mut superuser("postgres").await)
        .await
        .unwrap();
    format!("{}/pg_dump", folder.setting)
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
async fn two_who_migrate_at_once_apply_each_migration_once() {
    let folder = Folder::new("at-once");
    let url = url_of(&empty_database().await).await;
    let status = async || said(&mut command(&folder, &url, &["migrate", "status"])).await;
    let all = status().await.matches("pending ").count();
    assert!(all > 0);
    let up = async || said(&mut command(&folder, &url, &["migrate", "up"])).await;
    let (one, two) = tokio::join!(up(), up());
    let applied = one.matches("applied ").count() + two.matches("applied ").count();
    assert_eq!(applied, all, "{one}{two}");
    assert!(!status().await.contains("pending "));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_migrations_taken_back_and_applied_again_make_the_same_schema() {
    let folder = Folder::new("round-trip");
    let url = url_of(&empty_database().await).await;
    let run = async |arguments: &[&str]| said(&mut command(&folder, &url, arguments)).await;
    let applied = run(&["migrate", "up"]).await.matches("applied ").count();
    let before = schema(&url).await;
    assert!(before.contains("CREATE TABLE public.courses"), "{before}");

    let down = run(&["migrate", "down", "99"]).await;
    assert_eq!(down.matches("reverted ").count(), applied, "{down}");
    let empty = schema(&url).await;
    assert!(!empty.contains("public.courses"), "{empty}");
    assert!(!empty.contains("CREATE FUNCTION"), "{empty}");

    let up = run(&["migrate", "up"]).await;
    assert_eq!(up.matches("applied ").count(), applied, "{up}");
    assert_eq!(schema(&url).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_filled_in_once_and_tells_how_to_sign_in() {
    let folder = Folder::new("demo");
    let database = migrated_database().await;
    let url = url_of(&database).await;
    let app = TestApp::on(database, |_| {}).await;
    let demo = async || said(&mut command(&folder, &url, &["demo"])).await;
    let (first, second) = (demo().await, demo().await);
    let (added, people) = first.split_once(" items were added").unwrap();
    assert!(added.parse::<u32>().unwrap() > 20, "{first}");
    assert_eq!(second, format!("0 items were added{people}"));
    let items = "SELECT (SELECT count(*) FROM courses) + (SELECT count(*) FROM documents) + (SELECT count(*) FROM tasks)";
    assert_eq!(app.number(items).await.to_string(), added);

    let lines: Vec<_> = people.lines().filter(|line| line.contains('@')).collect();
    let users = app.number("SELECT count(*) FROM users").await;
    assert_eq!(i64::try_from(lines.len()).unwrap(), users);
    let query = "mutation($input: SignInInput!) { signIn(input: $input) {
        user { name } userErrors { code } } }";
    for line in lines {
        let words: Vec<_> = line.split_whitespace().collect();
        let [.., email, password] = *words else {
            panic!("{line}");
        };
        let input = json!({ "input": { "email": email, "password": password } });
        let payload = app.visitor().data(query, input).await["signIn"].take();
        assert_eq!(payload["userErrors"], json!([]), "{line}");
        let name = payload["user"]["name"].as_str().unwrap();
        assert!(line.trim_start().starts_with(name), "{line}");
    }
}
