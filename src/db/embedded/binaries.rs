//! Finds PostgreSQL's programs: an explicit folder, or PATH, `pg_config`, and the places where packages put them.
//!
//! It never takes a version older than 14, nor one that cannot read the data that is there. Read on in `cluster`.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::account::Account;

/// The oldest major version of PostgreSQL that the service works with.
pub(super) const OLDEST_MAJOR: u32 = 14;

/// Where packages put the programs of several versions side by side; `*` stands for what differs.
const PLACES: [&str; 9] = [
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

/// A folder that holds a `postgres` and an `initdb` that the server's account can run.
#[derive(Debug, PartialEq)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// The first usable programs: those of `explicit` alone if it is given, else the first found; of version `wanted`
    /// if it is given.
    pub(super) fn find(
        explicit: Option<&Path>,
        wanted: Option<u32>,
        account: &Account,
    ) -> Result<Self, String> {
        match explicit {
            Some(folder) => {
                // The programs run in another working folder.
                let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
                first_usable([vec![folder]], wanted, account)
            }
            None => find_in(None, &PLACES, wanted, account),
        }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Searches `path` (`None`: our own PATH) and then `places`. The error lists what was looked at.
fn find_in(
    path: Option<&str>,
    places: &[&str],
    wanted: Option<u32>,
    account: &Account,
) -> Result<Binaries, String> {
    let questions = ["command -v postgres", "pg_config --bindir"];
    // An iterator is lazy, and what comes first mostly suffices.
    let lists = questions
        .into_iter()
        .map(|question| ask_shell(question, path))
        .chain(places.iter().map(|place| expand(place)));
    first_usable(lists, wanted, account).map_err(|found| {
        let everywhere = format!(
            "PATH, the folder that pg_config names, {}",
            places.join(", ")
        );
        match found.is_empty() {
            true => format!("in {everywhere}; there is none"),
            false => format!("in {everywhere}; {found}"),
        }
    })
}

/// The first folder whose programs run and have a version that fits. The error says what is wrong with each that was
/// looked at.
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
            Ok(major) if major < OLDEST_MAJOR => {
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
        [true, true] => return Err("has neither".to_owned()),
        [true, false] => return Err("has no postgres".to_owned()),
        [false, true] => return Err("has no initdb".to_owned()),
        [false, false] => {}
    }
    // As the server's account: programs below /root are of no use to it.
    let output = account
        .command(folder.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|error| format!("cannot be run: {error}"))?;
    major_version(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        format!("cannot be run: {}", complaint.trim())
    })
}

/// Reads `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`, `… 18beta1` or `… 19devel`.
fn major_version(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let digits = version.split(|character: char| !character.is_ascii_digit());
    digits.into_iter().next()?.parse().ok()
}

/// The folders that a shell command names; of a line that names a program its folder, as named and with links resolved.
fn ask_shell(question: &str, path: Option<&str>) -> Vec<PathBuf> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", question])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let Ok(output) = command.output() else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let folder_of = |file: &Path| file.parent().map(Path::to_owned);
    text.lines()
        .map(Path::new)
        .flat_map(|named| match named.is_dir() {
            true => vec![Some(named.to_owned())],
            false => {
                let resolved = named.canonicalize().ok();
                vec![folder_of(named), resolved.as_deref().and_then(folder_of)]
            }
        })
        .flatten()
        .collect()
}

/// The folders that match a pattern with one `*`, the highest version first.
fn expand(place: &str) -> Vec<PathBuf> {
    let (before, after) = place.split_once('*').expect("every place has a star");
    let (parent, start) = before.rsplit_once('/').expect("every place is absolute");
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
    fn versions_are_read_as_every_release_prints_them() {
        let debian = "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n";
        assert_eq!(major_version(debian), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_version("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(major_version("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(major_version("something else 17"), None);
    }

    #[test]
    fn the_newest_version_comes_first_and_the_version_of_the_data_before_that() {
        let programs = Programs::new(
            "newest",
            &[("9", "9.6.1"), ("14", "14.2"), ("100", "100.1")],
        );
        let find = |wanted| find_in(Some("/nowhere"), &[&programs.place()], wanted, &account());
        assert_eq!(find(None).map(|found| found.major), Ok(100));
        assert_eq!(find(Some(14)).map(|found| found.major), Ok(14));
        let error = find(Some(15)).expect_err("there is no 15");
        assert!(error.contains("100/bin is PostgreSQL 100"), "{error}");
    }

    #[test]
    fn a_version_that_is_too_old_is_named_but_not_taken() {
        let programs = Programs::new("old", &[("13", "13.9")]);
        let found = find_in(Some("/nowhere"), &[&programs.place()], None, &account());
        let error = found.expect_err("it is too old");
        assert!(
            error.contains("13/bin is PostgreSQL 13, which is too old"),
            "{error}"
        );
    }

    #[test]
    fn path_comes_before_the_usual_places() {
        let programs = Programs::new("path", &[("15", "15.1"), ("16", "16.1")]);
        let first = programs.folder("15");
        let path = first.to_str().expect("it is text");
        let found = find_in(Some(path), &[&programs.place()], None, &account());
        assert_eq!(
            found,
            Ok(Binaries {
                folder: first,
                major: 15
            })
        );
    }

    #[test]
    fn if_there_are_none_the_error_says_where_we_looked() {
        let found = find_in(Some("/nowhere"), &["/nowhere/*/bin"], None, &account());
        let error = found.expect_err("there is nothing");
        let expected = "in PATH, the folder that pg_config names, /nowhere/*/bin; there is none";
        assert_eq!(error, expected);
    }

    /// Programs that do nothing but tell a version, each in a folder `<name>/bin`.
    struct Programs(PathBuf);

    impl Programs {
        fn new(test: &str, versions: &[(&str, &str)]) -> Self {
            let name = format!("snapnote-programs-{}-{test}", std::process::id());
            let programs = Self(std::env::temp_dir().join(name));
            for (name, version) in versions {
                let folder = programs.folder(name);
                fs::create_dir_all(&folder).expect("it can be made");
                // Not written by this process: a program that is open for writing anywhere cannot be run, and other
                // tests start processes, which for a moment have open what we have.
                let write = "cd \"$1\" && echo '#!/bin/sh\necho \"postgres (PostgreSQL) '$2'\"' >postgres \\
                    && chmod 755 . .. ../.. postgres && ln -s postgres initdb";
                let status = Command::new("/bin/sh")
                    .args(["-c", write, "sh"])
                    .arg(&folder)
                    .arg(version)
                    .status();
                assert!(status.expect("there is a shell").success());
            }
            programs
        }

        fn folder(&self, name: &str) -> PathBuf {
            self.0.join(name).join("bin")
        }

        fn place(&self) -> String {
            format!("{}/*/bin", self.0.display())
        }
    }

    impl Drop for Programs {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn account() -> Account {
        Account::choose().expect("there is an account for the server")
    }
}
