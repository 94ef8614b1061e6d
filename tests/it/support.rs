//! What the tests stand on: a throw-away PostgreSQL that all test processes share, a database for each test cloned from
//! a migrated template, and the service in this process, spoken to over HTTP as a client would.

mod answer;
mod cost;
mod log;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

pub(crate) use answer::{Answer, read_answer};
pub(crate) use cost::cost;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use embedded_postgres::{Embedded, Settings};
pub(crate) use log::with_log;
use serde_json::{Value, json};
use snapnote::{
    app::{App, AppSettings},
    auth::{AuthSettings, RateLimitSettings, external::KeyAges},
    changes::LiveSettings,
    db::{PoolSettings, connect::Target, migrate},
    graphql::Limits,
    http::{EdgeSettings, UploadSettings, server::ServerSettings, streams::StreamSettings},
    images::{ImageSettings, StorageSettings},
    mail::MailSettings,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{OnceCell, oneshot},
};

/// The key of access tokens in the tests.
pub(crate) const SECRET: &[u8] = b"the secret of the tests, which is long enough";

/// Settings as an operator has them by default.
pub(crate) fn settings() -> AppSettings {
    AppSettings {
        pool: PoolSettings {
            kept: 1,
            max_connections: 8,
            wait: Duration::from_secs(5),
            lifetime: Duration::from_secs(300),
        },
        auth: AuthSettings {
            secret: SECRET.to_vec(),
            issuer: "snapnote".to_owned(),
            audience: "snapnote".to_owned(),
            access_lifetime: Duration::from_secs(900),
            refresh_grace: Duration::from_secs(60),
            hashing_permits: 2,
            usage_interval: Duration::from_secs(60),
            rate_limits: RateLimitSettings::OFF,
            issuers: Vec::new(),
            key_ages: KeyAges::default(),
        },
        limits: Limits::default(),
        edge: EdgeSettings {
            request_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(5),
            max_body: 1024 * 1024,
            graphiql: true,
            cors_origins: vec!["https://app.example.com".to_owned()],
            trusted_proxies: Vec::new(),
            uploads: UploadSettings::default(),
            streams: StreamSettings::default(),
        },
        server: ServerSettings {
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            max_connections: 1000,
            shutdown_timeout: Duration::from_secs(5),
        },
        trash_days: 0,
        audit_days: 365,
        live: LiveSettings::new(30, None),
        mail: MailSettings {
            idle: MailSettings::IDLE,
            smtp_url: None,
            from: "SnapNote <no-reply@example.com>".to_owned(),
            app_url: "https://app.example.com".parse().unwrap(),
            folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(fresh_name()),
        },
        images: ImageSettings {
            storage: StorageSettings::Folder(image_folder(&fresh_name())),
            public_url: "http://localhost".parse().unwrap(),
            secret: SECRET.to_vec(),
        },
    }
}

/// The server that all tests of this machine's user share; it stops with the last of them.
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
    AsyncPgConnection::establish(&server().await.superuser_url(database))
        .await
        .unwrap()
}

/// One number that SQL answers on this connection.
pub(crate) async fn number(conn: &mut AsyncPgConnection, text: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Number {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let query = diesel::sql_query(format!("SELECT ({text})::bigint AS n"));
    query.get_result::<Number>(conn).await.unwrap().n
}

/// The folder of the pictures of a database.
pub(crate) fn image_folder(database: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("images")
        .join(database)
}

/// The name of a database that nobody else has.
pub(crate) fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "test_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A URL of the service's role to a database.
pub(crate) async fn url_of(database: &str) -> String {
    let url = server().await.url();
    let (head, _) = url.split_once('?').unwrap_or((&url, ""));
    let (server, _) = head.rsplit_once('/').unwrap();
    url.replacen(head, &format!("{server}/{database}"), 1)
}

/// An empty database of the service's role.
pub(crate) async fn empty_database() -> String {
    let name = fresh_name();
    let sql = format!("CREATE DATABASE {name} OWNER snapnote");
    superuser("postgres")
        .await
        .batch_execute(&sql)
        .await
        .unwrap();
    name
}

/// A migrated database, copied from the template.
pub(crate) async fn migrated_database() -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let (template, name) = (TEMPLATE.get_or_init(template).await, fresh_name());
    let sql = format!("CREATE DATABASE {name} OWNER snapnote TEMPLATE {template}");
    superuser("postgres")
        .await
        .batch_execute(&sql)
        .await
        .unwrap();
    name
}

