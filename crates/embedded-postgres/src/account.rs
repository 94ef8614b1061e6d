//! The account that the server runs as: the current user, or `postgres` or `nobody` if root starts the server, because
//! PostgreSQL does not run as root.
//!
//! Only the programs that this crate starts change their account. The calling process never does.

use std::{
    ffi::OsStr,
    io,
    os::unix::fs::lchown,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Uid, User, getegid, geteuid};

use crate::error::Error;

/// The account of the server and its helpers.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    gid: u32,
    /// Whether this process is root and starts the programs as another user.
    switch: bool,
}

impl Account {
    /// Chooses the account for a new data directory.
    pub(crate) fn choose() -> Result<Self, Error> {
        if !geteuid().is_root() {
            return Ok(Self::of(geteuid().as_raw(), getegid().as_raw()));
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self::of(user.uid.as_raw(), user.gid.as_raw()))
            .ok_or(Error::NoAccount)
    }

    /// The account that owns an existing data directory. It may differ from [`Self::choose`]: a user `postgres` may
    /// have been created after `nobody` made the data.
    pub(crate) fn of(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            gid,
            switch: geteuid().is_root(),
        }
    }

    /// Whether root starts the server for this account.
    pub(crate) fn is_switched_to(&self) -> bool {
        self.switch
    }

    /// A program to run as this account. Ctrl-C does not reach it, its environment contains neither the caller's
    /// secrets nor settings such as PGPORT, and every account can enter its working folder.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::null())
            .process_group(0);
        if self.switch {
            // When the uid changes, the standard library also drops root's supplementary groups.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Whether this account can enter the folder, and so every folder above it.
    pub(crate) fn can_enter(&self, folder: &Path) -> bool {
        self.command("/bin/sh")
            .args(["-c", "cd \"$1\"", "sh"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Makes this account the owner of a file or folder. Does not follow a symbolic link.
    pub(crate) fn give(&self, path: &Path) -> io::Result<()> {
        if !self.switch {
            return Ok(());
        }
        lchown(path, Some(self.uid), Some(self.gid))
    }
}

/// The name of a user for messages, or its number if it has no name.
pub(crate) fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("number {uid}"),
    }
}
