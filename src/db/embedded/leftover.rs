//! What a server that did not end in good order left behind: itself, if only its watchdog was killed, or its pid files.
//!
//! It never signals a process but the server of this very folder, and is for callers who hold the folder's lock and
//! know that there is no watchdog. Read on in `session`.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::{Instant, sleep};

use super::{
    error::{self, EmbeddedError},
    folder::Folder,
    watchdog::PATIENCE,
};

/// Stops a server that has lost its watchdog, and removes the pid files of a dead one that would keep the next from
/// starting.
pub(super) async fn end(folder: &Folder) -> Result<(), EmbeddedError> {
    let Some(pid) = recorded_pid(folder)? else {
        return Ok(());
    };
    if !is_server_of(pid, &folder.data()) {
        return match is_alive(pid) {
            // PostgreSQL would take any living process for its server.
            true => remove_pid_files(folder),
            // It clears up after a dead one itself, and looks for orphaned children first.
            false => Ok(()),
        };
    }
    tracing::warn!("stopping the PostgreSQL server {pid}, which has lost its watchdog");
    let deadline = Instant::now() + PATIENCE;
    while is_server_of(pid, &folder.data()) {
        if Instant::now() > deadline {
            return Err(folder.silent("ended after SIGINT", PATIENCE));
        }
        // If it fails, the process has just ended, or the deadline tells.
        let _ = kill(pid, Signal::SIGINT);
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The server's process id, as the server has written it down; `None` if it has ended in good order.
fn recorded_pid(folder: &Folder) -> Result<Option<Pid>, EmbeddedError> {
    let file = folder.data().join("postmaster.pid");
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text
            .lines()
            .next()
            .and_then(|line| line.parse().ok())
            // Zero and below would stand for whole groups of processes.
            .filter(|pid: &i32| *pid > 0)
            .map(Pid::from_raw)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error::io("read", &file)(error)),
    }
}

fn is_alive(pid: Pid) -> bool {
    kill(pid, None) != Err(Errno::ESRCH)
}

/// Whether the process is a PostgreSQL server on this data folder, and not another that has got the number of a dead
/// one.
fn is_server_of(pid: Pid, data: &Path) -> bool {
    let Some(line) = command_line(pid) else {
        return false;
    };
    let program = line.split(' ').next().map(Path::new);
    // A server's children call themselves `postgres: …`.
    let is_server = program
        .and_then(Path::file_name)
        .is_some_and(|name| name == "postgres" || name == "postmaster");
    if !is_server || !may_use(pid, data) {
        return false;
    }
    let option = format!(" -D {} ", data.display());
    if format!("{line} ").contains(&option) {
        return true;
    }
    // Started by hand. If its working folder may not be read, it counts as ours rather than share its data with a
    // second server.
    match fs::read_link(proc(pid).join("cwd")) {
        Ok(folder) => folder == data,
        Err(_) => !line.contains(" -D /"),
    }
}

/// A server runs as the owner of its data. Where there is no /proc to tell, it may be anybody.
fn may_use(pid: Pid, data: &Path) -> bool {
    match (fs::metadata(proc(pid)), fs::metadata(data)) {
        (Ok(process), Ok(data)) => process.uid() == data.uid(),
        _ => true,
    }
}

/// The arguments of a process, parted by spaces; `None` if there is no such process, or it is dead and waits to be
/// collected.
fn command_line(pid: Pid) -> Option<String> {
    let bytes = fs::read(proc(pid).join("cmdline"))
        .or_else(|_| {
            let mut ps = Command::new("/bin/ps");
            ps.args(["-ww", "-o", "args=", "-p", &pid.to_string()]);
            ps.output().map(|output| output.stdout)
        })
        .ok()?;
    let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
    let line = line.trim_end();
    (!line.is_empty()).then(|| line.to_owned())
}

fn proc(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

fn remove_pid_files(folder: &Folder) -> Result<(), EmbeddedError> {
    let in_data = folder.data().join("postmaster.pid");
    let in_socket_folder = folder.socket().join(".s.PGSQL.5432.lock");
    for file in [in_data, in_socket_folder] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error::io("remove", &file)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
