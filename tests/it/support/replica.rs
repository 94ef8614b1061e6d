//! A primary and a streaming replica of it. The tests' own server has no replica, because it would replicate the databases of all tests.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use embedded_postgres::{Embedded, Settings};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use snapnote::{
    app::AppSettings,
    db::{connect::Target, migrate, replica::ReplicaSettings},
};
use tokio::{
    process::{Child, Command},
    sync::{OnceCell, Semaphore, SemaphorePermit},
    time::Duration,
};

use super::{TestApp, column, eventually, fresh_name, number, percent_decoded, soon};

/// How many tests may have a replica at the same time. A copy of the primary takes two of its ten `max_wal_senders`, and a replica one.
static REPLICAS: Semaphore = Semaphore::const_new(3);
/// A lag that no replica reaches during a test.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The primary of all replicas.
async fn primary() -> &'static Embedded {
    static PRIMARY: OnceCell<Embedded> = OnceCell::const_new();
    let start = || async {
        let settings = Settings {
            name: "snapnote".to_owned(),
            folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("replicated"),
            binaries: None,
            durable: false,
        };
        let server = Embedded::start(settings)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let mut conn = superuser_at(&socket_in(&server.url()), "postgres").await;
        // So that the log is still there when a copy is complete, whatever other tests write meanwhile.
        for sql in [
            "ALTER SYSTEM SET wal_keep_size = '512MB'",
            "SELECT pg_reload_conf()",
        ] {
            conn.batch_execute(sql).await.unwrap();
        }
        server
    };
    PRIMARY.get_or_init(start).await
}

/// The folder of the socket in a URL of the embedded server.
fn socket_in(url: &str) -> String {
    let (_, rest) = url.split_once('@').unwrap();
    percent_decoded(rest.split(':').next().unwrap())
}

fn url(role: &str, socket: &str, database: &str) -> String {
    let host = socket.replace('/', "%2F");
    format!("postgres://{role}@{host}:5432/{database}")
}

async fn superuser_at(socket: &str, database: &str) -> AsyncPgConnection {
    let url = url("postgres", socket, database);
    AsyncPgConnection::establish(&url).await.unwrap()
}

/// A streaming replica. It is stopped and deleted when it is dropped.
pub(crate) struct Standby {
    folder: PathBuf,
    programs: PathBuf,
    /// The account of the server, if root starts it.
    account: Option<(u32, u32)>,
    server: Option<Child>,
}

