//! The data folder and the server on it: making the one with `initdb`, and the command line of the other.
//!
//! It never leaves a data folder half made, and never starts anything itself: the watchdog does. Read on in `leftover`.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
    process::{Command, Stdio},
};

use super::{
    SUPERUSER,
    binaries::Binaries,
    error::{self, EmbeddedError},
    folder::Folder,
    leftover,
};

/// The character types to try, since their names differ from system to system. With plain C, trigrams would not see
/// letters beyond ASCII.
const CHARACTER_TYPES: [&str; 3] = ["C.UTF-8", "en_US.UTF-8", "UTF-8"];

/// Finds the programs, makes the data folder if there is none, clears away what a dead server left, and returns the
/// command that starts the server. `lock` is the folder's lock, held by the caller.
pub(super) async fn prepare(
    folder: &Folder,
    explicit: Option<&Path>,
    lock: &File,
) -> Result<Command, EmbeddedError> {
    let data = folder.data();
    let made_by = match data.exists() {
        true => Some(version_of(&data)?),
        false => None,
    };
    let binaries =
        Binaries::find(explicit, made_by, folder.account()).map_err(|looked| match made_by {
            Some(major) => EmbeddedError::OtherVersion {
                data,
                major,
                looked,
            },
            None => EmbeddedError::NoBinaries { looked },
        })?;
    match made_by {
        Some(_) => leftover::end(folder).await?,
        None => initialise(folder, &binaries, lock)?,
    }
    tracing::debug!(
        "starting PostgreSQL {} from {} on {}",
        binaries.major,
        binaries.folder.display(),
        folder.top().display()
    );
    Ok(server(folder, &binaries))
}

/// Makes a data folder under another name, so that a crash leaves nothing half made under the right one.
fn initialise(folder: &Folder, binaries: &Binaries, lock: &File) -> Result<(), EmbeddedError> {
    tracing::info!(
        "making a PostgreSQL {} data folder in {}",
        binaries.major,
        folder.top().display()
    );
    let mut output = String::new();
    for character_type in CHARACTER_TYPES {
        folder.make_new_data()?;
        let program = binaries.program("initdb");
        let mut command = folder.account().command(&program);
        command
            .args(["--username", SUPERUSER, "--auth", "trust"])
            .args(["--encoding", "UTF8", "--locale", "C"])
            .args(["--lc-ctype", character_type, "--no-instructions"])
            // A page that the disk has damaged is then an error, and not wrong data.
            .arg("--data-checksums")
            .arg("--pgdata")
            .arg(folder.new_data());
        if !folder.is_durable() {
            command.arg("--no-sync");
        }
        // It does not read, but while it holds the lock, and it may outlive us, nobody else makes or removes this
        // folder.
        let lock = lock
            .try_clone()
            .map_err(error::io("share the lock of", folder.top()))?;
        let result = command.stdin(Stdio::from(lock)).output();
        let result = result.map_err(error::io("run", &program))?;
        if result.status.success() {
            return folder.take_new_data();
        }
        output = String::from_utf8_lossy(&result.stderr).trim().to_owned();
        if !output.contains("locale") {
            break;
        }
    }
    let folder = folder.top().to_owned();
    Err(EmbeddedError::Initdb { folder, output })
}

/// The server's command line. What is not set here can be set in `data/postgresql.conf`.
fn server(folder: &Folder, binaries: &Binaries) -> Command {
    let (fsync, max_connections) = match folder.is_durable() {
        true => ("fsync=on", "max_connections=100"),
        false => ("fsync=off", "max_connections=300"),
    };
    let settings = [
        fsync,
        max_connections,
        "listen_addresses=",
        "port=5432",
        "unix_socket_permissions=0700",
        "shared_buffers=128MB",
        "jit=off",
        // Not minimal: after a crash that would hand out values of sequences again.
        "wal_level=replica",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        "log_destination=stderr",
        // The log is for the server's own troubles: no routine, and nothing that people wrote.
        "log_checkpoints=off",
        "log_min_error_statement=panic",
        "log_error_verbosity=terse",
    ];
    let mut command = Command::new(binaries.program("postgres"));
    command.arg("-D").arg(folder.data());
    command.arg("-c").arg(socket_setting(folder.socket()));
    for setting in settings {
        command.args(["-c", setting]);
    }
    command
}

/// The setting is a list of folders, in which quotes keep a comma or a space from ending ours; a quote itself is
/// written twice.
fn socket_setting(folder: &Path) -> OsString {
    let mut setting = b"unix_socket_directories=\"".to_vec();
    for byte in folder.as_os_str().as_bytes() {
        setting.extend(match byte {
            b'"' => [b'"'; 2].as_slice(),
            other => std::slice::from_ref(other),
        });
    }
    setting.push(b'"');
    OsString::from_vec(setting)
}

/// The major version of PostgreSQL that made a data folder.
fn version_of(data: &Path) -> Result<u32, EmbeddedError> {
    let file = data.join("PG_VERSION");
    fs::read_to_string(&file)
        .and_then(|text| text.trim().parse().map_err(io::Error::other))
        .map_err(error::io("read the version in", &file))
}
