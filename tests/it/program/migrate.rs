//! `snapnote migrate` on databases of other versions and as roles with few rights: what it reads, refuses and explains.

use std::process::Output;

use nix::sys::signal::Signal;

use super::{commands::command, text};
use crate::{
    migrations,
    support::{
        Folder, Serving, column, empty_database, eventually, execute, migrated_database, output_of,
        superuser, url_of,
    },
};

/// Runs a command on a database.
async fn run(url: &str, arguments: &[&str]) -> Output {
    output_of(&mut command(&Folder::new("migrations"), url, arguments)).await
}

/// Standard output of a command that must succeed.
pub(crate) async fn printed(url: &str, arguments: &[&str]) -> String {
    let output = run(url, arguments).await;
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

/// Standard error of a command that must fail with exit code 1.
pub(crate) async fn error(url: &str, arguments: &[&str]) -> String {
    let output = run(url, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stderr)
}

/// A migration that only a newer program contains.
async fn apply_unknown(database: &str, version: &str) {
    let sql = format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')");
    execute(database, &sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_and_serve_write_nothing_to_an_empty_database() {
    let database = empty_database().await;
    let url = url_of(&database).await;
    let output = run(&url, &["migrate", "status"]).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let pending = text(&output.stdout).matches("pending ").count();
    assert_eq!(pending, migrations::names().len());
    assert!(text(&output.stderr).contains("snapnote migrate up"));
    assert!(error(&url, &["serve"]).await.contains("migrate up"));
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let tables = column(&mut superuser(&database).await, tables).await;
    assert_eq!(tables, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_can_only_read_sees_the_status() {
    let database = migrated_database().await;
    let reader = format!("{database}_reader");
    let create = format!(
        "CREATE ROLE {reader} LOGIN; ALTER ROLE {reader} SET default_transaction_read_only = on"
    );
    execute(&database, &create).await;
    let url = url_of(&database)
        .await
        .replacen("snapnote@", &format!("{reader}@"), 1);
    let denied = error(&url, &["migrate", "status"]).await;
    let grant = format!("GRANT SELECT ON __diesel_schema_migrations TO {reader}");
    assert!(denied.contains(&grant), "{denied}");
    execute(&database, &grant).await;
    let status = printed(&url, &["migrate", "status"]).await;
    assert_eq!(
        status.matches("applied ").count(),
        migrations::names().len()
    );
    execute(
        &database,
        &format!("DROP OWNED BY {reader}; DROP ROLE {reader}"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_served_with_a_warning_unless_it_is_marked_incompatible() {
    let database = migrated_database().await;
    let url = url_of(&database).await;
    apply_unknown(&database, "20991231000001").await;
    let status = printed(&url, &["migrate", "status"]).await;
    assert!(status.contains("unknown 20991231000001 "), "{status}");
    let folder = Folder::new("newer");
    let mut serve = command(&folder, &url, &["serve"]);
    // Without requests, the service reports the last result for this time.
    serve.env("SNAPNOTE_READY_AGE", "1s");
    let serving = Serving::start(&mut serve).await;
    let ready = async || serving.client.http("GET", "/readyz", &[], b"").await;
    assert_eq!(ready().await.status, 200);

    apply_unknown(&database, "20991231000002incompatible").await;
    eventually("it is not ready", async || ready().await.status == 503).await;
    let incompatible = &ready().await.json()["incompatibleMigrations"];
    assert_eq!(incompatible[0], "20991231000002incompatible");
    serving.signal(Signal::SIGTERM);
    let (_, log) = serving.end().await;
    assert!(
        log.contains("WARN") && log.contains("20991231000001"),
        "{log}"
    );

    let refused = error(&url, &["serve"]).await;
    assert!(refused.contains("20991231000002incompatible"), "{refused}");
    assert!(
        error(&url, &["admin", "mails"])
            .await
            .contains("incompatible")
    );
    let status = printed(&url, &["migrate", "status"]).await;
    assert!(
        status.contains("incompatible 20991231000002incompatible"),
        "{status}"
    );
    let kept = error(&url, &["migrate", "down", "--yes"]).await;
    assert!(kept.contains("20991231000002incompatible"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_are_reverted_one_at_a_time_and_only_after_a_confirmation() {
    let database = migrated_database().await;
    let url = url_of(&database).await;
    let names = migrations::names();
    let applied = async || {
        let output = run(&url, &["migrate", "status"]).await;
        text(&output.stdout).matches("applied ").count()
    };
    let newest = names.last().unwrap();
    let preview = error(&url, &["migrate", "down"]).await;
    assert!(
        preview.contains(newest) && preview.contains("--yes"),
        "{preview}"
    );
    // The fourth one from the end drops a column.
    let before_both = &names[names.len() - 5];
    let preview = error(&url, &["migrate", "down", "--to", before_both]).await;
    assert!(
        preview.contains("column image_objects.thumbnail_at"),
        "{preview}"
    );
    let preview = error(&url, &["migrate", "down", "--to", &names[1]]).await;
    for dropped in ["table documents (about ", "table image_objects"] {
        assert!(preview.contains(dropped), "{preview}");
    }
    assert!(!preview.contains("table users"), "{preview}");
    assert_eq!(applied().await, names.len(), "nothing was reverted");

    let down = printed(&url, &["migrate", "down", "--yes"]).await;
    assert_eq!(down.matches("reverted ").count(), 1, "{down}");
    let down = printed(&url, &["migrate", "down", "--yes"]).await;
    assert_eq!(down.matches("reverted ").count(), 1, "{down}");
    assert!(down.contains("dropping table item_usage"), "{down}");
    let down = printed(&url, &["migrate", "down", "--yes"]).await;
    assert_eq!(down.matches("reverted ").count(), 1, "{down}");
    assert!(!down.contains("dropping"), "{down}");
    let down = printed(&url, &["migrate", "down", "--yes"]).await;
    assert!(
        down.contains("dropping column image_objects.thumbnail_at"),
        "{down}"
    );
    let version = names[2].split('_').next().unwrap().replace('-', "");
    let down = printed(&url, &["migrate", "down", "--to", &version, "--yes"]).await;
    assert_eq!(down.matches("reverted ").count(), names.len() - 7, "{down}");
    assert_eq!(applied().await, 3);
    let unknown = error(&url, &["migrate", "down", "--to", newest, "--yes"]).await;
    assert!(unknown.contains(newest), "{unknown}");
    let none = printed(&url, &["migrate", "down", "--to", &version, "--yes"]).await;
    assert!(!none.contains("reverted "), "{none}");
    let old = run(&url, &["migrate", "down", "2", "--yes"]).await;
    assert_eq!(
        old.status.code(),
        Some(2),
        "a number of steps is not accepted"
    );
    assert_eq!(applied().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_explained() {
    let database = empty_database().await;
    let role = format!("{database}_app");
    let setup = format!(
        "CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
         ALTER DATABASE {database} OWNER TO postgres"
    );
    execute(&database, &setup).await;
    let url = url_of(&database)
        .await
        .replacen("snapnote@", &format!("{role}@"), 1);
    let denied = error(&url, &["migrate", "up"]).await;
    let grant = format!("GRANT CREATE ON SCHEMA public TO {role}");
    assert!(denied.contains(&grant), "{denied}");
    execute(&database, &grant).await;
    let denied = error(&url, &["migrate", "up"]).await;
    let grant = format!("GRANT CREATE ON DATABASE {database} TO {role}");
    for part in ["CREATE EXTENSION IF NOT EXISTS pg_trgm;", &grant] {
        assert!(denied.contains(part), "{denied}");
    }
    execute(&database, &grant).await;
    let up = printed(&url, &["migrate", "up"]).await;
    assert_eq!(up.matches("applied ").count(), migrations::names().len());
    let drop = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    execute(&database, &drop).await;
}
