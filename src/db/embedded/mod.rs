//! The PostgreSQL that the service starts itself when `DATABASE_URL` is not set, and the throw-away servers of the
//! tests.
//!
//! Processes that name the same folder share one server. Each holds the write end of a FIFO whose reader, a small `sh`
//! watchdog, is the server's parent: when the last write end is gone, however its process died, the watchdog stops the
//! server; when the server dies, the FIFO loses its reader, and the processes that still hold it start the server anew.
//!
//! It never listens on TCP, never makes the service's role a superuser, never touches a folder that it did not make,
//! and never signals a process that it does not know to be the server of its own folder.
//!
//! Read on in `session` (joining, starting, leaving), then `watchdog`, `cluster`, `leftover`, `folder`, `binaries`,
//! `account`.

mod account;
mod binaries;
mod cluster;
mod error;
mod folder;
mod leftover;
mod session;
mod watchdog;

use std::{convert::Infallible, path::PathBuf, thread, time::Duration};

use tokio::sync::oneshot;

pub use self::error::EmbeddedError;
use self::{folder::Folder, session::Session};

/// Name of the service's role and of the database that it owns.
const ROLE: &str = "snapnote";

/// The superuser that `initdb` makes; the service itself never connects as it, but to make its role and database.
const SUPERUSER: &str = "postgres";

/// What an embedded server is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the data, the socket and the log are kept; made if it is not there. Run by root, the data goes to
    /// `/var/lib/snapnote-<hash>` instead if the account that the server runs as cannot reach this folder.
    pub folder: PathBuf,
    /// The folder that holds `postgres` and `initdb`; `None` searches the usual places.
    pub binaries: Option<PathBuf>,
    /// Whether commits survive a crash of the machine (fsync). `false` is for throw-away test servers, and allows them
    /// 300 connections instead of 100. A folder made one way is refused the other way.
    pub durable: bool,
}

/// A running server, shared with every other process that holds the same folder.
///
/// Dropping it lets go, as does the death of the process; the server stops when nobody is left. While it is held, a
/// server that dies is started again within a second or so: connections made afterwards work.
#[derive(Debug)]
pub struct Embedded {
    socket: PathBuf,
    // Sending asks the keeper to leave and wait for the server's end; dropping asks it to leave.
    leave: oneshot::Sender<()>,
    left: oneshot::Receiver<()>,
}

impl Embedded {
    /// Joins the server of the folder, or starts it, making the data first if there is none (about 2 seconds); returns
    /// when the service's role can connect. Dropping the future gives up.
    ///
    /// # Errors
    /// Every error says what is wrong, where, and what to do about it; see [`EmbeddedError`].
    pub async fn start(settings: Settings) -> Result<Self, EmbeddedError> {
        let (leave, asked_to_leave) = oneshot::channel();
        let (has_left, left) = oneshot::channel();
        let (answer, started) = oneshot::channel();
        let folder = settings.folder.clone();
        // A thread with a runtime of its own: tests share one server among runtimes that come and go.
        thread::Builder::new()
            .name("postgres-keeper".to_owned())
            .spawn(move || {
                keep(&settings, answer, asked_to_leave);
                drop(has_left);
            })
            .map_err(error::io("start a thread to keep the server of", &folder))?;
        let socket = started
            .await
            .expect("the keeper answers unless it is asked to leave")?;
        Ok(Self {
            socket,
            leave,
            left,
        })
    }

    /// Where the service connects, over the Unix socket: its own role, no superuser, to the database that it owns.
    pub fn url(&self) -> String {
        session::url(&self.socket, ROLE, ROLE)
    }

    /// Where a superuser connects, for tests that make databases of their own.
    pub fn superuser_url(&self, database: &str) -> String {
        session::url(&self.socket, SUPERUSER, database)
    }

    /// Lets go. Returns when the server has stopped if nobody else holds it, at once otherwise.
    pub async fn stop(self) {
        // Either fails only if the keeper is gone, and then there is nothing to wait for.
        let _ = self.leave.send(());
        let _ = self.left.await;
    }
}

/// The keeper's life: joins or starts the server, answers with its socket folder, keeps it running until it is asked to
/// leave.
fn keep(
    settings: &Settings,
    answer: oneshot::Sender<Result<PathBuf, EmbeddedError>>,
    mut asked_to_leave: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(error::io("watch the server of", &settings.folder));
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(answer.send(Err(error))),
    };
    runtime.block_on(async {
        let opened = tokio::select! {
            _ = &mut asked_to_leave => return,
            opened = open(settings) => opened,
        };
        let mut session = match opened {
            Ok(session) => session,
            Err(error) => return drop(answer.send(Err(error))),
        };
        if answer.send(Ok(session.socket().to_owned())).is_err() {
            return;
        }
        let asked = tokio::select! {
            asked = asked_to_leave => asked,
            never = keep_running(&mut session) => match never {},
        };
        if asked.is_ok() {
            session.stop().await;
        }
    });
}

async fn open(settings: &Settings) -> Result<Session, EmbeddedError> {
    Session::open(Folder::open(settings)?, settings.binaries.clone()).await
}

/// Starts the server anew whenever it is gone, with growing pauses while that fails.
async fn keep_running(session: &mut Session) -> Infallible {
    const LONGEST_PAUSE: Duration = Duration::from_secs(30);
    loop {
        session.lost().await;
        tracing::warn!("the embedded PostgreSQL is gone; starting it again");
        let mut pause = Duration::from_secs(1);
        while let Err(error) = session.reopen().await {
            tracing::error!(%error, "the embedded PostgreSQL did not start; trying again in {pause:?}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
