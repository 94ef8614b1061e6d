//! Starts a private PostgreSQL server, shares it between processes, and stops it after the last one.
//!
//! Processes that name the same folder share one server. The first one creates the data (about 2 seconds) and starts the
//! server. The server stops when the last process calls [`Embedded::stop`], drops its [`Embedded`], or dies, including by
//! `kill -9`. If the server dies while a process holds it, the process restarts it.
//!
//! ```no_run
//! use embedded_postgres::{Embedded, Settings};
//!
//! # async fn run() -> Result<(), embedded_postgres::Error> {
//! let server = Embedded::start(Settings {
//!     name: "notes".to_owned(),
//!     folder: ".notes/postgres".into(),
//!     binaries: None,
//!     durable: true,
//! })
//! .await?;
//! println!("connect to {}", server.url());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//! Each process holds the write end of a FIFO. A small `sh` watchdog reads the FIFO and is the server's parent. When the
//! last write end closes, the watchdog stops the server. When the server dies, the FIFO loses its reader, and the
//! processes that still hold it restart the server. The watchdog is a shell script, so callers need no extra executable.
//!
//! # Guarantees
//! - The server listens on a Unix socket only, never on TCP.
//! - The role that callers connect as is not a superuser.
//! - A folder that this crate did not create, and that is not empty, is rejected and not changed.
//! - Only the server of the named folder is ever signalled.
//!
//! Start reading in `holder` (join, start, leave), then `watchdog`, `cluster`, `leftover`, `folder`, `binaries`,
//! `account`. [`ClientPrograms`] finds the programs for backups.

mod account;
mod binaries;
mod client_programs;
mod cluster;
mod error;
mod folder;
mod holder;
mod leftover;
mod ready;
mod watchdog;

use std::{convert::Infallible, path::PathBuf, thread, time::Duration};

use tokio::sync::oneshot;

pub use self::{client_programs::ClientPrograms, error::Error};
use self::{folder::Folder, holder::Holder};

/// The superuser that `initdb` creates. This crate connects as the superuser only to create the role and the database.
const SUPERUSER: &str = "postgres";

/// How to start an embedded server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the role that callers connect as, and of the database that it owns. Also part of the names of the marker
    /// file and of folders outside `folder`, so that several programs do not share data by accident.
    /// 1–40 characters: a–z, 0–9, `-` and `_`, starting with a letter. Not `postgres`.
    pub name: String,
    /// The folder for the data, the socket and the log. Created if it does not exist. If root runs this and the
    /// server's account cannot reach the folder, the data is in `/var/lib/<name>-<hash>` instead.
    pub folder: PathBuf,
    /// The folder that contains `postgres` and `initdb`. With `None`, the usual places are searched.
    pub binaries: Option<PathBuf>,
    /// Whether commits survive a crash of the machine (fsync). `false` is for throw-away test servers, which allow 300
    /// connections instead of 100. A folder created with one value is rejected with the other.
    pub durable: bool,
}

/// A running server, shared with every other process that holds the same folder.
///
/// Dropping it releases the server without waiting. While it is held, a server that dies is restarted within about a
/// second. Connections opened after that work.
#[derive(Debug)]
pub struct Embedded {
    name: String,
    socket: PathBuf,
    // Sending asks the keeper to leave and to wait for the server to stop. Dropping asks it to leave.
    leave: oneshot::Sender<()>,
    left: oneshot::Receiver<()>,
}

impl Embedded {
    /// Joins the folder's server or starts it, and creates the data first if there is none. Returns when the role can
    /// connect. Dropping the future cancels the start.
    ///
    /// # Errors
    /// Each [`Error`] says what is wrong, where, and what to do about it.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let (leave, asked_to_leave) = oneshot::channel();
        let (has_left, left) = oneshot::channel();
        let (report, started) = oneshot::channel();
        let Settings { name, folder, .. } = settings.clone();
        // The thread has its own runtime, because tests share one server between runtimes that start and end.
        thread::Builder::new()
            .name("postgres-keeper".to_owned())
            .spawn(move || {
                keep(&settings, report, asked_to_leave);
                drop(has_left);
            })
            .map_err(error::io("start a thread for the server in", &folder))?;
        let socket = started
            .await
            .expect("the keeper reports unless it is asked to leave")?;
        Ok(Self {
            name,
            socket,
            leave,
            left,
        })
    }

    /// The connection URL of the role, over the Unix socket. The role owns its database and is not a superuser.
    pub fn url(&self) -> String {
        ready::url(&self.socket, &self.name, &self.name)
    }

    /// The connection URL of a superuser, for tests that create their own databases.
    pub fn superuser_url(&self, database: &str) -> String {
        ready::url(&self.socket, SUPERUSER, database)
    }

    /// Releases the server. If no other process holds it, waits until it has stopped.
    pub async fn stop(self) {
        // Both fail only if the keeper has ended, and then there is nothing to wait for.
        let _ = self.leave.send(());
        let _ = self.left.await;
    }
}

/// The keeper thread: joins or starts the server, reports the socket's folder, and keeps the server running until it is
/// asked to leave.
fn keep(
    settings: &Settings,
    report: oneshot::Sender<Result<PathBuf, Error>>,
    mut asked_to_leave: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(error::io("watch the server in", &settings.folder));
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(report.send(Err(error))),
    };
    runtime.block_on(async {
        let opened = tokio::select! {
            _ = &mut asked_to_leave => return,
            opened = open(settings) => opened,
        };
        let mut holder = match opened {
            Ok(holder) => holder,
            Err(error) => return drop(report.send(Err(error))),
        };
        if report.send(Ok(holder.socket().to_owned())).is_err() {
            return;
        }
        let asked = tokio::select! {
            asked = asked_to_leave => asked,
            never = keep_running(&mut holder) => match never {},
        };
        if asked.is_ok() {
            holder.stop().await;
        }
    });
}

async fn open(settings: &Settings) -> Result<Holder, Error> {
    Holder::open(Folder::open(settings)?, settings.binaries.clone()).await
}

/// Restarts the server whenever it dies, with growing pauses while that fails.
async fn keep_running(holder: &mut Holder) -> Infallible {
    const MAX_PAUSE: Duration = Duration::from_secs(30);
    loop {
        holder.lost().await;
        tracing::warn!("the embedded PostgreSQL stopped unexpectedly; restarting it");
        let mut pause = Duration::from_secs(1);
        while let Err(error) = holder.reopen().await {
            tracing::error!(%error, retry_in = ?pause, "the embedded PostgreSQL did not restart; retrying");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }
}
