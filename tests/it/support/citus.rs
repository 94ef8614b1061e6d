//! A Citus cluster for tests. With `SNAPNOTE_TESTS_CITUS_URL`, the URL of a superuser at a database of the coordinator that knows its
//! workers, each test gets a sharded database, unless it is on the list of those that cannot hold there
//! (`sharding/excluded.rs`). All servers must be reachable with the user and the password of the URL, and let the role `snapnote`
//! in without a password.

use std::collections::VecDeque;

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use snapnote::db::migrate;
use tokio::sync::{Mutex, OnceCell};

use super::{column, fresh_name, postgres, target_of};
use crate::sharding::excluded;

/// What the names of sharded databases start with.
const PREFIX: &str = "sharded_";

/// How many databases of tests are kept. The tests of older ones have ended, or hold a connection.
const MAX_DATABASES: usize = 60;

/// The servers of the cluster, the coordinator first.
struct Cluster {
    /// `postgres://user:password@`
    credentials: String,
    /// `host:port`
    servers: Vec<String>,
}

impl Cluster {
    async fn of(url: &str) -> Cluster {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (server, _) = rest.split_once('/').unwrap();
        let (user, coordinator) = server.rsplit_once('@').unwrap();
        let mut conn = AsyncPgConnection::establish(url).await.unwrap();
        let workers = "SELECT nodename || ':' || nodeport FROM pg_dist_node WHERE groupid > 0 ORDER BY nodeid";
        let workers = column(&mut conn, workers).await;
        assert!(
            !workers.is_empty(),
            "the coordinator at {coordinator} has no worker"
        );
        Cluster {
            credentials: format!("{scheme}://{user}@"),
            servers: [vec![coordinator.to_owned()], workers].concat(),
        }
    }

    fn url(&self, server: &str, database: &str) -> String {
        format!("{}{server}/{database}", self.credentials)
    }

    /// Executes SQL as superuser in the databases of this name on all servers.
    async fn on_each(&self, database: &str, sql: &str) {
        let on_servers = self.servers.iter().map(|server| {
            let url = self.url(server, database);
            async move {
                let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
                let executed = conn.batch_execute(sql).await;
                executed.unwrap_or_else(|error| panic!("{server}: {error}: {sql}"));
            }
        });
        futures_util::future::join_all(on_servers).await;
    }

    /// Makes a database with Citus and without tables.
    async fn make_database(&self, name: &str) {
        let role = "DO $$BEGIN CREATE ROLE snapnote LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$";
        self.on_each("postgres", role).await;
        let (drop, create) = (
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} OWNER snapnote"),
        );
        self.on_each("postgres", &drop).await;
        self.on_each("postgres", &create).await;
        self.on_each(name, "CREATE EXTENSION citus").await;
        let mut conn = postgres::superuser(name).await;
        for (number, server) in self.servers.iter().enumerate() {
            let (host, port) = server.rsplit_once(':').unwrap();
            let add = match number {
                0 => format!("SELECT citus_set_coordinator_host('{host}', {port})"),
                _ => format!("SELECT citus_add_node('{host}', {port})"),
            };
            conn.batch_execute(&add).await.unwrap();
        }
    }

    /// Makes a sharded database that new ones are copied from. All its servers are copied, so that the copy is a cluster.
    async fn make_template(&self, name: &str) {
        self.make_database(name).await;
        let target = target_of(name).await;
        migrate::up(&target).await.unwrap();
        migrate::shard(&target).await.unwrap();
        // Citus keeps connections of its own, and a database with connections cannot be copied.
        let close = format!(
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        self.on_each("postgres", &close).await;
    }
}

async fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceCell<Option<Cluster>> = OnceCell::const_new();
    let read = || async {
        let url = std::env::var("SNAPNOTE_TESTS_CITUS_URL").ok();
        match url.filter(|url| !url.is_empty()) {
            Some(url) => Some(Cluster::of(&url).await),
            None => None,
        }
    };
    CLUSTER.get_or_init(read).await.as_ref()
}

