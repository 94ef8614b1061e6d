//! Why an embedded server could not be started. Each message is complete: cause, path and remedy.
//!
//! No variant has a `source`: the message already contains the text of its cause. Remedies are generic. Callers that
//! know where [`Settings`](crate::Settings) come from can match on the variant and name their own option.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::binaries::MIN_MAJOR;

/// Why an embedded server could not be started or joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// [`Settings::name`](crate::Settings::name) is invalid.
    #[error(
        "`{0}` cannot be the name of the role: use 1 to 40 characters of a-z, 0-9, - and _, starting with a letter, and not \
         `postgres`"
    )]
    Name(
        /// The rejected name.
        String,
    ),
    /// No usable PostgreSQL is installed.
    #[error(
        "found no PostgreSQL {MIN_MAJOR} or newer to start (looked for `postgres` and `initdb`: {searched}). Install it (for \
         example: apt install postgresql), or specify the folder that contains its programs"
    )]
    NoBinaries {
        /// The places that were searched and what was found there.
        searched: String,
    },
    /// The data was created by a major version of PostgreSQL that was not found.
    #[error(
        "{} contains data of PostgreSQL {major}, which only PostgreSQL {major} can read (looked for `postgres` and \
         `initdb`: {searched}). Nothing was changed. Install PostgreSQL {major}, specify the folder that contains its \
         programs, or choose another data folder", data.display()
    )]
    OtherVersion {
        /// The data directory.
        data: PathBuf,
        /// The major version that created the data.
        major: u32,
        /// The places that were searched and what was found there.
        searched: String,
    },
    /// The folder was not created by this crate, or cannot be trusted.
    #[error("{} {cause}; nothing in it was changed. {remedy}", folder.display())]
    Rejected {
        /// The rejected folder.
        folder: PathBuf,
        /// What is wrong with it: a predicate without a subject.
        cause: String,
        /// What to do about it: a sentence without a full stop.
        remedy: &'static str,
    },
    /// Root started this, PostgreSQL does not run as root, and there is no other account for it.
    #[error(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as. Create one (for \
         example: useradd --system postgres), or run this program as another user"
    )]
    NoAccount,
    /// `initdb` failed.
    #[error("cannot create a data directory in {}; initdb printed: {output}", folder.display())]
    Initdb {
        /// The folder for the data directory.
        folder: PathBuf,
        /// What initdb printed.
        output: String,
    },
    /// The server ended before it accepted connections.
    #[error("the PostgreSQL server in {} did not start. It printed: {output}", folder.display())]
    Exited {
        /// The folder that contains the data and the log.
        folder: PathBuf,
        /// What the server wrote to its log during this start.
        output: String,
    },
    /// The server or its watchdog runs but does not respond.
    #[error(
        "the PostgreSQL server in {} has not {awaited} for {seconds} seconds. See `postgres.log` in that folder. End the \
         processes that use the folder, then start again", folder.display()
    )]
    Unresponsive {
        /// The folder that contains the data and the log.
        folder: PathBuf,
        /// What was expected: a past participle.
        awaited: &'static str,
        /// How long this crate waited.
        seconds: u64,
    },
    /// The server responded with an error that a retry does not fix.
    #[error("the PostgreSQL server in {} failed to {doing}: {cause}", folder.display())]
    Database {
        /// The folder that contains the data and the log.
        folder: PathBuf,
        /// The requested operation.
        doing: &'static str,
        /// The server's error message.
        cause: String,
    },
    /// A system call failed.
    #[error("cannot {doing} {}: {cause}", path.display())]
    Io {
        /// The failed operation.
        doing: &'static str,
        /// The file or folder that it was applied to.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
}

/// For `map_err`: the failed operation and its path.
pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::Io { doing, path, cause }
}

/// The result of an operation on a file or folder. `None` if it does not exist.
pub(crate) fn if_exists<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
