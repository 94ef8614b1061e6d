//! The watchdog: a shell that is the server's parent, and the FIFO through which it and the users of the server know of
//! each other.
//!
//! Users hold the write end, the watchdog the read end, and the system closes either when its process dies, however it
//! dies. The watchdog reads end-of-file when the last user is gone: it stops the server. A user's end reports an error
//! when the watchdog is gone, which it is as soon as the server is: the user starts both again.
//!
//! A user that comes while the watchdog is stopping the server opens the FIFO as well, but too late to be counted. So
//! each writes a line and waits for its receipt: a watchdog that still reads cannot miss the writer any more.
//!
//! Nothing here starts a second watchdog beside a living one: callers hold the folder's lock. Read on in `session`.

use std::{
    fs,
    io::{self, ErrorKind},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{errno::Errno, sys::stat::Mode};
use tokio::{
    io::Interest,
    net::unix::pipe,
    time::{Instant, sleep},
};

use super::{
    error::{self, EmbeddedError},
    folder::Folder,
};

/// How long a watchdog may take to answer or, once it has begun to stop the server, to end. A last checkpoint can take
/// a while.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// Arguments: the receipt's path, then the server's command line. Standard input: the FIFO; standard output and error:
/// the log.
///
/// - Signals that a terminal or a service manager sends to everybody are not for the watchdog. The server sets its own
///   handlers.
/// - A background command's standard input is /dev/null, hence descriptor 3.
/// - SIGINT asks for a fast shutdown. It is repeated, since a server that is just starting does not hear it yet.
/// - `true >file`, not `: >file`: a failure of the latter would end the shell.
/// - At the end the group, which holds nobody else any more, goes with the reader, and so does the FIFO's read end.
const SCRIPT: &str = r#"
receipt=$1
shift
trap '' HUP INT TERM
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
{
    while read -r line; do true >"$receipt"; done
    while kill -INT "$server"; do sleep 1 </dev/null; done
} <&3 3<&- 2>/dev/null &
exec 3<&-
wait "$server"
kill -KILL 0
"#;

/// A user's end of the FIFO.
#[derive(Debug)]
pub(super) struct UserEnd(pipe::Sender);

impl UserEnd {
    /// Joins the users of a running server; `None` if there is no watchdog, or none any more.
    pub(super) async fn join(folder: &Folder) -> Result<Option<Self>, EmbeddedError> {
        let Some(end) = open(folder)? else {
            return Ok(None);
        };
        let receipt = folder.receipt();
        if let Err(error) = fs::remove_file(&receipt)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error::io("remove", &receipt)(error));
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            // Ready at once: it waits only for the first look at the descriptor.
            let written = match end.writable().await {
                Ok(()) => end.try_write(b"\n"),
                Err(error) => Err(error),
            };
            match written {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(None),
                // A full FIFO is one that a stopping watchdog does not read any more.
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    return Err(error::io("write to", &folder.fifo())(error));
                }
                _ => {}
            }
            sleep(Duration::from_millis(2)).await;
            if receipt.exists() {
                return Ok(Some(Self(end)));
            }
        }
        Err(folder.silent("answered to a new user or ended", PATIENCE))
    }

    /// Starts a watchdog with its server, `command`, and becomes its first user. There must not be one already.
    pub(super) fn start(
        folder: &Folder,
        command: &Command,
    ) -> Result<(Self, Child), EmbeddedError> {
        let fifo = folder.fifo();
        match nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR) {
            // The users of a server that died hold its FIFO and count with the next watchdog.
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(error::io("make the FIFO", &fifo)(errno.into())),
        }
        // Both ends exist before the watchdog does: it can neither wait for a first user nor miss that the first one
        // died.
        let read_end = pipe::OpenOptions::new()
            .open_receiver(&fifo)
            .and_then(pipe::Receiver::into_blocking_fd)
            .map_err(error::io("read", &fifo))?;
        let Some(user_end) = open(folder)? else {
            return Err(error::io("write to", &fifo)(ErrorKind::BrokenPipe.into()));
        };
        let log = folder.open_log()?;
        let log_again = log
            .try_clone()
            .map_err(error::io("share the log", &folder.log()))?;
        let child = folder
            .account()
            .command("/bin/sh")
            .args(["-c", SCRIPT, "snapnote-watchdog"])
            .arg(folder.receipt())
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::from(read_end))
            .stdout(log)
            .stderr(log_again)
            .spawn()
            .map_err(error::io("start a shell to watch over", folder.top()))?;
        Ok((Self(user_end), child))
    }

    /// Returns when the watchdog is gone. On some systems that is not reported: callers look from time to time as well.
    pub(super) async fn hung_up(&self) {
        let _ = self.0.ready(Interest::ERROR).await;
    }
}

/// Whether the server has a watchdog, be it one that is just stopping it.
pub(super) fn is_there(folder: &Folder) -> Result<bool, EmbeddedError> {
    Ok(open(folder)?.is_some())
}

/// Opens the write end, which is possible only while there is a reader. No child inherits it: it is closed on exec.
fn open(folder: &Folder) -> Result<Option<pipe::Sender>, EmbeddedError> {
    match pipe::OpenOptions::new().open_sender(folder.fifo()) {
        Ok(end) => Ok(Some(end)),
        Err(error) if is_without_reader(&error) => Ok(None),
        Err(error) => Err(error::io("open the FIFO", &folder.fifo())(error)),
    }
}

fn is_without_reader(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENXIO as i32)
}