impl Standby {
    /// Copies the primary and starts the replica.
    async fn of(primary: &Embedded) -> Standby {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let socket = socket_in(&primary.url());
        let mut conn = superuser_at(&socket, "postgres").await;
        let programs = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
        let programs = column(&mut conn, programs).await.remove(0);
        let data = column(&mut conn, "SELECT current_setting('data_directory')").await;
        let owner = fs::metadata(&data[0]).unwrap();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("snapnote-standby-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let account = geteuid().is_root().then(|| (owner.uid(), owner.gid()));
        if let Some((uid, gid)) = account {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let mut standby = Standby {
            folder,
            programs: PathBuf::from(programs),
            account,
            server: None,
        };
        let mut copy = standby.program("pg_basebackup");
        copy.args(["--username", "postgres", "--port", "5432", "--host"])
            .arg(socket)
            .args(["--wal-method=stream", "--checkpoint=fast", "--no-sync"])
            .args(["--write-recovery-conf", "--pgdata"])
            .arg(standby.data());
        let copied = soon("the primary is copied", copy.output()).await.unwrap();
        assert!(copied.status.success(), "{copied:?}");
        standby.start().await;
        standby
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.env_clear().current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::null());
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Starts the server, and waits until it accepts connections.
    pub(crate) async fn start(&mut self) {
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data());
        let sockets = format!("unix_socket_directories={}", self.folder.display());
        for setting in [
            &*sockets,
            "listen_addresses=",
            "port=5432",
            "fsync=off",
            // At least that of the primary.
            "max_connections=300",
            "shared_buffers=32MB",
            "max_standby_streaming_delay=0",
            "logging_collector=off",
            "timezone=UTC",
        ] {
            server.args(["-c", setting]);
        }
        let log = fs::File::create(self.folder.join("log")).unwrap();
        self.server = Some(server.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let url = url("postgres", self.socket(), "postgres");
        eventually("the replica accepts connections", async || {
            let connected = AsyncPgConnection::establish(&url).await;
            connected.map(drop).map_err(|error| {
                let log = fs::read_to_string(self.folder.join("log"));
                format!("{error} {}", log.unwrap_or_default())
            })
        })
        .await;
    }

    /// Stops the server. Its connections are closed at once.
    pub(crate) async fn stop(&mut self) {
        let mut server = self.server.take().unwrap();
        let pid = i32::try_from(server.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
        soon("the replica stops", server.wait()).await.unwrap();
    }

    fn socket(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    /// The URL at which the service's role connects to a database.
    pub(crate) fn url(&self, database: &str) -> String {
        url("snapnote", self.socket(), database)
    }

    /// Executes SQL as the superuser of the replica.
    pub(crate) async fn sql(&self, text: &str) {
        let mut conn = superuser_at(self.socket(), "postgres").await;
        conn.batch_execute(text).await.unwrap();
    }

    /// A number that SQL returns.
    pub(crate) async fn number(&self, text: &str) -> i64 {
        number(&mut superuser_at(self.socket(), "postgres").await, text).await
    }

    /// Stops to replay the log of the primary.
    pub(crate) async fn pause(&self) {
        self.sql("SELECT pg_wal_replay_pause()").await;
        eventually("replay is paused", async || {
            let state = "SELECT (pg_get_wal_replay_pause_state() = 'paused')::int";
            self.number(state).await == 1
        })
        .await;
    }

    /// Replays the log again.
    pub(crate) async fn resume(&self) {
        self.sql("SELECT pg_wal_replay_resume()").await;
    }

    /// Replays each commit this long after it was made.
    pub(crate) async fn replay_after(&self, delay: &str) {
        let set = format!("ALTER SYSTEM SET recovery_min_apply_delay = '{delay}'");
        self.sql(&set).await;
        self.sql("SELECT pg_reload_conf()").await;
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        drop(self.server.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A migrated database on a primary with a replica.
pub(crate) struct Replicated {
    pub(crate) database: String,
    pub(crate) standby: Standby,
    socket: String,
    _permit: SemaphorePermit<'static>,
}

impl Replicated {
    pub(crate) async fn new() -> Replicated {
        let permit = REPLICAS.acquire().await.unwrap();
        let primary = primary().await;
        let (socket, database) = (socket_in(&primary.url()), fresh_name());
        let mut conn = superuser_at(&socket, "postgres").await;
        let create = format!("CREATE DATABASE {database} OWNER snapnote");
        conn.batch_execute(&create).await.unwrap();
        let replicated = Replicated {
            database,
            standby: Standby::of(primary).await,
            socket,
            _permit: permit,
        };
        migrate::up(&replicated.target()).await.unwrap();
        replicated
    }

    /// The URL at which the service's role connects to the primary.
    pub(crate) fn url(&self) -> String {
        url("snapnote", &self.socket, &self.database)
    }

    pub(crate) fn target(&self) -> Target {
        Target::parse(&self.url()).unwrap()
    }

    /// The service, with this replica.
    pub(crate) async fn app(&self, change: impl FnOnce(&mut AppSettings)) -> TestApp {
        self.app_with(&self.standby.url(&self.database), change)
            .await
    }

    /// The service, with a replica at this address.
    pub(crate) async fn app_with(
        &self,
        replica: &str,
        change: impl FnOnce(&mut AppSettings),
    ) -> TestApp {
        let replica = ReplicaSettings {
            target: Target::parse(replica).unwrap(),
            max_lag: NEVER,
        };
        let change = |settings: &mut AppSettings| {
            settings.replica = Some(replica);
            settings.live.notifications = true;
            change(settings);
        };
        TestApp::at(self.target(), self.database.clone(), change).await
    }

    /// Executes SQL as the superuser of the primary.
    pub(crate) async fn sql(&self, text: &str) {
        let mut conn = superuser_at(&self.socket, &self.database).await;
        conn.batch_execute(text).await.unwrap();
    }

    /// A number that SQL returns on the primary.
    pub(crate) async fn number(&self, text: &str) -> i64 {
        number(&mut superuser_at(&self.socket, &self.database).await, text).await
    }
}

impl Drop for Replicated {
    fn drop(&mut self) {
        let (socket, database) = (self.socket.clone(), self.database.clone());
        // A test that is over does not wait for this.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let mut conn = superuser_at(&socket, "postgres").await;
                let drop = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
                let _ = conn.batch_execute(&drop).await;
            });
        });
    }
}
