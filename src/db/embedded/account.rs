//! As whom the server runs: oneself, or, since PostgreSQL refuses to run as root, `postgres` or `nobody` when root
//! starts it.
//!
//! It never changes the account of this process, only that of the programs that it starts.

use std::{
    ffi::OsStr,
    io,
    os::unix::fs::lchown,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Gid, Uid, User, getegid, geteuid};

use super::error::EmbeddedError;

/// The account that the server and its helpers run as.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) uid: u32,
    gid: u32,
    /// Whether we are root and the programs must be started as somebody else.
    switch: bool,
}

impl Account {
    /// The account for a new data folder.
    pub(super) fn choose() -> Result<Self, EmbeddedError> {
        if !geteuid().is_root() {
            return Ok(Self::new(geteuid(), getegid()));
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self::new(user.uid, user.gid))
            .ok_or(EmbeddedError::NoAccount)
    }

    /// The account that owns an existing data folder; a user `postgres` may have come to the machine since `nobody`
    /// made it.
    pub(super) fn of(uid: u32, gid: u32) -> Self {
        Self::new(Uid::from_raw(uid), Gid::from_raw(gid))
    }

    fn new(uid: Uid, gid: Gid) -> Self {
        Self {
            uid: uid.as_raw(),
            gid: gid.as_raw(),
            switch: geteuid().is_root(),
        }
    }

    /// Whether root starts the server for this account.
    pub(super) fn is_switched_to(&self) -> bool {
        self.switch
    }

    /// A program to be run as this account, out of reach of Ctrl-C, in an environment that shows it neither the
    /// service's secrets nor settings such as PGPORT, and in a working folder that every account can enter.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
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
            // The standard library drops root's supplementary groups, too, when it changes the uid.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Whether this account can enter the folder, and so every folder above it.
    pub(super) fn can_enter(&self, folder: &Path) -> bool {
        self.command("/bin/sh")
            .args(["-c", "cd \"$1\"", "sh"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Makes this account the owner; a symbolic link is not followed.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        if !self.switch {
            return Ok(());
        }
        lchown(path, Some(self.uid), Some(self.gid))
    }
}

/// The name of a user for messages, or its number if it has none.
pub(super) fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("number {uid}"),
    }
}
