//! The program as an operator runs it: what it says, how it ends, and that it never tells a secret.
//!
//! With a database of its own it is in `alone`; what it does to a database and ends is in `commands`.

mod alone;
mod commands;

use std::{
    path::Path,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    migrations,
    support::{Client, empty_database, migrated_database, url_of},
};

const SECRET: &str = "a secret of the tests, long enough to be one";

/// The program with nothing of this process's environment, in a folder of its own.
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snapnote"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SNAPNOTE_LISTEN", "127.0.0.1:0")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// An empty folder, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let unique = format!("snapnote-program-{}-{name}", std::process::id());
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

async fn ended(command: &mut Command) -> Output {
    let output = timeout(Duration::from_secs(30), command.output()).await;
    output.expect("it ends in time").unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program that serves, once it has said where.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) client: Client,
}

impl Serving {
    pub(crate) async fn start(command: &mut Command) -> Serving {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let read = async {
            let mut said = Vec::new();
            while said.len() < 3 {
                let line = lines.next_line().await.unwrap();
                said.push(line.expect("it serves"));
            }
            said
        };
        let said = timeout(Duration::from_secs(30), read).await.unwrap();
        let base = said[0].strip_prefix("API       ").unwrap();
        let base = base.strip_suffix("/graphql").unwrap();
        assert_eq!(said[1], format!("GraphiQL  {base}/graphiql"));
        assert_eq!(said[2], format!("Schema    {base}/schema.graphql"));
        let address = base.strip_prefix("http://").unwrap().parse().unwrap();
        let client = Client {
            address,
            token: None,
        };
        Serving { child, client }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().expect("it lives")).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Its exit code, and what it said on standard error.
    async fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        let mut error = self.child.stderr.take().unwrap();
        let status = timeout(Duration::from_secs(30), self.child.wait()).await;
        error.read_to_string(&mut said).await.unwrap();
        (status.expect("it ends in time").unwrap().code(), said)
    }
}

