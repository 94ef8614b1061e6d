//! What the program does when file descriptors run out.

use std::{net::SocketAddr, path::Path};

use nix::sys::signal::Signal;
use tokio::{net::TcpStream, process::Command};

use super::{SECRET, text};
use crate::support::{
    Folder, Serving, eventually, migrated_database, output_of, program, read_answer, sent, url_of,
};

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

/// The program with these limits of open files.
async fn limited(folder: &Path, limits: &str) -> Command {
    let program = program(folder, &["serve"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{limits}; exec \"$0\" serve")])
        .arg(program.as_std().get_program())
        .env_clear()
        .envs(
            program
                .as_std()
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("DATABASE_URL", url_of(&migrated_database().await).await)
        .env("SNAPNOTE_JWT_SECRET", SECRET)
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The status of a health check on a connection of its own.
async fn health(address: SocketAddr) -> u16 {
    read_answer(&mut sent(address, HEALTHZ).await).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_too_low_is_rejected_and_a_low_one_reduces_the_connections() {
    let folder = Folder::new("low-limit");
    let output = output_of(&mut limited(&folder.0, "ulimit -n 60").await).await;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    for part in [
        "limit of open files is 60",
        "at least",
        "ulimit -n",
        "SNAPNOTE_POOL_MAX",
    ] {
        assert!(error.contains(part), "{error}");
    }

    let mut command = limited(&folder.0, "ulimit -n 160").await;
    command.env("SNAPNOTE_LOG_FORMAT", "json");
    let serving = Serving::start(&mut command).await;
    let address = serving.client.address;
    // Far more connections than the limit allows, none of which sends anything.
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    for _ in 0..5 {
        assert_eq!(health(address).await, 200);
    }
    drop(idle);
    let log = recovers_and_ends(serving).await;
    let warning = log
        .lines()
        .find(|line| line.contains("limit of open files"));
    let warning: serde_json::Value = serde_json::from_str(warning.expect(&log)).unwrap();
    assert_eq!(warning["level"], "WARN");
    assert_eq!(warning["limit"], 160);
    assert!(warning["available"].as_u64().unwrap() < 100, "{warning}");
    assert!(!log.contains("Too many open files"), "{log}");
}

/// Waits until requests are served again, and stops the program. Returns its log.
async fn recovers_and_ends(serving: Serving) -> String {
    eventually("requests are served again", async || {
        let answer = serving
            .client
            .http("GET", "/schema.graphql", &[], b"")
            .await;
        answer.status == 200
    })
    .await;
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0), "{log}");
    log
}

/// The soft limit of open files of a process.
#[cfg(target_os = "linux")]
fn soft_limit(serving: &Serving) -> u64 {
    let pid = serving.child.id().unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    line.unwrap()
        .split_whitespace()
        .nth(3)
        .unwrap()
        .parse()
        .unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_soft_limit_is_raised_as_far_as_the_settings_need() {
    let folder = Folder::new("soft-limit");
    let mut command = limited(&folder.0, "ulimit -Sn 64").await;
    command
        .env("SNAPNOTE_MAX_CONNECTIONS", "300")
        .env("SNAPNOTE_MAX_SOCKETS", "200")
        .env("SNAPNOTE_STORAGE_URL", "s3://bucket?region=r")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "a");
    let serving = Serving::start(&mut command).await;
    let limit = soft_limit(&serving);
    assert!((500..700).contains(&limit), "{limit}");
    serving.signal(Signal::SIGTERM);
    let (_, log) = serving.end().await;
    assert!(!log.contains("WARN"), "{log}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn health_checks_are_answered_without_any_free_descriptor() {
    let folder = Folder::new("no-descriptors");
    let serving = Serving::start(&mut limited(&folder.0, "ulimit -n 1000").await).await;
    let address = serving.client.address;
    let pid = serving.child.id().unwrap();
    let in_use = || {
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .count()
    };
    let mut idle = vec![TcpStream::connect(address).await.unwrap()];
    assert_eq!(health(address).await, 200);
    let limit = in_use() + 5;
    let limit = format!("--nofile={limit}:1000");
    let mut prlimit = Command::new("prlimit");
    let limited = output_of(prlimit.args(["--pid", &pid.to_string(), &limit])).await;
    assert!(limited.status.success(), "{limited:?}");
    for _ in 0..200 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    for _ in 0..5 {
        assert_eq!(health(address).await, 200);
    }
    let request = "GET /schema.graphql HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = read_answer(&mut sent(address, request).await).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let restored =
        output_of(Command::new("prlimit").args(["--pid", &pid.to_string(), "--nofile=1000:1000"]))
            .await;
    assert!(restored.status.success(), "{restored:?}");
    let log = recovers_and_ends(serving).await;
    let warnings = log.matches("out of file descriptors").count();
    assert_eq!(warnings, 1, "{log}");
}
