//! Which folders are used: rejects those that this crate did not create, without changing them.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;

use super::{marker, short_hash};
use crate::{
    SUPERUSER,
    account::{self, Account},
    error::{self, Error},
};

/// The remedy for most rejected folders.
const CHOOSE_ANOTHER: &str = "Choose another folder";

/// The name becomes part of SQL statements and file names, and its role must not be the superuser.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let is_valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 40
        && name.chars().all(is_part)
        && name != SUPERUSER;
    match is_valid {
        true => Ok(()),
        false => Err(Error::Name(name.to_owned())),
    }
}

/// The named folder. If root named one that the server's account cannot reach, such as one in /root, a folder in
/// /var/lib instead.
pub(super) fn reachable(named: &Path, name: &str, account: &Account) -> Result<PathBuf, Error> {
    let named = std::path::absolute(named).map_err(error::io("resolve the path", named))?;
    let nearest = named.ancestors().skip(1).find(|parent| parent.exists());
    if !account.is_switched_to() || nearest.is_none_or(|parent| account.can_enter(parent)) {
        return Ok(named);
    }
    let instead = PathBuf::from(format!("/var/lib/{name}-{}", short_hash(&named)));
    tracing::info!(
        user = account::name_of(account.uid),
        named = %named.display(),
        folder = %instead.display(),
        "the user that PostgreSQL runs as cannot reach the named folder; using another one"
    );
    Ok(instead)
}

/// Rejects a folder that this crate did not create.
pub(super) fn check(top: &Path, name: &str, durable: bool) -> Result<(), Error> {
    let metadata = error::if_exists(fs::metadata(top)).map_err(error::io("inspect", top))?;
    let Some(metadata) = metadata else {
        return Ok(());
    };
    if !metadata.is_dir() {
        return Err(rejected(top, "is not a folder", CHOOSE_ANOTHER));
    }
    if metadata.uid() != geteuid().as_raw() {
        let cause = format!("belongs to the user {}", account::name_of(metadata.uid()));
        let remedy = "Run this program as that user, or choose another folder";
        return Err(rejected(top, &cause, remedy));
    }
    check_content(top, name, durable)
}

/// Rejects a folder of the other kind, one with foreign files, and one whose data directory is damaged.
fn check_content(top: &Path, name: &str, durable: bool) -> Result<(), Error> {
    if top.join(marker(name, !durable)).exists() {
        let cause = match durable {
            true => "was created for a throw-away server, which does not keep data safe",
            false => "was created to keep data safe, which a throw-away server does not",
        };
        return Err(rejected(top, cause, CHOOSE_ANOTHER));
    }
    let data = top.join("data");
    let mut entries = fs::read_dir(top).map_err(error::io("list", top))?;
    let is_empty = entries.next().is_none();
    // The marker is checked last: another process that is creating the folder now writes the marker first.
    if !is_empty && !top.join(marker(name, durable)).exists() {
        let cause = format!("contains files that {name} did not create");
        return Err(rejected(top, &cause, CHOOSE_ANOTHER));
    }
    if data.exists() && !data.join("PG_VERSION").exists() {
        let cause = "is not a PostgreSQL data directory (it has no PG_VERSION)";
        let remedy = "Restore it from a backup, or move it away to start with empty data";
        return Err(rejected(&data, cause, remedy));
    }
    Ok(())
}

pub(super) fn rejected(folder: &Path, cause: &str, remedy: &'static str) -> Error {
    Error::Rejected {
        folder: folder.to_owned(),
        cause: cause.to_owned(),
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_be_safe_in_sql_and_in_file_names() {
        for name in ["snapnote", "a", "notes-2_b"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "a".repeat(41);
        for name in [
            "", "2b", "Notes", "a b", "a/b", "a\"b", "ä", "postgres", &long,
        ] {
            let error = check_name(name).expect_err(name).to_string();
            assert!(error.contains("cannot be the name of the role"), "{error}");
        }
    }
}
