//! The watchdog: a shell that is the server's parent, and the FIFO between it and the processes that hold the server.
//!
//! Holders have the write end, the watchdog has the read end. The operating system closes an end when its process dies,
//! for whatever reason. The watchdog reads end-of-file after the last holder is gone, and stops the server. A holder's
//! write end reports an error when the watchdog is gone, which happens as soon as the server is gone. The holder then
//! starts both again.
//!
//! A holder that arrives while the watchdog stops the server can still open the FIFO, but too late to count. So each new
//! holder writes a line and waits for a receipt: a watchdog that still reads cannot miss this holder.
//!
//! Callers hold the folder's lock, so there is never a second watchdog. Continue in `holder`.

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

use crate::{
    error::{self, Error},
    folder::Folder,
};

/// How long a watchdog may take to respond, or to end after it began to stop the server. A last checkpoint can take a
/// while.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);

/// Arguments: the receipt's path, then the server's command line. Standard input: the FIFO. Standard output and error:
/// the log.
///
/// - The watchdog ignores signals that a terminal or a service manager sends to all processes. The server sets its own
///   handlers.
/// - The standard input of a background command is /dev/null, so the FIFO moves to descriptor 3.
/// - SIGINT requests a fast shutdown. It is repeated, because a server that is just starting ignores it.
/// - `true >file` instead of `: >file`, because a failure of the latter would end the shell.
/// - The last line ends the process group, which now contains only the reader. That closes the FIFO's read end.
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

/// A holder's write end of the FIFO.
#[derive(Debug)]
pub(crate) struct WriteEnd(pipe::Sender);

impl WriteEnd {
    /// Joins the holders of a running server. `None` if there is no watchdog, or it is stopping the server.
    pub(crate) async fn join(folder: &Folder) -> Result<Option<Self>, Error> {
        let Some(end) = open(folder)? else {
            return Ok(None);
        };
        let receipt = folder.receipt();
        error::if_exists(fs::remove_file(&receipt)).map_err(error::io("remove", &receipt))?;
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        while Instant::now() < deadline {
            // Returns immediately, except at the first check of the descriptor.
            let written = match end.writable().await {
                Ok(()) => end.try_write(b"\n"),
                Err(error) => Err(error),
            };
            match written {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(None),
                // A full FIFO means that a stopping watchdog no longer reads it.
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
        Err(folder.unresponsive("responded to a new process or ended", RESPONSE_TIMEOUT))
    }

    /// Starts a watchdog with its server, `command`, and becomes its first holder. There must not be a watchdog yet.
    pub(crate) fn start(folder: &Folder, command: &Command) -> Result<(Self, Child), Error> {
        let fifo = folder.fifo();
        match nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR) {
            // The holders of a server that died keep its FIFO and count with the next watchdog.
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(error::io("create the FIFO", &fifo)(errno.into())),
        }
        // Both ends exist before the watchdog does. So it neither waits for a first holder nor misses its death.
        let read_end = pipe::OpenOptions::new()
            .open_receiver(&fifo)
            .and_then(pipe::Receiver::into_blocking_fd)
            .map_err(error::io("read", &fifo))?;
        let Some(write_end) = open(folder)? else {
            return Err(error::io("write to", &fifo)(ErrorKind::BrokenPipe.into()));
        };
        let log = folder.open_log()?;
        let errors = log
            .try_clone()
            .map_err(error::io("share the log", &folder.log()))?;
        let child = folder
            .account()
            .command("/bin/sh")
            .args(["-c", SCRIPT, &format!("{}-watchdog", folder.name())])
            .arg(folder.receipt())
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::from(read_end))
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(error::io("start a shell to watch over", folder.top()))?;
        Ok((Self(write_end), child))
    }

    /// Returns when the watchdog is gone. Some systems do not report this, so callers also check from time to time.
    pub(crate) async fn hung_up(&self) {
        let _ = self.0.ready(Interest::ERROR).await;
    }
}

/// Whether the server has a watchdog, including one that is stopping it.
pub(crate) fn is_there(folder: &Folder) -> Result<bool, Error> {
    Ok(open(folder)?.is_some())
}

/// Opens the write end, which succeeds only while there is a reader. Child processes do not inherit it.
fn open(folder: &Folder) -> Result<Option<pipe::Sender>, Error> {
    match pipe::OpenOptions::new().open_sender(folder.fifo()) {
        Ok(end) => Ok(Some(end)),
        Err(error) if is_without_reader(&error) => Ok(None),
        Err(error) => Err(error::io("open the FIFO", &folder.fifo())(error)),
    }
}

fn is_without_reader(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENXIO as i32)
}
