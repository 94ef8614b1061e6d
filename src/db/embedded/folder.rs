//! The folder that an embedded server lives in: what is where, whether it is ours, and who may do what in it.
//!
//! It belongs to the user who starts the service. If that is root, only `data` and the socket's folder belong to the
//! account that the server runs as, so that nothing this account does can lead root astray.
//!
//! It never touches a folder that has not our marker and is not empty, and never trusts one that somebody else made.
//! Read on in `session`.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::ffi::OsStrExt,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::geteuid;

use super::{
    Settings,
    account::{self, Account},
    error::{self, EmbeddedError},
};

/// The longest path of a socket's folder, in bytes: systems allow about 104 for the socket, whose own name takes 14.
const LONGEST_SOCKET_FOLDER: usize = 85;

/// How large the log may grow, in bytes, before it is emptied.
const LONGEST_LOG: u64 = 10 * 1024 * 1024;

/// The remedy for most folders that are refused.
const CHOOSE_ANOTHER: &str = "Choose another folder with SNAPNOTE_DATA_DIR";

/// What the marker and `.gitignore` say: the latter, that nothing here is to be committed.
const MARKER_TEXT: &str = "This folder holds the PostgreSQL that SnapNote starts by itself.\n\
    `data` is the database: keep it as a whole, and let nothing else write into it.\n";
const GITIGNORE_TEXT: &str = "*\n";

/// A folder that has been checked and made.
#[derive(Debug)]
pub(super) struct Folder {
    top: PathBuf,
    socket: PathBuf,
    account: Account,
    durable: bool,
}

impl Folder {
    /// Checks the folder, and makes what is missing. A folder that is refused is left exactly as it is.
    pub(super) fn open(settings: &Settings) -> Result<Self, EmbeddedError> {
        let account = Account::choose()?;
        let top = reachable(&settings.folder, &account)?;
        check(&top, settings.durable)?;
        make(&top, &account, settings.durable)?;
        // One spelling for all: the socket's place may depend on it.
        let top = top
            .canonicalize()
            .map_err(error::io("find the way to", &top))?;
        let account = match fs::metadata(top.join("data")) {
            Ok(data) => Account::of(data.uid(), data.gid()),
            Err(_) => account,
        };
        let mut socket = top.join("socket");
        if socket.as_os_str().len() > LONGEST_SOCKET_FOLDER {
            let name = format!("/tmp/snapnote-{}-{}", account.uid, short_hash(&top));
            socket = PathBuf::from(name);
        }
        make_private(&socket, &account)?;
        Ok(Self {
            top,
            socket,
            account,
            durable: settings.durable,
        })
    }

    pub(super) fn top(&self) -> &Path {
        &self.top
    }

    /// The finished data folder; it is there as a whole or not at all.
    pub(super) fn data(&self) -> PathBuf {
        self.top.join("data")
    }

    /// Where a data folder is made.
    pub(super) fn new_data(&self) -> PathBuf {
        self.top.join("data.new")
    }

    /// The folder of the server's socket, which only the server's account can enter.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The FIFO between the users of the server and its watchdog.
    pub(super) fn fifo(&self) -> PathBuf {
        self.top.join("users")
    }

