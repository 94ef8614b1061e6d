//! The program as its own process.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use serde_json::Value;

use super::{Client, SECRET, service_url_of, soon, text};

/// The program with nothing of this process's environment, in this folder.
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snapnote"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SNAPNOTE_LISTEN", "127.0.0.1:0")
        // On a busy machine, anything can be slow, which would be a warning.
        .env("SNAPNOTE_SLOW", "1h")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs a program that ends by itself.
pub(crate) async fn output_of(command: &mut Command) -> Output {
    soon("the program ends", command.output()).await.unwrap()
}

/// An empty folder, removed when it is dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unique = format!("snapnote-program-{}-{number}-{name}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that serves requests.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) client: Client,
    /// For the listener of metrics. Only known if the program prints JSON.
    pub(crate) metrics: Option<Client>,
}

/// The URLs in a line that the program prints: one, or all of them as JSON.
fn printed_urls(line: &str) -> Vec<(String, String)> {
    if let Some((name, url)) = line.split_once(' ').filter(|_| !line.starts_with('{')) {
        return vec![(name.to_ascii_lowercase(), url.trim().to_owned())];
    }
    let line: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
    assert_eq!(line["level"], "INFO");
    let urls = line.into_iter().filter(|(_, value)| {
        let value = value.as_str();
        value.is_some_and(|value| value.starts_with("http"))
    });
    urls.map(|(name, url)| (name, text(&url))).collect()
}

impl Serving {
    /// Starts the program, and waits until it has printed its addresses.
    pub(crate) async fn start(command: &mut Command) -> Serving {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut urls = HashMap::new();
        while !urls.contains_key("schema") {
            let line = soon("the program serves", lines.next_line()).await;
            urls.extend(printed_urls(&line.unwrap().expect("it serves")));
        }
        let base = urls["api"].strip_suffix("/graphql").unwrap();
        assert_eq!(urls["graphiql"], format!("{base}/graphiql"));
        assert_eq!(urls["docs"], format!("{base}/docs"));
        assert_eq!(urls["schema"], format!("{base}/schema.graphql"));
        let address = |base: &str| base.strip_prefix("http://").unwrap().parse().unwrap();
        let metrics = urls.get("metrics");
        let metrics = metrics.map(|url| address(url.strip_suffix("/metrics").unwrap()));
        Serving {
            client: Client::new(address(base)),
            metrics: metrics.map(Client::new),
            child,
        }
    }

    /// Serves a database of the tests with the tests' secret.
    pub(crate) async fn on(database: &str, environment: &[(&str, &str)]) -> Serving {
        let mut command = program(&std::env::temp_dir(), &["serve"]);
        command
            .env("DATABASE_URL", service_url_of(database).await)
            .env("SNAPNOTE_JWT_SECRET", std::str::from_utf8(SECRET).unwrap())
            .envs(environment.iter().copied());
        Serving::start(&mut command).await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().expect("it runs")).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits until it has ended. Returns its exit code and its standard error.
    pub(crate) async fn end(mut self) -> (Option<i32>, String) {
        let mut printed = String::new();
        let mut error = self.child.stderr.take().unwrap();
        let status = soon("the program ends", self.child.wait()).await;
        error.read_to_string(&mut printed).await.unwrap();
        (status.unwrap().code(), printed)
    }
}
