//! Finds PostgreSQL's client programs (`pg_dump`, `pg_restore`, `psql`), in the same places as the server's.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::binaries::{PACKAGE_FOLDERS, expand, folders_printed_by, major_version};

/// A folder with `pg_dump`, `pg_restore` and `psql` of the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPrograms {
    folder: PathBuf,
    major: u32,
}

impl ClientPrograms {
    /// All that are installed, each folder once. `explicit` is searched first: a folder with a server may have no client programs.
    #[must_use]
    pub fn find(explicit: Option<&Path>) -> Vec<ClientPrograms> {
        let commands = ["command -v pg_dump", "pg_config --bindir"];
        let installed = commands
            .into_iter()
            .flat_map(|command| folders_printed_by(command, None))
            .chain(PACKAGE_FOLDERS.iter().flat_map(|pattern| expand(pattern)));
        let mut seen = HashSet::new();
        let folders = explicit.map(Path::to_owned).into_iter().chain(installed);
        let folders = folders.filter(|folder| seen.insert(folder.clone()));
        folders.filter_map(in_folder).collect()
    }

    /// The path of one of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Their major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }
}

fn in_folder(folder: PathBuf) -> Option<ClientPrograms> {
    let has = |name: &str| folder.join(name).is_file();
    if !(has("pg_dump") && has("pg_restore") && has("psql")) {
        return None;
    }
    // Debian's wrapper in /usr/bin chooses a version for each call.
    let program = folder.join("pg_dump").canonicalize().ok()?;
    if program.file_name()? == "pg_wrapper" {
        return None;
    }
    let output = Command::new(folder.join("pg_dump"))
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(ClientPrograms { folder, major })
}