/// Whether a database of the tests is sharded, as its name says.
pub(crate) fn is_sharded(database: &str) -> bool {
    database.starts_with(PREFIX)
}

/// The URL of a sharded database: at the coordinator, as superuser or as the service's role. `None` for other databases.
pub(super) async fn url_of(database: &str, as_superuser: bool) -> Option<String> {
    if !is_sharded(database) {
        return None;
    }
    let cluster = cluster().await.unwrap();
    let coordinator = &cluster.servers[0];
    Some(match as_superuser {
        true => cluster.url(coordinator, database),
        false => format!("postgres://snapnote@{coordinator}/{database}?sslmode=disable"),
    })
}

/// Whether there is a cluster, and the running test is to use it.
pub(crate) async fn is_available() -> bool {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    cluster().await.is_some() && excluded::reason(test).is_none()
}

/// A migrated database with Citus that is not sharded. `None` without a cluster, after a message.
pub(crate) async fn unsharded_database() -> Option<String> {
    let Some(cluster) = cluster().await else {
        eprintln!("skipped: SNAPNOTE_TESTS_CITUS_URL is not set");
        return None;
    };
    let name = format!("{PREFIX}{}", fresh_name());
    cluster.make_database(&name).await;
    migrate::up(&target_of(&name).await).await.unwrap();
    Some(name)
}

/// A sharded database, copied from the template whose name ends with this hash.
pub(super) async fn sharded_database(hash: &str) -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let cluster = cluster().await.unwrap();
    let template = TEMPLATE.get_or_init(|| template(cluster, hash)).await;
    let name = format!("{PREFIX}{}", fresh_name());
    let sql =
        format!("CREATE DATABASE {name} OWNER snapnote TEMPLATE {template} STRATEGY file_copy");
    cluster.on_each("postgres", &sql).await;
    delete_finished(cluster, name.clone()).await;
    name
}

/// Deletes the oldest database of this process if its test has ended. Citus keeps processes and connections for each database.
async fn delete_finished(cluster: &Cluster, newest: String) {
    static KEPT: Mutex<VecDeque<String>> = Mutex::const_new(VecDeque::new());
    let mut kept = KEPT.lock().await;
    kept.push_back(newest);
    if kept.len() <= MAX_DATABASES {
        return;
    }
    let oldest = kept.pop_front().unwrap();
    let url = cluster.url(&cluster.servers[0], "postgres");
    let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
    let used = format!(
        "SELECT DISTINCT datname FROM pg_stat_activity WHERE datname = '{oldest}' AND usename = 'snapnote'"
    );
    match column(&mut conn, &used).await.is_empty() {
        true => {
            let drop = format!("DROP DATABASE {oldest} WITH (FORCE)");
            cluster.on_each("postgres", &drop).await;
        }
        false => kept.push_back(oldest),
    }
}

async fn template(cluster: &'static Cluster, hash: &str) -> String {
    let (name, unfinished) = (
        format!("{PREFIX}template_{hash}"),
        format!("{PREFIX}unfinished"),
    );
    let mut conn = AsyncPgConnection::establish(&cluster.url(&cluster.servers[0], "postgres"))
        .await
        .unwrap();
    conn.batch_execute("SELECT pg_advisory_lock(1)")
        .await
        .unwrap();
    let databases = column(&mut conn, "SELECT datname FROM pg_database").await;
    if !databases.contains(&name) {
        cluster.make_template(&unfinished).await;
        let rename = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
        cluster.on_each("postgres", &rename).await;
    }
    conn.batch_execute("SELECT pg_advisory_unlock(1)")
        .await
        .unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .unwrap()
            .block_on(delete_abandoned(cluster, databases));
    });
    name
}

/// Deletes the databases of test processes that have ended.
async fn delete_abandoned(cluster: &Cluster, databases: Vec<String>) {
    for database in databases {
        let process = database
            .strip_prefix("sharded_test_")
            .and_then(|rest| rest.split('_').next());
        if process.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) {
            let sql = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
            cluster.on_each("postgres", &sql).await;
        }
    }
}
