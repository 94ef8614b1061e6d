//! The folder of an embedded server: its layout, whether this crate created it, and its permissions.
//!
//! The folder belongs to the user who runs the calling process. If that is root, only `data` and the socket's folder belong to
//! the server's account, so nothing that this account does can mislead root.
//!
//! A folder without the marker file is not changed unless it is empty, and a folder that another user created is not
//! trusted. Continue in `holder`.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Settings,
    account::Account,
    error::{self, Error},
};

use self::{
    create::{create, create_private, open_private, short_hash},
    trust::{check, check_name, reachable},
};

mod create;
mod trust;

/// Maximum length of the socket folder's path, in bytes. Systems allow about 104 for the socket, whose file name needs 14.
const MAX_SOCKET_FOLDER_BYTES: usize = 85;

/// The size from which the log is emptied.
const MAX_LOG_BYTES: u64 = 10 * 1024 * 1024;

/// A folder that was checked and created.
#[derive(Debug)]
pub(crate) struct Folder {
    name: String,
    top: PathBuf,
    socket: PathBuf,
    account: Account,
    durable: bool,
}

impl Folder {
    /// Checks the folder and creates what is missing. A rejected folder is not changed.
    pub(crate) fn open(settings: &Settings) -> Result<Self, Error> {
        let Settings { name, durable, .. } = settings;
        check_name(name)?;
        let account = Account::choose()?;
        let top = reachable(&settings.folder, name, &account)?;
        check(&top, name, *durable)?;
        create(&top, name, &account, *durable)?;
        // All processes must use the same spelling, because the socket's location may depend on it.
        let top = top
            .canonicalize()
            .map_err(error::io("resolve the path", &top))?;
        let account = match fs::metadata(top.join("data")) {
            Ok(data) => Account::of(data.uid(), data.gid()),
            Err(_) => account,
        };
        let mut socket = top.join("socket");
        if socket.as_os_str().len() > MAX_SOCKET_FOLDER_BYTES {
            let short = format!("/tmp/{name}-{}-{}", account.uid, short_hash(&top));
            socket = PathBuf::from(short);
        }
        create_private(&socket, &account)?;
        Ok(Self {
            name: name.clone(),
            top,
            socket,
            account,
            durable: *durable,
        })
    }

    /// The name of the role and its database.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn top(&self) -> &Path {
        &self.top
    }

    /// The complete data directory. It never exists in part.
    pub(crate) fn data(&self) -> PathBuf {
        self.top.join("data")
    }

    /// Where a data directory is created.
    pub(crate) fn new_data(&self) -> PathBuf {
        self.top.join("data.new")
    }

    /// The folder of the server's socket. Only the server's account can enter it.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The FIFO between the holders of the server and its watchdog.
    pub(crate) fn fifo(&self) -> PathBuf {
        self.top.join("users")
    }

    /// The file that the watchdog creates when it has seen a new holder. The watchdog can write only here.
    pub(crate) fn receipt(&self) -> PathBuf {
        self.socket.join("receipt")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.top.join("postgres.log")
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.durable
    }

    /// Waits for the lock that serializes starting, joining and leaving. Closing the file, or the end of the process,
    /// releases it.
    pub(crate) async fn lock(&self) -> Result<File, Error> {
        let path = self.top.join("lock");
        let file = open_private(&path, OpenOptions::new().write(true))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                // A blocking call could not be cancelled.
                Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(TryLockError::Error(error)) => return Err(error::io("lock", &path)(error)),
            }
        }
    }

    /// Takes a shared lock on the marker file, so that the last holder to leave knows that it is the last.
    pub(crate) fn enter(&self) -> Result<File, Error> {
        let marker = self.marker();
        let file = File::open(&marker).map_err(error::io("open", &marker))?;
        file.lock_shared().map_err(error::io("lock", &marker))?;
        Ok(file)
    }

    /// Whether there is no holder left. The caller has [`Self::lock`], and no [`Self::enter`] of its own.
    pub(crate) fn is_deserted(&self) -> bool {
        File::open(self.marker()).is_ok_and(|file| file.try_lock().is_ok())
    }

    fn marker(&self) -> PathBuf {
        self.top.join(marker(&self.name, self.durable))
    }

    pub(crate) fn open_log(&self) -> Result<File, Error> {
        open_private(&self.log(), OpenOptions::new().append(true))
    }

    /// The log's current length, for [`Self::log_since`].
    pub(crate) fn log_length(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |log| log.len())
    }

    /// The part of the log after this position, for messages. Maximum 4 kB.
    pub(crate) fn log_since(&self, length: u64) -> String {
        let mut text = Vec::new();
        let read = File::open(self.log()).and_then(|mut log| {
            log.seek(SeekFrom::Start(length))?;
            log.take(4096).read_to_end(&mut text)
        });
        match read {
            Ok(0) => "nothing".to_owned(),
            Ok(_) => String::from_utf8_lossy(&text).trim().to_owned(),
            Err(error) => format!("nothing readable ({error})"),
        }
    }

    /// Empties a log that is too long. The server may be running, because it appends.
    pub(crate) fn trim_log(&self) {
        if self.log_length() > MAX_LOG_BYTES
            && let Ok(log) = self.open_log()
        {
            // A log that stays long is no reason to stop.
            let _ = log.set_len(0);
        }
    }

    /// Creates an empty data directory for `initdb`, and removes an incomplete one first.
    pub(crate) fn create_new_data(&self) -> Result<(), Error> {
        let path = self.new_data();
        error::if_exists(fs::remove_dir_all(&path)).map_err(error::io("remove", &path))?;
        create_private(&path, &self.account)
    }

    /// Moves the data directory that `initdb` created to its final name.
    pub(crate) fn take_new_data(&self) -> Result<(), Error> {
        let data = self.data();
        fs::rename(self.new_data(), &data).map_err(error::io("create", &data))?;
        // Otherwise the data could have its old name again after a power failure.
        File::open(&self.top)
            .and_then(|top| top.sync_all())
            .map_err(error::io("write to disk", &self.top))
    }

    pub(crate) fn unresponsive(&self, awaited: &'static str, waited: Duration) -> Error {
        Error::Unresponsive {
            folder: self.top.clone(),
            awaited,
            seconds: waited.as_secs(),
        }
    }
}

/// The file that marks a folder as created by this crate, and its kind.
fn marker(name: &str, durable: bool) -> String {
    match durable {
        true => format!("{name}-postgres"),
        false => format!("{name}-postgres-throw-away"),
    }
}