/// The template that all test processes share: one for each content of `migrations/`. The first process creates it, and
/// drops the databases of test processes that have ended.
async fn template() -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries(folder.into())
        .flat_map(|entry| entries(entry.unwrap().path()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        std::hash::Hash::hash(&std::fs::read_to_string(file).unwrap(), &mut hasher);
    }
    let name = format!("template_{:x}", std::hash::Hasher::finish(&hasher));
    let mut conn = superuser("postgres").await;
    conn.batch_execute("SELECT pg_advisory_lock(1)")
        .await
        .unwrap();
    sweep(&mut conn).await;
    if !databases(&mut conn).await.contains(&name) {
        let unfinished = empty_database().await;
        migrate::up(&Target::parse(&url_of(&unfinished).await).unwrap())
            .await
            .unwrap();
        conn.batch_execute(&format!("ALTER DATABASE {unfinished} RENAME TO {name}"))
            .await
            .unwrap();
    }
    conn.batch_execute("SELECT pg_advisory_unlock(1)")
        .await
        .unwrap();
    name
}

async fn databases(conn: &mut AsyncPgConnection) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        datname: String,
    }
    let names: Vec<Name> = diesel::sql_query("SELECT datname::text FROM pg_database")
        .load(conn)
        .await
        .unwrap();
    names.into_iter().map(|name| name.datname).collect()
}

async fn sweep(conn: &mut AsyncPgConnection) {
    for name in databases(conn).await {
        let Some(pid) = name
            .strip_prefix("test_")
            .and_then(|rest| rest.split('_').next())
        else {
            continue;
        };
        if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
            // Another process may have swept it.
            let _ = conn
                .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                .await;
            let _ = std::fs::remove_dir_all(image_folder(&name));
        }
    }
}

/// The service in this process, on a database and a port of its own.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    /// The name of its database.
    pub(crate) database: String,
    pub(crate) pool: snapnote::db::Database,
    pub(crate) auth: snapnote::auth::Auth,
    pub(crate) images: snapnote::images::Images,
    pub(crate) live: snapnote::changes::Live,
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

    /// On a database that is there: a second process, as it were.
    pub(crate) async fn on(database: String, change: impl FnOnce(&mut AppSettings)) -> TestApp {
        let target = Target::parse(&url_of(&database).await).unwrap();
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

    /// Where somebody listened before, perhaps.
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
        let app = App::new(target, settings).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (pool, auth) = (app.database().clone(), app.auth().clone());
        let (images, live) = (app.images().clone(), app.live().clone());
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
            stop: Some(stop),
            ended,
        }
    }

    /// A visitor.
    pub(crate) fn visitor(&self) -> Client {
        Client {
            address: self.address,
            token: None,
        }
    }

    /// Somebody who has just signed up as `<name>@example.com`.
    pub(crate) async fn signed_up(&self, name: &str) -> Client {
        let input = json!({ "email": format!("{name}@example.com"), "password": "correct horse", "name": name });
        let query = "mutation($input: SignUpInput!) { signUp(input: $input) { accessToken userErrors { code field } } }";
        let answer = self
            .visitor()
            .graphql(query, json!({ "input": input }))
            .await;
        let token = answer["data"]["signUp"]["accessToken"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"));
        Client {
            address: self.address,
            token: Some(token.to_owned()),
        }
    }

    /// Executes SQL as the superuser.
    pub(crate) async fn sql(&self, text: &str) {
        superuser(&self.database)
            .await
            .batch_execute(text)
            .await
            .unwrap();
    }

    /// One number that SQL answers.
    pub(crate) async fn number(&self, text: &str) -> i64 {
        number(&mut superuser(&self.database).await, text).await
    }

    /// One text that SQL answers.
    pub(crate) async fn text(&self, text: &str) -> String {
        #[derive(diesel::QueryableByName)]
        struct Text {
            #[diesel(sql_type = diesel::sql_types::Text)]
            t: String,
        }
        let query = diesel::sql_query(format!("SELECT ({text})::text AS t"));
        let mut conn = superuser(&self.database).await;
        query.get_result::<Text>(&mut conn).await.unwrap().t
    }

    /// Stops it as a signal would; returns when it has stopped.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.ended.await.unwrap();
    }
}

/// A caller, signed in or not.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) token: Option<String>,
}

impl Client {
    /// The whole answer of a GraphQL request.
    pub(crate) async fn graphql(&self, query: &str, variables: Value) -> Value {
        self.post(query, variables).await.json()
    }

    /// What a GraphQL request answers under `data`; there must be no errors.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.graphql(query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    }

    /// The `code` of the first error of a request that must have one.
    pub(crate) async fn error_code(&self, query: &str, variables: Value) -> String {
        let answer = self.graphql(query, variables).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// A GraphQL request by POST.
    pub(crate) async fn post(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/graphql-response+json"),
        ];
        self.http("POST", "/graphql", &headers, body.as_bytes())
            .await
    }

    /// Any HTTP request; with the token, if there is one and the headers have none.
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            self.address
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(token) = &self.token
            && !headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses by the head alone may close before it has read the body, and the line may break at any
        // time; what was not answered has the status 0.
        let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
        let _ = stream.write_all(body).await;
        read_answer(&mut stream).await
    }
}
