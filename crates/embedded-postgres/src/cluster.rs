//! The data directory and the server on it: creates the data with `initdb` and builds the server's command line.
//!
//! A data directory is never left half created. The watchdog starts the server, not this module. Continue in `leftover`.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    SUPERUSER,
    binaries::Binaries,
    error::{self, Error},
    folder::Folder,
    leftover,
};

/// The character types to try in turn, because their names differ between systems. With plain C, trigrams would ignore
/// letters outside ASCII.
const CHARACTER_TYPES: [&str; 3] = ["C.UTF-8", "en_US.UTF-8", "UTF-8"];

/// Finds the programs, creates the data directory if there is none, cleans up after a dead server, and returns the command
/// that starts the server. `lock` is the folder's lock, held by the caller.
pub(crate) async fn prepare(
    folder: &Folder,
    explicit: Option<&Path>,
    lock: &File,
) -> Result<Command, Error> {
    let data = folder.data();
    let created_by = match data.exists() {
        true => Some(version_of(&data)?),
        false => None,
    };
    let binaries =
        Binaries::find(explicit, created_by, folder.account()).map_err(
            |searched| match created_by {
                Some(major) => Error::OtherVersion {
                    data,
                    major,
                    searched,
                },
                None => Error::NoBinaries { searched },
            },
        )?;
    match created_by {
        Some(_) => leftover::end(folder).await?,
        None => initialize(folder, &binaries, lock)?,
    }
    tracing::debug!(
        version = binaries.major,
        programs = %binaries.folder.display(),
        folder = %folder.top().display(),
        "starting the embedded PostgreSQL"
    );
    Ok(server(folder, &binaries))
}

/// Creates the data directory under another name first, so that a crash does not leave a half-created one under the
/// final name.
fn initialize(folder: &Folder, binaries: &Binaries, lock: &File) -> Result<(), Error> {
    tracing::info!(
        version = binaries.major,
        folder = %folder.top().display(),
        "creating a PostgreSQL data directory"
    );
    let mut output = String::new();
    for character_type in CHARACTER_TYPES {
        folder.create_new_data()?;
        let program = binaries.program("initdb");
        let mut command = initdb(folder, &program, character_type);
        // initdb does not read its standard input. While it holds the lock there, and it may outlive this process, no
        // other process creates or removes the folder.
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
    Err(Error::Initdb { folder, output })
}

fn initdb(folder: &Folder, program: &Path, character_type: &str) -> Command {
    let mut command = folder.account().command(program);
    command
        .args(["--username", SUPERUSER, "--auth", "trust"])
        .args(["--encoding", "UTF8", "--locale", "C"])
        .args(["--lc-ctype", character_type, "--no-instructions"])
        // With checksums, a page that the disk has damaged is an error instead of wrong data.
        .arg("--data-checksums")
        .arg("--pgdata")
        .arg(folder.new_data());
    if !folder.is_durable() {
        command.arg("--no-sync");
    }
    command
}

/// The server's command line. Settings that are not listed here can be set in `data/postgresql.conf`.
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
        // With `minimal`, sequences would return the same values again after a crash.
        "wal_level=replica",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        "log_destination=stderr",
        // The log is for the server's own problems: no routine messages, and no user data.
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

/// The setting is a list of folders. Quotes prevent a comma or a space from ending the name, and a quote in the name is
/// doubled.
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

/// The major version of PostgreSQL that created a data directory.
fn version_of(data: &Path) -> Result<u32, Error> {
    let file = data.join("PG_VERSION");
    fs::read_to_string(&file)
        .and_then(|text| text.trim().parse().map_err(io::Error::other))
        .map_err(error::io("read the version in", &file))
}