/// The environment that a program is given, and what its message must say.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_one_line_with_a_remedy() {
    let folder = Folder::new("wrong");
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let url = "postgres://ada:hush-hush@127.0.0.1:1/notes";
    let table: [Case<'_>; 8] = [
        (
            &[("DATABASE_URL", url)],
            &["SNAPNOTE_JWT_SECRET is not set", "openssl rand -base64 48"],
        ),
        (
            &[("DATABASE_URL", url), ("SNAPNOTE_JWT_SECRET", "hush-hush")],
            &["SNAPNOTE_JWT_SECRET has 9 bytes", "openssl rand -base64 48"],
        ),
        (
            &[("DATABASE_URL", url), ("SNAPNOTE_JWT_SECRET", SECRET)],
            &["127.0.0.1:1", "check that PostgreSQL is running there"],
        ),
        (
            &[("DATABASE_URL", ""), ("SNAPNOTE_JWT_SECRET", SECRET)],
            &["DATABASE_URL"],
        ),
        (
            &[("SNAPNOTE_LISTEN", &taken)],
            &[&taken, "Set SNAPNOTE_LISTEN"],
        ),
        (
            &[("SNAPNOTE_POOL_KEPT", "99")],
            &["SNAPNOTE_POOL_KEPT is 99"],
        ),
        (
            &[("SNAPNOTE_PG_BIN", "/nowhere")],
            &["/nowhere", "SNAPNOTE_PG_BIN"],
        ),
        (&[("SNAPNOTE_LOG", "a=b=c")], &["SNAPNOTE_LOG"]),
    ];
    for (settings, said) in table {
        let mut command = program(&folder.0, &["serve"]);
        let output = ended(command.envs(settings.iter().copied())).await;
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{settings:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(said.iter().all(|part| error.contains(part)), "{error}");
        assert!(!error.contains("hush-hush"), "{error}");
        assert_eq!(text(&output.stdout), "", "nothing is served");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_settings_is_read_and_the_environment_wins() {
    let folder = Folder::new("env");
    let file = folder.0.join(".env");
    std::fs::write(&file, "SNAPNOTE_POOL_MAX=3\nSNAPNOTE_POOL_KEPT=4\n").unwrap();
    let output = ended(&mut program(&folder.0, &["schema"])).await;
    assert!(text(&output.stderr).contains("SNAPNOTE_POOL_KEPT is 4"));
    let mut command = program(&folder.0, &["schema"]);
    let output = ended(command.env("SNAPNOTE_POOL_KEPT", "2")).await;
    assert!(output.status.success(), "{output:?}");

    std::fs::write(&file, "SNAPNOTE_JWT_SECRET=hush hush\n").unwrap();
    let output = ended(&mut program(&folder.0, &["schema"])).await;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains(".env") && !error.contains("hush"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_names_every_setting_and_shows_no_secret() {
    let folder = Folder::new("help");
    let mut command = program(&folder.0, &["--help"]);
    let secrets = [
        ("SNAPNOTE_JWT_SECRET", "hush-hush"),
        ("DATABASE_URL", "postgres://ada:hush-hush@db/notes"),
    ];
    let output = ended(command.envs(secrets)).await;
    let help = text(&output.stdout);
    assert!(output.status.success() && !help.contains("hush-hush"));
    let listed = include_str!("../../.env.example").lines();
    let names = listed.filter_map(|line| line.trim_start_matches("# ").split_once('='));
    for (name, _) in names.filter(|(name, _)| !name.contains(' ')) {
        assert!(help.contains(name), "{name} is missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_printed_also_to_a_reader_that_goes_away() {
    let folder = Folder::new("schema");
    let output = ended(&mut program(&folder.0, &["schema"])).await;
    assert_eq!(text(&output.stdout), include_str!("../../schema.graphql"));
    let mut child = program(&folder.0, &["schema"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_schema_is_not_served_until_it_is_migrated() {
    let folder = Folder::new("migrate");
    let database = url_of(&empty_database().await).await;
    let run = |arguments: &'static [&'static str]| {
        let mut command = program(&folder.0, arguments);
        command
            .env("DATABASE_URL", &database)
            .env("SNAPNOTE_JWT_SECRET", SECRET);
        command
    };
    let output = ended(&mut run(&[])).await;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let migrations = migrations::names();
    assert!(error.contains(migrations.last().unwrap()), "{error}");
    assert!(error.contains("snapnote migrate up"), "{error}");

    let status = async || text(&ended(&mut run(&["migrate", "status"])).await.stdout);
    assert_eq!(status().await.matches("pending ").count(), migrations.len());
    let up = text(&ended(&mut run(&["migrate", "up"])).await.stdout);
    assert_eq!(up.matches("applied ").count(), migrations.len(), "{up}");
    let again = text(&ended(&mut run(&["migrate", "up"])).await.stdout);
    assert_eq!(again, "The schema is up to date.\n");
    let down = text(&ended(&mut run(&["migrate", "down", "2"])).await.stdout);
    assert_eq!(down.matches("reverted ").count(), 2, "{down}");
    assert_eq!(status().await.matches("pending ").count(), 2);

    let serving = Serving::start(&mut run(&["serve", "--migrate"])).await;
    let ready = serving.client.http("GET", "/readyz", &[], b"").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.0, Some(0));
    assert_eq!(status().await.matches("applied ").count(), migrations.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_stops_it_and_a_second_one_at_once() {
    let folder = Folder::new("signals");
    let database = url_of(&migrated_database().await).await;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut command = program(&folder.0, &[]);
        command
            .env("DATABASE_URL", &database)
            .env("SNAPNOTE_JWT_SECRET", SECRET);
        let serving = Serving::start(&mut command).await;
        serving.signal(signal);
        let (code, said) = serving.end().await;
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");

        let serving = Serving::start(&mut command).await;
        // Half a request that has a body keeps it: the head is there, so it is in flight.
        let mut stream = TcpStream::connect(serving.client.address).await.unwrap();
        let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        serving.signal(signal);
        tokio::time::sleep(Duration::from_millis(600)).await;
        let begun = Instant::now();
        serving.signal(signal);
        assert_eq!(serving.end().await.0, Some(130));
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_json_when_asked_and_tells_no_token() {
    let folder = Folder::new("log");
    let database = url_of(&migrated_database().await).await;
    let mut command = program(&folder.0, &[]);
    command
        .env("DATABASE_URL", &database)
        .env("SNAPNOTE_JWT_SECRET", SECRET)
        .env("SNAPNOTE_LOG", "trace")
        .env("SNAPNOTE_LOG_FORMAT", "json");
    let serving = Serving::start(&mut command).await;
    let sign_up = r#"{"query":"mutation($p: String!) { signUp(input: { email: \"a@b.cd\", password: $p, name: \"Ada\" }) {
        accessToken refreshToken userErrors { code } } }","variables":{"p":"correct horse battery"}}"#
        .replace('\n', " ");
    let headers = [
        ("content-type", "application/json"),
        ("x-request-id", "traced-1"),
    ];
    let client = serving.client.clone();
    let answer = client
        .http("POST", "/graphql", &headers, sign_up.as_bytes())
        .await
        .json();
    let payload = &answer["data"]["signUp"];
    let access = payload["accessToken"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"));
    let refresh = payload["refreshToken"].as_str().unwrap();
    let signed_in = Client {
        token: Some(access.to_owned()),
        ..client
    };
    signed_in.data("{ me { id } }", serde_json::json!({})).await;
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0));
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter(|line| !line.starts_with("snapnote: "))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let answered = lines
        .iter()
        .find(|line| line["message"] == "request finished" && line["span"]["id"] == "traced-1");
    assert_eq!(answered.expect("the answer is logged")["status"], 200);
    for secret in [SECRET, access, refresh, "correct horse battery"] {
        assert!(!log.contains(secret), "the log tells {secret}");
    }
}
