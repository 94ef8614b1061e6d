//! The service in this process, and its database as the superuser sees it.

use std::net::SocketAddr;

use snapnote::{
    app::{App, AppSettings},
    db::{connect::Target, sharding},
    graphql::plan,
    images::StorageSettings,
};
use tokio::{net::TcpListener, sync::oneshot};

use super::{
    Client, Transaction, citus, column, eventually_eq, execute, image_folder, keep_mails,
    migrated_database, named_pgbouncer, number, pgbouncer::service_target_of, settings, superuser,
    target_of, trust_proxies,
};

/// Statements on this database that wait for locks.
pub(crate) const BLOCKED: &str =
    "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// The same on a sharded database, whose rows are locked on the workers.
const BLOCKED_ON_ANY_SERVER: &str =
    "citus_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// Connections of services to this database.
pub(crate) const CONNECTIONS: &str =
    "pg_stat_activity WHERE datname = current_database() AND usename = 'snapnote'";

/// The service in this process, with a database and a port of its own.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    /// The name of its database.
    pub(crate) database: String,
    pub(crate) pool: snapnote::db::Database,
    pub(crate) auth: snapnote::auth::Auth,
    pub(crate) images: snapnote::images::Images,
    pub(crate) live: snapnote::changes::Live,
    pub(crate) metrics: snapnote::telemetry::Metrics,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<()>,
}

impl TestApp {
    /// With the default settings.
    pub(crate) async fn start() -> TestApp {
        TestApp::with(|_| {}).await
    }

    /// With other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut AppSettings)) -> TestApp {
        let database = migrated_database().await;
        TestApp::on(database, change).await
    }

    /// With mails that stay in the outbox.
    pub(crate) async fn keeping_mails() -> TestApp {
        TestApp::with(keep_mails).await
    }

    /// Behind a proxy, with mails that stay in the outbox.
    pub(crate) async fn behind_a_proxy() -> TestApp {
        let change = |settings: &mut AppSettings| {
            trust_proxies(settings);
            keep_mails(settings);
        };
        TestApp::with(change).await
    }

    /// Another process of the service on the same database.
    pub(crate) async fn another(&self) -> TestApp {
        TestApp::on(self.database.clone(), |_| {}).await
    }

    /// Another process that executes each query once, as for operators. Tests that count statements or reads use it.
    pub(crate) async fn unverified(&self) -> TestApp {
        let change = |settings: &mut AppSettings| settings.query_plans = plan::Mode::On;
        TestApp::on(self.database.clone(), change).await
    }

    /// Without shared connections, so that each request leases its own: for tests of the pool.
    pub(crate) async fn without_shared_reads() -> TestApp {
        TestApp::with(|settings| settings.pool.shared_reads = false).await
    }

    /// This process and [`TestApp::another`].
    pub(crate) async fn and_another(self) -> (TestApp, TestApp) {
        let other = self.another().await;
        (self, other)
    }

    /// On a database that exists. Behind a pooler, it has the database's own address for notifications, as operators set it.
    pub(crate) async fn on(database: String, change: impl FnOnce(&mut AppSettings)) -> TestApp {
        let target = service_target_of(&database).await;
        let direct = match named_pgbouncer().is_some() {
            true => Some(target_of(&database).await),
            false => None,
        };
        let change = |settings: &mut AppSettings| {
            settings.live.direct = direct;
            change(settings);
        };
        TestApp::at(target, database, change).await
    }

    /// On a database of any server.
    pub(crate) async fn at(
        target: Target,
        database: String,
        change: impl FnOnce(&mut AppSettings),
    ) -> TestApp {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        TestApp::listening(listener, target, database, change).await
    }

    /// With a listener, e.g. at the address of a service that has stopped.
    pub(crate) async fn listening(
        listener: TcpListener,
        target: Target,
        database: String,
        change: impl FnOnce(&mut AppSettings),
    ) -> TestApp {
        let address = listener.local_addr().unwrap();
        let mut settings = settings();
        settings.images.public_url = format!("http://{address}").parse().unwrap();
        settings.images.storage = StorageSettings::Folder(image_folder(&database));
        change(&mut settings);
        if citus::is_sharded(&database) {
            sharding::detect(&target).await.unwrap();
        }
        let app = App::new(target, settings).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (pool, auth) = (app.database().clone(), app.auth().clone());
        let (images, live) = (app.images().clone(), app.live().clone());
        let metrics = app.metrics();
        let ended = tokio::spawn(app.serve(listener, async {
            let _ = stopped.await;
        }));
        TestApp {
            address,
            database,
            pool,
            auth,
            images,
            live,
            metrics,
            stop: Some(stop),
            ended,
        }
    }

    /// A client that is not signed in.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.address)
    }

    /// Executes SQL as the superuser.
    pub(crate) async fn sql(&self, text: &str) {
        execute(&self.database, text).await;
    }

    /// Begins a transaction that stays open, e.g. `LOCK TABLE courses` or `SELECT FROM courses FOR UPDATE`.
    pub(crate) async fn begin(&self, sql: &str) -> Transaction {
        Transaction::begin(&self.database, sql).await
    }

    /// A number that SQL returns.
    pub(crate) async fn number(&self, text: &str) -> i64 {
        number(&mut superuser(&self.database).await, text).await
    }

    /// How many rows there are: `from` is a table, with or without a condition.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {from}")).await
    }

    /// Waits until SQL returns this number.
    pub(crate) async fn eventually_number(&self, sql: &str, expected: i64) {
        eventually_eq(sql, expected, async || self.number(sql).await).await;
    }

    /// Waits until there are so many rows.
    pub(crate) async fn eventually_count(&self, from: &str, expected: i64) {
        eventually_eq(from, expected, async || self.count(from).await).await;
    }

    /// Waits until so many statements on this database wait for locks.
    pub(crate) async fn eventually_blocked(&self, statements: i64) {
        let waiting = match citus::is_sharded(&self.database) {
            true => BLOCKED_ON_ANY_SERVER,
            false => BLOCKED,
        };
        self.eventually_count(waiting, statements).await;
    }

    /// Waits until the service has no connection to its database. Sessions report what they read when they end.
    pub(crate) async fn eventually_disconnected(&self) {
        self.eventually_count(CONNECTIONS, 0).await;
    }

    /// A text that SQL returns.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let sql = format!("SELECT ({sql})");
        column(&mut superuser(&self.database).await, &sql)
            .await
            .remove(0)
    }

    /// Stops the service as a signal would, and waits until it has stopped.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.ended.await.unwrap();
    }
}
