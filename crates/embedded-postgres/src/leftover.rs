//! Cleans up after a server that did not shut down properly: the server itself if only its watchdog died, or its pid
//! files.
//!
//! Only the server of this folder is ever signalled. Callers hold the folder's lock and know that there is no watchdog.
//! Continue in `holder`.

use std::{
    fs,
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

use crate::{
    error::{self, Error},
    folder::Folder,
    watchdog::RESPONSE_TIMEOUT,
};

/// Stops a server that has lost its watchdog, and removes the pid files of a dead server that would prevent the next
/// start.
pub(crate) async fn end(folder: &Folder) -> Result<(), Error> {
    let Some(pid) = recorded_pid(folder)? else {
        return Ok(());
    };
    if !is_server_of(pid, &folder.data()) {
        return match is_alive(pid) {
            // PostgreSQL would take any living process for its server.
            true => remove_pid_files(folder),
            // PostgreSQL removes the files of a dead server itself, and looks for orphaned children first.
            false => Ok(()),
        };
    }
    tracing::warn!(%pid, "stopping a PostgreSQL server that has lost its watchdog");
    let deadline = Instant::now() + RESPONSE_TIMEOUT;
    while is_server_of(pid, &folder.data()) {
        if Instant::now() > deadline {
            return Err(folder.unresponsive("ended after SIGINT", RESPONSE_TIMEOUT));
        }
        // On failure the process has just ended, or the deadline reports it.
        let _ = kill(pid, Signal::SIGINT);
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The server's process id as the server recorded it. `None` if the server shut down properly.
fn recorded_pid(folder: &Folder) -> Result<Option<Pid>, Error> {
    let file = folder.data().join("postmaster.pid");
    let text = error::if_exists(fs::read_to_string(&file)).map_err(error::io("read", &file))?;
    Ok(text
        .and_then(|text| text.lines().next()?.parse().ok())
        // Zero and negative numbers would address whole process groups.
        .filter(|pid: &i32| *pid > 0)
        .map(Pid::from_raw))
}

fn is_alive(pid: Pid) -> bool {
    kill(pid, None) != Err(Errno::ESRCH)
}

/// Whether the process is a PostgreSQL server on this data directory, and not another process that reuses the number of
/// a dead one.
fn is_server_of(pid: Pid, data: &Path) -> bool {
    let Some(line) = command_line(pid) else {
        return false;
    };
    let program = line.split(' ').next().map(Path::new);
    // The server's children show `postgres: …` instead.
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
    // An operator started the server by hand. If its working folder cannot be read, treat it as the folder's server
    // rather than start a second server on the same data.
    match fs::read_link(proc(pid).join("cwd")) {
        Ok(folder) => folder == data,
        Err(_) => !line.contains(" -D /"),
    }
}

/// A server runs as the owner of its data. Without /proc, any process may.
fn may_use(pid: Pid, data: &Path) -> bool {
    match (fs::metadata(proc(pid)), fs::metadata(data)) {
        (Ok(process), Ok(data)) => process.uid() == data.uid(),
        _ => true,
    }
}

/// The arguments of a process, separated by spaces. `None` if the process does not exist or is a zombie.
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

fn remove_pid_files(folder: &Folder) -> Result<(), Error> {
    let in_data = folder.data().join("postmaster.pid");
    let in_socket_folder = folder.socket().join(".s.PGSQL.5432.lock");
    for file in [in_data, in_socket_folder] {
        error::if_exists(fs::remove_file(&file)).map_err(error::io("remove", &file))?;
    }
    Ok(())
}
