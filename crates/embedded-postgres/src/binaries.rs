//! Finds PostgreSQL's programs: in an explicit folder, or in PATH, by `pg_config`, and where packages install them.
//!
//! Versions older than 14 are ignored, and so are those that cannot read the existing data. Continue in `cluster`.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::account::Account;

/// The oldest supported major version of PostgreSQL.
pub(crate) const MIN_MAJOR: u32 = 14;

/// Where packages install the programs of several versions side by side. `*` is the part that differs.
pub(crate) const PACKAGE_FOLDERS: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql*/bin",
];

/// A folder with a `postgres` and an `initdb` that the server's account can run.
#[derive(Debug, PartialEq)]
pub(crate) struct Binaries {
    pub(crate) folder: PathBuf,
    pub(crate) major: u32,
}

impl Binaries {
    /// The first usable programs, of version `wanted` if it is specified. If `explicit` is specified, only that folder is
    /// searched.
    pub(crate) fn find(
        explicit: Option<&Path>,
        wanted: Option<u32>,
        account: &Account,
    ) -> Result<Self, String> {
        match explicit {
            Some(folder) => {
                // The programs run with another working folder.
                let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
                first_usable([vec![folder]], wanted, account)
            }
            None => find_in(None, &PACKAGE_FOLDERS, wanted, account),
        }
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Searches `path` (with `None`, this process's PATH) and then `patterns`. The error lists the searched places.
fn find_in(
    path: Option<&str>,
    patterns: &[&str],
    wanted: Option<u32>,
    account: &Account,
) -> Result<Binaries, String> {
    let commands = ["command -v postgres", "pg_config --bindir"];
    // The iterator is lazy, and the first folders are usually enough.
    let lists = commands
        .into_iter()
        .map(|command| folders_printed_by(command, path))
        .chain(patterns.iter().map(|pattern| expand(pattern)));
    first_usable(lists, wanted, account).map_err(|found| {
        let everywhere = format!(
            "PATH, the folder that pg_config prints, {}",
            patterns.join(", ")
        );
        match found.is_empty() {
            true => format!("in {everywhere}; found none"),
            false => format!("in {everywhere}; {found}"),
        }
    })
}

/// The first folder whose programs run and have a suitable version. The error says what is wrong with each searched
/// folder.
fn first_usable(
    lists: impl IntoIterator<Item = Vec<PathBuf>>,
    wanted: Option<u32>,
    account: &Account,
) -> Result<Binaries, String> {
    let mut seen = HashSet::new();
    let mut unusable = Vec::new();
    for folder in lists.into_iter().flatten() {
        if !seen.insert(folder.clone()) {
            continue;
        }
        let problem = match version_in(&folder, account) {
            Ok(major) if wanted.unwrap_or(major) != major => format!("is PostgreSQL {major}"),
            Ok(major) if major < MIN_MAJOR => {
                format!("is PostgreSQL {major}, which is too old")
            }
            Ok(major) => return Ok(Binaries { folder, major }),
            Err(problem) => problem,
        };
        unusable.push(format!("{} {problem}", folder.display()));
    }
    Err(unusable.join(", "))
}

/// The major version of the programs in a folder, or what is wrong with them.
fn version_in(folder: &Path, account: &Account) -> Result<u32, String> {
    let missing = ["postgres", "initdb"].map(|name| !folder.join(name).is_file());
    match missing {
        [true, true] => return Err("contains neither".to_owned()),
        [true, false] => return Err("contains no postgres".to_owned()),
        [false, true] => return Err("contains no initdb".to_owned()),
        [false, false] => {}
    }
    // Run as the server's account, which cannot run programs below /root.
    let output = account
        .command(folder.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|error| format!("cannot run: {error}"))?;
    major_version(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("cannot run: {}", errors.trim())
    })
}

/// Parses `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`, `… 18beta1` or `… 19devel`.
pub(crate) fn major_version(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let digits = version.split(|character: char| !character.is_ascii_digit());
    digits.into_iter().next()?.parse().ok()
}

/// The folders that a shell command prints. For a printed program: its folder, as printed and with links resolved.
pub(crate) fn folders_printed_by(command: &str, path: Option<&str>) -> Vec<PathBuf> {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    if let Some(path) = path {
        shell.env("PATH", path);
    }
    let Ok(output) = shell.output() else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let folder_of = |file: &Path| file.parent().map(Path::to_owned);
    text.lines()
        .map(Path::new)
        .flat_map(|printed| match printed.is_dir() {
            true => vec![Some(printed.to_owned())],
            false => {
                let resolved = printed.canonicalize().ok();
                vec![folder_of(printed), resolved.as_deref().and_then(folder_of)]
            }
        })
        .flatten()
        .collect()
}

/// The folders that match a pattern with one `*`, the highest version first.
pub(crate) fn expand(pattern: &str) -> Vec<PathBuf> {
    let (before, after) = pattern.split_once('*').expect("every pattern has a `*`");
    let (parent, start) = before.rsplit_once('/').expect("every pattern is absolute");
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut names: Vec<(u32, String)> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| {
            let version = name.strip_prefix(start)?.trim_start_matches('@');
            Some((version.parse().unwrap_or(0), name))
        })
        .collect();
    names.sort_unstable_by(|left, right| right.cmp(left));
    names
        .into_iter()
        .map(|(_, name)| PathBuf::from(format!("{parent}/{name}{after}")))
        .filter(|folder| folder.is_dir())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_version_of_every_release() {
        let debian = "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n";
        assert_eq!(major_version(debian), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_version("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(major_version("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(major_version("something else 17"), None);
    }

    #[test]
    fn prefers_the_version_of_the_data_then_the_newest() {
        let programs = Programs::new(
            "newest",
            &[("9", "9.6.1"), ("14", "14.2"), ("100", "100.1")],
        );
        let find = |wanted| find_in(Some("/nowhere"), &[&programs.pattern()], wanted, &account());
        assert_eq!(find(None).map(|found| found.major), Ok(100));
        assert_eq!(find(Some(14)).map(|found| found.major), Ok(14));
        let error = find(Some(15)).expect_err("version 15 does not exist");
        assert!(error.contains("100/bin is PostgreSQL 100"), "{error}");
    }

    #[test]
    fn names_a_version_that_is_too_old_but_does_not_use_it() {
        let programs = Programs::new("old", &[("13", "13.9")]);
        let found = find_in(Some("/nowhere"), &[&programs.pattern()], None, &account());
        let error = found.expect_err("version 13 is too old");
        assert!(
            error.contains("13/bin is PostgreSQL 13, which is too old"),
            "{error}"
        );
    }

    #[test]
    fn searches_path_before_the_package_folders() {
        let programs = Programs::new("path", &[("15", "15.1"), ("16", "16.1")]);
        let first = programs.folder("15");
        let path = first.to_str().expect("the path is UTF-8");
        let found = find_in(Some(path), &[&programs.pattern()], None, &account());
        assert_eq!(
            found,
            Ok(Binaries {
                folder: first,
                major: 15
            })
        );
    }

    #[test]
    fn the_error_lists_the_searched_places() {
        let found = find_in(Some("/nowhere"), &["/nowhere/*/bin"], None, &account());
        let error = found.expect_err("there are no programs");
        let expected = "in PATH, the folder that pg_config prints, /nowhere/*/bin; found none";
        assert_eq!(error, expected);
    }

    /// Programs that only print a version, each in a folder `<name>/bin`.
    struct Programs(PathBuf);

    impl Programs {
        fn new(test: &str, versions: &[(&str, &str)]) -> Self {
            let name = format!("embedded-postgres-{}-{test}", std::process::id());
            let programs = Self(std::env::temp_dir().join(name));
            for (name, version) in versions {
                let folder = programs.folder(name);
                fs::create_dir_all(&folder).expect("the folder can be created");
                // A shell writes the program: a program that is open for writing anywhere cannot run, and child
                // processes of other tests briefly inherit the open files of this process.
                let write = "cd \"$1\" && echo '#!/bin/sh\necho \"postgres (PostgreSQL) '$2'\"' >postgres \\
                    && chmod 755 . .. ../.. postgres && ln -s postgres initdb";
                let status = Command::new("/bin/sh")
                    .args(["-c", write, "sh"])
                    .arg(&folder)
                    .arg(version)
                    .status();
                assert!(status.expect("the shell runs").success());
            }
            programs
        }

        fn folder(&self, name: &str) -> PathBuf {
            self.0.join(name).join("bin")
        }

        fn pattern(&self) -> String {
            format!("{}/*/bin", self.0.display())
        }
    }

    impl Drop for Programs {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn account() -> Account {
        Account::choose().expect("an account exists")
    }
}
