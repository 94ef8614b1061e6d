//! PostgreSQL servers for the tests, each on its own TCP port, with or without TLS.
//!
//! The data directory is created once and then copied. Nothing is left behind, however the tests end: each server, and the
//! folder of all servers, has a keeper. A keeper is a shell that reads from a pipe until this process ends.

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use nix::unistd::{Uid, User};
use postgres_connect::Target;

/// Where the certificates and keys are.
pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

const PG_HBA: &str = "\
local all postgres trust
host all ada all scram-sha-256
host all trusted all trust
hostssl all visitor all cert
";

const USERS: &str = "\
CREATE ROLE ada LOGIN PASSWORD 'sesam @öffne/dich?';
CREATE ROLE trusted LOGIN;
CREATE ROLE visitor LOGIN;
";

/// A running server. `ada` has a password, `trusted` needs none, and `visitor` needs a certificate.
pub(crate) struct Server {
    pub(crate) port: u16,
    /// Contains its data and its socket.
    pub(crate) folder: PathBuf,
    _keeper: Keeper,
}

impl Server {
    /// Starts a server with this certificate, or without TLS.
    pub(crate) async fn start(certificate: Option<&str>) -> Server {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let origin = &*ORIGIN;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = origin.folder.join(number.to_string());
        origin.run(
            Command::new("cp")
                .arg("-R")
                .arg(origin.folder.join("data"))
                .arg(&folder),
        );
        let port = free_port();
        let mut settings = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\n\
             fsync = off\nshared_buffers = 8MB\n",
            folder.display()
        );
        if let Some(certificate) = certificate {
            settings += "ssl = on\nssl_cert_file = 'shown.pem'\nssl_ca_file = 'authority.pem'\n";
            for (fixture, name) in [
                (certificate, "shown.pem"),
                ("authority.pem", "authority.pem"),
                ("server.key", "server.key"),
            ] {
                let content =
                    fs::read(Path::new(FIXTURES).join(fixture)).expect("the fixture is there");
                origin.write(&folder.join(name), content);
            }
        }
        origin.write(&folder.join("postgresql.auto.conf"), settings);
        let postgres = origin.binaries.join("postgres");
        let keeper = origin.keep(
            "\"$0\" -D \"$1\" & read -r _; kill -QUIT $!; wait",
            &[&postgres, &folder],
        );
        let server = Server {
            port,
            folder,
            _keeper: keeper,
        };
        server.wait_until_up().await;
        server
    }

    async fn wait_until_up(&self) {
        let socket = format!(
            "host={} port={} user=postgres",
            self.folder.display(),
            self.port
        );
        let target = Target::parse(&socket).expect("it is a connection string");
        let mut last = None;
        for _ in 0..200 {
            match target.connect().await {
                Ok(_) => return,
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = fs::read_to_string(ORIGIN.log()).unwrap_or_default();
        panic!("the server does not start: {last:?}\n{log}");
    }
}

/// A port without a listener.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}

/// A shell that cleans up when its pipe closes: when this is dropped, or when this process ends.
struct Keeper(Child);

impl Drop for Keeper {
    fn drop(&mut self) {
        // `wait` closes the pipe first.
        self.0.wait().expect("it is our child");
    }
}

/// The data directory that all servers are copied from.
struct Origin {
    folder: PathBuf,
    binaries: PathBuf,
    /// The servers' owner if the tests run as root, because PostgreSQL does not run as root.
    owner: Option<User>,
    _keeper: Option<Keeper>,
}

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("postgres-connect-{}", std::process::id()));
    let mut origin = Origin {
        folder,
        binaries: find_binaries(),
        owner: find_owner(),
        _keeper: None,
    };
    fs::create_dir(&origin.folder).expect("the temporary folder can be written to");
    origin.hand_over(&origin.folder);
    origin._keeper = Some(origin.keep("read -r _; sleep 1; rm -rf \"$0\"", &[&origin.folder]));
    let data = origin.folder.join("data");
    let mut initdb = Command::new(origin.binaries.join("initdb"));
    origin.run(
        initdb
            .args("-N -U postgres -A trust -E UTF8 --locale=C -D".split(' '))
            .arg(&data),
    );
    origin.write(&data.join("pg_hba.conf"), PG_HBA);
    origin.write(&data.join("users.sql"), USERS);
    let script = "\"$0\" --single -D \"$1\" postgres < \"$1/users.sql\"";
    let postgres = origin.binaries.join("postgres");
    let mut single = Command::new("sh");
    origin.run(single.args(["-c", script]).arg(postgres).arg(&data));
    origin
});

impl Origin {
    /// Runs a command as the servers' owner until it succeeds.
    fn run(&self, command: &mut Command) {
        let output = self
            .as_owner(command)
            .output()
            .expect("the command is there");
        assert!(
            output.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Starts a shell script that reads from the keeper's pipe. Its output goes to the log.
    fn keep(&self, script: &str, paths: &[&PathBuf]) -> Keeper {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log());
        let log = log.expect("the folder can be written to");
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).args(paths).stdin(Stdio::piped());
        // Its own process group, so that Ctrl-C leaves it time to clean up.
        shell
            .process_group(0)
            .stdout(log.try_clone().expect("the file is open"))
            .stderr(log);
        Keeper(self.as_owner(&mut shell).spawn().expect("there is a shell"))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn as_owner<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if let Some(owner) = &self.owner {
            command.uid(owner.uid.as_raw()).gid(owner.gid.as_raw());
        }
        command.current_dir(&self.folder)
    }

    /// Writes a file that only the owner can read, as PostgreSQL requires for a key.
    fn write(&self, file: &Path, content: impl AsRef<[u8]>) {
        fs::write(file, content).expect("the folder can be written to");
        fs::set_permissions(file, PermissionsExt::from_mode(0o600)).expect("the file is ours");
        self.hand_over(file);
    }

    fn hand_over(&self, path: &Path) {
        if let Some(owner) = &self.owner {
            chown(path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw())).expect("we are root");
        }
    }
}

fn find_owner() -> Option<User> {
    Uid::effective().is_root().then(|| {
        let user = |name| User::from_name(name).ok().flatten();
        user("postgres")
            .or_else(|| user("nobody"))
            .expect("there is a user to run PostgreSQL as")
    })
}

fn find_binaries() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let folders =
        std::env::split_paths(&path).chain(of_debian.map(|version| version.path().join("bin")));
    let mut complete =
        folders.filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists());
    complete
        .next()
        .expect("these tests need a PostgreSQL server: initdb and postgres in PATH")
}
