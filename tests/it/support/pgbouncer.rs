//! The real PgBouncer in front of the tests' server.
//!
//! If `SNAPNOTE_TESTS_PGBOUNCER` names a PgBouncer 1.21 or newer, the services of the tests reach their databases through it, in
//! transaction mode and with few server connections. The tests themselves read the database directly. `.ci/pooler` runs them.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use snapnote::db::{connect::Target, pooler};
use tokio::{net::UnixStream, sync::OnceCell};

use super::{eventually, fresh_name, percent_decoded, target_of, url_of};

/// More server connections than a service of a test opens, so that tests can hold all of its connections, and fewer than two services
/// open. PgBouncer lends the connection that was returned last, so all clients use the same few ones.
const SHARED: &str = "pool_mode = transaction\nmax_prepared_statements = 100\ndefault_pool_size = 12\n\
    max_client_conn = 5000\nserver_idle_timeout = 1";

/// Runs the program after the folder's path, until standard input ends: also if the test process is killed.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
folder=$1
shift
"$@" </dev/null &
read -r _
kill -KILL $!
rm -rf "$folder"
"#;

/// A running PgBouncer. It ends when it is dropped, or with the test process.
pub(crate) struct PgBouncer {
    watchdog: Child,
    folder: PathBuf,
}

/// The PgBouncer that `SNAPNOTE_TESTS_PGBOUNCER` names.
pub(crate) fn named_pgbouncer() -> Option<OsString> {
    std::env::var_os("SNAPNOTE_TESTS_PGBOUNCER").filter(|program| !program.is_empty())
}

impl PgBouncer {
    /// Starts a program with these settings.
    pub(crate) async fn start(program: impl Into<OsString>, settings: &str) -> PgBouncer {
        let folder = std::env::temp_dir().join(format!("pgbouncer-{}", fresh_name()));
        fs::create_dir_all(&folder).unwrap();
        // It runs under another account if this is root.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let url = url_of("postgres").await;
        let (_, rest) = url.split_once('@').unwrap();
        let server = percent_decoded(rest.split_once(":5432").unwrap().0);
        // As `snapnote migrate up` sets it for the role, which no database of the tests has.
        let database =
            format!("* = host={server} port=5432 connect_query='SET statement_timeout = 30000'");
        let ini = format!(
            "[databases]\n{database}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {folder}\n\
             auth_type = trust\nauth_file = {folder}/users\n{settings}\n",
            folder = folder.display()
        );
        fs::write(folder.join("users"), "\"snapnote\" \"\"\n").unwrap();
        fs::write(folder.join("pgbouncer.ini"), ini).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", WATCHDOG, "sh"]).arg(&folder);
        command.arg(program.into());
        if nix::unistd::geteuid().is_root() {
            command.args(["-u", "postgres"]);
        }
        command.arg(folder.join("pgbouncer.ini"));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let watchdog = command.stderr(Stdio::null()).spawn().unwrap();
        let bouncer = PgBouncer { watchdog, folder };
        let socket = bouncer.folder.join(".s.PGSQL.6432");
        let listens = async || UnixStream::connect(&socket).await.is_ok();
        eventually("PgBouncer listens", listens).await;
        bouncer
    }

    /// The connection string of a database through it.
    pub(crate) fn url(&self, database: &str) -> String {
        let host = self.folder.to_str().unwrap().replace('/', "%2F");
        format!("postgres://snapnote@{host}:6432/{database}")
    }

    /// The one that all tests of this process share, if [`named_pgbouncer`] names one.
    pub(crate) async fn shared() -> Option<&'static PgBouncer> {
        static SHARED_BY_ALL: OnceCell<PgBouncer> = OnceCell::const_new();
        let program = named_pgbouncer()?;
        let start = || PgBouncer::start(program, SHARED);
        Some(SHARED_BY_ALL.get_or_init(start).await)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// The URL at which a service of the tests connects to a database.
pub(crate) async fn service_url_of(database: &str) -> String {
    match PgBouncer::shared().await {
        Some(bouncer) => bouncer.url(database),
        None => url_of(database).await,
    }
}

/// The socket to which a service of the tests connects.
pub(crate) async fn service_socket_of(database: &str) -> PathBuf {
    let url = service_url_of(database).await;
    let (_, rest) = url.split_once('@').unwrap();
    let (host, rest) = rest.split_once(':').unwrap();
    let (port, _) = rest.split_once('/').unwrap();
    PathBuf::from(percent_decoded(host)).join(format!(".s.PGSQL.{port}"))
}

/// As [`service_url_of`], parsed, and checked as the program checks it before it starts.
pub(super) async fn service_target_of(database: &str) -> Target {
    let Some(bouncer) = PgBouncer::shared().await else {
        return target_of(database).await;
    };
    let target = Target::parse(&bouncer.url(database)).unwrap();
    pooler::check(&target).await.unwrap();
    target
}
