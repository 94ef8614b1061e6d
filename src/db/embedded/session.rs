//! One user's time with the server: joining it or starting it, noticing that it is gone, leaving it.
//!
//! All of it happens under the folder's lock, one process after the other. It never returns before the service's role
//! can connect, and never creates anything in the database but that role and its database. Read on in `watchdog`.

use std::{
    fmt::Write as _,
    fs::File,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{
    Client, Config, NoTls,
    error::{DbError, SqlState},
};

use super::{
    ROLE, SUPERUSER, cluster,
    error::EmbeddedError,
    folder::Folder,
    leftover,
    watchdog::{self, PATIENCE, UserEnd},
};

/// How long orphaned children of a killed server may go on before the next server gives up waiting for them.
const ORPHANS_MAY_TAKE: Duration = Duration::from_secs(30);

/// A user's hold on the server.
#[derive(Debug)]
pub(super) struct Session {
    folder: Folder,
    binaries: Option<PathBuf>,
    hold: Hold,
}

/// What tells others that we are there; the system lets go of it if we die.
#[derive(Debug)]
struct Hold {
    end: UserEnd,
    // Shared by the users, so that the last can tell that it is.
    _presence: File,
    /// The watchdog, if it was us who started it.
    child: Option<Child>,
}

impl Session {
    /// Joins the server of the folder, or starts it, with programs from the folder `binaries` if it is given.
    pub(super) async fn open(
        folder: Folder,
        binaries: Option<PathBuf>,
    ) -> Result<Self, EmbeddedError> {
        let hold = hold(&folder, binaries.as_deref()).await?;
        Ok(Self {
            folder,
            binaries,
            hold,
        })
    }

    /// Where the server's socket is.
    pub(super) fn socket(&self) -> &Path {
        self.folder.socket()
    }

    /// Returns when the server is gone.
    pub(super) async fn lost(&self) {
        let looks = async {
            // A look that fails, perhaps for want of file descriptors, says nothing.
            while watchdog::is_there(&self.folder).unwrap_or(true) {
                self.folder.trim_log();
                sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = self.hold.end.hung_up() => {}
            () = looks => {}
        }
    }

    /// Starts the server anew, or joins the one that another user has started meanwhile.
    pub(super) async fn reopen(&mut self) -> Result<(), EmbeddedError> {
        if !self.folder.data().exists() {
            // Removed while we ran, as a test's folder may be: nobody wants it made again.
            tracing::error!(
                "the data in {} was removed; giving up",
                self.folder.top().display()
            );
            std::future::pending::<()>().await;
        }
        self.hold.collect_child();
        self.hold = hold(&self.folder, self.binaries.as_deref()).await?;
        Ok(())
    }

    /// Leaves, and waits for the server's end if nobody else is there.
    pub(super) async fn stop(self) {
        let Self { folder, hold, .. } = self;
        let stopped = async {
            let _lock = folder.lock().await?;
            let Hold {
                end,
                _presence: presence,
                child,
            } = hold;
            drop(presence);
            let is_last = folder.is_deserted();
            drop(end);
            if !is_last {
                return Ok(());
            }
            let deadline = Instant::now() + PATIENCE;
            while watchdog::is_there(&folder)? {
                if Instant::now() > deadline {
                    return Err(folder.silent("ended", PATIENCE));
                }
                sleep(Duration::from_millis(5)).await;
            }
            if let Some(mut child) = child {
                let _ = child.wait();
            }
            leftover::end(&folder).await
        };
        if let Err(error) = stopped.await {
            tracing::error!(%error, "the embedded PostgreSQL did not stop in good order");
        }
    }
}

impl Hold {
    /// Collects a dead watchdog, which would stay as a zombie as long as we live.
    fn collect_child(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.try_wait();
        }
    }
}

/// Joins the server or starts it; returns when the service's role can connect.
async fn hold(folder: &Folder, binaries: Option<&Path>) -> Result<Hold, EmbeddedError> {
    let lock = folder.lock().await?;
    let presence = folder.enter()?;
    loop {
        let (end, child) = match UserEnd::join(folder).await? {
            Some(end) => (end, None),
            None => start(folder, binaries, &lock).await?,
        };
        // It may die while we join it.
        if child.is_some() || is_ready(folder).await? {
            return Ok(Hold {
                end,
                _presence: presence,
                child,
            });
        }
    }
}

/// Starts the server with its watchdog; returns when the service's role can connect.
async fn start(
    folder: &Folder,
    binaries: Option<&Path>,
    lock: &File,
) -> Result<(UserEnd, Option<Child>), EmbeddedError> {
    let begun = Instant::now();
    loop {
        let server = cluster::prepare(folder, binaries, lock).await?;
        folder.trim_log();
        let log_length = folder.log_length();
        let (end, mut child) = UserEnd::start(folder, &server)?;
        if is_ready(folder).await? {
            return Ok((end, Some(child)));
        }
        let _ = child.wait();
        let output = folder.log_since(log_length);
        // Children of a killed server finish what they are at before they notice, and share its memory until then.
        let waits_for_orphans = output.contains("is still in use");
        if !waits_for_orphans || begun.elapsed() > ORPHANS_MAY_TAKE {
            let folder = folder.top().to_owned();
            return Err(EmbeddedError::Exited { folder, output });
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until the service's role can connect; `false` if the server ends before that. While a server recovers from a
/// crash and says so, it has all the time it wants.
async fn is_ready(folder: &Folder) -> Result<bool, EmbeddedError> {
    let mut heard = Instant::now();
    let mut pause = Duration::from_millis(5);
    let mut has_made = false;
    loop {
        let refusal = match connect(folder, ROLE, ROLE).await {
            Ok(_) => return Ok(true),
            Err(refusal) => refusal,
        };
        match refusal {
            Some(error) if *error.code() == SqlState::CANNOT_CONNECT_NOW => {
                heard = Instant::now();
                // The server logs every refusal.
                pause = (pause * 2).min(Duration::from_millis(500));
            }
            Some(error) if is_missing(error.code()) && !has_made => {
                has_made = make_role_and_database(folder).await?;
            }
            // Others have taken them all: it is there.
            Some(error) if *error.code() == SqlState::TOO_MANY_CONNECTIONS => return Ok(true),
            Some(error) => {
                return Err(refused(folder, "let the service's role in", &error));
            }
            None if !watchdog::is_there(folder)? => return Ok(false),
            None if heard.elapsed() > PATIENCE => {
                return Err(folder.silent("taken a connection", PATIENCE));
            }
            None => {}
        }
        sleep(pause).await;
    }
}

/// Whether the server says that the role or the database does not exist.
fn is_missing(code: &SqlState) -> bool {
    [
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    ]
    .contains(code)
}

/// Makes the role and its database. New data has neither; either may be missing if we died in between, or somebody
/// dropped it. `false` if the server went silent, and the caller had better look again.
async fn make_role_and_database(folder: &Folder) -> Result<bool, EmbeddedError> {
    const DOING: &str = "make the service's role and database";
    let client = match connect(folder, SUPERUSER, SUPERUSER).await {
        Ok(client) => client,
        Err(Some(error)) => return Err(refused(folder, DOING, &error)),
        Err(None) => return Ok(false),
    };
    for statement in [
        format!("CREATE ROLE {ROLE} LOGIN"),
        format!("CREATE DATABASE {ROLE} OWNER {ROLE}"),
    ] {
        let Err(error) = client.batch_execute(&statement).await else {
            continue;
        };
        let exists = [SqlState::DUPLICATE_OBJECT, SqlState::DUPLICATE_DATABASE];
        match error.as_db_error() {
            Some(error) if exists.contains(error.code()) => {}
            Some(error) => return Err(refused(folder, DOING, error)),
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Connects; the error is `None` if there was no answer.
async fn connect(folder: &Folder, user: &str, database: &str) -> Result<Client, Option<DbError>> {
    let config: Config = url(folder.socket(), user, database)
        .parse()
        .expect("a URL that we wrote is well-formed");
    let attempt = timeout(Duration::from_secs(5), config.connect(NoTls));
    let (client, connection) = attempt
        .await
        .map_err(|_| None)?
        .map_err(|error| error.as_db_error().cloned())?;
    // It ends when the client is dropped.
    tokio::spawn(connection);
    Ok(client)
}

/// A connection URL over the Unix socket in a folder; what is not plain in it is percent-encoded. The port is part of
/// the socket's name, and would come from PGPORT for some clients if it were left out.
pub(super) fn url(socket: &Path, user: &str, database: &str) -> String {
    let host = percent_encoded(socket.as_os_str().as_bytes());
    let database = percent_encoded(database.as_bytes());
    format!("postgres://{user}@{host}:5432/{database}")
}

fn percent_encoded(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                encoded.push(char::from(*byte));
            }
            other => {
                write!(encoded, "%{other:02X}").expect("a String takes all that is written to it");
            }
        }
    }
    encoded
}

fn refused(folder: &Folder, doing: &'static str, error: &DbError) -> EmbeddedError {
    EmbeddedError::Database {
        folder: folder.top().to_owned(),
        doing,
        cause: error.to_string(),
    }
}
