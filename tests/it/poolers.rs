//! Poolers between the service and PostgreSQL: prepared statements that they mix up, and settings that leak through
//! them.

use serde_json::json;
use snapnote::db::connect::Target;
use tokio_postgres::NoTls;
use tracing::Level;

use crate::support::{
    Folder, Person, Pooler, SIGNED_IN, Serving, TestApp, column, eventually, execute,
    migrated_database, newcomer, output_of, program, superuser, url_of, with_log,
};

const SECRET: &str = "a secret of the tests, long enough to be one";

fn serve(folder: &Folder, url: &str) -> tokio::process::Command {
    let mut command = program(&folder.0, &["serve"]);
    command
        .env("DATABASE_URL", url)
        .env("SNAPNOTE_JWT_SECRET", SECRET)
        .env("SNAPNOTE_STATEMENT_TIMEOUT", "17s");
    command
}

/// The service must not start, and say why.
async fn assert_rejected(url: &str, expected: &str) {
    let folder = Folder::new("pooler");
    let output = output_of(&mut serve(&folder, url)).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(expected), "{error}");
    assert!(output.stdout.is_empty(), "nothing is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_does_not_start_behind_a_pooler_that_mixes_up_prepared_statements() {
    let database = migrated_database().await;
    for servers in [2, 3] {
        let pooler = Pooler::start(&database, servers).await;
        pooler.mix(true);
        assert_rejected(&pooler.url(), "max_prepared_statements").await;
    }
}

/// The statement timeouts of a pooler's server connections.
async fn timeouts(pooler: &Pooler, servers: usize) -> Vec<String> {
    let mut clients = Vec::new();
    let mut timeouts = Vec::new();
    for _ in 0..servers {
        let (client, connection) = tokio_postgres::connect(&pooler.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        // The transaction holds a server connection.
        client.batch_execute("BEGIN").await.unwrap();
        let row = client.query_one("SHOW statement_timeout", &[]).await;
        timeouts.push(row.unwrap().get(0));
        clients.push(client);
    }
    timeouts
}

#[tokio::test(flavor = "multi_thread")]
async fn no_setting_leaks_through_a_pooler_and_migrate_up_sets_the_default_of_the_role() {
    for servers in [1, 3] {
        let database = migrated_database().await;
        let folder = Folder::new("leak");
        let pooler = Pooler::start(&database, servers).await;
        let serving = Serving::start(&mut serve(&folder, &pooler.url())).await;
        let ada = serving.client.mutate("signUp", newcomer("ada"), SIGNED_IN);
        let ada = Person::of(&serving.client, &ada.await);
        ada.create_course("Weaving").await;
        serving.signal(nix::sys::signal::Signal::SIGTERM);
        let (code, log) = serving.end().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("WARN") && log.contains("migrate up"), "{log}");
        assert!(log.contains("pooled=true"), "{log}");
        assert_eq!(timeouts(&pooler, servers).await, vec!["0"; servers]);

        let mut up = program(&folder.0, &["migrate", "up"]);
        up.env("DATABASE_URL", pooler.url())
            .env("SNAPNOTE_STATEMENT_TIMEOUT", "17s");
        let output = output_of(&mut up).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(timeouts(&pooler, servers).await, vec!["0"; servers]);
        let settings = "SELECT unnest(setconfig) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let settings = column(&mut superuser(&database).await, settings).await;
        assert_eq!(settings, ["statement_timeout=17000ms"]);

        let reconnected = Pooler::start(&database, servers).await;
        assert_eq!(timeouts(&reconnected, servers).await, vec!["17s"; servers]);
        let serving = Serving::start(&mut serve(&folder, &reconnected.url())).await;
        serving.signal(nix::sys::signal::Signal::SIGTERM);
        let (_, log) = serving.end().await;
        assert!(!log.contains("migrate up"), "{log}");
    }
}