    /// What the watchdog, who may write here, makes when it has seen a new user.
    pub(super) fn receipt(&self) -> PathBuf {
        self.socket.join("receipt")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.top.join("postgres.log")
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn is_durable(&self) -> bool {
        self.durable
    }

    /// Waits for the lock under which servers are started, joined and left. Closing the file, or dying, releases it.
    pub(super) async fn lock(&self) -> Result<File, EmbeddedError> {
        let path = self.top.join("lock");
        let file = open_private(&path, OpenOptions::new().write(true))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                // Not the blocking call: whoever waits must be able to give up.
                Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(TryLockError::Error(error)) => return Err(error::io("lock", &path)(error)),
            }
        }
    }

    /// Locks the marker together with all other users of the server, so that the last to leave can tell that it is.
    pub(super) fn enter(&self) -> Result<File, EmbeddedError> {
        let marker = self.top.join(marker(self.durable));
        let file = File::open(&marker).map_err(error::io("open", &marker))?;
        file.lock_shared().map_err(error::io("lock", &marker))?;
        Ok(file)
    }

    /// Whether no user is left. Ask under [`Self::lock`], without an [`Self::enter`] of one's own.
    pub(super) fn is_deserted(&self) -> bool {
        File::open(self.top.join(marker(self.durable))).is_ok_and(|file| file.try_lock().is_ok())
    }

    pub(super) fn open_log(&self) -> Result<File, EmbeddedError> {
        open_private(&self.log(), OpenOptions::new().append(true))
    }

    /// How long the log is now, for [`Self::log_since`].
    pub(super) fn log_length(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |log| log.len())
    }

    /// What has been written into the log since it had this length, 4 kB of it at most; it is for messages.
    pub(super) fn log_since(&self, length: u64) -> String {
        let mut text = Vec::new();
        let read = File::open(self.log()).and_then(|mut log| {
            log.seek(SeekFrom::Start(length))?;
            log.take(4096).read_to_end(&mut text)
        });
        match read {
            Ok(0) => "nothing".to_owned(),
            Ok(_) => String::from_utf8_lossy(&text).trim().to_owned(),
            Err(error) => format!("nothing that can be read ({error})"),
        }
    }

    /// Empties the log if it has grown too long. The server appends to it, so it may be running.
    pub(super) fn trim_log(&self) {
        if self.log_length() > LONGEST_LOG
            && let Ok(log) = self.open_log()
        {
            // Best effort: a log that stays long is no reason to stop.
            let _ = log.set_len(0);
        }
    }

    /// Makes an empty data folder for `initdb`, in place of one that was left half made.
    pub(super) fn make_new_data(&self) -> Result<(), EmbeddedError> {
        let path = self.new_data();
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error::io("remove", &path)(error))
            }
            _ => make_private(&path, &self.account),
        }
    }

    /// Puts the data folder that `initdb` has made into its place.
    pub(super) fn take_new_data(&self) -> Result<(), EmbeddedError> {
        let data = self.data();
        fs::rename(self.new_data(), &data).map_err(error::io("make", &data))?;
        // What is committed from now on must not come back under the old name after a power cut.
        File::open(&self.top)
            .and_then(|top| top.sync_all())
            .map_err(error::io("write to disk", &self.top))
    }

    pub(super) fn silent(&self, awaited: &'static str, waited: Duration) -> EmbeddedError {
        EmbeddedError::Silent {
            folder: self.top.clone(),
            awaited,
            seconds: waited.as_secs(),
        }
    }
}

/// The folder as it was named, or one in /var/lib if root named one that the server's account cannot reach, as in
/// /root.
fn reachable(named: &Path, account: &Account) -> Result<PathBuf, EmbeddedError> {
    let named = std::path::absolute(named).map_err(error::io("find the way to", named))?;
    let nearest = named.ancestors().skip(1).find(|parent| parent.exists());
    if !account.is_switched_to() || nearest.is_none_or(|parent| account.can_enter(parent)) {
        return Ok(named);
    }
    let instead = PathBuf::from(format!("/var/lib/snapnote-{}", short_hash(&named)));
    tracing::info!(
        "PostgreSQL runs as the user {}, who cannot reach {}: its data is kept in {}",
        account::name_of(account.uid),
        named.display(),
        instead.display()
    );
    Ok(instead)
}

/// Refuses a folder that is not ours, touching nothing.
fn check(top: &Path, durable: bool) -> Result<(), EmbeddedError> {
    let metadata = match fs::metadata(top) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error::io("look at", top)(error)),
    };
    if !metadata.is_dir() {
        return Err(refused(top, "is not a folder", CHOOSE_ANOTHER));
    }
    if metadata.uid() != geteuid().as_raw() {
        let cause = format!("belongs to the user {}", account::name_of(metadata.uid()));
        let remedy =
            "Run the service as that user, or choose another folder with SNAPNOTE_DATA_DIR";
        return Err(refused(top, &cause, remedy));
    }
    check_content(top, durable)
}

