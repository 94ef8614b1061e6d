//! The PostgreSQL server that all test processes share, and its databases: one per test, cloned from a migrated template.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use embedded_postgres::{Embedded, Settings};
use snapnote::db::{connect::Target, migrate};
use tokio::sync::OnceCell;

use super::citus;

/// The server that all test processes of this machine's user share. It stops with the last of them.
async fn server() -> &'static Embedded {
    static SERVER: OnceCell<Embedded> = OnceCell::const_new();
    let start = || async {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("postgres");
        let settings = Settings {
            name: "snapnote".to_owned(),
            folder,
            binaries: None,
            durable: false,
        };
        Embedded::start(settings)
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    };
    SERVER.get_or_init(start).await
}

/// A connection as superuser to one of the server's databases.
pub(crate) async fn superuser(database: &str) -> AsyncPgConnection {
    let url = match citus::url_of(database, true).await {
        Some(url) => url,
        None => server().await.superuser_url(database),
    };
    AsyncPgConnection::establish(&url).await.unwrap()
}

/// Executes SQL as the superuser of the server.
pub(crate) async fn execute(database: &str, sql: &str) {
    let mut conn = superuser(database).await;
    let executed = conn.batch_execute(sql).await;
    executed.unwrap_or_else(|error| panic!("{error}: {sql}"));
}

/// A transaction that a test keeps open, e.g. to hold locks. It is rolled back when it is dropped.
pub(crate) struct Transaction(AsyncPgConnection);

impl Transaction {
    /// Begins a transaction of the superuser with this SQL.
    pub(crate) async fn begin(database: &str, sql: &str) -> Transaction {
        let mut transaction = Transaction(superuser(database).await);
        transaction.run(&format!("BEGIN; {sql}")).await;
        transaction
    }

    pub(crate) async fn run(&mut self, sql: &str) {
        self.0.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn commit(mut self) {
        self.run("COMMIT").await;
    }

    pub(crate) async fn rollback(mut self) {
        self.run("ROLLBACK").await;
    }
}

/// A number that SQL returns on this connection.
pub(crate) async fn number(conn: &mut AsyncPgConnection, text: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Number {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let query = diesel::sql_query(format!("SELECT ({text})::bigint AS n"));
    query.get_result::<Number>(conn).await.unwrap().n
}

/// The only column of what SQL returns, as text.
pub(crate) async fn column(conn: &mut AsyncPgConnection, sql: &str) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        value: String,
    }
    let query = diesel::sql_query(format!("SELECT value::text FROM ({sql}) AS rows (value)"));
    let rows: Vec<Row> = query
        .load(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
    rows.into_iter().map(|row| row.value).collect()
}

/// The folder of the images of a database's service.
pub(crate) fn image_folder(database: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("images")
        .join(database)
}

/// A name that no other database has.
pub(crate) fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "test_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The URL at which the service's role connects to a database.
pub(crate) async fn url_of(database: &str) -> String {
    if let Some(url) = citus::url_of(database, false).await {
        return url;
    }
    let url = server().await.url();
    let (head, _) = url.split_once('?').unwrap_or((&url, ""));
    let (server, _) = head.rsplit_once('/').unwrap();
    url.replacen(head, &format!("{server}/{database}"), 1)
}

/// As [`url_of`], parsed.
pub(crate) async fn target_of(database: &str) -> Target {
    Target::parse(&url_of(database).await).unwrap()
}

/// An empty database of the service's role.
pub(crate) async fn empty_database() -> String {
    let name = fresh_name();
    execute(
        "postgres",
        &format!("CREATE DATABASE {name} OWNER snapnote"),
    )
    .await;
    name
}

/// A migrated database, copied from the template. Sharded, if there is a Citus cluster.
pub(crate) async fn migrated_database() -> String {
    if citus::is_available().await {
        return citus::sharded_database(&migrations_hash()).await;
    }
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let (template, name) = (TEMPLATE.get_or_init(template).await, fresh_name());
    let sql = format!("CREATE DATABASE {name} OWNER snapnote TEMPLATE {template}");
    execute("postgres", &sql).await;
    name
}

/// The template that all test processes share: one per content of `migrations/`. The first process makes it. Each process deletes
/// the databases of test processes that have ended.
async fn template() -> String {
    let name = format!("template_{}", migrations_hash());
    let mut conn = superuser("postgres").await;
    conn.batch_execute("SELECT pg_advisory_lock(1)")
        .await
        .unwrap();
    if !databases(&mut conn).await.contains(&name) {
        let unfinished = empty_database().await;
        migrate::up(&target_of(&unfinished).await).await.unwrap();
        conn.batch_execute(&format!("ALTER DATABASE {unfinished} RENAME TO {name}"))
            .await
            .unwrap();
    }
    conn.batch_execute("SELECT pg_advisory_unlock(1)")
        .await
        .unwrap();
    // PostgreSQL needs minutes to delete hundreds of databases on a busy machine, and no test has to wait for that.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(delete_abandoned());
    });
    name
}

/// A hash of the content of `migrations/`.
fn migrations_hash() -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    let mut folders = vec![PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/migrations"
    ))];
    let mut files = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(files.insert(path)),
            }
        }
    }
    for file in files {
        std::hash::Hash::hash(&std::fs::read(file).unwrap(), &mut hasher);
    }
    format!("{:x}", std::hash::Hasher::finish(&hasher))
}

async fn databases(conn: &mut AsyncPgConnection) -> Vec<String> {
    column(conn, "SELECT datname FROM pg_database").await
}

async fn delete_abandoned() {
    let mut conn = superuser("postgres").await;
    for name in databases(&mut conn).await {
        let Some(pid) = name
            .strip_prefix("test_")
            .and_then(|rest| rest.split('_').next())
        else {
            continue;
        };
        if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
            // Another process may have deleted it.
            let _ = conn
                .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                .await;
            let _ = std::fs::remove_dir_all(image_folder(&name));
        }
    }
}

/// Reverts the newest migrations. Returns their versions, newest first.
pub(crate) async fn revert(target: &Target, count: usize) -> Vec<String> {
    let states = migrate::status(target).await.unwrap();
    let mut applied = migrate::names(&states, migrate::Phase::Applied);
    applied.truncate(applied.len().saturating_sub(count));
    let to = applied.last().map_or("0", String::as_str);
    let reversal = migrate::plan_down(target, Some(to)).await.unwrap();
    migrate::down(target, &reversal).await.unwrap()
}