#[test]
fn a_pooler_that_begins_to_mix_up_statements_makes_requests_unavailable_and_the_service_unready() {
    with_log(Level::WARN, async |log| {
        let database = migrated_database().await;
        let pooler = Pooler::start(&database, 3).await;
        let target = Target::parse(&pooler.url()).unwrap();
        let app = TestApp::at(target, database, |_| {}).await;
        let ada = app.signed_up("ada").await;
        let query = "{ me { name } courses { nodes { name } } }";
        ada.query(query).await;
        pooler.mix(true);
        let mut failed = 0;
        for _ in 0..10 {
            let answer = ada.graphql(query, json!({})).await;
            for error in answer["errors"].as_array().into_iter().flatten() {
                assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{answer}");
                failed += 1;
            }
        }
        assert!(failed > 0);
        assert!(
            log.lines(&["max_prepared_statements"]) > 0,
            "{}",
            log.text()
        );
        let ready = async || app.anonymous().get("/readyz").await;
        eventually("it is not ready", async || ready().await.status == 503).await;
        assert_eq!(ready().await.json()["preparedStatements"], "mixed up");

        pooler.mix(false);
        eventually("it is ready again", async || ready().await.status == 200).await;
        eventually("requests succeed", async || {
            ada.graphql(query, json!({})).await.get("errors").is_none()
        })
        .await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_alter_itself_gets_a_warning_with_the_statement() {
    let database = migrated_database().await;
    let (owner, login) = (format!("{database}_owner"), format!("{database}_login"));
    let setup = format!(
        "CREATE ROLE {owner}; CREATE ROLE {login} LOGIN IN ROLE {owner};
         ALTER DATABASE {database} OWNER TO {owner}; GRANT snapnote TO {owner}"
    );
    execute(&database, &setup).await;
    let url = url_of(&database).await;
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = url.replacen("snapnote@", &format!("{login}@"), 1)
        + &format!("{separator}options=-c%20role%3D{owner}");
    let folder = Folder::new("role");
    let mut up = program(&folder.0, &["migrate", "up"]);
    let output = output_of(up.env("DATABASE_URL", &url)).await;
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    let statement =
        format!("ALTER ROLE {login} IN DATABASE {database} SET statement_timeout = '30000ms'");
    assert!(log.contains(&statement), "{log}");
    let cleanup = format!(
        "ALTER DATABASE {database} OWNER TO snapnote; DROP ROLE {login}; DROP ROLE {owner}"
    );
    execute("postgres", &cleanup).await;
}

/// The real program: the installed one, and the one that SNAPNOTE_TESTS_PGBOUNCER names. CI installs it and sets
/// SNAPNOTE_TESTS_NEED_PGBOUNCER.
mod pgbouncer {
    use std::ffi::{OsStr, OsString};

    use tokio::process::Command;

    use super::*;
    use crate::support::{PgBouncer, named_pgbouncer};

    /// Its version, e.g. (1, 18).
    async fn version(program: &OsStr) -> Option<(u32, u32)> {
        let output = Command::new(program).arg("--version").output().await;
        let output = output.ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stdout).unwrap();
        let numbers = text.lines().next()?.strip_prefix("PgBouncer ")?;
        let mut numbers = numbers.split('.').map(|number| number.parse().unwrap());
        Some((numbers.next()?, numbers.next()?))
    }

    async fn starts_only_if_statements_are_kept_apart(program: &OsStr, version: (u32, u32)) {
        let database = migrated_database().await;
        let off = if version >= (1, 21) {
            "max_prepared_statements = 0"
        } else {
            ""
        };
        for size in [1, 2, 20] {
            let settings = format!("pool_mode = transaction\ndefault_pool_size = {size}\n{off}");
            let pooler = PgBouncer::start(program, &settings).await;
            assert_rejected(&pooler.url(&database), "max_prepared_statements").await;
        }
        let pooler = PgBouncer::start(program, "pool_mode = statement").await;
        assert_rejected(&pooler.url(&database), "transaction mode or session mode").await;
        let works = match version >= (1, 21) {
            true => "pool_mode = transaction\nmax_prepared_statements = 100",
            false => "pool_mode = session",
        };
        let folder = Folder::new("pgbouncer-works");
        let pooler = PgBouncer::start(program, works).await;
        let serving = Serving::start(&mut serve(&folder, &pooler.url(&database))).await;
        let ready = serving.client.http("GET", "/readyz", &[], b"").await;
        assert_eq!(ready.status, 200, "{ready:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_service_starts_only_if_it_keeps_prepared_statements_apart() {
        let mut tested = 0;
        for program in [Some(OsString::from("pgbouncer")), named_pgbouncer()] {
            let program = program.unwrap_or_default();
            if let Some(version) = version(&program).await {
                starts_only_if_statements_are_kept_apart(&program, version).await;
                tested += 1;
            }
        }
        let needed = std::env::var_os("SNAPNOTE_TESTS_NEED_PGBOUNCER").is_some();
        assert!(tested > 0 || !needed, "pgbouncer is not installed");
    }
}
