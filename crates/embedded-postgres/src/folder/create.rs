//! Creates the folder and its parts, each with the permissions that it needs.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::ffi::OsStrExt,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use nix::unistd::geteuid;

use super::{marker, trust::rejected};
use crate::{
    account::Account,
    error::{self, Error},
};

/// Creates the folder, the marker first: a non-empty folder without the marker would be rejected.
pub(super) fn create(
    top: &Path,
    name: &str,
    account: &Account,
    durable: bool,
) -> Result<(), Error> {
    let marker = top.join(marker(name, durable));
    let gitignore = top.join(".gitignore");
    if marker.exists() && gitignore.exists() {
        return Ok(());
    }
    let missing: Vec<&Path> = top.ancestors().take_while(|path| !path.exists()).collect();
    for path in missing.into_iter().rev() {
        create_folder(path, account.is_switched_to().then_some(0o755))?;
    }
    // The server's account can pass through root's folder, but not list it.
    let mode = if account.is_switched_to() {
        0o711
    } else {
        0o700
    };
    fs::set_permissions(top, fs::Permissions::from_mode(mode))
        .map_err(error::io("set the permissions of", top))?;
    let text = format!(
        "This folder contains the PostgreSQL server that {name} starts itself.\n\
         `data` is the database: keep it complete, and let no other program write to it.\n"
    );
    // The folder must not be committed to a repository.
    for (path, text) in [(marker, text.as_str()), (gitignore, "*\n")] {
        open_private(&path, OpenOptions::new().write(true))?
            .write_all(text.as_bytes())
            .map_err(error::io("write", &path))?;
    }
    Ok(())
}

/// Creates one folder, with this mode regardless of the umask. Another process may have created it just now.
fn create_folder(path: &Path, mode: Option<u32>) -> Result<(), Error> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        created => created.map_err(error::io("create the folder", path))?,
    }
    match mode {
        Some(mode) => fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(error::io("set the permissions of", path)),
        None => Ok(()),
    }
}

/// Creates a folder that only the server's account can enter, or checks that an existing one is such a folder: any user
/// can create one in /tmp.
pub(super) fn create_private(path: &Path, account: &Account) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error::io("create the folder", path)(error));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(error::io("inspect", path))?;
    // It still belongs to this process's user if its creator died before giving it to the account.
    let is_trusted = found.uid() == account.uid || found.uid() == geteuid().as_raw();
    if !found.is_dir() || !is_trusted || found.mode() & 0o077 != 0 {
        let cause = "is not a folder that only the server's user can enter";
        let remedy = "Find out which program created it, then remove it";
        return Err(rejected(path, cause, remedy));
    }
    account
        .give(path)
        .map_err(error::io("change the owner of", path))
}

/// Opens a file that only this user can read, and creates it if it does not exist.
pub(super) fn open_private(path: &Path, options: &mut OpenOptions) -> Result<File, Error> {
    options
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(error::io("open", path))
}

/// 64-bit FNV-1a. Not the standard library's hasher, which may change and would then lose the path to the data.
pub(super) fn short_hash(path: &Path) -> String {
    let hash = path
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    format!("{hash:016x}")
}