/// Refuses a folder of ours that holds what it should not, and one without our marker that holds anything.
fn check_content(top: &Path, durable: bool) -> Result<(), EmbeddedError> {
    if top.join(marker(!durable)).exists() {
        let cause = match durable {
            true => "was made for a throw-away server, which does not keep data safe",
            false => "was made to keep data safe, which a throw-away server does not",
        };
        return Err(refused(top, cause, CHOOSE_ANOTHER));
    }
    let data = top.join("data");
    let mut entries = fs::read_dir(top).map_err(error::io("look into", top))?;
    let is_empty = entries.next().is_none();
    // Asked last: another process that is making the folder puts the marker first, perhaps just now.
    if !is_empty && !top.join(marker(durable)).exists() {
        let cause = "holds files that SnapNote did not put there";
        return Err(refused(top, cause, CHOOSE_ANOTHER));
    }
    if data.exists() && !data.join("PG_VERSION").exists() {
        let cause = "is no PostgreSQL data folder (it lacks PG_VERSION)";
        let remedy = "Restore it from a backup, or move it away to begin anew";
        return Err(refused(&data, cause, remedy));
    }
    Ok(())
}

fn refused(folder: &Path, cause: &str, remedy: &'static str) -> EmbeddedError {
    EmbeddedError::Refused {
        folder: folder.to_owned(),
        cause: cause.to_owned(),
        remedy,
    }
}

/// Makes the folder, the marker first: what has no marker and is not empty is not ours.
fn make(top: &Path, account: &Account, durable: bool) -> Result<(), EmbeddedError> {
    let marker = top.join(marker(durable));
    if marker.exists() && top.join(".gitignore").exists() {
        return Ok(());
    }
    let missing: Vec<&Path> = top.ancestors().take_while(|path| !path.exists()).collect();
    for path in missing.into_iter().rev() {
        make_folder(path, account.is_switched_to().then_some(0o755))?;
    }
    // Root's folder can be crossed by the server's account, but not read.
    let mode = if account.is_switched_to() {
        0o711
    } else {
        0o700
    };
    fs::set_permissions(top, fs::Permissions::from_mode(mode))
        .map_err(error::io("set the permissions of", top))?;
    for (path, text) in [
        (marker, MARKER_TEXT),
        (top.join(".gitignore"), GITIGNORE_TEXT),
    ] {
        open_private(&path, OpenOptions::new().write(true))?
            .write_all(text.as_bytes())
            .map_err(error::io("write", &path))?;
    }
    Ok(())
}

/// Makes one folder, with this mode whatever the umask. That it is there already, made by another process just now, is
/// fine.
fn make_folder(path: &Path, mode: Option<u32>) -> Result<(), EmbeddedError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made.map_err(error::io("make the folder", path))?,
    }
    match mode {
        Some(mode) => fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(error::io("set the permissions of", path)),
        None => Ok(()),
    }
}

/// Makes a folder that only the server's account can enter, or checks that the one that is there is such a folder: in
/// /tmp anybody could have put it there.
fn make_private(path: &Path, account: &Account) -> Result<(), EmbeddedError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error::io("make the folder", path)(error));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(error::io("look at", path))?;
    // Ours and not yet given away: its maker died in between.
    let is_trusted = found.uid() == account.uid || found.uid() == geteuid().as_raw();
    if !found.is_dir() || !is_trusted || found.mode() & 0o077 != 0 {
        let cause = "is not a folder that nobody but the server's user can enter";
        return Err(refused(path, cause, "Find out who made it, then remove it"));
    }
    account.give(path).map_err(error::io("give away", path))
}

/// Opens a file for nobody but us, and makes it if it is not there.
fn open_private(path: &Path, options: &mut OpenOptions) -> Result<File, EmbeddedError> {
    options
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(error::io("open", path))
}

/// The file that says that a folder is ours, and of which kind.
fn marker(durable: bool) -> &'static str {
    match durable {
        true => "snapnote-postgres",
        false => "snapnote-postgres-throw-away",
    }
}

/// 64-bit FNV-1a, written out since the standard library's hasher may change and with it the way to the data.
fn short_hash(path: &Path) -> String {
    let hash = path
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    format!("{hash:016x}")
}
