//! Helpers: temporary folders, and other processes that hold one.
//!
//! Such a process is this test binary again. It runs only [`holder`], for the folder in an environment variable.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use embedded_postgres::{Embedded, Error, Settings};
use nix::unistd::Pid;
use tokio_postgres::{Client, NoTls};

/// The name of the role and its database.
pub(super) const NAME: &str = "tester";

/// The environment variable with the folder that a [`holder`] holds.
const HOLDERS_FOLDER: &str = "EMBEDDED_POSTGRES_TEST_FOLDER";

/// Another process that holds a folder.
pub(super) struct Holder {
    pub(super) process: Child,
    stdin: ChildStdin,
    // The test harness in the process needs it to end properly.
    _stdout: BufReader<ChildStdout>,
    pub(super) url: String,
}

impl Holder {
    /// Returns when its server accepts connections.
    pub(super) fn start(folder: &Path) -> Self {
        let mut process = Self::spawn(folder);
        let stdin = process.stdin.take().expect("it is piped");
        let mut stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let url = stdout
            .by_ref()
            .lines()
            .map(|line| line.expect("it is text"))
            .find_map(|line| line.strip_prefix("ready ").map(str::to_owned))
            .expect("it becomes ready");
        Self {
            process,
            stdin,
            _stdout: stdout,
            url,
        }
    }

    pub(super) fn spawn(folder: &Path) -> Child {
        let this_binary = std::env::current_exe().expect("it is known");
        let holder = std::any::type_name_of_val(&holder)
            .split_once("::")
            .expect("it is in a module")
            .1;
        Command::new(this_binary)
            .args(["--exact", holder, "--ignored", "--nocapture"])
            .env(HOLDERS_FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("this binary can be run again")
    }

    pub(super) fn leave(mut self) {
        drop(self.stdin);
        assert!(self.process.wait().expect("it is our child").success());
    }

    pub(super) fn kill(mut self) {
        self.process.kill().expect("it is our child");
        self.process.wait().expect("it is our child");
    }
}

/// Not a test: another process runs it. It holds the folder until its standard input ends.
#[tokio::test]
#[ignore = "other tests run it in a separate process"]
async fn holder() {
    let Some(folder) = std::env::var_os(HOLDERS_FOLDER) else {
        return;
    };
    let embedded = start(Path::new(&folder)).await;
    println!("\nready {}", embedded.url());
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    read.await
        .expect("it does not panic")
        .expect("it can be read");
    embedded.stop().await;
}

/// A temporary folder that is removed with the test. The server's account can enter it.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("embedded-postgres-test-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the temporary folder can be written");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Self(folder.canonicalize().expect("it is there"))
    }

    /// The server's folder, not created yet.
    pub(super) fn folder(&self) -> PathBuf {
        self.0.join("postgres")
    }

    pub(super) fn server(&self) -> Pid {
        self.try_server().expect("a server runs")
    }

    pub(super) fn try_server(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.folder().join("data/postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok().map(Pid::from_raw)
    }

    pub(super) fn has_watchdog(&self) -> bool {
        let receipt = self.folder().join("socket/receipt");
        ps(&["-ww", "-A", "-o", "args="]).contains(receipt.to_str().expect("it is text"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn settings(folder: &Path) -> Settings {
    Settings {
        name: NAME.to_owned(),
        folder: folder.to_owned(),
        binaries: None,
        durable: false,
    }
}

pub(super) async fn start(folder: &Path) -> Embedded {
    match Embedded::start(settings(folder)).await {
        Ok(embedded) => embedded,
        Err(error) => panic!("{error}"),
    }
}

pub(super) async fn assert_rejected(folder: &Path, cause: &str) -> String {
    let error = Embedded::start(settings(folder))
        .await
        .expect_err("it is rejected");
    let message = error.to_string();
    assert!(matches!(error, Error::Rejected { .. }), "{message}");
    assert!(message.contains(cause), "{message}");
    message
}

pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the server accepts connections");
    tokio::spawn(connection);
    client
}

/// Connects as soon as there is a server again after a crash.
pub(super) async fn connect_patiently(url: &str) -> Client {
    let begun = Instant::now();
    loop {
        let attempt = tokio_postgres::connect(url, NoTls).await;
        if let Ok((client, connection)) = attempt {
            tokio::spawn(connection);
            // A child of the dead server would not survive the query.
            if client.simple_query("SELECT 1").await.is_ok() {
                return client;
            }
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no server for 30 seconds"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The text of the only value that a query returns.
pub(super) async fn ask(client: &Client, query: &str) -> String {
    let messages = client.simple_query(query).await.expect(query);
    let value = messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    value.expect("it returns a value")
}

pub(super) async fn assert_responds(url: &str) {
    assert_eq!(ask(&connect(url).await, "SELECT 1").await, "1");
}

pub(super) async fn run(client: &Client, statement: &str) {
    client.batch_execute(statement).await.expect(statement);
}

pub(super) fn until(awaited: &str, mut has_happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !has_happened() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "30 seconds later it is not true that {awaited}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the process runs. A zombie does not.
pub(super) fn is_alive(pid: Pid) -> bool {
    !matches!(ask_ps("state=", pid).chars().next(), None | Some('Z'))
}

/// The members of a process group.
pub(super) fn group_of(leader: &str) -> Vec<Pid> {
    ps(&["-A", "-o", "pgid=,pid="])
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .filter(|(group, _)| *group == leader)
        .map(|(_, member)| Pid::from_raw(member.trim().parse().expect("a number")))
        .collect()
}

pub(super) fn ask_ps(column: &str, pid: Pid) -> String {
    ps(&["-o", column, "-p", &pid.to_string()])
        .trim()
        .to_owned()
}

fn ps(arguments: &[&str]) -> String {
    let output = Command::new("ps").args(arguments).output();
    String::from_utf8_lossy(&output.expect("ps can be run").stdout).into_owned()
}
