//! Tests of connections against a real PostgreSQL, the server that the tests in `tests/it` share.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod conflicts;
mod hang_ups;
mod outdated;
mod prepared;
mod settings;
mod shared_reads;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use embedded_postgres::{Embedded, Settings};
use tokio::sync::OnceCell;

use super::{
    Connection, Database, PoolSettings, Statement, activity::IdleSettings, connect::Target,
};

async fn server() -> &'static Embedded {
    static SERVER: OnceCell<Embedded> = OnceCell::const_new();
    let start = || async {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tmp/postgres");
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

/// A new database and a pool for it.
struct TestDatabase {
    name: String,
    url: String,
    pool: Database,
}

impl TestDatabase {
    async fn with(setup: &str) -> TestDatabase {
        TestDatabase::of(4, setup).await
    }

    /// Creates a database, runs the SQL of `setup` in it, and opens a pool of `max_connections` connections.
    async fn of(max_connections: usize, setup: &str) -> TestDatabase {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // By this name, the tests in `tests/it` drop the databases of processes that have ended.
        let name = format!("test_{}_lib_{number}", std::process::id());
        let mut postgres = superuser("postgres").await;
        let create = format!("CREATE DATABASE {name} OWNER snapnote");
        postgres.batch_execute(&create).await.unwrap();
        let fast = format!("ALTER DATABASE {name} SET deadlock_timeout = '10ms'");
        postgres.batch_execute(&fast).await.unwrap();
        let url = server().await.url();
        let (head, _) = url.split_once('?').unwrap_or((&url, ""));
        let (address, _) = head.rsplit_once('/').unwrap();
        let url = url.replacen(head, &format!("{address}/{name}"), 1);
        let pool = pool(&url, max_connections);
        let database = TestDatabase { name, url, pool };
        database.conn().await.batch(setup).await.unwrap();
        database
    }

    async fn conn(&self) -> Connection {
        self.pool.connection().await.unwrap()
    }

    async fn superuser(&self) -> AsyncPgConnection {
        superuser(&self.name).await
    }

    /// Returns the number that this SQL selects.
    async fn number(&self, text: &str) -> i64 {
        number(&mut self.conn().await, text).await
    }

    /// Waits until this SQL expression is true.
    async fn until(&self, text: &str) {
        let text = format!("SELECT ({text})::int::bigint");
        let wait = async {
            while self.number(&text).await == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait)
            .await
            .unwrap_or_else(|_| panic!("not within 30 s: {text}"));
    }
}

fn pool(url: &str, max_connections: usize) -> Database {
    Database::new(Target::parse(url).unwrap(), &pool_settings(max_connections))
}

fn pool_settings(max_connections: usize) -> PoolSettings {
    PoolSettings {
        name: "main",
        slow: Duration::from_secs(3600),
        kept: 1,
        max_connections,
        shared_reads: false,
        wait: Duration::from_secs(30),
        lifetime: Duration::from_secs(300),
        idle: IdleSettings::default(),
    }
}

async fn number(conn: &mut Connection, text: &str) -> i64 {
    let statement = Statement::<(i64,)>::new(text.to_owned());
    conn.row(statement).await.unwrap().unwrap().0
}

async fn superuser(database: &str) -> AsyncPgConnection {
    AsyncPgConnection::establish(&server().await.superuser_url(database))
        .await
        .unwrap()
}
