//! One process's hold on the server: joins or starts the server, notices its end, and leaves it.
//!
//! All of this happens under the folder's lock, one process at a time. Continue in `watchdog`.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    cluster,
    error::Error,
    folder::Folder,
    leftover,
    ready::is_ready,
    watchdog::{self, RESPONSE_TIMEOUT, WriteEnd},
};

/// How long a start waits for orphaned children of a killed server.
const MAX_ORPHAN_WAIT: Duration = Duration::from_secs(30);

/// How long a child process may take from its fork until it runs its program.
const FORK_TIMEOUT: Duration = Duration::from_millis(500);

/// One process's hold on the server.
#[derive(Debug)]
pub(crate) struct Holder {
    folder: Folder,
    binaries: Option<PathBuf>,
    hold: Hold,
}

/// What shows other processes that this one holds the server. The operating system releases it if this process dies.
#[derive(Debug)]
struct Hold {
    write_end: WriteEnd,
    // A lock that all holders share, so that the last one knows that it is the last.
    _presence: File,
    /// The watchdog, if this process started it.
    watchdog: Option<Child>,
}

impl Holder {
    /// Joins the folder's server or starts it. `binaries` is the folder of PostgreSQL's programs, if specified.
    /// Returns when the role can connect.
    pub(crate) async fn open(folder: Folder, binaries: Option<PathBuf>) -> Result<Self, Error> {
        let hold = hold(&folder, binaries.as_deref()).await?;
        Ok(Self {
            folder,
            binaries,
            hold,
        })
    }

    /// The folder of the server's socket.
    pub(crate) fn socket(&self) -> &Path {
        self.folder.socket()
    }

    /// Returns when the server is gone.
    pub(crate) async fn lost(&self) {
        let checks = async {
            // A failed check, for example for lack of file descriptors, proves nothing.
            while watchdog::is_there(&self.folder).unwrap_or(true) {
                self.folder.trim_log();
                sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = self.hold.write_end.hung_up() => {}
            () = checks => {}
        }
    }

    /// Restarts the server, or joins the one that another holder has started in the meantime.
    pub(crate) async fn reopen(&mut self) -> Result<(), Error> {
        if !self.folder.data().exists() {
            // The data was removed on purpose, for example with a test's folder. Do not create it again.
            tracing::error!(
                folder = %self.folder.top().display(),
                "the embedded PostgreSQL's data was removed; giving up"
            );
            std::future::pending::<()>().await;
        }
        // Otherwise the dead watchdog would stay a zombie for the life of this process.
        if let Some(watchdog) = &mut self.hold.watchdog {
            let _ = watchdog.try_wait();
        }
        self.hold = hold(&self.folder, self.binaries.as_deref()).await?;
        Ok(())
    }

    /// Leaves. The last holder waits until the server has stopped.
    pub(crate) async fn stop(self) {
        let Self { folder, hold, .. } = self;
        if let Err(error) = hold.release(&folder).await {
            tracing::error!(%error, "the embedded PostgreSQL did not shut down properly");
        }
    }
}

impl Hold {
    async fn release(self, folder: &Folder) -> Result<(), Error> {
        let _lock = folder.lock().await?;
        let Hold {
            write_end,
            _presence: presence,
            watchdog,
        } = self;
        drop(presence);
        let is_last = is_deserted_soon(folder).await;
        drop(write_end);
        if !is_last {
            return Ok(());
        }
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        while watchdog::is_there(folder)? {
            if Instant::now() > deadline {
                return Err(folder.unresponsive("ended", RESPONSE_TIMEOUT));
            }
            sleep(Duration::from_millis(5)).await;
        }
        if let Some(mut watchdog) = watchdog {
            let _ = watchdog.wait();
        }
        leftover::end(folder).await
    }
}

/// Whether no holder is left, now or within [`FORK_TIMEOUT`]. A child process of this one keeps all its locks from its fork until it
/// runs its program, so this process can seem to hold the server after it has left.
async fn is_deserted_soon(folder: &Folder) -> bool {
    let deadline = Instant::now() + FORK_TIMEOUT;
    while !folder.is_deserted() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(5)).await;
    }
    true
}

/// Joins the server or starts it. Returns when the role can connect.
async fn hold(folder: &Folder, binaries: Option<&Path>) -> Result<Hold, Error> {
    let lock = folder.lock().await?;
    let presence = folder.enter()?;
    loop {
        let (write_end, watchdog) = match WriteEnd::join(folder).await? {
            Some(write_end) => (write_end, None),
            None => {
                let (write_end, watchdog) = start(folder, binaries, &lock).await?;
                (write_end, Some(watchdog))
            }
        };
        // A server that this process only joined may die in the meantime.
        if watchdog.is_some() || is_ready(folder).await? {
            return Ok(Hold {
                write_end,
                _presence: presence,
                watchdog,
            });
        }
    }
}

/// Starts the server with its watchdog. Returns when the role can connect.
async fn start(
    folder: &Folder,
    binaries: Option<&Path>,
    lock: &File,
) -> Result<(WriteEnd, Child), Error> {
    let begun = Instant::now();
    loop {
        let server = cluster::prepare(folder, binaries, lock).await?;
        folder.trim_log();
        let log_length = folder.log_length();
        let (write_end, mut watchdog) = WriteEnd::start(folder, &server)?;
        if is_ready(folder).await? {
            return Ok((write_end, watchdog));
        }
        let _ = watchdog.wait();
        let output = folder.log_since(log_length);
        // Children of a killed server finish their current work before they notice, and use its shared memory until
        // then.
        let waits_for_orphans = output.contains("is still in use");
        if !waits_for_orphans || begun.elapsed() > MAX_ORPHAN_WAIT {
            let folder = folder.top().to_owned();
            return Err(Error::Exited { folder, output });
        }
        sleep(Duration::from_millis(200)).await;
    }
}
